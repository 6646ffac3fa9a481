/** The session with everything that hangs on it, over implementations it is given. */
import type { Encryption, Settings } from '../../shared/settings.js'
import type { Feeds, Handlers } from '../../shared/rpc/contract.js'
import type { DaemonView } from '../../shared/views.js'
import type { CrashPoint } from '../base/crash-point.js'
import { Limiter } from '../base/limiter.js'
import { Latency, timed } from '../base/latency.js'
import { LoopDelay } from '../base/loop-delay.js'
import { Pace } from '../tracker/pace.js'
import { Rally } from '../tracker/rally.js'
import { Scrapes } from '../tracker/scrapes.js'
import { Wheel } from '../tracker/wheel.js'
import { makePeerId } from '../codec/peer-id.js'
import type { Random } from '../ports/random.js'
import type { Database, Store } from '../ports/store.js'
import type { Millis } from '../../shared/units.js'
import { Adder } from './add.js'
import { beside } from './beside.js'
import { Commands } from './commands.js'
import { DhtRoom } from './dht.js'
import type { DhtNetwork } from '../ports/dht-network.js'
import type { LsdNetwork } from '../ports/lsd-network.js'
import { createHandlers, type HandlerInit } from './handlers.js'
import { Jobs } from './jobs.js'
import { LsdRoom } from './lsd.js'
import type { PeerListener, SessionNetwork } from './network.js'
import { OwnTrackers } from './own-trackers.js'
import { Queries } from './queries.js'
import { queueLimits, standardGoals } from './queueing.js'
import { Session, type SessionPorts } from './session.js'
import type { LiveSettings } from './settings.js'
import { Trash } from './trash.js'
import { TrackerEdits } from './tracker-edits.js'

export interface SessionRoomInit extends HandlerInit {
  /** Volume of the home, st_dev. */
  readonly homeVolume: string
}

export interface SessionRoomPorts extends Omit<
  SessionPorts,
  | 'tracker'
  | 'queue'
  | 'goals'
  | 'downLimit'
  | 'upLimit'
  | 'busy'
  | 'dialer'
  | 'listenPort'
  | 'keepMetadata'
  | 'dht'
> {
  readonly settings: LiveSettings
  readonly network: SessionNetwork
  readonly dhtNetwork: DhtNetwork
  readonly lsdNetwork: LsdNetwork
  /** Sockets for peers that the system allows. */
  readonly maxSockets: number
  readonly database: Database
  readonly memory: () => number
  readonly shutdown: () => void
  /** Kills the daemon in a test; without it, nothing. */
  readonly crashPoint?: CrashPoint
}

export interface SessionRoom {
  readonly session: Session
  readonly handlers: Handlers
  readonly feeds: Feeds
  /** The port for peers, 0: none. */
  readonly port: number
  /** Listens, brings back the torrents of the store, and goes on with moves and removals that were interrupted. */
  open(): Promise<void>
  stop(): Promise<void>
  /** The machine slept so long, or has other addresses. */
  woke(gap: Millis): void
  /** Settings that work at once changed. */
  apply(settings: Settings): void
}

export function createSession(init: SessionRoomInit, given: SessionRoomPorts): SessionRoom {
  const { clock, random, settings, log, network } = given
  const now = (): Millis => clock.now()
  const storeLatency = new Latency({ now })
  const store = timed(given.store, storeLatency, now)
  const ports = { ...given, store }
  const { values } = settings
  const downLimit = new Limiter({ rate: values['limits.down'] || null }, { clock })
  const upLimit = new Limiter({ rate: values['limits.up'] || null }, { clock })
  const loop = new LoopDelay({ clock })
  let pexOn = values['pex.enabled']
  const peerId = makePeerId(init.version, random)
  const trackerKey = random.int(2 ** 32)
  const wheel = new Wheel(clock)
  const pace = new Pace({ clock: wheel, transport: network.trackers })
  const scrapes = new Scrapes({ clock: wheel, pace, transport: network.trackers })
  const back = (): void => {
    network.changed()
    log.info({}, 'a tracker answers after a time when none did: those that were not reached are asked again')
  }
  const rally = new Rally({ clock: wheel, random, back })
  const encryption = (): Encryption => settings.values['peers.encryption']
  const trackerPorts = {
    clock: wheel,
    random,
    log,
    transport: {
      announce: pace.announce.bind(pace),
      counts: scrapes.counts.bind(scrapes),
      lost: rally.lost.bind(rally),
      heard: rally.heard.bind(rally),
      gone: rally.gone.bind(rally),
    },
  }
  /** Null until it was opened. */
  let listener: PeerListener | null = null
  const listenPort = (): number => listener?.port ?? 0
  let reached = false
  const woke = (gap: Millis): void => {
    network.changed()
    void listener?.again()
    void lsd.changed()
    session.woke(gap)
  }
  const dht = new DhtRoom({
    ...ports,
    network: ports.dhtNetwork,
    listenPort,
    settings: () => settings.values,
  })
  const lsd = new LsdRoom({
    ...ports,
    network: ports.lsdNetwork,
    listenPort,
    settings: () => settings.values,
  })
  const session = new Session(
    {
      peerId,
      client: `Torrentino/${init.version}`,
      maxConnections: values['peers.max'],
      maxSockets: ports.maxSockets,
      maxPeers: values['peers.perTorrent'],
      homeVolume: init.homeVolume,
    },
    {
      ...ports,
      queue: queueLimits(values),
      goals: standardGoals(values),
      downLimit,
      upLimit,
      busy: () => {
        loop.stir()
      },
      dialer: network.peers,
      listenPort,
      dht: dht.gate,
      encryption,
      pex: () => settings.values['pex.enabled'],
      tracker: (row, asks, bulkhead) => {
        const own = { peerId, key: trackerKey, port: listenPort, encryption }
        const trackers = new OwnTrackers({ row, ...own }, { ...trackerPorts, asks, bulkhead })
        return beside(lsd, 'lsd', row, asks, beside(dht, 'dht', row, asks, trackers))
      },
      keepMetadata: (id, info) => adder.keepMetadata(id, info),
    },
  )
  session.durability.probe = () => ports.database.probe()
  session.durability.silent = () => ports.database.silent()
  ports.database.watch(() => {
    session.durability.begin(ports.database.problem())
  })
  const queries = new Queries({ session, store })
  const { disk, crashPoint = () => undefined } = ports
  const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint })
  const trash = new Trash({
    ...{ clock, random, log, disk, store, session, jobs, crashPoint },
    keep: () => settings.values['trash.keep'] * 1000,
  })
  session.volumes.trashIn = (dir) => trash.bytesIn(dir)
  const commands = new Commands({ clock, session, store, queries, jobs, log, trash })
  const adder: Adder = new Adder({
    clock,
    disk: ports.disk,
    store,
    session,
    trash,
    downloadDir: () => settings.values['download.dir'],
    nodes: (nodes) => {
      dht.tryNamed(nodes)
    },
  })
  const host = values['listen.host']
  const listen = (): DaemonView['listen'] => ({ host, port: listenPort(), error: listener?.error ?? null })
  return {
    session,
    feeds: session.journal,
    get port() {
      return listenPort()
    },
    apply: (changed) => {
      downLimit.setRate(changed['limits.down'] || null)
      upLimit.setRate(changed['limits.up'] || null)
      session.queue.apply(queueLimits(changed))
      session.goals.apply(standardGoals(changed))
      void dht.apply()
      void lsd.apply()
      if (pexOn !== changed['pex.enabled']) for (const torrent of session.all()) torrent.pexChanged()
      pexOn = changed['pex.enabled']
    },
    handlers: createHandlers(init, {
      ...ports,
      listen,
      reached: () => reached,
      localDenied: network.localDenied.bind(network),
      session,
      loop,
      storeLatency,
      adder,
      commands,
      jobs,
      trash,
      trackerEdits: new TrackerEdits({ session, store, queries }),
      queries,
      dht,
      lsd,
    }),
    woke,
    open: async () => {
      const port = await portOf(values['listen.port'], store, random)
      listener = network.listen(
        { host, port },
        {
          full: () => session.budget.full,
          accept: (transport) => {
            reached = true
            if (network.allows(transport.address)) session.accept(transport)
            else transport.close('out-of-scope')
          },
          moved: () => {
            session.woke(0)
          },
        },
      )
      await listener.open()
      if (listener.error !== null) log.warn({ port }, listener.error)
      await dht.apply()
      const rows = await store.jobs()
      const moving = rows.filter(({ kind }) => kind === 'move').map(({ torrent }) => torrent)
      await trash.open()
      await session.restore(woke, new Set(moving), (row) => trash.rests(row))
      for (const torrent of session.all()) {
        if (torrent.desired === 'removed') await commands.finishRemoval(torrent)
      }
      await jobs.restore(rows)
      trash.resume()
    },
    stop: async () => {
      listener?.close()
      trash.stop()
      await jobs.stop()
      await session.stop()
      await dht.stop()
      await lsd.stop()
    },
  }
}

/** Drawn once and kept: routers and friends know it. */
async function portOf(setting: number, store: Store, random: Random): Promise<number> {
  if (setting > 0) return setting
  const kept = Number(await store.getMeta('listen.port'))
  if (kept >= 1024 && kept <= 65_535) return kept
  const drawn = 10_000 + random.int(22_768)
  await store.setMeta('listen.port', String(drawn))
  return drawn
}

/** The session with everything that hangs on it, over implementations it is given. */
import type { Settings } from '../../shared/settings.js'
import type { Feeds, Handlers } from '../../shared/rpc/contract.js'
import type { DaemonView } from '../../shared/views.js'
import { Limiter } from '../base/limiter.js'
import { LoopDelay } from '../base/loop-delay.js'
import { Announcer } from '../tracker/announcer.js'
import type { TrackerTransport } from '../tracker/transport.js'
import type { TorrentRow } from '../ports/store.js'
import { swarmKeys } from '../../shared/units.js'
import type { Tracker, TrackerAsks } from '../swarm/tracker-port.js'
import { Adder } from './add.js'
import { Commands } from './commands.js'
import { createHandlers, type HandlerInit } from './handlers.js'
import { Queries } from './queries.js'
import { Session, type SessionPorts } from './session.js'
import type { LiveSettings } from './settings.js'

export interface SessionRoomInit extends HandlerInit {
  readonly peerId: Uint8Array
  /** Shown to peers: name and version. */
  readonly client: string
  /** 32 bits, see BEP 7. */
  readonly trackerKey: number
}

export interface SessionRoomPorts extends Omit<SessionPorts, 'tracker' | 'downLimit' | 'upLimit' | 'busy'> {
  readonly settings: LiveSettings
  readonly trackers: TrackerTransport
  readonly listen: () => DaemonView['listen']
  readonly memory: () => number
  readonly shutdown: () => void
}

export interface SessionRoom {
  readonly session: Session
  readonly handlers: Handlers
  readonly feeds: Feeds
  /** Brings back the torrents of the store, and goes on with removals that were interrupted. */
  restore(): Promise<void>
  /** Settings that work at once changed. */
  apply(settings: Settings): void
}

export function createSession(init: SessionRoomInit, ports: SessionRoomPorts): SessionRoom {
  const { clock, store, settings, log } = ports
  const downLimit = new Limiter({ rate: settings.values['limits.down'] || null }, { clock })
  const upLimit = new Limiter({ rate: settings.values['limits.up'] || null }, { clock })
  const loop = new LoopDelay({ clock })
  const session = new Session(
    {
      peerId: init.peerId,
      client: init.client,
      maxConnections: settings.values['peers.max'],
      maxPeers: settings.values['peers.perTorrent'],
    },
    {
      ...ports,
      downLimit,
      upLimit,
      busy: () => {
        loop.stir()
      },
      tracker: (row, asks) => trackerOf(init, ports, row, asks),
    },
  )
  const queries = new Queries({ session, store })
  const commands = new Commands({ session, store, queries, log })
  const adder = new Adder({
    clock,
    disk: ports.disk,
    store,
    session,
    downloadDir: () => settings.values['download.dir'],
  })
  return {
    session,
    feeds: session.journal,
    apply: (changed) => {
      downLimit.setRate(changed['limits.down'] || null)
      upLimit.setRate(changed['limits.up'] || null)
    },
    handlers: createHandlers(init, { ...ports, session, loop, adder, commands, queries }),
    restore: async () => {
      await session.restore()
      for (const torrent of session.all()) {
        if (torrent.desired === 'removed' || torrent.desired === 'removedWithData') {
          await commands.finishRemoval(torrent)
        }
      }
    },
  }
}

function trackerOf(
  init: SessionRoomInit,
  ports: SessionRoomPorts,
  row: TorrentRow,
  asks: TrackerAsks,
): Tracker {
  const tiers = new Map<number, string[]>()
  for (const { tier, url } of row.trackers) tiers.set(tier, [...(tiers.get(tier) ?? []), url])
  const announcer = new Announcer(
    {
      swarmKeys: swarmKeys(row.hashes).slice(0, 1),
      tiers: [...tiers].sort(([a], [b]) => a - b).map(([, urls]) => urls),
      peerId: init.peerId,
      port: ports.listenPort,
      key: init.trackerKey,
    },
    {
      clock: ports.clock,
      random: ports.random,
      transport: ports.trackers,
      listener: {
        stats: () => asks.stats(),
        peers: (peers) => {
          asks.found(peers)
        },
        changed: () => {
          asks.changed()
        },
      },
    },
  )
  return {
    start: () => {
      announcer.start()
    },
    stop: (cap, done) => {
      announcer.stop(cap, done)
    },
    completed: () => {
      announcer.complete()
    },
    need: (level) => {
      announcer.setNeed(level)
    },
    announceNow: () => {
      announcer.announceNow()
    },
    addTrackers: (more) => {
      announcer.addTrackers(more)
    },
    views: () => announcer.views(),
  }
}

/** The composition root: which implementation stands behind which port, and in what order they begin and end. */
import { homedir, availableParallelism } from 'node:os'
import { join } from 'node:path'
import { CONTRACT_VERSION } from '../shared/rpc/contract-version.js'
import type { Home } from '../shared/home.js'
import { VERSION } from '../shared/version.js'
import { EXTENT_SIZE } from '../shared/units.js'
import { makePeerId } from './codec/peer-id.js'
import { openStore } from './db/store.js'
import { createDisk } from './disk/disk.js'
import { systemClock } from './io/clock.js'
import { ConfigFile } from './io/config-file.js'
import { readDownloadDir } from './io/download-dir.js'
import { listenNear } from './io/listen.js'
import { openLog } from './io/log.js'
import { createNetwork } from './io/net.js'
import { peerDialer } from './io/peer-dialer.js'
import { systemRandom } from './io/random.js'
import type { Random } from './ports/random.js'
import type { Store } from './ports/store.js'
import { createRpcServer } from './rpc/server.js'
import { createSession } from './session/create.js'
import { LiveSettings } from './session/settings.js'

/** A worker that died, or an error nobody expected: the process ends and its manager starts it anew. */
export type OnBug = (error: Error) => void

export interface DaemonInit {
  readonly home: Home
  readonly owner: 'service' | 'person'
  readonly onBug: OnBug
  /** The database is damaged: the daemon should end in order, and recovers at its next start. */
  readonly onDamaged: () => void
  /** `session.shutdown` was called. */
  readonly onShutdown: () => void
}

export interface Daemon {
  /** One line for the person who started it. */
  readonly ready: string
  /** Ends in order: torrents, connections, records, threads. */
  stop(): Promise<void>
  /** Last lines of the log, where it ends without order. */
  died(error: Error): void
}

const worker = (path: string): URL => new URL(path, import.meta.url)

export async function startDaemon(init: DaemonInit): Promise<Daemon> {
  const { home, onBug } = init
  const clock = systemClock()
  const random = systemRandom()
  const file = new ConfigFile({ path: home.config })
  const around = { env: process.env, homedir: homedir(), downloadDir: readDownloadDir() }
  const settings = new LiveSettings(
    { text: file.readSync(), around },
    {
      file,
      changed: (values) => {
        log.setLevel(values['log.level'])
        room.apply(values)
      },
    },
  )
  const { values } = settings
  // The lock first: a second daemon touches nothing of the first one's.
  const store = await openStore({
    file: home.database,
    lockFile: home.lock,
    downloadDir: values['download.dir'],
    workerUrl: worker('./db/thread.js'),
    onBug,
    onDamaged: (fault) => {
      log.error(
        { error: fault.message },
        'the database is damaged: the daemon ends and recovers at its next start',
      )
      init.onDamaged()
    },
  })
  const log = openLog({ file: join(home.logs, 'torrentinod.log'), level: values['log.level'] })
  if (store.notice !== null) log.warn({ at: new Date(store.notice.at).toISOString() }, store.notice.sentence)
  const turn = (fn: () => void): void => void setImmediate(fn)
  const disk = createDisk(
    {
      hashWorkers: Math.min(4, Math.max(1, availableParallelism() - 1)),
      slots: Math.floor(values['memory.buffer'] / EXTENT_SIZE),
      workerUrls: {
        hash: worker('./disk/hash-worker.js'),
        lane: worker('./disk/lane.js'),
        check: worker('./disk/check-worker.js'),
      },
      onBug,
    },
    { clock, turn },
  )
  const client = `Torrentino/${VERSION}`
  const host = values['listen.host']
  const network = createNetwork(
    { scope: values['net.scope'], localHosts: host === '' ? [] : [host], http: { userAgent: client } },
    { clock, random },
  )
  const wanted = await portOf(values['listen.port'], store, random)
  const listening = await listenNear(
    { host, port: wanted, full: () => room.session.budget.full },
    (transport) => {
      if (network.dialer.allows(transport.address)) room.session.accept(transport)
      else transport.close('out-of-scope')
    },
  )
  const room = createSession(
    {
      version: VERSION,
      pid: process.pid,
      home: home.state,
      owner: init.owner,
      peerId: makePeerId(VERSION, random),
      client,
      trackerKey: random.int(2 ** 32),
    },
    {
      clock,
      random,
      log,
      disk,
      store,
      settings,
      dialer: peerDialer(network.dialer),
      trackers: network.trackers,
      listenPort: () => listening.port,
      listen: () => ({ host, port: listening.port, error: listening.error }),
      memory: () => process.memoryUsage.rss(),
      shutdown: init.onShutdown,
    },
  )
  const rpc = createRpcServer(
    { socketPath: home.socket, version: VERSION, contract: CONTRACT_VERSION, lockHeld: true },
    {
      handlers: room.handlers,
      feeds: room.feeds,
      log,
      clock,
      user: { uid: process.getuid?.() ?? 0, home: homedir(), umask: (mask) => process.umask(mask) },
      turn,
    },
  )
  await room.restore()
  await rpc.listen()
  disk.warm()
  if (listening.error !== null) log.warn({ port: wanted }, listening.error)
  log.info({ version: VERSION, port: listening.port, home: home.state, pid: process.pid }, 'ready')
  return {
    ready: `torrentinod ${VERSION} is ready: ${home.socket}, port ${String(listening.port)}.`,
    stop: async () => {
      await rpc.close()
      listening.close()
      await room.session.stop()
      network.close()
      await disk.stop()
      await store.close()
      log.info({}, 'stopped')
      log.flush()
    },
    died: (error) => {
      log.error(
        { error: error.stack ?? String(error) },
        'a bug: the daemon ends and its manager starts it anew',
      )
      log.flush()
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

/** The composition root: which implementation stands behind which port, and in what order they begin and end. */
import { homedir, availableParallelism } from 'node:os'
import { join } from 'node:path'
import { CONTRACT_VERSION } from '../shared/rpc/contract-version.js'
import type { Home } from '../shared/home.js'
import { VERSION } from '../shared/version.js'
import { EXTENT_SIZE } from '../shared/units.js'
import { crashPointOf } from './base/crash-point.js'
import { stackOf } from './base/log.js'
import { watchedClock } from './base/watched-clock.js'
import { openStore } from './db/store.js'
import { createDisk } from './disk/disk.js'
import { systemClock } from './io/clock.js'
import { createDhtNetwork } from './io/dht-socket.js'
import type { Log } from './base/log.js'
import { ConfigFile } from './io/config-file.js'
import { watchConfig } from './io/config-watch.js'
import { descriptorLimit, socketsWithin } from './io/descriptors.js'
import { readDownloadDir } from './io/download-dir.js'
import { volumeOf } from './io/volume-of.js'
import { keepHeapDense, v8Heap } from './io/heap.js'
import { createLog } from './io/log.js'
import { createLsdNetwork } from './io/lsd-socket.js'
import { residentMemory } from './io/memory.js'
import { createNetwork, networkAddresses } from './io/net.js'
import { systemRandom } from './io/random.js'
import { createServiceManager } from './io/service-manager.js'
import { createWatch, lookEvery } from './io/watch.js'
import { createRpcServer } from './rpc/server.js'
import { createSession } from './session/create.js'
import { LiveSettings, type Reloaded } from './session/settings.js'

export interface DaemonInit {
  readonly home: Home
  readonly owner: 'service' | 'person'
  /** A worker that died, or an error nobody expected: the process ends and its manager starts it anew. */
  readonly onBug: (error: Error) => void
  /** The database is damaged: the daemon should end in order, and recovers at its next start. */
  readonly onDamaged: () => void
  /** `session.shutdown` was called. */
  readonly onShutdown: () => void
}

export interface Daemon {
  /** One line for the person who started it. */
  readonly ready: string
  /** Takes up what was changed in config.toml. */
  reload(): void
  /** Ends in order: torrents, connections, records, threads. */
  stop(): Promise<void>
  /** Where it ends without order: notes who was at work, records what is verified; to be waited for so long only. */
  died(error: Error): Promise<void>
  /** Last lines of the log. */
  flush(): void
}

function tellReload(found: Reloaded | null, file: string, log: Log): void {
  if (found === null) return
  if ('mistake' in found) {
    const { line, column, message } = found.mistake
    log.warn(
      { file, line, column, reason: message },
      'the settings have a mistake: those of before stay in force',
    )
  } else
    log.info(
      { file, changed: found.changed, atNextStart: found.later },
      'the settings were changed in their file',
    )
}

const worker = (path: string): URL => new URL(path, import.meta.url)

export async function startDaemon(init: DaemonInit): Promise<Daemon> {
  const { home, onBug } = init
  const time = systemClock()
  const log = createLog({ level: 'info' }, { now: () => time.now() })
  const watch = createWatch({ env: process.env }, { log })
  const clock = watchedClock({ clock: time, watch, woke: (gap) => room.woke(gap) })
  const random = systemRandom()
  const manager = createServiceManager({ env: process.env, pid: process.pid }, { clock: time, log })
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
  log.setLevel(values['log.level'])
  // The lock first: a second daemon touches nothing of the first one's.
  const every = lookEvery(process.env['TORRENTINO_LOOK_EVERY'])
  const store = await openStore(
    {
      file: home.database,
      lockFile: home.lock,
      downloadDir: values['download.dir'],
      workerUrl: worker('./db/thread.js'),
      lookout: { memory: watch.shared.memory, every, log: join(home.logs, 'torrentinod.log') },
      lookEvery: every,
      onBug,
      onWork: () => watch.enter('store'),
      onDamaged: ({ message: error }) => {
        log.error({ error }, 'the database is damaged: the daemon ends and recovers at its next start')
        init.onDamaged()
      },
    },
    { clock },
  )
  watch.lookout(() => store.wake())
  log.open(join(home.logs, 'torrentinod.log'))
  if (store.notice !== null) log.warn({ at: new Date(store.notice.at).toISOString() }, store.notice.sentence)
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
      onWork: () => watch.enter('disk'),
    },
    { clock, turn: watch.later('disk'), reserve: () => settings.values['disk.reserve'] },
  )
  const reach = {
    scope: values['net.scope'],
    localHosts: values['listen.host'] === '' ? [] : [values['listen.host']],
  }
  const network = createNetwork({ ...reach, http: { userAgent: `Torrentino/${VERSION}` } }, { clock, random })
  const room = createSession(
    {
      version: VERSION,
      pid: process.pid,
      home: home.state,
      owner: init.owner,
      homeVolume: volumeOf(home.state),
    },
    {
      ...{ watch, clock, random, log, disk, store, database: store, settings, network },
      dhtNetwork: createDhtNetwork(reach, network),
      lsdNetwork: createLsdNetwork(reach),
      maxSockets: socketsWithin(descriptorLimit()),
      addresses: networkAddresses,
      memory: residentMemory(),
      shutdown: init.onShutdown,
      crashPoint: crashPointOf(process.env['TORRENTINO_CRASH_AT'], () => {
        process.kill(process.pid, 'SIGKILL')
      }),
    },
  )
  const rpc = createRpcServer(
    {
      socketPath: home.socket,
      socketOpenTo: home.groupSocket ? 'group' : 'owner',
      version: VERSION,
      contract: CONTRACT_VERSION,
      lockHeld: true,
    },
    {
      ...{ handlers: room.handlers, feeds: room.feeds, log, clock },
      user: { uid: process.getuid?.() ?? 0, home: homedir(), umask: (mask) => process.umask(mask) },
      turn: watch.later('rpc'),
      onWork: () => watch.enter('rpc'),
    },
  )
  const reload = (): void => {
    settings.reload().then((found) => {
      tellReload(found, home.config, log)
    }, onBug)
  }
  const unwatch = watchConfig(home.config, reload, clock)
  const leaveHeap = keepHeapDense({ clock, ...v8Heap })
  await room.open()
  await rpc.listen()
  disk.warm()
  manager.ready()
  log.info({ version: VERSION, port: room.port, home: home.state, pid: process.pid }, 'ready')
  return {
    ready: `torrentinod ${VERSION} is ready: ${home.socket}, port ${String(room.port)}.`,
    reload,
    stop: async () => {
      manager.stopping()
      unwatch()
      leaveHeap()
      await rpc.close()
      await room.stop()
      network.close()
      await disk.stop()
      await store.close()
      log.info({}, 'stopped')
      log.flush()
    },
    died: (error) => {
      const { phase, torrent } = watch
      const fields = { error: stackOf(error), phase, ...(torrent === 0 ? {} : { torrent }) }
      log.error(fields, 'a bug: the daemon ends and its manager starts it anew')
      return room.session.salvage(torrent)
    },
    flush: () => log.flush(),
  }
}

/** The session as the transports see it: one entry per method of the contract. */
import { CONTRACT_VERSION } from '../../shared/rpc/contract-version.js'
import type { ConfigError } from '../../shared/config.js'
import type { Caller, Handlers } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { EXTENT_SIZE, type Rate, type SwarmKey } from '../../shared/units.js'
import type { DaemonView, StateKind, TorrentView } from '../../shared/views.js'
import type { Latency } from '../base/latency.js'
import type { LoopDelay } from '../base/loop-delay.js'
import type { Watch } from '../base/watch.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Database } from '../ports/store.js'
import type { Adder } from './add.js'
import type { Commands } from './commands.js'
import { backUp, databaseView, stageRestore } from './database.js'
import type { DhtRoom } from './dht.js'
import type { Jobs } from './jobs.js'
import type { LsdRoom } from './lsd.js'
import { planRemovals } from './plan-removal.js'
import type { Queries } from './queries.js'
import { scrape } from './scrape.js'
import type { Session } from './session.js'
import type { LiveSettings } from './settings.js'
import type { Trash } from './trash.js'
import type { TrackerEdits } from './tracker-edits.js'
import type { HouseFacts } from './why.js'
import { unlessSilent } from './within.js'

const SILENT =
  'The database does not answer: look after its disk; what was asked may still be done when it answers.'

export interface HandlerInit {
  readonly version: string
  readonly pid: number
  readonly home: string
  readonly owner: DaemonView['owner']
}

export interface HandlerPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly database: Database
  readonly loop: LoopDelay
  readonly watch: Watch
  readonly storeLatency: Latency
  readonly session: Session
  readonly adder: Adder
  readonly commands: Commands
  readonly jobs: Jobs
  readonly trackerEdits: TrackerEdits
  readonly trash: Trash
  readonly queries: Queries
  readonly settings: LiveSettings
  readonly dht: DhtRoom
  readonly lsd: LsdRoom
  readonly listen: () => DaemonView['listen']
  /** Somebody has connected to us. */
  readonly reached: () => boolean
  /** The system keeps us from the local network. */
  readonly localDenied: () => boolean
  readonly memory: () => number
  /** Begins the end of the daemon; returns at once. */
  readonly shutdown: () => void
}

/** Who asks while the database does not answer is told so in bounded time. */
export function createHandlers(init: HandlerInit, ports: HandlerPorts): Handlers {
  const { clock, database } = ports
  const silent = (): boolean => database.silent()
  const bounded =
    (handler: (params: never, caller: Caller) => Promise<unknown>) =>
    async (params: never, caller: Caller): Promise<unknown> => {
      const answer = await unlessSilent(clock, silent, handler(params, caller))
      if (answer === null) throw rpcError('storeFailed', SILENT)
      return answer.value
    }
  const entries = Object.entries(handlersOf(init, ports)).map(([name, handler]) => [name, bounded(handler)])
  return Object.fromEntries(entries) as Handlers
}

function handlersOf(init: HandlerInit, ports: HandlerPorts): Handlers {
  const { session, adder, commands, jobs, trash, queries, settings } = ports
  const startedAt = ports.clock.now()
  return {
    'session.hello': () =>
      now({
        contract: CONTRACT_VERSION,
        version: init.version,
        pid: init.pid,
        owner: init.owner,
        home: init.home,
        rev: session.journal.rev,
      }),
    'session.status': ({ resetLoop }) => {
      const view = status(init, ports, startedAt)
      if (resetLoop === true) ports.loop.reset()
      return now(view)
    },
    'session.shutdown': () => {
      ports.shutdown()
      return now({ pid: init.pid })
    },
    'events.since': ({ seq, limit }) => session.journal.since(seq, limit ?? 100),
    'torrent.add': (params, caller) => adder.add(params, caller),
    'torrent.list': (params) => attempt(() => queries.list(params)),
    'torrent.get': ({ id }) => queries.get(id),
    'torrent.files': ({ id }) => queries.files(id),
    'torrent.pieces': ({ id }) => queries.pieces(id),
    'torrent.peers': ({ id }) => attempt(() => ({ peers: queries.one(id).peers() })),
    'torrent.trackers': ({ id }) => attempt(() => ({ trackers: queries.one(id).trackers() })),
    'torrent.scrape': ({ id }) => attempt(() => scrape(queries.one(id), ports.clock)),
    'torrent.editTrackers': (params, caller) => ports.trackerEdits.edit(params, caller),
    'torrent.why': ({ id }) => queries.why(id, houseFacts(ports, startedAt)),
    'dht.status': () => now(ports.dht.status()),
    'dht.lookup': ({ hash }) => attempt(() => ports.dht.lookup(hash.toLowerCase() as SwarmKey)),
    'torrent.pause': ({ ids }, caller) => commands.pause(ids, caller),
    'torrent.resume': (params, caller) => commands.resume(params, caller),
    'torrent.seed': (params, caller) => commands.queueing.seed(params, caller),
    'queue.list': () => now(commands.queueing.list()),
    'queue.move': (params) => commands.queueing.move(params),
    'torrent.announce': ({ ids }) => attempt(() => commands.announce(ids)),
    'torrent.verify': ({ ids }) => attempt(() => commands.verify(ids)),
    'torrent.remove': (params, caller) => commands.remove(params, caller),
    'torrent.label': (params, caller) => commands.label(params, caller),
    'trash.list': () => now({ trash: trash.list(), bytes: trash.bytes }),
    'trash.undo': async ({ id }, caller) => ({ torrent: await trash.undo(id ?? null, caller) }),
    'trash.empty': async ({ ids }, caller) => ({ results: await trash.empty(ids, caller) }),
    'torrent.planRemoval': ({ ids }) => planRemovals(queries.many(ids), ports.clock),
    'torrent.limit': (params, caller) => commands.limit(params, caller),
    'torrent.select': (params, caller) => commands.select(params, caller),
    'torrent.move': (params, caller) => jobs.move(params, caller),
    'torrent.rename': (params, caller) => jobs.rename(params, caller),
    'job.list': () => now(jobs.list()),
    'job.get': ({ id }) => attempt(() => jobs.get(id)),
    'job.cancel': ({ id }) => jobs.cancel(id),
    'torrent.export': ({ id }) => queries.export(id),
    'database.backup': (params) => backUp(ports.database, params),
    'database.restore': (params) => stageRestore(ports.database, params),
    'config.get': ({ key }) => attempt(() => settings.get(key)),
    'config.set': ({ key, value }) => settings.set(key, value),
    'config.list': () => now({ settings: settings.list() }),
  }
}

function status(init: HandlerInit, ports: HandlerPorts, startedAt: number): DaemonView {
  const { session, settings, clock, disk } = ports
  const byState: Partial<Record<StateKind, number>> = {}
  const views = session.all().map((torrent) => torrent.view())
  const { down: downRate, up: upRate } = ratesOf(views)
  const { slab } = disk
  const { hash, lanes, reads, checks, oldest, frameBytes, checkBytes, write, sync } = disk.pressure()
  const { stalls, faults } = ports.watch.read()
  for (const { state } of views) byState[state] = (byState[state] ?? 0) + 1
  return {
    version: init.version,
    contract: CONTRACT_VERSION,
    pid: init.pid,
    home: init.home,
    owner: init.owner,
    uptime: Math.max(0, Math.floor((clock.now() - startedAt) / 1000)),
    listen: ports.listen(),
    torrents: { total: views.length, byState },
    connections: session.budget.used,
    downRate,
    upRate,
    downloadDir: settings.values['download.dir'],
    scope: settings.values['net.scope'],
    lsd: ports.lsd.view(),
    rssBytes: ports.memory(),
    loopDelay: ports.loop.read(),
    buffers: {
      slab: (slab.capacity - slab.available) * EXTENT_SIZE,
      slabLimit: slab.capacity * EXTENT_SIZE,
      frames: frameBytes,
      checks: checkBytes,
    },
    queues: { hash, lanes, reads, checks, oldest },
    latency: { write, sync, store: ports.storeLatency.read() },
    stalls: { ...stalls, longest: Math.round(stalls.longest) },
    faults,
    trash: { torrents: ports.trash.size, bytes: ports.trash.bytes },
    settingsMistake: settings.mistake === null ? null : mistakeSentence(settings.mistake),
    database: databaseView(ports.database, clock.wall()),
  }
}

function mistakeSentence({ place, message }: ConfigError): string {
  return `config.toml${place}: ${message} The settings of before stay in force.`
}

function ratesOf(views: readonly TorrentView[]): { readonly down: Rate; readonly up: Rate } {
  return {
    down: views.reduce((sum, { downRate }) => sum + downRate, 0),
    up: views.reduce((sum, { upRate }) => sum + upRate, 0),
  }
}

function houseFacts(ports: HandlerPorts, startedAt: number): Omit<HouseFacts, 'pausedBy'> {
  const { session, settings, clock, disk } = ports
  const rates = ratesOf(session.all().map((torrent) => torrent.view()))
  const { write } = disk.pressure()
  return {
    wall: clock.wall(),
    uptime: clock.now() - startedAt,
    queue: { download: session.queue.limit('download'), seed: session.queue.limit('seed') },
    limits: { down: settings.values['limits.down'] || null, up: settings.values['limits.up'] || null },
    rates,
    slowestWrite: write.slowest ?? 0,
    database: ports.database.problem(),
    listen: ports.listen(),
    reached: ports.reached(),
    dht: settings.values['dht.enabled'],
    localDenied: ports.localDenied(),
  }
}

function now<T>(value: T): Promise<T> {
  return Promise.resolve(value)
}

/** A synchronous query as a promise: what it throws is the answer, not a crash. */
function attempt<T>(query: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve) => {
    resolve(query())
  })
}

/** A session in memory behind the contract: what the transports and torrentinoctl are tried against. */
import { createHash } from 'node:crypto'
import type {
  EventView,
  Feeds,
  FeedSink,
  Handlers,
  NotificationParams,
  PerTorrent,
  Result,
  SettingView,
  TorrentRef,
  TorrentRefs,
} from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import { resolveRef } from '../../shared/rpc/refs.js'
import type { TorrentId } from '../../shared/units.js'
import type { DhtView, FileView, JobView, PeerView, TorrentView, TrackerView } from '../../shared/views.js'

export function torrentView(id: number, over: Partial<TorrentView> = {}): TorrentView {
  return {
    id: id as TorrentId,
    infoHash: createHash('sha1').update(`torrent ${id}`).digest('hex'),
    infoHashV2: null,
    name: `torrent-${id}.iso`,
    state: 'downloading',
    desired: 'running',
    progress: 0.25,
    checkProgress: null,
    moveProgress: null,
    totalBytes: 1_073_741_824,
    wantedBytes: 1_073_741_824,
    doneBytes: 268_435_456,
    downRate: 2_097_152,
    upRate: 10_240,
    downloaded: 300_000_000,
    uploaded: 30_000_000,
    ratio: 0.1,
    peers: 12,
    seeds: 4,
    eta: 384,
    dir: '/data/torrents',
    private: false,
    pieceLength: 262_144,
    pieceCount: 4096,
    sequential: false,
    firstLast: false,
    labels: [],
    queuedFor: null,
    queueRank: null,
    seedingTime: 0,
    seedGoals: { ratio: 'default', time: 'default', idle: 'default' },
    goalReached: null,
    downLimit: null,
    upLimit: null,
    addedAt: 1_700_000_000_000,
    completedAt: null,
    error: null,
    ...over,
  }
}

export const DHT: DhtView = {
  enabled: true,
  port: 6881,
  error: null,
  torrents: 3,
  searches: 0,
  received: 900,
  asked: 400,
  answered: 480,
  ignored: 2,
  roundTrip: 96,
  families: [
    {
      family: 4,
      id: '5f'.repeat(20),
      nodes: 96,
      good: 94,
      buckets: 13,
      address: '192.0.2.1',
      booting: false,
      hashes: 4,
      peers: 9,
    },
  ],
}

const PEER: PeerView = {
  address: '10.0.0.7:51413',
  client: 'Transmission 4.0.6',
  direction: 'out',
  source: 'tracker',
  encryption: 'none',
  progress: 1,
  downRate: 1_048_576,
  upRate: 0,
  downloaded: 100_000_000,
  uploaded: 0,
  amChoking: true,
  amInterested: true,
  peerChoking: false,
  peerInterested: false,
}

const TRACKER: TrackerView = {
  tier: 0,
  url: 'http://tracker.example/announce',
  status: 'working',
  message: null,
  failures: 0,
  lastAnswerAt: 1_700_000_000_000,
  lastFailureAt: null,
  nextAnnounceAt: 1_700_001_800_000,
  seeds: 4,
  leechers: 8,
  scrapedAt: null,
  downloads: 40,
  peers: 12,
  before: null,
}

/** State that a test may look at and change. */
export class FakeSession {
  readonly torrents = new Map<TorrentId, TorrentView>()
  readonly jobs = new Map<number, JobView>()
  readonly metainfo = new Map<TorrentId, string>()
  files: FileView[] = [
    {
      index: 0,
      path: 'show/one.mkv',
      length: 1_000_000,
      doneBytes: 1_000_000,
      wanted: true,
      priority: 'normal',
    },
    {
      index: 1,
      path: 'show/two.mkv',
      length: 2_000_000,
      doneBytes: 500_000,
      wanted: true,
      priority: 'normal',
    },
    { index: 2, path: 'show/notes.txt', length: 0, doneBytes: 0, wanted: false, priority: 'skip' },
  ]
  peers: PeerView[] = [PEER]
  trackers: TrackerView[] = [TRACKER]
  settings = new Map<string, SettingView>([
    [
      'listen.port',
      {
        key: 'listen.port',
        value: 20_000,
        default: 20_000,
        source: 'default',
        applies: 'restart',
        summary: 'Port for peers',
      },
    ],
    ...(['down', 'up'] as const).map((direction): [string, SettingView] => [
      `limits.${direction}`,
      {
        key: `limits.${direction}`,
        value: 0,
        default: 0,
        source: 'default',
        applies: 'now',
        summary: 'Payload of all torrents',
      },
    ]),
  ])
  /** The reason that `torrent.pause` gives for not being durable, or null. */
  storeFault: string | null = null
  /** Called by session.shutdown. */
  onShutdown: () => void = () => undefined
  /** What every call is made to wait for. */
  gate: Promise<void> = Promise.resolve()
  rev = 1
  events: EventView[] = []
  readonly sinks = new Set<{ sink: FeedSink; changes: boolean }>()
  /** Names of the callers seen. */
  readonly callers: string[] = []

  constructor(count = 0) {
    for (let id = 1; id <= count; id += 1) this.put(torrentView(id))
  }

  put(torrent: TorrentView): void {
    this.torrents.set(torrent.id, torrent)
    this.change(torrent)
  }

  change(...torrents: TorrentView[]): void {
    this.rev += 1
    const changed: NotificationParams<'changed'> = { rev: this.rev, torrents, removed: [] }
    for (const { sink, changes } of this.sinks) if (changes) sink.changed(changed)
  }

  tell(kind: string, torrent: TorrentId | null = null): void {
    const event: EventView = { seq: this.events.length + 1, at: 0, kind, torrent, caller: '', data: {} }
    this.events.push(event)
    for (const { sink } of this.sinks) sink.event(event)
  }

  readonly feeds: Feeds = {
    subscribe: (since, changes, sink) => {
      const entry = { sink, changes }
      this.sinks.add(entry)
      if (since !== undefined) for (const event of this.events) if (event.seq > since) sink.event(event)
      const stop = () => void this.sinks.delete(entry)
      return Promise.resolve({ seq: this.events.length, rev: this.rev, stop })
    },
  }

  readonly handlers: Handlers = {
    'session.hello': async (_, caller) => {
      await this.gate
      this.callers.push(caller.name)
      return { contract: '1.0', version: '0.1.0', pid: 4711, owner: 'person', home: '/h', rev: this.rev }
    },
    'session.status': async () => ({
      version: '0.1.0',
      contract: '1.0',
      pid: 4711,
      home: '/h',
      owner: 'person',
      uptime: 3661,
      listen: { host: '0.0.0.0', port: 20_000, error: null },
      torrents: { total: this.torrents.size, byState: { downloading: this.torrents.size } },
      connections: 12,
      downRate: 2_097_152,
      upRate: 10_240,
      downloadDir: '/data/torrents',
      scope: 'loopback',
      lsd: {
        enabled: true,
        reason: 'no torrent runs that may be announced.',
        torrents: 0,
        families: [],
        sent: 0,
        heard: 0,
        found: 0,
      },
      rssBytes: 80_000_000,
      loopDelay: { p99: 2, max: 11, samples: 3000 },
      buffers: { slab: 5_242_880, slabLimit: 33_554_432, frames: 1_048_576, checks: 0 },
      queues: { hash: 3, lanes: 1, reads: 0, checks: 0, oldest: 4 },
      latency: {
        write: { last: 3, slowest: 12 },
        sync: { last: 40, slowest: null },
        store: { last: null, slowest: null },
      },
      stalls: { count: 0, longest: 0, phase: null },
      faults: { peers: 0, torrents: 0 },
      trash: { torrents: 0, bytes: 0 },
      settingsMistake: null,
      database: { problem: null, notice: null },
    }),
    'session.shutdown': async () => {
      setImmediate(this.onShutdown)
      return { pid: 4711 }
    },
    'events.since': async ({ seq, limit }) => {
      const later = this.events.filter((event) => event.seq > seq)
      const events = later.slice(0, limit ?? 100)
      return { events, more: later.length > events.length }
    },
    'torrent.add': async ({ metainfo, magnet, dir, paused }) => {
      if (magnet !== undefined) throw rpcError('badTorrent', 'The magnet link names no torrent.')
      return this.add(metainfo ?? '', dir ?? '/data/torrents', paused === true)
    },
    'torrent.list': async ({ ids, after, limit }) => {
      const chosen = ids === undefined ? [...this.torrents.values()] : this.resolveAll(ids)
      const rest = chosen.filter((torrent) => torrent.id > (after ?? 0))
      const torrents = rest.slice(0, limit ?? rest.length)
      return { rev: this.rev, torrents, removed: [], more: rest.length > torrents.length }
    },
    'torrent.get': async ({ id }) => ({
      ...resolveRef(id, this.torrents.values()),
      fileCount: this.files.length,
      wantedFileCount: this.files.filter((file) => file.wanted).length,
      comment: 'made for a test',
      createdBy: 'mktorrent 1.1',
      createdAt: 1_600_000_000_000,
      trackers: this.trackers,
      webSeeds: [],
      wasted: 0,
    }),
    'torrent.files': async ({ id }) => {
      resolveRef(id, this.torrents.values())
      return { files: this.files }
    },
    'torrent.pieces': async ({ id }) => {
      resolveRef(id, this.torrents.values())
      return { count: 3, have: 'oA==' }
    },
    'torrent.peers': async ({ id }) => {
      resolveRef(id, this.torrents.values())
      return { peers: this.peers }
    },
    'torrent.trackers': async ({ id }) => {
      resolveRef(id, this.torrents.values())
      return { trackers: this.trackers }
    },
    'torrent.scrape': async ({ id }) => {
      resolveRef(id, this.torrents.values())
      const failing = this.trackers.filter(({ status }) => status === 'failing')
      const failed = failing.map(({ url }) => ({ url, message: 'The tracker did not answer.' }))
      return { trackers: this.trackers, failed }
    },
    'torrent.editTrackers': async ({ id, add = [], remove = [], tier }) => {
      resolveRef(id, this.torrents.values())
      const missing = remove.find((url) => !this.trackers.some((tracker) => tracker.url === url))
      if (missing !== undefined) throw rpcError('badTracker', `This torrent has no tracker "${missing}".`)
      const kept = this.trackers.filter(({ url }) => !remove.includes(url))
      this.trackers = [...kept, ...add.map((url, at) => ({ ...TRACKER, url, tier: tier ?? 1 + at }))]
      return { trackers: this.trackers }
    },
    'torrent.why': async ({ id }) => ({
      torrent: resolveRef(id, this.torrents.values()),
      causes: [{ kind: 'noPeers', stops: true, sentence: 'No peer is known.' }],
      summary: 'It does not go on.',
    }),
    'dht.status': async () => DHT,
    'dht.lookup': async () => ({
      peers: ['192.0.2.7:51413'],
      took: 612,
      searches: [{ family: 4, asked: 31, answered: 28, hops: 4, seeds: 12, leechers: null, nearest: [] }],
    }),
    'torrent.pause': async ({ ids }) => this.intent(ids, { desired: 'paused', state: 'paused' }),
    'torrent.resume': async ({ ids, now }) =>
      this.intent(ids, { desired: now === true ? 'forced' : 'running', state: 'downloading' }),
    'torrent.seed': async ({ ids, ratio, time, idle }) => ({
      results: this.each(ids, (torrent) => {
        const own = torrent.seedGoals
        const seedGoals = { ratio: ratio ?? own.ratio, time: time ?? own.time, idle: idle ?? own.idle }
        this.put({ ...torrent, seedGoals })
        return { ...torrent, seedGoals }
      }),
    }),
    'queue.list': async () => ({
      downloads: 8,
      seeds: null,
      stalled: 300,
      order: [...this.torrents.values()].map((torrent, at) => ({
        rank: at + 1,
        for: 'download' as const,
        stalled: false,
        torrent,
      })),
    }),
    'queue.move': async ({ ids }) => ({ results: this.each(ids, (torrent) => torrent) }),
    'torrent.limit': async ({ ids, down, up }) => ({
      results: this.each(ids, (torrent) => {
        const { downLimit, upLimit } = torrent
        const limited = { ...torrent, downLimit: down ?? downLimit, upLimit: up ?? upLimit }
        if (down === null) limited.downLimit = null
        if (up === null) limited.upLimit = null
        this.put(limited)
        return limited
      }),
    }),
    'torrent.announce': async ({ ids }) => ({ results: this.each(ids, (torrent) => torrent) }),
    'torrent.verify': async ({ ids }) => ({ results: this.each(ids, (torrent) => torrent) }),
    'torrent.remove': async ({ ids }) => ({
      results: this.each(ids, (torrent) => {
        this.torrents.delete(torrent.id)
        return torrent
      }),
    }),
    'torrent.label': async ({ ids, add = [] }) => ({
      results: this.each(ids, (torrent) => ({ ...torrent, labels: add })),
    }),
    'trash.list': async () => ({ trash: [], bytes: 0 }),
    'trash.undo': async ({ id }) => ({ torrent: resolveRef(id ?? 1, this.torrents.values()) }),
    'trash.empty': async () => ({ results: [] }),
    'torrent.planRemoval': async ({ ids }) => ({
      results: this.each(ids, (torrent) => torrent).map((each) => {
        if (!each.ok) return each
        const { id, name, dir } = each.torrent
        const files = [{ path: 'show/one.mkv', bytes: 1_000_000, linked: false }]
        const sizes = { bytes: 1_000_000, freedBytes: 1_000_000 }
        const plan = { id, name, dir, files, ...sizes, stays: ['show/mine.txt'], moreStays: 0 }
        return { ref: each.ref, ok: true as const, plan }
      }),
    }),
    'torrent.select': async ({ id, files = [] }) => {
      const torrent = resolveRef(id, this.torrents.values())
      if (files.some((file) => file >= this.files.length)) {
        throw rpcError('badSelection', `torrent ${torrent.id} has ${this.files.length} files`)
      }
      this.files = this.files.map((file) => ({
        ...file,
        wanted: files.includes(file.index),
        priority: files.includes(file.index) ? 'normal' : 'skip',
      }))
      return { torrent }
    },
    'torrent.move': async ({ id, dir }) => {
      const torrent = resolveRef(id, this.torrents.values())
      if (torrent.dir === dir) return { torrent, job: null }
      if (dir.startsWith('/full')) throw rpcError('noSpace', 'no', { dir, needed: 1, free: 0 })
      const job: JobView = {
        id: this.jobs.size + 1,
        kind: 'move',
        torrent: torrent.id,
        name: torrent.name,
        state: dir.startsWith('/bad') ? 'failed' : 'running',
        from: torrent.dir,
        to: dir,
        progress: 0,
        error: dir.startsWith('/bad') ? 'The disk failed.' : null,
      }
      this.jobs.set(job.id, job)
      return { torrent, job }
    },
    'torrent.rename': async ({ id, name }) => {
      const torrent = resolveRef(id, this.torrents.values())
      if (torrent.name === name) return { torrent, job: null }
      if (name.includes('..')) throw rpcError('badName', '".." cannot be the name of a file.')
      const job: JobView = {
        id: this.jobs.size + 1,
        kind: 'rename',
        torrent: torrent.id,
        name: torrent.name,
        state: 'running',
        from: torrent.name,
        to: name,
        progress: 0,
        error: null,
      }
      this.jobs.set(job.id, job)
      return { torrent, job }
    },
    'job.list': async () => ({ jobs: [...this.jobs.values()] }),
    'job.get': async ({ id }) => this.job(id, 'done'),
    'job.cancel': async ({ id }) => this.job(id, 'cancelled'),
    'torrent.export': async ({ id }) => {
      const torrent = resolveRef(id, this.torrents.values())
      return { metainfo: this.metainfo.get(torrent.id) ?? 'ZGU6', name: torrent.name }
    },
    'database.backup': async ({ path }) => ({
      path: path ?? '/h/backups/torrentino-20261122-100000.db',
      bytes: 4096,
    }),
    'database.restore': async ({ path }) => ({ path }),
    'config.get': async ({ key }) => this.setting(key),
    'config.set': async ({ key, value }) => {
      const setting: SettingView = { ...this.setting(key), value, source: 'file' }
      this.settings.set(key, setting)
      return setting
    },
    'config.list': async () => ({ settings: [...this.settings.values()] }),
  }

  /** Whoever asks a second time finds it ended. */
  private job(id: number, then: JobView['state']): JobView {
    const job = this.jobs.get(id)
    if (job === undefined) throw rpcError('noSuchJob', `there is no job ${id}`)
    if (job.state === 'running') this.jobs.set(id, { ...job, state: then, progress: 1 })
    return this.jobs.get(id) ?? job
  }

  private setting(key: string): SettingView {
    const setting = this.settings.get(key)
    if (setting === undefined) throw rpcError('badSetting', `there is no setting ${key}`, { key })
    return setting
  }

  private add(metainfo: string, dir: string, paused: boolean): Result<'torrent.add'> {
    const bytes = Buffer.from(metainfo, 'base64')
    if (bytes[0] !== 0x64)
      throw rpcError('badTorrent', 'this is not a torrent: it does not begin with a dictionary')
    if (dir === '/nowhere')
      throw rpcError('badFolder', '/nowhere cannot be written', { dir, reason: 'EACCES' })
    const infoHash = createHash('sha1').update(bytes).digest('hex')
    const known = [...this.torrents.values()].find((torrent) => torrent.infoHash === infoHash)
    const id = known?.id ?? ((Math.max(0, ...this.torrents.keys()) + 1) as TorrentId)
    const torrent = known ?? torrentView(id, { infoHash, dir, state: paused ? 'paused' : 'downloading' })
    if (known === undefined) this.put(torrent)
    this.metainfo.set(id, metainfo)
    return {
      id,
      infoHash,
      infoHashV2: null,
      name: torrent.name,
      duplicate: known !== undefined,
      fromTrash: false,
      dir,
      freeBytes: 5_000_000_000,
      totalBytes: torrent.totalBytes,
      wantedBytes: torrent.wantedBytes,
      addedTrackers: 0,
    }
  }

  private intent(ids: TorrentRefs, over: Partial<TorrentView>): Result<'torrent.pause'> {
    const results = this.each(ids, (torrent) => {
      const next = { ...torrent, ...over }
      this.put(next)
      return next
    })
    return { results, durable: this.storeFault === null, reason: this.storeFault }
  }

  private resolveAll(ids: TorrentRefs): TorrentView[] {
    if (ids === 'all') return [...this.torrents.values()]
    return ids.map((ref) => resolveRef(ref, this.torrents.values()))
  }

  private each(ids: TorrentRefs, act: (torrent: TorrentView) => TorrentView): PerTorrent[] {
    const refs: readonly TorrentRef[] = ids === 'all' ? [...this.torrents.keys()] : ids
    return refs.map((ref) => {
      try {
        return { ref, ok: true, torrent: act(resolveRef(ref, this.torrents.values())) }
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
        return { ref, ok: false, error: { code: error.code, message: error.message } }
      }
    })
  }
}

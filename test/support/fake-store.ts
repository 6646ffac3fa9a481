/**
 * The store in memory, with the semantics of daemon/db (test/contract/store.test.ts runs over both) and faults on
 * command. Every call does its work at once and answers in a microtask.
 */
import { createHash } from 'node:crypto'
import { assemble, chunkBytes } from '../../daemon/db/chunks.js'
import {
  StoreFault,
  type EventRow,
  type FileStatRow,
  type StoredMetainfo,
  type FileWishRow,
  type HaveRound,
  type JobRow,
  type NewJob,
  type KnownMetainfo,
  type LabelsRow,
  type NewTorrent,
  type PieceOrder,
  type LimitRow,
  type RankRow,
  type Relocation,
  type Store,
  type TorrentRow,
  type TotalsRow,
  type TrackerRow,
  type TrashedRow,
  type TrashRow,
} from '../../daemon/ports/store.js'
import { type GivenNames, NO_NAMES } from '../../shared/torrent/names.js'
import type { FileIndex, TorrentId } from '../../shared/units.js'
import type { Desired, SeedGoals } from '../../shared/views.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
export type StoreMethod = keyof Store

interface Entry {
  row: Mutable<Omit<TorrentRow, 'trackers'>>
  trackers: TrackerRow[]
  torrent: Uint8Array
  infoStart: number
  infoEnd: number
  readonly chunks: Map<number, Uint8Array>
  readonly files: Map<FileIndex, FileStatRow>
  wishes: FileWishRow[]
  names: GivenNames
}

/** What outlives a store that is closed or killed. */
export interface Tables {
  lastId: number
  lastSeq: number
  readonly torrents: Map<TorrentId, Entry>
  events: EventRow[]
  readonly meta: Map<string, string>
  lastJob: number
  readonly jobs: Map<number, JobRow>
  readonly trash: Map<TorrentId, TrashRow>
}

function noTables(): Tables {
  return {
    lastId: 0,
    lastSeq: 0,
    torrents: new Map(),
    events: [],
    meta: new Map(),
    lastJob: 0,
    jobs: new Map(),
    trash: new Map(),
  }
}

const EVENTS_KEPT = 100_000
const EVENT_AGE = 30 * 24 * 3600 * 1000
const PRUNE_EVERY = 1000

export class FakeStore implements Store {
  /** The names of the methods called, in order, failed ones too. */
  readonly calls: StoreMethod[] = []
  protected readonly tables: Tables
  /** Codes that the next calls fail with, by method; '' stands for any method. */
  private readonly failures = new Map<StoreMethod | '', string[]>()
  /** The code every write fails with, as on a full disk; null: writes work. */
  private writesFail: string | null = null
  protected closed = false

  constructor(tables: Tables = noTables()) {
    this.tables = tables
  }

  /** The next call (of `method`, or of any) rejects with this code and changes nothing. */
  failNext(code: string, method?: StoreMethod): void {
    const key = method ?? ''
    this.failures.set(key, [...(this.failures.get(key) ?? []), code])
  }

  /** Every write rejects with this code until it is called with null; reads go on. */
  failWrites(code: string | null): void {
    this.writesFail = code
  }

  /** What a restart of the daemon sees: a new store over the same tables. */
  reopen(): FakeStore {
    this.closed = true
    return new FakeStore(this.tables)
  }

  torrents(only?: TorrentId): Promise<TorrentRow[]> {
    return this.read('torrents', () =>
      this.some(only).map((entry) => ({
        ...entry.row,
        hashes: { ...entry.row.hashes },
        trackers: entry.trackers.map((tracker) => ({ ...tracker })),
      })),
    )
  }

  private some(only: TorrentId | undefined): Entry[] {
    const all = [...this.tables.torrents.values()]
    return only === undefined ? all : all.filter(({ row }) => row.id === only)
  }

  trash(): Promise<TrashedRow[]> {
    return this.read('trash', () =>
      [...this.tables.trash.values()]
        .sort((a, b) => a.torrent - b.torrent)
        .map((row) => {
          const { name, hashes, done } = this.entry(row.torrent).row
          return { ...row, name, hashes: { ...hashes }, done }
        }),
    )
  }

  setTrash(row: TrashRow): Promise<void> {
    return this.write('setTrash', () => {
      this.entry(row.torrent).row.desired = 'trashed'
      this.tables.trash.set(row.torrent, structuredClone(row))
    })
  }

  endTrash(id: TorrentId): Promise<void> {
    return this.write('endTrash', () => {
      const row = this.tables.trash.get(id)
      if (row === undefined) return
      this.tables.trash.delete(id)
      this.entry(id).row.desired = row.desired
    })
  }

  add(torrent: NewTorrent): Promise<TorrentId> {
    return this.write('add', () => {
      const end = torrent.infoStart + torrent.info.length
      const span = torrent.torrent.subarray(torrent.infoStart, end)
      if (torrent.infoStart < 0 || !Buffer.from(span).equals(torrent.info))
        throw new StoreFault('INVALID', 'info does not lie in the torrent at infoStart')
      for (const { row } of this.tables.torrents.values())
        if (same(row.hashes.v1, torrent.hashes.v1) || same(row.hashes.v2, torrent.hashes.v2))
          throw new StoreFault('DUPLICATE', 'this torrent is in the store already')
      const id = (this.tables.lastId += 1) as TorrentId
      const entry: Entry = {
        row: newRow(id, torrent),
        trackers: [],
        torrent: torrent.torrent.slice(),
        infoStart: torrent.infoStart,
        infoEnd: end,
        chunks: new Map(),
        files: new Map(),
        wishes: sparse(torrent.wishes),
        names: NO_NAMES,
      }
      this.tables.torrents.set(id, entry)
      appendTrackers(entry, torrent.trackers)
      return id
    })
  }

  metainfo(id: TorrentId): Promise<StoredMetainfo> {
    return this.read('metainfo', () => {
      const { torrent, infoStart, infoEnd, names } = this.entry(id)
      return { torrent: torrent.slice(), infoStart, infoEnd, names }
    })
  }

  verifyInfo(id: TorrentId, info: Uint8Array): Promise<boolean> {
    return this.read('verifyInfo', () => {
      const hashes = this.tables.torrents.get(id)?.row.hashes
      const is = (algorithm: string, hash: string | undefined): boolean =>
        hash === undefined || createHash(algorithm).update(info).digest('hex') === hash
      return hashes !== undefined && is('sha1', hashes.v1) && is('sha256', hashes.v2)
    })
  }

  setMetainfo(id: TorrentId, known: KnownMetainfo): Promise<void> {
    return this.write('setMetainfo', () => {
      const entry = this.entry(id)
      if (entry.row.pieceCount > 0) throw new StoreFault('INVALID', 'the torrent has its metainfo')
      const { info, infoStart, torrent, wishes, ...facts } = known
      if (!Buffer.from(torrent.subarray(infoStart, infoStart + info.length)).equals(info))
        throw new StoreFault('INVALID', 'info does not lie in the torrent at infoStart')
      entry.row = { ...entry.row, ...facts }
      entry.torrent = torrent.slice()
      entry.infoStart = infoStart
      entry.infoEnd = infoStart + info.length
      entry.wishes = sparse(wishes)
    })
  }

  have(id: TorrentId): Promise<{ bits: Uint8Array | null; files: FileStatRow[]; wishes: FileWishRow[] }> {
    return this.read('have', () => {
      const entry = this.entry(id)
      const chunks = [...entry.chunks].map(([chunk, bits]) => ({ chunk, bits }))
      return {
        bits: assemble(entry.row.pieceCount, chunks),
        files: [...entry.files.values()].sort(byFile).map((file) => ({ ...file })),
        wishes: entry.wishes.map((wish) => ({ ...wish })),
      }
    })
  }

  setDesired(ids: readonly TorrentId[], desired: Desired): Promise<void> {
    return this.write('setDesired', () => {
      for (const id of ids) {
        const entry = this.tables.torrents.get(id)
        if (this.tables.trash.has(id) && !desired.startsWith('removed')) continue
        if (entry !== undefined) Object.assign(entry.row, { desired, reached: null })
      }
    })
  }

  setRanks(ranks: readonly RankRow[]): Promise<void> {
    return this.write('setRanks', () => {
      for (const { torrent, rank } of ranks) {
        const entry = this.tables.torrents.get(torrent)
        if (entry !== undefined) entry.row.rank = rank
      }
    })
  }

  setGoals(id: TorrentId, goals: SeedGoals | null): Promise<void> {
    return this.write('setGoals', () => {
      const own = Object.values(goals ?? {}).some((goal) => goal !== 'default')
      this.entry(id).row.goals = own ? goals : null
    })
  }

  setLimits(rows: readonly LimitRow[]): Promise<void> {
    return this.write('setLimits', () => {
      for (const { torrent, down, up } of rows) {
        const entry = this.tables.torrents.get(torrent)
        if (entry !== undefined) entry.row.limits = down === null && up === null ? null : { down, up }
      }
    })
  }

  setReached(id: TorrentId, sentence: string): Promise<void> {
    return this.write('setReached', () => {
      Object.assign(this.entry(id).row, { desired: 'paused', reached: sentence })
    })
  }

  setLabels(rows: readonly LabelsRow[]): Promise<void> {
    return this.write('setLabels', () => {
      for (const { torrent } of rows) this.entry(torrent)
      for (const { torrent, labels } of rows) this.entry(torrent).row.labels = [...labels]
    })
  }

  setFault(id: TorrentId, fault: string | null): Promise<void> {
    return this.write('setFault', () => {
      this.entry(id).row.fault = fault
    })
  }

  setWishes(
    id: TorrentId,
    wishes: readonly FileWishRow[],
    wanted: number,
    done: number,
    order?: PieceOrder,
  ): Promise<void> {
    return this.write('setWishes', () => {
      const entry = this.entry(id)
      entry.wishes = sparse(wishes)
      entry.row.wanted = wanted
      entry.row.done = done
      if (order !== undefined) entry.row.order = order
    })
  }

  changeTrackers(id: TorrentId, added: readonly TrackerRow[], removed: readonly string[]): Promise<void> {
    return this.write('changeTrackers', () => {
      const entry = this.entry(id)
      entry.trackers = entry.trackers.filter(({ url }) => !removed.includes(url))
      appendTrackers(entry, added)
    })
  }

  markWriting(id: TorrentId, files: readonly FileIndex[]): Promise<void> {
    return this.write('markWriting', () => {
      const entry = this.entry(id)
      for (const file of files) {
        const known = entry.files.get(file) ?? { file, size: 0, mtimeNs: '0', ino: '0' }
        entry.files.set(file, { ...known, writing: true })
      }
    })
  }

  recordRound(round: HaveRound): Promise<void> {
    return this.write('recordRound', () => {
      const entry = this.entry(round.torrent)
      for (const { chunk, bits } of round.chunks)
        if (bits.length === 0 || bits.length !== chunkBytes(entry.row.pieceCount, chunk))
          throw new StoreFault('INVALID', `chunk ${chunk} of the bitfield has ${bits.length} bytes`)
      for (const { chunk, bits } of round.chunks) entry.chunks.set(chunk, bits.slice())
      for (const file of round.files) entry.files.set(file.file, { ...file })
      entry.row.done = round.done
      entry.row.completedAt = round.completedAt
      entry.row.checked ||= round.checked
    })
  }

  clearHave(id: TorrentId): Promise<void> {
    return this.write('clearHave', () => {
      const entry = this.entry(id)
      entry.chunks.clear()
      entry.files.clear()
      entry.row.done = 0
      entry.row.checked = false
    })
  }

  saveTotals(rows: readonly TotalsRow[]): Promise<void> {
    return this.write('saveTotals', () => {
      for (const { torrent, ...totals } of rows) {
        const entry = this.tables.torrents.get(torrent)
        if (entry !== undefined) Object.assign(entry.row, totals)
      }
    })
  }

  remove(id: TorrentId): Promise<void> {
    return this.write('remove', () => {
      this.tables.torrents.delete(id)
      this.tables.trash.delete(id)
      for (const job of this.tables.jobs.values()) if (job.torrent === id) this.tables.jobs.delete(job.id)
    })
  }

  jobs(): Promise<JobRow[]> {
    return this.read('jobs', () => structuredClone([...this.tables.jobs.values()]))
  }

  addJob({ desired, ...job }: NewJob): Promise<number> {
    return this.write('addJob', () => {
      const { row } = this.entry(job.torrent)
      if (desired !== undefined) Object.assign(row, { desired, reached: null })
      const id = (this.tables.lastJob += 1)
      this.tables.jobs.set(id, { ...structuredClone(job), id })
      return id
    })
  }

  setJob(id: number, step: string, args: JobRow['args']): Promise<void> {
    return this.write('setJob', () => {
      this.step(id, step, args)
    })
  }

  endJob(id: number): Promise<void> {
    return this.write('endJob', () => {
      this.tables.jobs.delete(id)
    })
  }

  relocate({ torrent, dir, volume, files, names, job, step, args }: Relocation): Promise<void> {
    return this.write('relocate', () => {
      const entry = this.entry(torrent)
      this.step(job, step, args)
      entry.row.dir = dir
      entry.row.volume = volume
      for (const file of files) entry.files.set(file.file, { ...file })
      if (names === undefined) return
      const { name, ...given } = names
      entry.row.name = name
      entry.names = given
    })
  }

  private step(id: number, step: string, args: JobRow['args']): void {
    const job = this.tables.jobs.get(id)
    if (job === undefined) throw new StoreFault('NOT_FOUND', `no job ${id} in the store`)
    this.tables.jobs.set(id, { ...job, step, args: structuredClone(args) })
  }

  appendEvent(event: Omit<EventRow, 'seq'>): Promise<number> {
    return this.write('appendEvent', () => {
      const seq = (this.tables.lastSeq += 1)
      this.tables.events.push({ ...structuredClone(event), seq })
      if (seq % PRUNE_EVERY === 0)
        this.tables.events = this.tables.events.filter(
          (old) => old.seq > seq - EVENTS_KEPT && old.at >= event.at - EVENT_AGE,
        )
      return seq
    })
  }

  eventsSince(seq: number, limit: number): Promise<EventRow[]> {
    return this.read('eventsSince', () =>
      structuredClone(this.tables.events.filter((event) => event.seq > seq).slice(0, Math.max(0, limit))),
    )
  }

  lastEvent(torrent: TorrentId, kind: string): Promise<EventRow | null> {
    return this.read('lastEvent', () => {
      const last = this.tables.events.findLast((event) => event.torrent === torrent && event.kind === kind)
      return last === undefined ? null : structuredClone(last)
    })
  }

  blocked(): Promise<ReadonlyMap<TorrentId, string>> {
    return this.read('blocked', () => {
      const last = new Map<TorrentId, EventRow>()
      for (const event of this.tables.events) {
        if (event.torrent !== null && ['blocked', 'recovered'].includes(event.kind))
          last.set(event.torrent, event)
      }
      const are = [...last].filter(
        ([, { kind, data }]) => kind === 'blocked' && typeof data['reason'] === 'string',
      )
      return new Map(are.map(([torrent, { data }]) => [torrent, String(data['reason'])]))
    })
  }

  lastSeq(): Promise<number> {
    return this.read('lastSeq', () => this.tables.lastSeq)
  }

  getMeta(key: string): Promise<string | null> {
    return this.read('getMeta', () => this.tables.meta.get(key) ?? null)
  }

  setMeta(key: string, value: string): Promise<void> {
    return this.write('setMeta', () => {
      this.tables.meta.set(key, value)
    })
  }

  close(): Promise<void> {
    this.calls.push('close')
    this.closed = true
    return Promise.resolve()
  }

  private entry(id: TorrentId): Entry {
    const entry = this.tables.torrents.get(id)
    if (entry === undefined) throw new StoreFault('NOT_FOUND', `no torrent ${id} in the store`)
    return entry
  }

  private read<T>(method: StoreMethod, work: () => T): Promise<T> {
    return this.answer(method, null, work)
  }

  protected write<T>(method: StoreMethod, work: () => T): Promise<T> {
    return this.answer(method, this.writesFail, work)
  }

  private answer<T>(method: StoreMethod, fails: string | null, work: () => T): Promise<T> {
    this.calls.push(method)
    const code = this.closed ? 'CLOSED' : (this.nextFailure(method) ?? fails)
    if (code !== null) return Promise.reject(new StoreFault(code, `${method}: ${code}`))
    try {
      return Promise.resolve(work())
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  private nextFailure(method: StoreMethod): string | null {
    return this.failures.get(method)?.shift() ?? this.failures.get('')?.shift() ?? null
  }
}

function newRow(id: TorrentId, torrent: NewTorrent): Entry['row'] {
  const { v1, v2 } = torrent.hashes
  return {
    id,
    hashes: { ...(v1 === undefined ? {} : { v1 }), ...(v2 === undefined ? {} : { v2 }) },
    name: torrent.name,
    dir: torrent.dir,
    volume: torrent.volume,
    private: torrent.private,
    pieceLength: torrent.pieceLength,
    pieceCount: torrent.pieceCount,
    total: torrent.total,
    wanted: torrent.wanted,
    done: 0,
    desired: torrent.desired,
    checked: false,
    addedAt: torrent.addedAt,
    completedAt: null,
    fault: null,
    rank: null,
    goals: null,
    reached: null,
    limits: null,
    seedingMs: 0,
    downloaded: 0,
    uploaded: 0,
    wasted: 0,
    labels: [],
    order: { sequential: false, firstLast: false },
  }
}

function same(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a === b
}

function byFile(a: { file: FileIndex }, b: { file: FileIndex }): number {
  return a.file - b.file
}

/** Priority 1 is the default and has no row. */
function sparse(wishes: readonly FileWishRow[]): FileWishRow[] {
  const rows = new Map(wishes.map(({ file, priority }) => [file, { file, priority }]))
  return [...rows.values()].filter((wish) => wish.priority !== 1).sort(byFile)
}

/** At the end of their tiers; an address that is there already is left where it is. */
function appendTrackers(entry: Entry, trackers: readonly TrackerRow[]): void {
  for (const { tier, url, source } of trackers)
    if (!entry.trackers.some((known) => known.url === url)) entry.trackers.push({ tier, url, source })
  entry.trackers.sort((a, b) => a.tier - b.tier)
}

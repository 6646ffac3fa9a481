/** What is durable. Every promise resolves after the commit (synchronous=FULL); it rejects with StoreFault. */
import type { CalledNames, GivenNames } from '../../shared/torrent/names.js'
import type { Bytes, FileIndex, Hashes, Millis, Rate, TorrentId } from '../../shared/units.js'
import type { Desired, SeedGoals } from '../../shared/views.js'

/** The store could not do it: disk full, I/O, locked by a stranger. The intent lives on in memory. */
export class StoreFault extends Error {
  /**
   * SQLite's primary code (SQLITE_FULL, SQLITE_IOERR, SQLITE_BUSY, ...) or one of these. DUPLICATE: the hash is there
   * already. NOT_FOUND: no such torrent. INVALID: bytes that do not fit the torrent. At opening: LOCKED (another
   * daemon has it), HELD (another program), NEWER (a later version wrote it), UNSAFE (no WAL there), a system's code.
   * CLOSED; CRASHED, BUG.
   */
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'StoreFault'
    this.code = code
  }
}

/** What people should read once: the database was recovered or restored. */
export interface Notice {
  /** Milliseconds since 1970. */
  readonly at: Millis
  readonly sentence: string
}

export interface BackupMade {
  /** Absolute. */
  readonly path: string
  readonly bytes: Bytes
}

/** The database as a thing of its own: how it is, and how it is kept safe. */
export interface Database {
  /** One sentence while it cannot be written as it should be, else null. */
  problem(): string | null
  /** It does not answer: calls that wait may wait for ever, and new ones are refused (SILENT). */
  silent(): boolean
  /** One sentence while the daily backup fails, else null. */
  unsaved(): string | null
  /** Of the last recovery or restore, however old. */
  readonly notice: Notice | null
  /** Called when trouble begins. */
  watch(listener: () => void): void
  /** Tries whether the trouble is over: one small write, or a look at the free room. */
  probe(): Promise<boolean>
  /** Null: into the folder of backups. Rejects with StoreFault; EEXIST: the file is there already. */
  backup(path: string | null): Promise<BackupMade>
  /** The file is the database of the next start. Rejects with StoreFault; BAD_BACKUP carries a sentence for people. */
  restore(path: string): Promise<void>
}

export interface TrackerRow {
  readonly tier: number
  readonly url: string
  readonly source: 'metainfo' | 'user'
}

export interface FileWishRow {
  readonly file: FileIndex
  /** 0: not wanted. 1: wanted is the default and has no row. 2: wanted before the others. 3: after them. */
  readonly priority: number
}

/** In what order pieces are fetched. */
export interface PieceOrder {
  /** By their number, and not the rarest first. */
  readonly sequential: boolean
  /** The first and the last piece of each wanted file before all others. */
  readonly firstLast: boolean
}

export interface NewTorrent {
  readonly hashes: Hashes
  readonly name: string
  readonly dir: string
  readonly volume: string
  readonly private: boolean
  readonly pieceLength: Bytes
  readonly pieceCount: number
  readonly total: Bytes
  readonly wanted: Bytes
  readonly desired: Desired
  readonly addedAt: Millis
  /** The raw bytes of `info`; empty for a magnet link, whose piece count is 0 and whose `torrent` is its text. */
  readonly info: Uint8Array
  /** The raw bytes of the whole .torrent, for `export`; `info` is found in it by its span. */
  readonly infoStart: number
  readonly torrent: Uint8Array
  readonly trackers: readonly TrackerRow[]
  readonly wishes: readonly FileWishRow[]
}

/** What a magnet link lacked. */
export type KnownMetainfo = Pick<
  NewTorrent,
  | 'name'
  | 'private'
  | 'pieceLength'
  | 'pieceCount'
  | 'total'
  | 'wanted'
  | 'info'
  | 'infoStart'
  | 'torrent'
  | 'wishes'
>

/** How fast payload of one torrent may move, below what all of them may; bytes a second, null: no limit of its own. */
export interface TorrentLimits {
  readonly down: Rate | null
  readonly up: Rate | null
}

export interface LimitRow extends TorrentLimits {
  readonly torrent: TorrentId
}

export interface TorrentRow {
  readonly id: TorrentId
  readonly hashes: Hashes
  readonly name: string
  readonly dir: string
  readonly volume: string
  readonly private: boolean
  readonly pieceLength: Bytes
  readonly pieceCount: number
  readonly total: Bytes
  readonly wanted: Bytes
  /** Wanted bytes recorded, as of the last round: what `list` shows before have is loaded. */
  readonly done: Bytes
  readonly desired: Desired
  /** The data were verified once since they were added. */
  readonly checked: boolean
  readonly addedAt: Millis
  readonly completedAt: Millis | null
  readonly fault: string | null
  /** Its place in the order of the queue, among other ranks; null: after all that have one, by id. */
  readonly rank: number | null
  /** Its own goals of seeding; null: as the settings say, all of them. */
  readonly goals: SeedGoals | null
  /** The sentence of the goal that paused it; null: none did, or it was resumed or paused since. */
  readonly reached: string | null
  /** Its own limits; null: it has none. */
  readonly limits: TorrentLimits | null
  /** Time it has seeded. */
  readonly seedingMs: Millis
  readonly downloaded: Bytes
  readonly uploaded: Bytes
  readonly wasted: Bytes
  /** Sorted; `NO_LABELS` where it has none. */
  readonly labels: readonly string[]
  readonly order: PieceOrder
  readonly trackers: readonly TrackerRow[]
}

/** All labels of a torrent, sorted. */
export interface LabelsRow {
  readonly torrent: TorrentId
  readonly labels: readonly string[]
}

export interface FileStatRow {
  readonly file: FileIndex
  readonly size: Bytes
  readonly mtimeNs: string
  readonly ino: string
  /** Open for writing: the recorded bits hold though size and mtime may differ (we moved them ourselves). */
  readonly writing: boolean
}

/** One round: bits, and in the same transaction the facts of the files they lie in. */
export interface HaveRound {
  readonly torrent: TorrentId
  /** Whole bitfield chunks that changed: chunk n is bytes [2048 n, 2048 n + 2048) of the bitfield. */
  readonly chunks: readonly { readonly chunk: number; readonly bits: Uint8Array }[]
  readonly files: readonly FileStatRow[]
  readonly done: Bytes
  readonly completedAt: Millis | null
  /** Set by the first whole check. */
  readonly checked: boolean
}

export interface TotalsRow {
  readonly torrent: TorrentId
  readonly downloaded: Bytes
  readonly uploaded: Bytes
  readonly wasted: Bytes
  readonly seedingMs: Millis
}

export interface RankRow {
  readonly torrent: TorrentId
  readonly rank: number | null
}

export interface EventRow {
  readonly seq: number
  readonly at: Millis
  readonly torrent: TorrentId | null
  readonly kind: string
  readonly caller: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface NewJob {
  readonly torrent: TorrentId
  /** move, remove */
  readonly kind: string
  /** What is being done or comes next; a kill goes on from here. */
  readonly step: string
  readonly args: Readonly<Record<string, unknown>>
  readonly caller: string
  /** What its torrent is to be from then on, in the same transaction; not there: what it is. */
  readonly desired?: Desired
}

export interface JobRow extends Omit<NewJob, 'desired'> {
  readonly id: number
}

export interface StoredMetainfo {
  readonly torrent: Uint8Array
  readonly infoStart: number
  readonly infoEnd: number
  readonly names: GivenNames
}

/** A torrent's files lie elsewhere from now on. */
export interface Relocation {
  readonly torrent: TorrentId
  readonly dir: string
  readonly volume: string
  /** Facts that hold at the new place; files that are not named keep theirs. */
  readonly files: readonly FileStatRow[]
  /** All names that are given from now on, and what the torrent is called; not there: as before. */
  readonly names?: CalledNames
  /** The job that moved them goes on from here. */
  readonly job: number
  readonly step: string
  readonly args: JobRow['args']
}

/** A torrent that was removed and is not yet gone. */
export interface TrashRow {
  readonly torrent: TorrentId
  /** When it was removed, and when it goes for good. Milliseconds since 1970. */
  readonly at: Millis
  readonly until: Millis
  /** Its files lie in the trash too. */
  readonly data: boolean
  /** The folder that it was removed from. */
  readonly dir: string
  /** What the torrent said before: `running`, `forced` or `paused`. */
  readonly desired: Desired
  /** `going`: its files are on their way into the trash. `back`: on their way out of it. */
  readonly phase: 'going' | 'there' | 'back'
  /** Who removed it. */
  readonly caller: string
}

/** With what is shown of its torrent. */
export interface TrashedRow extends TrashRow {
  readonly name: string
  readonly hashes: Hashes
  /** Wanted bytes recorded. */
  readonly done: Bytes
}

export interface Store {
  /** Every torrent, or this one; one query for each table, no metainfo. Order: id. */
  torrents(only?: TorrentId): Promise<TorrentRow[]>
  /** By id. */
  trash(): Promise<TrashedRow[]>
  /** From now on the torrent is `trashed`, and this is known of it. */
  setTrash(row: TrashRow): Promise<void>
  /** It is out of the trash, and says what it said before; nothing where it was not in it. */
  endTrash(id: TorrentId): Promise<void>
  /** Rejects with code DUPLICATE when a hash is known. */
  add(torrent: NewTorrent): Promise<TorrentId>
  /** The whole .torrent as it came, where `info` lies in it, and what its files are called instead. */
  metainfo(id: TorrentId): Promise<StoredMetainfo>
  /** Whether this info dictionary has the torrent's hashes. */
  verifyInfo(id: TorrentId, info: Uint8Array): Promise<boolean>
  /** The metainfo of a torrent that was added by a magnet link. */
  setMetainfo(id: TorrentId, known: KnownMetainfo): Promise<void>
  /** The bitfield (null: nothing recorded yet), the files' facts and the wishes. */
  have(id: TorrentId): Promise<{
    readonly bits: Uint8Array | null
    readonly files: FileStatRow[]
    readonly wishes: FileWishRow[]
  }>
  /** Also forgets which goal paused them. */
  /** What lies in the trash stays as it is, unless it is to be removed. */
  setDesired(ids: readonly TorrentId[], desired: Desired): Promise<void>
  /** In one transaction. Torrents that are not there are passed over. */
  setRanks(ranks: readonly RankRow[]): Promise<void>
  setGoals(id: TorrentId, goals: SeedGoals | null): Promise<void>
  /** All of them or none; torrents that are gone are left out. */
  setLimits(rows: readonly LimitRow[]): Promise<void>
  /** A goal pauses it. */
  setReached(id: TorrentId, sentence: string): Promise<void>
  /** Instead of those they had, all in one transaction. */
  setLabels(rows: readonly LabelsRow[]): Promise<void>
  setFault(id: TorrentId, fault: string | null): Promise<void>
  setWishes(
    id: TorrentId,
    wishes: readonly FileWishRow[],
    wanted: Bytes,
    done: Bytes,
    order?: PieceOrder,
  ): Promise<void>
  /** Forgets the addresses in `removed`, then appends to tiers; an address that is there already stays where it is. */
  changeTrackers(id: TorrentId, added: readonly TrackerRow[], removed: readonly string[]): Promise<void>
  /** Before the first write to a file: commits its `writing` mark. */
  markWriting(id: TorrentId, files: readonly FileIndex[]): Promise<void>
  recordRound(round: HaveRound): Promise<void>
  /** Forgets bits and facts (before `verify`, and before data are removed). */
  clearHave(id: TorrentId): Promise<void>
  saveTotals(rows: readonly TotalsRow[]): Promise<void>
  /** The row and all that hangs on it. */
  remove(id: TorrentId): Promise<void>
  appendEvent(event: Omit<EventRow, 'seq'>): Promise<number>
  /** Events after `seq`, oldest first, at most `limit`. */
  eventsSince(seq: number, limit: number): Promise<EventRow[]>
  /** The last event of this kind that a torrent has, or null. */
  lastEvent(torrent: TorrentId, kind: string): Promise<EventRow | null>
  /** Torrents of which the journal says last that they are blocked, with the reason. */
  blocked(): Promise<ReadonlyMap<TorrentId, string>>
  /** The number of the last event; 0 before the first. Numbers are never used again. */
  lastSeq(): Promise<number>
  getMeta(key: string): Promise<string | null>
  setMeta(key: string, value: string): Promise<void>
  /** Jobs that were begun and not ended, by number. They go with their torrent. */
  jobs(): Promise<JobRow[]>
  /** Answers its number, which is never used again. */
  addJob(job: NewJob): Promise<number>
  setJob(id: number, step: string, args: JobRow['args']): Promise<void>
  /** It is done, or given up. */
  endJob(id: number): Promise<void>
  /** Folder, volume, facts and the job's step, in one transaction. */
  relocate(relocation: Relocation): Promise<void>
  /** Checkpoints, closes and ends the thread. */
  close(): Promise<void>
}

/**
 * The disk as the main thread sees it. Every call returns at once; what blocks runs in a hash worker or a
 * volume's lane. Nothing here is per block: blocks are copied into a slot's view by the caller.
 */
import type { LatencyView } from '../base/latency.js'
import type { Bytes, FileIndex, Millis, PieceIndex, TorrentId } from '../../shared/units.js'

/** A fault of a disk, as a state of the torrent and never as an exception on the main loop. */
export interface DiskFault {
  /** The system's code: ENOSPC, EIO, EACCES, EROFS, ENOENT, EMFILE, ... */
  readonly code: string
  /** open, read, write, sync, rename, mkdir, unlink, stat */
  readonly operation: string
  /** The path concerned. */
  readonly path: string
}

/** Memory for one extent (256 KiB of one piece) on its way to the disk. */
export interface Slot {
  readonly index: number
  /** 256 KiB of shared memory; valid from `take` until the slot is handed to `Storage.submit` or freed. */
  readonly view: Buffer
  /** Called once when the disk frees it; set by who submits it. */
  released?: (() => void) | null
}

/** Shared memory in 256 KiB slots, in 16 MiB segments added on demand up to a limit. */
export interface Slab {
  /** A free slot, or null when the limit is reached: ask again after `onFree`. */
  take(): Slot | null
  /** Gives a slot back that was not submitted. */
  free(slot: Slot): void
  /** Slots that can still be taken now. */
  readonly available: number
  /** The limit in slots. */
  readonly capacity: number
  /** Called (coalesced, once a turn at most) after slots have come free. */
  onFree(listener: () => void): void
}

export interface StorageFile {
  /** Relative to `dir`, '/' between components, already inside the jail. */
  readonly path: string
  readonly length: Bytes
  /** BEP 47 padding: reads as zeros, is never created or written. */
  readonly pad: boolean
}

export interface StorageSpec {
  readonly torrent: TorrentId
  /** The download folder, absolute; it exists. */
  readonly dir: string
  /** In the metainfo's order, pads and empty files among them. */
  readonly files: readonly StorageFile[]
  readonly pieceLength: Bytes
  /** SHA-1 digests of the pieces, 20 bytes each (BEP 3). */
  readonly digests: Uint8Array
}

/** What lies on the disk for one file. `name` tells under which of its two names it was found. */
export interface FileFound {
  readonly file: FileIndex
  readonly name: 'final' | 'part' | 'missing'
  readonly size: Bytes
  /** Nanoseconds since 1970 as a decimal string: it does not fit a double. */
  readonly mtimeNs: string
  readonly ino: string
}

export interface StorageEvents {
  /**
   * All extents of a piece were hashed and written to the page cache, and the digest is right. Where an earlier try
   * was bad, `blocks` has the SHA-1 of each 16 KiB block, 20 bytes each in a row.
   */
  pieceGood(piece: PieceIndex, blocks: Uint8Array | null): void
  /**
   * The digest is wrong. What was written claims nothing; the worker has forgotten the piece. `blocks` as above, of
   * what came; null where it could not be read back.
   */
  pieceBad(piece: PieceIndex, blocks: Uint8Array | null): void
  /** A write failed. Every extent of that piece is forgotten. */
  writeFailed(piece: PieceIndex, fault: DiskFault): void
}

/** A run of blocks of one piece, contiguous. */
export interface ReadRun {
  readonly piece: PieceIndex
  readonly offset: Bytes
  /** Length of each block, in order; their sum is at most 1 MiB. */
  readonly lengths: readonly number[]
  /** All blocks of one extent: whoever wants it at once or soon gets the same frame. */
  readonly shared?: boolean
  /** Bytes behind it in its piece that will be asked for next: on a slow volume they are read with it. */
  readonly ahead?: Bytes
  /** On whose behalf: those who wait take turns. */
  readonly reader?: object
  /** May use half of the memory for frames only: one that is not known to take them fast. */
  readonly patient?: boolean
}

/**
 * Wire frames of a run, ready for a socket: for each block the 13-byte header of a `piece` message (BEP 3) and
 * the block. Shared and pinned: `release` once the last socket has taken it.
 */
export interface Frame {
  readonly bytes: Buffer
  release(): void
}

/** What a removal of the data would delete, and what it would leave. Paths are relative to `dir`. */
export interface RemovalLook {
  /** Under the name each has now. `linked`: it has a name elsewhere, so that its bytes stay. */
  readonly files: readonly { readonly path: string; readonly bytes: Bytes; readonly linked: boolean }[]
  /** In folders of the torrent and not its own; a folder ends with a slash. The first ones, in order. */
  readonly strangers: readonly string[]
  /** Strangers beyond these. */
  readonly more: number
}

/** Strangers that are named at most. */
export const STRANGERS_NAMED = 1000

export interface VerifyJob {
  /** Ends early; `done` is still called. */
  cancel(): void
}

/** The files of one torrent. After `close` (or a newer generation) no completion of an older call arrives. */
export interface Storage {
  /** Pieces will come soon: what they need to be hashed is started now, not with the first of them. */
  expect(): void
  /** Makes the `.part` files of a piece that will be submitted soon; `submit` waits for them where they are not made. */
  makeReady(piece: PieceIndex): void
  /**
   * Hands a full extent over: hashed in order, written, slot freed by the disk. Extents of a piece may come in any
   * order, each once. The last one is answered by exactly one of the events.
   */
  submit(slot: Slot, piece: PieceIndex, extent: number, length: Bytes): void
  /** Forgets what was submitted of a piece that will not be completed; no event follows. */
  forget(piece: PieceIndex): void
  /**
   * Reads a run; `done` comes later with a frame or a fault. The result takes it back: `done` is not called any more,
   * and what nobody else waits for is not read where that was not begun.
   */
  read(run: ReadRun, done: (frame: Frame | null, fault: DiskFault | null) => void): () => void
  /** Runs wait for memory that others hold. */
  readonly short: boolean
  /**
   * Looks at every file (both names), one lane job. From now on a finished one is read only as long as it stays as it
   * is (ESTALE). `again`, after a check: one that changed since the survey before is told with mtime '0', which fits no
   * record, and stays refused.
   */
  survey(again?: boolean): Promise<FileFound[]>
  /**
   * The volume that the folder lies on was looked at, and is this one (st_dev): another one under its path is refused
   * from now on with ENODEV, and nothing is made there.
   */
  bind(volume: string): void
  /**
   * Makes the folders and zero-length files that `files` need; `.part` files are made by the first write. Refuses a
   * symbolic link on the way.
   */
  prepare(files: readonly FileIndex[]): Promise<DiskFault | null>
  /**
   * fdatasync of every file written since the last round, and of those in `also` (found, not written by us); fsync of
   * the parent folders of files made since; then the facts of the synced files. On a fault the writes since the last
   * good round are void.
   */
  sync(
    also?: readonly FileIndex[],
  ): Promise<{ readonly files: readonly FileFound[]; readonly fault: DiskFault | null }>
  /** Renames finished files from `.part` to their name, and syncs the folders. Answers their facts. */
  finish(
    files: readonly FileIndex[],
  ): Promise<{ readonly files: readonly FileFound[]; readonly fault: DiskFault | null }>
  /**
   * Reads pieces in the order given and hashes them; `onPiece` for each, in batches and roughly in that order, then
   * `done`. A piece that lies in a missing or short file is bad. Lets other reads of the volume pass between its jobs.
   * What is read of `doubtful` pieces is written once more: a sync that failed may have left them in the page cache as
   * clean, so that the next one would have nothing to do.
   */
  verify(
    pieces: readonly PieceIndex[],
    onPiece: (piece: PieceIndex, good: boolean) => void,
    done: (fault: DiskFault | null) => void,
    doubtful?: (piece: PieceIndex) => boolean,
  ): VerifyJob
  /**
   * Cheap look for pieces that may lie on the disk though no record claims them (after a kill): those of `pieces`
   * whose first 16 KiB exist and are not all zero.
   */
  sniff(pieces: readonly PieceIndex[]): Promise<PieceIndex[]>
  /** What `remove` would do; nothing is touched. */
  planRemoval(): Promise<RemovalLook | DiskFault>
  /** Deletes the files of this torrent (both names), never others, then the folders below `dir` left empty. */
  remove(): Promise<DiskFault | null>
  /** Descriptors closed in every worker, unfinished submissions dropped, then resolves. */
  close(): Promise<void>
}

export interface SpaceView {
  readonly freeBytes: Bytes
  /** So much of it is to stay free. */
  readonly reserve: Bytes
  /** st_dev in decimal. */
  readonly volume: string
  /** What stands in the folder's mark, 32 hex digits; null: it has none. */
  readonly marker: string | null
}

/** The file in a download folder by which its volume is known again. */
export const VOLUME_MARK = '.torrentino-volume'

/** How jobs of one folder fare. */
export interface Waits {
  /** Age of the oldest job not done. */
  readonly oldest: Millis
  /** Its volume has answered nothing for 20 s, though it was asked. */
  readonly silent: boolean
}

/** Jobs waiting or under way, and the memory of payload that is not in the slab. */
export interface DiskPressure {
  readonly hash: number
  readonly lanes: number
  /** Reads that wait for memory. */
  readonly reads: number
  readonly checks: number
  /** Age of the oldest job of a lane or a hash worker. */
  readonly oldest: Millis
  /** Frames being read, not yet taken by sockets, or kept for the next who wants them. */
  readonly frameBytes: Bytes
  readonly checkBytes: Bytes
  /** From an extent's hand-over to its hash and its place in the page cache. */
  readonly write: LatencyView
  /** Of the files of a round. */
  readonly sync: LatencyView
}

export interface MoverInit {
  /** Its `dir` is the folder that the files leave. */
  readonly spec: StorageSpec
  /** The folder they go to, absolute. */
  readonly to: string
  /** What they are called there; not there: as in `spec`. Those whose path is the same stay where they are. */
  readonly toFiles?: readonly StorageFile[]
  /** Names the temporary files; never used twice. */
  readonly job: number
}

/** What lies on both sides before a move; nothing was touched. */
export interface MoveLook {
  /** The two are one folder. */
  readonly same: boolean
  /** They lie on one volume: nothing is copied. */
  readonly oneVolume: boolean
  /** Files that are there, and their bytes. */
  readonly files: number
  readonly bytes: Bytes
  /** Of the new place. */
  readonly freeBytes: Bytes
  /** st_dev in decimal. */
  readonly volume: string
  /** Temporary files of this job lie there, or files of the torrent's names. */
  readonly begun: boolean
}

/** A step of a move: what each file is at the new place and was at the old one, or why it could not be done. */
export interface Carried {
  readonly files: readonly FileFound[]
  readonly before: readonly FileFound[]
  readonly fault: DiskFault | null
}

/** How far a move had come. */
export type MoveStep = 'link' | 'rename' | 'copy' | 'name'

/**
 * Brings the files of one torrent to another folder, while nobody else uses them. At each instant before `clean` all of
 * them are whole at the old place, but for `rename`. Codes of faults besides the system's: INSIDE, the new folder lies
 * in the torrent's own; EBADMSG, a recorded piece does not read as recorded; ESTALE, somebody changed a file;
 * ECANCELED.
 */
export interface Mover {
  /**
   * Refuses what cannot go well, of the new place or the old one. A `fresh` move finds the names of its files free; one
   * that goes on after a kill looks at that file by file.
   */
  look(fresh: boolean): Promise<MoveLook | DiskFault>
  /**
   * Gives each file its second name at the new place, or with `rename` its only one; folders are made and synced.
   * Files that have it already stay. EPERM, ENOTSUP and their kind: the volume has no hard links. EXDEV: two volumes.
   */
  link(how: 'link' | 'rename', progress: (files: number) => void): Promise<Carried>
  /**
   * Copies each file to a temporary name at the new place, synced, from file `first` on; bytes of recorded pieces are
   * hashed on the way. `progress` tells the bytes copied, `copied` a file that is there and synced.
   */
  copy(
    ask: {
      readonly first: FileIndex
      /** The bitfield of recorded pieces (BEP 3), or null. */
      readonly recorded: Uint8Array | null
    },
    events: {
      readonly progress: (bytes: Bytes) => void
      readonly copied: (file: FileIndex) => Promise<void>
    },
  ): Promise<DiskFault | null>
  /** The copies get their names, unless a file at the old place is not what was copied. */
  name(): Promise<Carried>
  /** Takes a step back: nothing of it is left at the new place, but the folder itself. */
  undo(step: MoveStep): Promise<DiskFault | null>
  /**
   * Deletes at the old place what lies at the new one, then the folders left empty. `kept` files are not what was
   * moved and stay; where the new ones cannot be seen nothing is done (ENOENT).
   */
  clean(): Promise<{ readonly kept: number; readonly fault: DiskFault | null }>
  /** The step under way ends soon, with ECANCELED. */
  cancel(): void
  /** Descriptors are closed; then it resolves. */
  close(): Promise<void>
}

export interface Disk {
  readonly slab: Slab
  mover(init: MoverInit): Mover
  /** Registers a torrent's files; opens nothing yet. */
  open(spec: StorageSpec, events: StorageEvents): Storage
  /** Makes the folder (with parents), checks that we may write in it, answers its space. */
  prepareDir(dir: string): Promise<SpaceView | DiskFault>
  /** Space of the volume of a folder that exists. */
  space(dir: string): Promise<SpaceView | DiskFault>
  /** Puts the mark of its volume into a folder, durably; refuses where there is one. */
  mark(dir: string, id: string): Promise<DiskFault | null>
  /**
   * Makes folders below a folder, one in the other, for us alone. Refuses a link (ELOOP), a file (ENOTDIR) and another
   * volume (EXDEV) in their place.
   */
  makeBelow(dir: string, names: readonly string[]): Promise<DiskFault | null>
  /** Deletes those of these folders that are empty, the innermost first. */
  dropBelow(dir: string, names: readonly string[]): Promise<DiskFault | null>
  pressure(): DiskPressure
  /** Of a folder that is in use; nothing is asked for it. */
  waits(dir: string): Waits
  /** Stops every thread after the jobs under way. */
  stop(): Promise<void>
}

/**
 * What the main thread asks of its threads and what they answer. A thread does its jobs in the order asked and
 * answers each exactly once, so answers need no numbers.
 */
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { DiskFault, FileFound, MoveStep, RemovalLook, SpaceView, StorageFile } from '../ports/disk.js'

/** One opening of a torrent's files. Keys are never used twice: a key is torrent and generation at once. */
export type StorageKey = number

export interface OpenAsk {
  readonly key: StorageKey
  readonly dir: string
  readonly files: readonly StorageFile[]
  readonly pieceLength: number
  /** In shared memory: not copied for each thread. */
  readonly digests: Uint8Array
}

export interface ExtentAsk {
  readonly key: StorageKey
  /** Number of this attempt at the piece; never used twice. */
  readonly run: number
  /** The first extent of the run that is sent: an unknown run without it is one that has ended. */
  readonly first: boolean
  readonly piece: PieceIndex
  readonly extent: number
  readonly length: number
  readonly memory: SharedArrayBuffer
  readonly offset: number
  /** Slots are short: nothing may wait in one. */
  readonly tight: boolean
  /** A try of this piece was bad before: its blocks are told apart. */
  readonly suspect: boolean
  /** Names the slot in `Outcome.freed`. */
  readonly ticket: number
}

export interface RunEnd {
  readonly run: number
  readonly good: boolean
  /** Set when a write failed; `good` is false then. */
  readonly fault: DiskFault | null
  /** SHA-1 of each block of a piece that is bad or was suspect, in a row; null of another or where not to be read. */
  readonly blocks: Uint8Array | null
}

/** What a job of the assembler let go of. */
export interface Outcome {
  /** Tickets of slots that are no longer read. */
  readonly freed: number[]
  readonly ends: RunEnd[]
}

/** Jobs of a hash worker; a lane does them too, for a volume that is slow. */
export interface HashJobs {
  open: { ask: OpenAsk; answer: Outcome }
  extent: { ask: ExtentAsk; answer: Outcome }
  forget: { ask: { readonly run: number }; answer: Outcome }
  tight: { ask: { readonly tight: boolean }; answer: Outcome }
  /** These were made anew: older descriptors lead elsewhere. */
  closeFiles: { ask: { readonly key: StorageKey; readonly files: readonly FileIndex[] }; answer: Outcome }
  close: { ask: { readonly key: StorageKey }; answer: Outcome }
  stop: { ask: null; answer: Outcome }
}

export interface ReadAsk {
  readonly key: StorageKey
  readonly piece: PieceIndex
  readonly offset: number
  readonly lengths: readonly number[]
  /** The memory that is filled from its start with header, block, header, block, ... */
  readonly memory: number
}

/** A stretch of shared memory that frames are read to. */
export interface FrameAsk {
  readonly id: number
  readonly shared: SharedArrayBuffer
  readonly offset: number
  readonly size: number
}

export interface ReadBatch {
  readonly runs: readonly ReadAsk[]
  /** Memory the lane has not met. */
  readonly fresh: readonly FrameAsk[]
  /** Memory that is not used any more. */
  readonly gone: readonly number[]
}

/** A part of a piece that a check wants. */
export interface LoadPart {
  readonly piece: PieceIndex
  readonly offset: number
  readonly length: number
  /** Ends its piece. */
  readonly last: boolean
  /** Where it lies in the buffer. */
  readonly at: number
}

export interface LoadAsk {
  readonly key: StorageKey
  readonly parts: readonly LoadPart[]
  readonly memory: SharedArrayBuffer
  /** Write back what was read: see `Verification`. */
  readonly rewrite: boolean
}

export interface DigestAsk {
  /** The hash of a piece that spans jobs is kept under this name, of which there is no second. */
  readonly verify: string
  readonly parts: readonly LoadPart[]
  readonly memory: SharedArrayBuffer
  /** SHA-1 of all pieces, 20 bytes each. */
  readonly digests: Uint8Array
}

/** Jobs of a thread that hashes for checks. */
export interface DigestJobs {
  digest: { ask: DigestAsk; answer: Uint8Array }
  forget: { ask: { readonly verify: string }; answer: null }
  stop: { ask: null; answer: null }
}

export interface SpaceAsk {
  readonly dir: string
  /** To be kept free, on a small volume less. */
  readonly reserve: number
}

export interface FilesAsk {
  readonly key: StorageKey
  readonly files: readonly FileIndex[]
}

export interface Made {
  readonly made: readonly { readonly file: FileIndex; readonly ino: string }[]
  readonly failed: readonly { readonly file: FileIndex; readonly fault: DiskFault }[]
  /** Folders in which an entry was made, for the next round. */
  readonly folders: readonly string[]
}

/** The folder that a torrent leaves: `st_dev/st_ino` of it, and of the torrent's own folder where it has one. */
export interface Place {
  readonly dir: string
  readonly root: string | null
}

/** The folder that it goes to, or the nearest one above that is there. */
export interface Site {
  /** The folder that it leaves. */
  readonly same: boolean
  readonly oneVolume: boolean
  readonly freeBytes: number
  readonly volume: string
  /** Temporary files of the job are there. */
  readonly begun: boolean
}

/** A part of a file on its way to another volume. */
export interface CopyPart {
  readonly file: FileIndex
  readonly offset: number
  readonly length: number
  readonly memory: SharedArrayBuffer
}

/** Jobs of a move. `key` is the old place, `to` the new one; a lane has both open where a job names both. */
/** What gets another name in the folder where it lies. */
export interface Renames {
  /** Files whose paths are others. */
  readonly files: readonly FileIndex[]
  /** The new folder of all files, of which there is none yet; null: the files stay in theirs. */
  readonly root: string | null
}

interface MoveJobs {
  /** Every file, under either name; one that cannot be looked at is a fault. */
  moveSurvey: { ask: { readonly key: StorageKey }; answer: FileFound[] | DiskFault }
  movePlace: { ask: { readonly key: StorageKey; readonly root: string | null }; answer: Place | DiskFault }
  moveSite: {
    ask: {
      readonly to: StorageKey
      readonly from: Place
      readonly temp: string
      readonly fresh: boolean
      /** Where files get other names in the same folder. */
      readonly renames: Renames | null
    }
    answer: Site | DiskFault
  }
  /** Second names, or only ones. */
  moveLink: {
    ask: {
      readonly key: StorageKey
      readonly to: StorageKey
      readonly files: readonly FileFound[]
      readonly how: 'link' | 'rename'
    }
    answer: { readonly files: FileFound[]; readonly fault: DiskFault | null }
  }
  copyBegin: { ask: { readonly key: StorageKey; readonly recorded: Uint8Array | null }; answer: null }
  copyRead: { ask: CopyPart & { readonly key: StorageKey }; answer: DiskFault | null }
  copyWrite: {
    ask: CopyPart & {
      readonly to: StorageKey
      readonly temp: string
      /** Set with the last part of a file: what it is to be in the end. */
      readonly end: FileFound | null
    }
    answer: DiskFault | null
  }
  copyEnd: { ask: { readonly key: StorageKey }; answer: null }
  moveName: {
    ask: { readonly to: StorageKey; readonly files: readonly FileFound[]; readonly temp: string }
    answer: { readonly files: FileFound[]; readonly fault: DiskFault | null }
  }
  moveUndo: {
    ask: {
      /** In this lane where the step is `rename`; else only its facts count, and they are in `found`. */
      readonly key: StorageKey
      readonly to: StorageKey
      readonly found: readonly FileFound[]
      readonly step: MoveStep
      readonly temp: string
    }
    answer: DiskFault | null
  }
  moveClean: {
    ask: { readonly key: StorageKey; readonly found: readonly FileFound[] }
    answer: { readonly kept: number; readonly fault: DiskFault | null }
  }
}

export interface LaneJobs extends HashJobs, MoveJobs {
  /** st_dev, in decimal, of a folder or of the nearest one above it that exists; '' when nothing could be found. */
  device: { ask: { readonly dir: string }; answer: string }
  space: { ask: SpaceAsk; answer: SpaceView | DiskFault }
  prepareDir: { ask: SpaceAsk; answer: SpaceView | DiskFault }
  mark: { ask: { readonly dir: string; readonly id: string }; answer: DiskFault | null }
  makeBelow: {
    ask: { readonly dir: string; readonly names: readonly string[] }
    answer: DiskFault | null
  }
  dropBelow: {
    ask: { readonly dir: string; readonly names: readonly string[] }
    answer: DiskFault | null
  }
  bind: { ask: { readonly key: StorageKey; readonly volume: string }; answer: null }
  survey: { ask: { readonly key: StorageKey; readonly again: boolean }; answer: FileFound[] }
  /** Folders and zero-length files. */
  prepare: { ask: FilesAsk; answer: Made }
  /** `.part` files at full length. */
  make: { ask: FilesAsk; answer: Made }
  sync: {
    ask: {
      readonly key: StorageKey
      /** `ino` as it was made, or null where we did not make it. */
      readonly files: readonly { readonly file: FileIndex; readonly ino: string | null }[]
      readonly folders: readonly string[]
    }
    answer: { readonly files: FileFound[]; readonly fault: DiskFault | null }
  }
  finish: { ask: FilesAsk; answer: { readonly files: FileFound[]; readonly fault: DiskFault | null } }
  /** Null: all were read; else what became of each. */
  read: { ask: ReadBatch; answer: (DiskFault | null)[] | null }
  load: {
    ask: LoadAsk
    answer: {
      /** Indices into `parts`: in a file that is missing or too short. */
      readonly absent: readonly number[]
      readonly rewritten: readonly FileIndex[]
      readonly fault: DiskFault | null
    }
  }
  sniff: { ask: { readonly key: StorageKey; readonly pieces: readonly PieceIndex[] }; answer: PieceIndex[] }
  planRemoval: { ask: { readonly key: StorageKey }; answer: RemovalLook | DiskFault }
  remove: { ask: { readonly key: StorageKey }; answer: DiskFault | null }
}

/** A table of jobs: what is asked and what is answered, by kind. */
export type Table<J> = { [K in keyof J]: { ask: unknown; answer: unknown } }
export type Ask<J extends Table<J>, K extends keyof J> = J[K]['ask']
export type Answer<J extends Table<J>, K extends keyof J> = J[K]['answer']

export type Handlers<J extends Table<J>> = { readonly [K in keyof J]: (ask: Ask<J, K>) => Answer<J, K> }

export interface Envelope<J> {
  readonly kind: keyof J
  readonly ask: unknown
}

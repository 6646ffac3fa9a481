/** What goes between the main thread and the store's thread. */
import type { Millis } from '../../shared/units.js'
import type { Notice, Store } from '../ports/store.js'

export type Method = Exclude<keyof Store, 'close'>
export type Args<M extends Method> = Parameters<Store[M]>
export type Answer<M extends Method> = Awaited<ReturnType<Store[M]>>

/** Given to the thread when it starts. */
export interface ThreadInit {
  /** The database. Its folder is made with mode 0700, itself with 0600. */
  readonly file: string
  /** Locked for the life of the thread; stays empty. */
  readonly lockFile: string
  /** Where a torrent goes whose folder nobody knows any more. */
  readonly downloadDir: string
  /** Only makes this file the database of the next start, and ends: `stored` or `refused` is all that is said. */
  readonly restore: string | null
  /** The main loop that it looks after; null: none. */
  readonly lookout: LookoutInit | null
}

/** All of it can be sent to a thread. */
export interface LookoutInit {
  /** `WatchShared.memory`. */
  readonly memory: SharedArrayBuffer
  /** Milliseconds between two looks. */
  readonly every: Millis
  /** The log of the daemon, to which lines are appended. */
  readonly log: string
}

export interface Request<M extends Method = Method> {
  /** Counts up from 1; the answer carries it. */
  readonly id: number
  readonly method: M
  readonly args: Args<M>
}

export type ToThread =
  | { readonly kind: 'call'; readonly request: Request }
  /** Null: into the folder of backups. Answers BackupMade. */
  | { readonly kind: 'backup'; readonly id: number; readonly path: string | null }
  | { readonly kind: 'restore'; readonly id: number; readonly path: string }
  /** Looks whether the reserve can be made again; answers nothing but the state. */
  | { readonly kind: 'restock'; readonly id: number }
  /** The main loop turns again after a rest: it is to be looked after. Answers nothing. */
  | { readonly kind: 'wake' }
  | { readonly kind: 'close' }

/** What is told when it changes. */
export interface StoreState {
  /** The bytes kept for a full volume are there. */
  readonly reserve: boolean
  /** Why the last daily backup was not made, in a few words; null: it was. */
  readonly backup: string | null
}

/** What the thread found in force after opening. */
export interface OpenFacts {
  /** 2 is FULL, 3 EXTRA. */
  readonly synchronous: number
  readonly journalMode: string
  readonly foreignKeys: boolean
  readonly fullfsync: boolean
  readonly userVersion: number
}

export type FromThread =
  | { readonly kind: 'opened'; readonly facts: OpenFacts; readonly notice: Notice | null }
  | { readonly kind: 'stored' }
  /** Met by nobody's call. */
  | { readonly kind: 'damaged'; readonly code: string; readonly message: string }
  | { readonly kind: 'state'; readonly state: StoreState }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly code: string; readonly message: string }
  | { readonly kind: 'closed' }

/**
 * The saved .torrent files: for each torrent HASH.torrent, byte for byte (or its magnet link, until more is known), and HASH.json with the little that is not in
 * it. A removal leaves an empty HASH.removed, so that an older backup does not bring the torrent back.
 */
import { existsSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Millis, TorrentId } from '../../shared/units.js'
import { isMagnet, LONGEST_MAGNET } from '../../shared/torrent/magnet.js'
import type { CalledNames } from '../../shared/torrent/names.js'
import type { Desired } from '../../shared/views.js'
import type { FileWishRow, TrackerRow, TrashRow } from '../ports/store.js'
import { makePrivateFolder, namesIn, readIfThere, syncFolder, writeWhole } from './files.js'
import type { Noted } from './noted.js'

/** What cannot be read from the .torrent. */
export interface CopyNote extends Noted {
  readonly id: TorrentId
  readonly dir: string
  readonly volume: string
  readonly desired: Desired
  readonly addedAt: Millis
  readonly trackers: readonly TrackerRow[]
  readonly wishes: readonly FileWishRow[]
  /** Sorted; not there: none. */
  readonly labels?: readonly string[]
  /** Given by a person; not there: none. */
  readonly names?: CalledNames
  /** It lies in the trash; not there: it does not. */
  readonly trash?: TrashRow
}

/** Hashes by what lies there of them. */
export interface CopyList {
  readonly torrents: ReadonlySet<string>
  readonly notes: ReadonlySet<string>
  readonly removed: ReadonlySet<string>
}

export class Copies {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  list(): CopyList {
    const names = namesIn(this.#dir)
    const ending = (end: string): Set<string> =>
      new Set(names.filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length)))
    return { torrents: ending('.torrent'), notes: ending('.json'), removed: ending('.removed') }
  }

  has(hash: string): boolean {
    return existsSync(this.#path(hash, 'torrent'))
  }

  /** A magnet link lies there in place of a .torrent. */
  hasLink(hash: string): boolean {
    const size = statSync(this.#path(hash, 'torrent'), { throwIfNoEntry: false })?.size ?? Infinity
    return size <= LONGEST_MAGNET && isMagnet(this.torrent(hash)?.toString() ?? '')
  }

  /** Null where there is none, or it cannot be read. */
  torrent(hash: string): Buffer | null {
    return readIfThere(this.#path(hash, 'torrent'))
  }

  note(hash: string): CopyNote | null {
    const text = readIfThere(this.#path(hash, 'json'))
    if (text === null) return null
    try {
      const note = JSON.parse(text.toString()) as Partial<CopyNote> | null
      return isNote(note) ? note : null
    } catch {
      return null
    }
  }

  /** The folder is not synced: see `sync`. */
  save(hash: string, note: CopyNote, torrent: Uint8Array | null): void {
    makePrivateFolder(this.#dir)
    const text = Buffer.from(`${JSON.stringify(note)}\n`)
    // One that is as it should be costs no sync.
    if (readIfThere(this.#path(hash, 'json'))?.equals(text) !== true)
      writeWhole(this.#path(hash, 'json'), text)
    if (torrent !== null) writeWhole(this.#path(hash, 'torrent'), torrent)
    this.forgetRemoval(hash)
  }

  sync(): void {
    syncFolder(this.#dir)
  }

  /** Durable when it returns: to be done before the row goes. */
  retire(hash: string): void {
    makePrivateFolder(this.#dir)
    const grave = this.#path(hash, 'removed')
    if (this.has(hash)) renameSync(this.#path(hash, 'torrent'), grave)
    else writeWhole(grave, Buffer.alloc(0))
    rmSync(this.#path(hash, 'json'), { force: true })
    syncFolder(this.#dir)
    truncateSync(grave, 0)
  }

  /** It is added again. Durable when it returns: to be done before the row is there. */
  revive(hash: string): void {
    if (!existsSync(this.#path(hash, 'removed'))) return
    this.forgetRemoval(hash)
    this.sync()
  }

  forgetRemoval(hash: string): void {
    rmSync(this.#path(hash, 'removed'), { force: true })
  }

  /** No backup knows what was removed before this date. */
  forgetRemovalsBefore(date: Millis): void {
    for (const hash of this.list().removed) {
      const at = statSync(this.#path(hash, 'removed'), { throwIfNoEntry: false })?.mtimeMs ?? Infinity
      if (at < date) this.forgetRemoval(hash)
    }
  }

  #path(hash: string, ending: 'torrent' | 'json' | 'removed'): string {
    return join(this.#dir, `${hash}.${ending}`)
  }
}

function isNote(note: Partial<CopyNote> | null): note is CopyNote {
  return (
    note !== null &&
    Number.isSafeInteger(note.id) &&
    typeof note.dir === 'string' &&
    note.dir.startsWith('/') &&
    typeof note.volume === 'string' &&
    typeof note.desired === 'string' &&
    Number.isSafeInteger(note.addedAt) &&
    Array.isArray(note.trackers) &&
    Array.isArray(note.wishes)
  )
}

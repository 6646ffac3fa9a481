/** What the next sync round has to make last: files written, folders with new entries. Main side, one torrent. */
import type { FileIndex } from '../../shared/units.js'

export interface Round {
  readonly files: readonly FileIndex[]
  readonly folders: readonly string[]
}

export class Dirty {
  /** Written since the last round began; a write counts from its completion on. */
  private files = new Set<FileIndex>()
  /** Folders in which an entry was made since the last round began. */
  private folders = new Set<string>()

  addFile(file: FileIndex): void {
    this.files.add(file)
  }

  addFolders(folders: Iterable<string>): void {
    for (const folder of folders) this.folders.add(folder)
  }

  /** What this round covers; what is written from now on belongs to the next. Null: nothing to do. */
  begin(): Round | null {
    if (this.files.size === 0 && this.folders.size === 0) return null
    const round = { files: [...this.files], folders: [...this.folders] }
    this.files = new Set()
    this.folders = new Set()
    return round
  }

  /** The round failed: all of it is due again. */
  failed(round: Round): void {
    for (const file of round.files) this.files.add(file)
    this.addFolders(round.folders)
  }
}

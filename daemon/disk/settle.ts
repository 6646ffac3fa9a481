/** Lane jobs that make things last or go: sync, finish, remove, survey. */
import * as fs from 'node:fs'
import type { FileIndex } from '../../shared/units.js'
import type { DiskFault, FileFound } from '../ports/disk.js'
import { attempt, closing, faultOf, refuse, unless } from './fault.js'
import type { Files } from './files.js'
import type { Ask, LaneJobs } from './jobs.js'
import { dropName, moveName } from './move-name.js'

interface Settled {
  readonly files: FileFound[]
  readonly fault: DiskFault | null
}

/**
 * fdatasync of each file once, and its facts after that; then fsync of the folders. A file that is no longer the one
 * we made is a fault: what was written went elsewhere.
 */
export function syncFiles(files: Files, ask: Ask<LaneJobs, 'sync'>): Settled {
  const done: FileFound[] = []
  const fault = faultOf(() => {
    files.inOneJob(() => {
      for (const { file, ino } of ask.files) done.push(syncFile(files, file, ino))
    })
    for (const folder of ask.folders) syncFolder(files, folder)
  })
  return fault === null ? { files: done, fault } : { files: [], fault }
}

/** Every file, under either name; what cannot be looked at counts as missing. `again`: see Files.lookAgain. */
export function surveyFiles(files: Files, again: boolean): FileFound[] {
  return files.inOneJob(() =>
    Array.from({ length: files.layout.fileCount }, (_, file) => {
      let found: FileFound = { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
      faultOf(() => {
        files.checkDir()
        found = again ? files.lookAgain(file) : files.note(file)
      })
      return found
    }),
  )
}

/**
 * `.part` becomes the name itself, folders synced. A file that has its name and length already is done. Anything else
 * at the name is a stranger's: EEXIST, also where it appears at the last moment (see `moveName`).
 */
export function finishFiles(files: Files, wanted: readonly FileIndex[]): Settled {
  const done: FileFound[] = []
  const folders = new Set<string>()
  const fault = faultOf(() => {
    files.inOneJob(() => {
      files.checkDir()
      for (const file of wanted) {
        if (files.layout.isPad(file)) continue
        if (finishFile(files, file)) folders.add(files.folder(file))
        // Its other name was given up, here or before.
        done.push(files.note(file, ['final']))
      }
    })
  })
  const unsynced = faultOf(() => {
    for (const folder of folders) syncFolder(files, folder)
  })
  return { files: done, fault: fault ?? unsynced }
}

/**
 * Unlinks what is ours, then the folders left empty. While a `.part` is there, a file at the final name is a
 * stranger's and stays, unless it is the same file.
 */
export function removeFiles(files: Files): DiskFault | null {
  files.closeAll()
  const count = files.layout.fileCount
  const folders = new Set<string>()
  return faultOf(() => {
    files.checkDir()
    for (let file = 0; file < count; file += 1) {
      const found = files.look(file)
      for (const folder of files.folders(file)) folders.add(folder)
      if (found.name === 'missing') continue
      const final = files.path(file)
      // Ours under both names: `moveName` did not come to its end.
      const both = found.name === 'part' && files.statAt(final)?.ino === BigInt(found.ino)
      if (both) drop(final)
      drop(found.name === 'part' ? files.part(file) : final)
    }
    // Deepest first: a folder's path is longer than that of the one it lies in.
    for (const folder of [...folders].sort((a, b) => b.length - a.length)) removeFolder(folder)
    // Gone for good: what came back after a power cut would stand in the way of the same torrent added anew.
    for (const folder of [files.dir, ...folders])
      unless(['ENOENT', 'ENOTDIR', 'EACCES'], () => {
        syncFolder(files, folder)
      })
  })
}

function drop(path: string): void {
  unless(['ENOENT'], () => {
    attempt('unlink', path, () => {
      fs.unlinkSync(path)
    })
  })
}

function syncFile(files: Files, file: FileIndex, ino: string | null): FileFound {
  const path = files.path(file)
  const fd = files.forReading(file)
  attempt('sync', path, () => {
    fs.fdatasyncSync(fd)
  })
  const here = String(fs.fstatSync(fd, { bigint: true }).ino)
  // Twice: between the two names that are looked at it may have gone from one to the other.
  const first = files.look(file)
  const found = first.name === 'missing' ? files.look(file) : first
  if (here !== found.ino || (ino !== null && here !== ino)) {
    // The next round looks for it by name.
    files.closeFile(file)
    refuse('ESTALE', 'sync', path)
  }
  return found
}

export function syncFolder(files: Files, folder: string): void {
  const fd = files.opening(() =>
    attempt('open', folder, () => fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)),
  )
  closing(fd, () =>
    // Some file systems have no fsync for folders.
    unless(['EINVAL', 'ENOTSUP'], () => {
      attempt('sync', folder, () => {
        fs.fsyncSync(fd)
      })
    }),
  )
}

/** False where that was done before. */
function finishFile(files: Files, file: FileIndex): boolean {
  const path = files.path(file)
  const part = files.part(file)
  files.checkFolders(file)
  const from = files.statAt(part)
  const length = BigInt(files.layout.fileLength(file))
  if (from === null) {
    const there = files.statAt(path)
    if (there?.isFile() === true && there.size === length) return false
    refuse('ENOENT', 'rename', part)
  }
  if (!from.isFile() || from.size !== length) refuse('EIO', 'rename', part)
  const moved = unless(['EEXIST'], () => {
    moveName(part, path)
    return true
  })
  if (moved === true) return true
  const there = files.statAt(path)
  // Ours under both names: a kill came between the two steps of `moveName`.
  if (there?.ino !== from.ino || there.dev !== from.dev) refuse('EEXIST', 'rename', path)
  dropName(part)
  return true
}

export function removeFolder(folder: string): void {
  const stat = unless(['ENOENT', 'ENOTDIR'], () => attempt('stat', folder, () => fs.lstatSync(folder)))
  if (stat?.isDirectory() !== true) return
  unless(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'], () => {
    attempt('unlink', folder, () => {
      fs.rmdirSync(folder)
    })
  })
}

/** Lane jobs that make things: folders, empty files, `.part` files. Nothing is ever made above or instead of `dir`. */
import * as fs from 'node:fs'
import { makeFolders as makeParents } from '../../shared/folders.js'
import type { FileIndex } from '../../shared/units.js'
import type { DiskFault, SpaceView } from '../ports/disk.js'
import { attempt, closing, faultOf, refuse, unless } from './fault.js'
import type { Files } from './files.js'
import type { Made, SpaceAsk } from './jobs.js'
import { moveName } from './move-name.js'
import { spaceOf, syncEntry } from './volume.js'

/** The folders above the files, and the zero-length ones among these. */
export function prepareFiles(files: Files, wanted: readonly FileIndex[]): Made {
  return each(files, wanted, (file, folders) => {
    if (files.layout.isPad(file)) return null
    makeFolders(files, file, folders)
    return files.layout.fileLength(file) === 0 ? makeEmpty(files, file, folders) : null
  })
}

/**
 * `.part` files at their full length, sparse. A file that lies at the final name alone becomes the `.part`: an
 * earlier download, or one in which a check found bad pieces. One that is longer than ours cannot be either: EEXIST.
 */
export function makeFiles(files: Files, wanted: readonly FileIndex[]): Made {
  return each(files, wanted, (file, folders) => {
    makeFolders(files, file, folders)
    return makePart(files, file, folders)
  })
}

/** Makes a download folder with its parents, to stay, and looks whether we may write in it. */
export function prepareDir(ask: SpaceAsk): SpaceView | DiskFault {
  const { dir } = ask
  const made: string[] = []
  const fault = faultOf(() => {
    attempt('mkdir', dir, () => {
      makeParents(dir, {
        mkdir: (path) => {
          fs.mkdirSync(path)
          made.push(path)
        },
        isFolder,
      })
    })
    // No round syncs what is above the download folder, and without that all in it may be gone after a power cut.
    for (const folder of made) syncEntry(folder)
    attempt('open', dir, () => {
      fs.accessSync(dir, fs.constants.W_OK | fs.constants.X_OK)
    })
  })
  return fault ?? spaceOf(ask)
}

/** What cannot be looked at is taken for missing: making it then says why. */
function isFolder(path: string): boolean {
  try {
    return fs.statSync(path).isDirectory()
  } catch {
    return false
  }
}

function each(
  files: Files,
  wanted: readonly FileIndex[],
  make: (file: FileIndex, folders: Set<string>) => string | null,
): Made {
  const made: { file: FileIndex; ino: string }[] = []
  const failed: { file: FileIndex; fault: DiskFault }[] = []
  const folders = new Set<string>()
  files.inOneJob(() => {
    for (const file of wanted) {
      const fault = faultOf(() => {
        const ino = make(file, folders)
        if (ino !== null) made.push({ file, ino })
      })
      if (fault !== null) failed.push({ file, fault })
    }
  })
  return { made, failed, folders: [...folders] }
}

function makeFolders(files: Files, file: FileIndex, folders: Set<string>): void {
  let above = files.dir
  files.checkDir()
  for (const folder of files.folders(file)) {
    if (files.ensureFolder(folder)) folders.add(above)
    above = folder
  }
}

function makeEmpty(files: Files, file: FileIndex, folders: Set<string>): string {
  const path = files.path(file)
  const there = files.statAt(path)
  if (there !== null) {
    // Somebody's content under the name of an empty file: not ours to cut.
    if (!there.isFile() || there.size > 0n) refuse('EEXIST', 'open', path)
    return String(there.ino)
  }
  return closing(files.create(file, path), (fd) => {
    folders.add(files.folder(file))
    return String(fs.fstatSync(fd, { bigint: true }).ino)
  })
}

function makePart(files: Files, file: FileIndex, folders: Set<string>): string {
  const path = files.path(file)
  const part = files.part(file)
  const length = files.layout.fileLength(file)
  // Descriptors of this thread may lead to a file that is there no more.
  files.closeFile(file)
  files.disown(file)
  const final = files.statAt(path)
  if (final === null) {
    // The common case first, with one look only: neither is there.
    const fd = unless(['EEXIST'], () => files.create(file, part))
    if (fd !== null) {
      folders.add(files.folder(file))
      return closing(fd, () => stretch(fd, length, part))
    }
  } else if (files.statAt(part) === null) {
    folders.add(files.folder(file))
    if (final.isSymbolicLink()) refuse('ELOOP', 'open', path)
    if (!final.isFile() || final.size > BigInt(length)) refuse('EEXIST', 'rename', path)
    moveName(path, part)
  }
  return closing(files.openPart(file), (fd) => stretch(fd, length, part))
}

/** Gives the file its full length; answers its ino. */
function stretch(fd: number, length: number, path: string): string {
  const stat = attempt('stat', path, () => fs.fstatSync(fd, { bigint: true }))
  if (stat.size !== BigInt(length)) {
    attempt('write', path, () => {
      fs.ftruncateSync(fd, length)
    })
  }
  return String(stat.ino)
}

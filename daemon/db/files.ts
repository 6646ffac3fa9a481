/** Small steps on files for the store's thread. What is said to be synced survives a power cut. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { makeFolders } from '../../shared/folders.js'

/** A folder that nobody else may enter, with its parents. */
export function makePrivateFolder(dir: string): void {
  makeFolders(dir, {
    mkdir: (path) => {
      mkdirSync(path, { mode: 0o700 })
    },
    isFolder: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  })
}

/** One file in a folder of ours that nobody else may read. */
export function makePrivate(file: string): void {
  makePrivateFolder(dirname(file))
  closeSync(openSync(file, 'a', 0o600))
  if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
}

/** An empty file that nobody else may read; throws where there is one. */
export function createPrivate(file: string): void {
  closeSync(openSync(file, 'wx', 0o600))
}

/** Bytes of a file; -1: there is none. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1
}

/** Names in a folder, sorted; none where there is no folder. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).sort()
  } catch {
    return []
  }
}

/** Null where it cannot be read. */
export function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file)
  } catch {
    return null
  }
}

export function syncFile(file: string): void {
  const fd = openSync(file, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** What was made, renamed or deleted in it. */
export function syncFolder(dir: string): void {
  syncFile(dir)
}

/** Whole and synced under its name, or not there; the folder is left for the caller to sync. */
export function writeWhole(file: string, bytes: Uint8Array): void {
  const part = `${file}.tmp`
  const fd = openSync(part, 'w', 0o600)
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  renameSync(part, file)
}

/** A database and the files that SQLite lays beside it. */
export function withCompanions(file: string): string[] {
  return [`${file}-wal`, `${file}-shm`, `${file}-journal`, file]
}

export function removeDatabase(file: string): void {
  for (const path of withCompanions(file)) rmSync(path, { force: true })
}

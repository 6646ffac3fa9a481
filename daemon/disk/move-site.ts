/** Lane jobs that look before a move, and touch nothing. */
import * as fs from 'node:fs'
import { dirname } from 'node:path/posix'
import type { DiskFault, FileFound } from '../ports/disk.js'
import { attempt, FaultError, refuse, unless } from './fault.js'
import type { Files } from './files.js'
import type { Ask, LaneJobs, Place, Renames, Site } from './jobs.js'

/** Runs it; a refused call is the answer. */
export function orFault<T>(run: () => T): T | DiskFault {
  try {
    return run()
  } catch (error) {
    if (error instanceof FaultError) return error.fault
    throw error
  }
}

export function lookAtAll(files: Files): FileFound[] {
  return files.inOneJob(() => Array.from({ length: files.layout.fileCount }, (_, file) => files.look(file)))
}

/**
 * The old place: who its folder is, and who the torrent's own folder in it is, where it has one. Refused where the files
 * could not be deleted there.
 */
export function placeOf(files: Files, root: string | null): Place {
  const dir = idOf(attempt('stat', files.dir, () => fs.statSync(files.dir, { bigint: true })))
  mayWrite(files.dir)
  if (root === null) return { dir, root: null }
  const own = files.statAt(`${files.dir}/${root}`)
  if (own?.isDirectory() !== true) return { dir, root: null }
  mayWrite(`${files.dir}/${root}`)
  return { dir, root: idOf(own) }
}

function mayWrite(folder: string): void {
  attempt('open', folder, () => {
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK)
  })
}

/**
 * Refuses a new place that cannot take the files. A `fresh` move finds nothing where they will lie; one that goes on
 * looks at that file by file.
 */
export function siteOf(files: Files, { from, temp, fresh, renames }: Ask<LaneJobs, 'moveSite'>): Site {
  const ground = groundOf(files.dir)
  const here = attempt('stat', ground, () => fs.statSync(ground, { bigint: true }))
  const space = attempt('stat', ground, () => fs.statfsSync(ground))
  const view = {
    volume: String(here.dev),
    freeBytes: space.bavail * space.bsize,
    oneVolume: from.dir.startsWith(`${String(here.dev)}/`),
  }
  if (renames !== null) {
    if (fresh) refuseNames(files, renames)
    return { ...view, same: false, begun: true }
  }
  if (ground === files.dir && idOf(here) === from.dir) return { ...view, same: true, begun: false }
  refuseInside(ground, from)
  if (!here.isDirectory()) refuse('ENOTDIR', 'open', ground)
  mayWrite(ground)
  const begun = ground === files.dir && hasSomething(files, temp)
  if (fresh) refuseTaken(files, () => true)
  return { ...view, same: false, begun }
}

/** A disk that folds case has a name already that differs in case alone. */
function refuseNames(files: Files, { files: renamed, root }: Renames): void {
  const folder = `${files.dir}/${root ?? ''}`
  if (root !== null && files.statAt(folder) !== null) refuse('EEXIST', 'rename', folder)
  const ours = new Set(renamed)
  refuseTaken(files, (file) => ours.has(file))
}

/** Refuses a file, a link or anything else where one of these would lie, under either name. */
function refuseTaken(files: Files, which: (file: number) => boolean): void {
  files.inOneJob(() => {
    for (let file = 0; file < files.layout.fileCount; file += 1) {
      if (!which(file) || files.layout.isPad(file) || !foldersThere(files, file)) continue
      for (const path of [files.path(file), files.part(file)]) {
        if (files.statAt(path) !== null) refuse('EEXIST', 'rename', path)
      }
    }
  })
}

/** The folder, or the nearest one above it that is there. */
function groundOf(dir: string): string {
  for (let path = dir; ; path = dirname(path)) {
    const stat = unless(['ENOENT', 'ENOTDIR'], () => attempt('stat', path, () => fs.statSync(path)))
    if (stat !== null || path === dirname(path)) return path
  }
}

/** True where all folders above a file are there; refuses a link or a file in their place. */
function foldersThere(files: Files, file: number): boolean {
  return (
    unless(['ENOENT'], () => {
      files.checkFolders(file)
      return true
    }) === true
  )
}

function refuseInside(ground: string, { root }: Place): void {
  if (root === null) return
  const real = attempt('stat', ground, () => fs.realpathSync(ground))
  for (let at = real; ; at = dirname(at)) {
    const stat = attempt('stat', at, () => fs.statSync(at, { bigint: true }))
    if (idOf(stat) === root) refuse('INSIDE', 'rename', ground)
    if (at === dirname(at)) return
  }
}

function hasSomething(files: Files, temp: string): boolean {
  for (let file = 0; file < files.layout.fileCount; file += 1) {
    if (files.layout.isPad(file)) continue
    const paths = [tempOf(files, file, temp), files.path(file), files.part(file)]
    if (paths.some((path) => files.statAt(path) !== null)) return true
  }
  return false
}

/** Where the copy of a file lies until it gets its name. */
export function tempOf(files: Files, file: number, temp: string): string {
  return `${files.folder(file)}/${temp}${String(file)}`
}

function idOf(stat: fs.BigIntStats): string {
  return `${String(stat.dev)}/${String(stat.ino)}`
}

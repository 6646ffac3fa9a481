/** Lane jobs of a move that give names and take them away. Which ones is decided in move-plan. */
import * as fs from 'node:fs'
import type { CrashPoint } from '../base/crash-point.js'
import type { DiskFault, FileFound } from '../ports/disk.js'
import { attempt, FaultError, faultOf, refuse } from './fault.js'
import { type Files, foundOf } from './files.js'
import type { Answer, Ask, LaneJobs } from './jobs.js'
import { cleanOf, isCopy, type Seen, undoOf } from './move-plan.js'
import { dropName, moveName } from './move-name.js'
import { tempOf } from './move-site.js'
import { removeFolder, syncFolder } from './settle.js'

type Carried = Answer<LaneJobs, 'moveLink'>

/** A file that has its name at the new place already was brought there before a kill. */
export function linkFiles(
  from: Files,
  to: Files,
  ask: Ask<LaneJobs, 'moveLink'>,
  crashPoint: CrashPoint,
): Carried {
  return carry(to, ask.files, (found) => {
    const [old, path] = [pathOf(from, found), pathOf(to, found)]
    const there = to.statAt(path)
    if (ask.how === 'rename') {
      if (there !== null && from.statAt(old) !== null) refuse('EEXIST', 'rename', path)
      if (there === null) rename(old, path)
      crashPoint('move.rename')
      return from.folder(found.file)
    }
    if (there === null) link(old, path)
    else if (String(there.ino) !== found.ino) refuse('EEXIST', 'rename', path)
    crashPoint('move.link')
    return null
  })
}

/** Copies get their names: by a link, which overwrites nothing, or renamed where there are none. */
export function nameTemps(
  to: Files,
  { files, temp }: Ask<LaneJobs, 'moveName'>,
  crashPoint: CrashPoint,
): Carried {
  return carry(to, files, (found) => {
    const [copy, path] = [tempOf(to, found.file, temp), pathOf(to, found)]
    const there = to.statAt(path)
    const made = to.statAt(copy)
    if (made === null) {
      // Named before a kill, or gone.
      if (there === null || !isCopy(found, seenOf(there))) refuse('ENOENT', 'rename', copy)
      return null
    }
    if (there !== null && there.ino !== made.ino) refuse('EEXIST', 'rename', path)
    if (!isCopy(found, seenOf(made))) refuse('ESTALE', 'read', path)
    if (there === null) moveName(copy, path)
    else dropName(copy)
    crashPoint('move.name')
    return null
  })
}

/** Takes back what was done of a step. */
export function undoFiles(
  from: Files | null,
  to: Files,
  { found, step, temp }: Ask<LaneJobs, 'moveUndo'>,
): DiskFault | null {
  to.closeAll()
  return faultOf(() => {
    const folders = new Set<string>()
    for (const file of found) {
      if (to.layout.isPad(file.file)) continue
      const copy = tempOf(to, file.file, temp)
      for (const name of ['part', 'final'] as const) {
        // Under the name that the old one has; what was renamed has either.
        if (file.name !== 'missing' && file.name !== name) continue
        const path = name === 'part' ? to.part(file.file) : to.path(file.file)
        const sides = {
          from: file.name === 'missing' ? null : file,
          to: seenAt(to, path),
          temp: seenAt(to, copy),
        }
        for (const what of undoOf(step, sides)) {
          if (what === 'dropTo') dropName(path)
          else if (what === 'dropTemp') dropName(copy)
          else if (from !== null) {
            rename(path, name === 'part' ? from.part(file.file) : from.path(file.file))
            folders.add(from.folder(file.file))
          }
        }
      }
      for (const folder of to.folders(file.file)) folders.add(folder)
    }
    removeFolders(to, folders)
    for (const folder of [...folders, to.dir]) syncWhereThere(to, folder)
  })
}

/** Deletes what lies at the new place as `found` says; then the folders left empty. */
export function cleanFiles(
  from: Files,
  found: readonly FileFound[],
  crashPoint: CrashPoint,
): Answer<LaneJobs, 'moveClean'> {
  from.closeAll()
  let kept = 0
  const fault = faultOf(() => {
    const pairs = found
      .filter(({ file }) => !from.layout.isPad(file))
      .map((to) => ({ old: from.look(to.file), to }))
    const away = pairs.find(({ old, to }) => cleanOf(old, to) === 'wait')
    if (away !== undefined) refuse('ENOENT', 'stat', from.path(away.old.file))
    const folders = new Set<string>()
    for (const { old, to } of pairs) {
      const verdict = cleanOf(old, to)
      for (const folder of from.folders(to.file)) folders.add(folder)
      if (verdict === 'keep') kept += 1
      if (verdict !== 'drop') continue
      dropName(pathOf(from, old))
      crashPoint('move.clean')
    }
    removeFolders(from, folders)
    for (const folder of [...folders, from.dir]) syncWhereThere(from, folder)
  })
  return { kept, fault }
}

/** Brings files to their folders, which are made; then makes the entries last. Answers what they are there. */
function carry(to: Files, files: readonly FileFound[], one: (found: FileFound) => string | null): Carried {
  const done: FileFound[] = []
  const folders = new Set<string>()
  const fault = faultOf(() => {
    to.inOneJob(() => {
      for (const found of files) {
        makeFoldersOf(to, found.file, folders)
        const also = one(found)
        if (also !== null) folders.add(also)
        folders.add(to.folder(found.file))
        const stat = to.statAt(pathOf(to, found))
        if (stat !== null)
          done.push(foundOf(found.file, { name: found.name === 'part' ? 'part' : 'final', stat }))
      }
    })
    for (const folder of folders) syncFolder(to, folder)
  })
  return { files: done, fault }
}

/** Makes the folders above a file; those that got an entry are added. */
export function makeFoldersOf(files: Files, file: number, folders: Set<string>): void {
  let above = files.dir
  files.checkDir()
  for (const folder of files.folders(file)) {
    if (files.ensureFolder(folder)) folders.add(above)
    above = folder
  }
}

function pathOf(files: Files, { file, name }: FileFound): string {
  return name === 'part' ? files.part(file) : files.path(file)
}

function seenAt(files: Files, path: string): Seen | null {
  const stat = files.statAt(path)
  return stat?.isFile() === true ? seenOf(stat) : null
}

function seenOf(stat: fs.BigIntStats): Seen {
  return foundOf(0, { name: 'final', stat })
}

function link(old: string, path: string): void {
  attempt('rename', path, () => {
    fs.linkSync(old, path)
  })
}

function rename(old: string, path: string): void {
  attempt('rename', path, () => {
    fs.renameSync(old, path)
  })
}

/** Deepest first: a folder's path is longer than that of the one it lies in. Above `dir` nothing goes. */
function removeFolders(files: Files, folders: ReadonlySet<string>): void {
  const below = [...folders].filter((folder) => folder.startsWith(`${files.dir}/`))
  for (const folder of below.sort((a, b) => b.length - a.length)) removeFolder(folder)
}

/** A folder that went with its entries needs no sync of its own. */
function syncWhereThere(files: Files, folder: string): void {
  try {
    syncFolder(files, folder)
  } catch (error) {
    if (!(error instanceof FaultError) || error.fault.code !== 'ENOENT') throw error
  }
}

/** Lane jobs that make and delete the folders of the trash. */
import * as fs from 'node:fs'
import type { DiskFault } from '../ports/disk.js'
import { attempt, faultOf, refuse } from './fault.js'
import { removeFolder } from './settle.js'
import { syncEntry } from './volume.js'

/** For us alone. */
const MODE = 0o700

/** Makes folders below `dir`, one in the other; those that are there stay, where they are folders of its volume. */
export function makeBelow(dir: string, names: readonly string[]): DiskFault | null {
  return faultOf(() => {
    const { dev } = attempt('stat', dir, () => fs.statSync(dir, { bigint: true }))
    for (const path of pathsOf(dir, names)) {
      const there = attempt('stat', path, () => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }))
      if (there === undefined) {
        attempt('mkdir', path, () => {
          fs.mkdirSync(path, { mode: MODE })
        })
        syncEntry(path)
      } else if (there.isSymbolicLink()) refuse('ELOOP', 'mkdir', path)
      else if (!there.isDirectory()) refuse('ENOTDIR', 'mkdir', path)
      else if (there.dev !== dev) refuse('EXDEV', 'mkdir', path)
    }
  })
}

/** Deletes those of these folders that are empty, the innermost first. */
export function dropBelow(dir: string, names: readonly string[]): DiskFault | null {
  return faultOf(() => {
    for (const path of pathsOf(dir, names).reverse()) removeFolder(path)
  })
}

function pathsOf(dir: string, names: readonly string[]): string[] {
  return names.map((_, at) => [dir, ...names.slice(0, at + 1)].join('/'))
}

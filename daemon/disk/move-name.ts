/** A file gets another name, and nothing that lies there already is lost. Worker side. */
import * as fs from 'node:fs'
import { attempt, refuse, unless } from './fault.js'

/** FAT, exFAT and some network volumes have no links; a link may be forbidden where a rename is not. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']

/**
 * link(2) refuses a name that is taken (EEXIST), rename(2) replaces what is there. A kill between link and unlink
 * leaves both names on one file. Where there are no links: a look, and then a rename.
 */
export function moveName(from: string, to: string): void {
  const linked = unless(NO_LINKS, () => {
    attempt('rename', to, () => {
      fs.linkSync(from, to)
    })
    return true
  })
  if (linked === true) {
    dropName(from)
    return
  }
  if (attempt('stat', to, () => fs.lstatSync(to, { throwIfNoEntry: false })) !== undefined) {
    refuse('EEXIST', 'rename', to)
  }
  attempt('rename', to, () => {
    fs.renameSync(from, to)
  })
}

/** The second name of a file that has its new one. */
export function dropName(path: string): void {
  attempt('unlink', path, () => {
    fs.unlinkSync(path)
  })
}

/** What a person reads where a move cannot be done. */
import { type ErrorName, type RpcError, rpcError } from '../../shared/rpc/errors.js'
import { formatBytes } from '../../shared/text.js'
import type { Bytes } from '../../shared/units.js'
import type { DiskFault } from '../ports/disk.js'

/** Before anything is done: `badFolder` with a sentence on what to do. */
export function refusal(fault: DiskFault, dir: string): RpcError {
  const name: ErrorName = 'badFolder'
  return rpcError(name, sentence(fault, dir), { dir, reason: fault.code })
}

export function otherVolume(dir: string): RpcError {
  return rpcError('badFolder', `${dir} lies on another volume.`, { dir, reason: 'EXDEV' })
}

export function noRoom(dir: string, needed: Bytes, free: Bytes): RpcError {
  return rpcError(
    'noSpace',
    `Not enough space in ${dir}: ${formatBytes(needed)} needed, ${formatBytes(free)} free; free some, or choose another folder.`,
    { dir, needed, free },
  )
}

/** After a failure midway: all is as it was. */
export function failure(fault: DiskFault, from: string, to: string): string {
  if (fault.code === 'ECANCELED') return `The move to ${to} was cancelled; the files stay in ${from}.`
  return `${sentence(fault, to)} The files stay in ${from}.`
}

/** What a person asked for. */
export type Work = 'move' | 'renaming'

/** It cannot be taken back. */
export function done(work: Work): string {
  return work === 'move' ? 'The files have been moved already.' : 'The new names hold already.'
}

/** The same of names in one folder. */
export function renameFailure(fault: DiskFault, dir: string): string {
  if (fault.code === 'ECANCELED') return 'The renaming was cancelled; the names stay as they were.'
  return `${nameSentence(fault, dir)} The names stay as they were.`
}

/** Before anything is renamed. */
export function nameRefusal(fault: DiskFault, dir: string): RpcError {
  return rpcError('badFolder', nameSentence(fault, dir), { dir, reason: fault.code })
}

function nameSentence(fault: DiskFault, dir: string): string {
  if (fault.code === 'EEXIST') return `There is ${fault.path} already; move it away, or choose another name.`
  if (fault.code === 'EXDEV') return `${fault.path} would lie on another volume than the file.`
  return sentence(fault, dir)
}

/** Where nothing can be done before a volume comes back. */
export function waiting(dir: string, work: Work): string {
  return `The volume of ${dir} is away; the ${work} goes on by itself when it comes back.`
}

/** The new place counts and the old files cannot be deleted. */
export function uncleaned(fault: DiskFault, from: string, work: Work): string {
  if (fault.code === 'ENOENT') return waiting(from, work)
  if (work === 'renaming')
    return `The new names hold, and the old ones cannot be taken away (${fault.code} at ${fault.path}); this is tried again.`
  return `The files were moved, and the old ones in ${from} cannot be deleted (${fault.code} at ${fault.path}); this is tried again.`
}

function sentence({ code, operation, path }: DiskFault, dir: string): string {
  switch (code) {
    case 'INSIDE':
      return `${dir} lies in the torrent's own folder; choose one outside of it.`
    case 'EEXIST':
      return `Another file lies at ${path}; move it away, or choose another folder.`
    case 'ELOOP':
      return `A symbolic link is in the way at ${path}; Torrentino does not write through links.`
    case 'ENOTDIR':
      return `${path} is no folder; move it away, or choose another folder.`
    case 'EROFS':
      return `The volume of ${path} is read-only; choose another folder, or make it writable.`
    case 'EACCES':
    case 'EPERM':
      return `There is no permission to write to ${path}; choose another folder.`
    case 'ENOSPC':
    case 'EDQUOT':
      return `There was no space left in ${dir}; free some, or choose another folder.`
    case 'EBADMSG':
      return `${path} does not read as it was recorded; run "torrentinoctl verify" first.`
    case 'ESTALE':
      return `${path} was changed by another program while it was moved; try again.`
    case 'ENOENT':
      return `${path} is not there; bring its volume back first.`
    default:
      return `The disk failed to ${operation} ${path} (${code}).`
  }
}

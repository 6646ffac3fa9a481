/** Lane jobs on a download folder as a place: its volume, the mark of that, and its room. */
import * as fs from 'node:fs'
import { dirname } from 'node:path/posix'
import { type DiskFault, type SpaceView, VOLUME_MARK } from '../ports/disk.js'
import { attempt, closing, faultOf, unless } from './fault.js'
import { writeFully } from './files.js'
import type { SpaceAsk } from './jobs.js'

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants
/** Of a small volume no more than this part is kept free. */
const MOST_RESERVED = 20
const MARK_LENGTH = 32

export function spaceOf({ dir, reserve }: SpaceAsk): SpaceView | DiskFault {
  let view: SpaceView = { freeBytes: 0, reserve: 0, volume: '', marker: null }
  const fault = faultOf(() => {
    const space = attempt('stat', dir, () => fs.statfsSync(dir))
    const volume = attempt('stat', dir, () => fs.statSync(dir, { bigint: true })).dev
    view = {
      freeBytes: space.bavail * space.bsize,
      reserve: Math.min(reserve, Math.floor((space.blocks * space.bsize) / MOST_RESERVED)),
      volume: String(volume),
      marker: markerOf(dir),
    }
  })
  return fault ?? view
}

/** A mark that cannot be read is none. */
function markerOf(dir: string): string | null {
  const bytes = Buffer.alloc(MARK_LENGTH)
  const path = `${dir}/${VOLUME_MARK}`
  const fault = faultOf(() => {
    const fd = attempt('open', path, () => fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
    closing(fd, () => attempt('read', path, () => fs.readSync(fd, bytes, 0, MARK_LENGTH, 0)))
  })
  const text = bytes.toString('latin1')
  return fault === null && /^[0-9a-f]{32}$/.test(text) ? text : null
}

/**
 * Durable when it answers: a mark that is remembered must be there after a power cut. One that cannot be read, of a cut
 * in the middle of this, is written over.
 */
export function markVolume(dir: string, id: string): DiskFault | null {
  const path = `${dir}/${VOLUME_MARK}`
  return faultOf(() => {
    const fd = attempt('open', path, () =>
      fs.openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644),
    )
    closing(fd, () => {
      writeFully(fd, Buffer.from(`${id}\nBy this file Torrentino knows the volume again.\n`), 0, path)
      attempt('sync', path, () => {
        fs.fsyncSync(fd)
      })
    })
    syncEntry(path)
  })
}

/** Makes the name of something new last, by a sync of the one above, where that may be read and knows of fsync. */
export function syncEntry(folder: string): void {
  const above = dirname(folder)
  unless(['EACCES', 'EINVAL', 'ENOTSUP'], () => {
    const fd = attempt('open', above, () => fs.openSync(above, O_RDONLY | O_DIRECTORY))
    closing(fd, () => {
      attempt('sync', above, () => {
        fs.fsyncSync(fd)
      })
    })
  })
}

/** st_dev of a folder, or of the nearest one above it that exists. */
export function deviceOf(dir: string): string {
  for (let path = dir; ; path = path.slice(0, path.lastIndexOf('/'))) {
    const stat = unless(['ENOENT', 'ENOTDIR'], () =>
      attempt('stat', path, () => fs.statSync(path === '' ? '/' : path, { bigint: true })),
    )
    if (stat !== null) return String(stat.dev)
    if (path === '' || !path.includes('/')) return ''
  }
}

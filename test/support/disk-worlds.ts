/** The two worlds the disk contract runs in: real files under a folder of its own, and files in memory. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDisk } from '../../daemon/disk/disk.js'
import type { Disk } from '../../daemon/ports/disk.js'
import { FakeClock } from './fake-clock.js'
import { FakeDisk } from './fake-disk.js'

export interface DiskWorld {
  readonly disk: Disk
  /** The download folder; it exists. */
  readonly dir: string
  /** Paths below are relative to `dir`. Content of a file, or null when there is none. */
  content(path: string): Buffer | null
  put(path: string, bytes: Uint8Array): void
  /** A symbolic link to a folder outside. */
  link(path: string): void
  drop(path: string): void
  exists(path: string): boolean
  /** Files that came to lie outside of `dir`. */
  outside(): string[]
  facts(path: string): { size: number; mtimeNs: string; ino: string }
  stop(): Promise<void>
}

const built = new URL('../../dist/daemon/disk/', import.meta.url)
/** The real disk needs its workers as JavaScript. */
export const isBuilt =
  fs.existsSync(new URL('lane.js', built)) && fs.existsSync(new URL('hash-worker.js', built))

export function realWorld(slots = 64, hashWorkers = 2): DiskWorld {
  const base = fs.mkdtempSync(join(tmpdir(), 'torrentino-disk-'))
  const dir = join(base, 'downloads')
  const outside = join(base, 'outside')
  fs.mkdirSync(dir)
  fs.mkdirSync(outside)
  const bugs: Error[] = []
  const url = (file: string): URL => new URL(file, built)
  const workerUrls = { hash: url('hash-worker.js'), lane: url('lane.js'), check: url('check-worker.js') }
  const disk = createDisk(
    { hashWorkers, slots, workerUrls, onBug: (error) => bugs.push(error) },
    { clock: new FakeClock(), turn: (fn) => void setImmediate(fn) },
  )
  const at = (path: string): string => join(dir, path)
  return {
    disk,
    dir,
    content: (path) => (fs.existsSync(at(path)) ? fs.readFileSync(at(path)) : null),
    put: (path, bytes) => {
      fs.mkdirSync(join(at(path), '..'), { recursive: true })
      fs.writeFileSync(at(path), bytes)
    },
    link: (path) => {
      fs.mkdirSync(join(at(path), '..'), { recursive: true })
      fs.symlinkSync(outside, at(path))
    },
    drop: (path) => {
      fs.rmSync(at(path))
    },
    exists: (path) => fs.lstatSync(at(path), { throwIfNoEntry: false }) !== undefined,
    outside: () => fs.readdirSync(outside),
    facts: (path) => {
      const { size, mtimeNs, ino } = fs.statSync(at(path), { bigint: true })
      return { size: Number(size), mtimeNs: String(mtimeNs), ino: String(ino) }
    },
    stop: async () => {
      await disk.stop()
      fs.rmSync(base, { recursive: true })
      if (bugs[0] !== undefined) throw bugs[0]
    },
  }
}

export function fakeWorld(slots = 64): DiskWorld {
  const disk = new FakeDisk({ slots, auto: true })
  const dir = '/downloads'
  disk.fs.mkdirs(dir)
  const at = (path: string): string => (path === '' ? dir : `${dir}/${path}`)
  return {
    disk,
    dir,
    content: (path) => disk.fs.content(at(path)),
    put: (path, bytes) => {
      disk.fs.writeFile(at(path), bytes)
    },
    link: (path) => {
      disk.fs.link(at(path))
    },
    drop: (path) => {
      disk.fs.nodes.delete(at(path))
    },
    exists: (path) => disk.fs.get(at(path)) !== null,
    outside: () => [...disk.fs.nodes.keys()].filter((path) => path !== '' && !path.startsWith(dir)),
    facts: (path) => {
      const node = disk.fs.get(at(path))
      return { size: node?.bytes.length ?? 0, mtimeNs: String(node?.mtimeNs), ino: String(node?.ino) }
    },
    stop: () => disk.stop(),
  }
}

/**
 * A torrent's files as a worker sees them: names, the jail, descriptors.
 *
 * A file has two names: `<path>.part` (see partSuffix) while it is not finished, `<path>` then. While `.part` is there it is ours and
 * what lies at the final name is a stranger's. No folder below `dir` may be a symbolic link, nor a file.
 */
import * as fs from 'node:fs'
import { Layout } from '../../shared/torrent/layout.js'
import type { FileIndex } from '../../shared/units.js'
import type { FileFound, StorageFile } from '../ports/disk.js'
import { attempt, refuse, unless } from './fault.js'
import type { OpenAsk, StorageKey } from './jobs.js'
import { partSuffix } from './names.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants
/** A FIFO or a device in the place of a file must not hold the thread. */
const SAFE = O_NOFOLLOW | O_NONBLOCK
/** Open descriptors a thread keeps. */
const MOST_OPEN = 64

/** Descriptors of one thread, the least recently used closed first. */
export class Descriptors {
  /** By storage, file and way of opening; in the order of use. */
  private readonly open = new Map<string, number>()

  get(key: StorageKey, file: FileIndex, way: 'read' | 'write', make: () => number): number {
    const name = `${String(key)}/${String(file)}/${way}`
    const known = this.open.get(name)
    if (known !== undefined) {
      this.open.delete(name)
      this.open.set(name, known)
      return known
    }
    const fd = make()
    this.open.set(name, fd)
    for (const [oldest, old] of this.open) {
      if (this.open.size <= MOST_OPEN) break
      this.open.delete(oldest)
      fs.closeSync(old)
    }
    return fd
  }

  /** Closes those of a storage, or of one of its files. */
  close(key: StorageKey, file: FileIndex | null = null): void {
    const start = file === null ? `${String(key)}/` : `${String(key)}/${String(file)}/`
    const names =
      file === null
        ? [...this.open.keys()].filter((name) => name.startsWith(start))
        : [`${start}read`, `${start}write`]
    for (const name of names) {
      const fd = this.open.get(name)
      if (fd === undefined) continue
      this.open.delete(name)
      fs.closeSync(fd)
    }
  }
}

export class Files {
  readonly key: StorageKey
  readonly dir: string
  readonly layout: Layout
  readonly digests: Uint8Array
  private readonly files: readonly StorageFile[]
  /** Finished files as they were when they were last looked at for the main side. */
  private readonly known = new Map<FileIndex, FileFound>()
  /** Behind the path of a file that is not finished. */
  private readonly suffix: string
  /** What `folders` answers, by the path of the innermost one below `dir`. */
  private readonly chains = new Map<string, readonly string[]>()
  /** Folders that the job under way has looked at, and whether each is one; null outside of `inOneJob`. */
  private seen: Map<string, boolean> | null = null

  constructor(
    ask: OpenAsk,
    private readonly descriptors: Descriptors,
  ) {
    this.key = ask.key
    this.dir = ask.dir
    this.files = ask.files
    this.digests = ask.digests
    this.layout = new Layout(ask.files, ask.pieceLength)
    this.suffix = partSuffix(ask.files.filter(({ pad }) => !pad).map(({ path }) => path))
  }

  /** The final name. */
  path(file: FileIndex): string {
    return `${this.dir}/${this.relative(file)}`
  }

  /** The name while it is not finished. */
  part(file: FileIndex): string {
    return `${this.path(file)}${this.suffix}`
  }

  /** The folders above a file and below `dir`, outermost first. */
  folders(file: FileIndex): readonly string[] {
    const path = this.relative(file)
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    let chain = this.chains.get(parent)
    if (chain === undefined) {
      const parts = parent === '' ? [] : parent.split('/')
      chain = parts.map((_, i) => `${this.dir}/${parts.slice(0, i + 1).join('/')}`)
      this.chains.set(parent, chain)
    }
    return chain
  }

  /** The folder the file lies in: `dir` or one below it. */
  folder(file: FileIndex): string {
    return this.folders(file).at(-1) ?? this.dir
  }

  /** Within `run`, which must not wait for anything, each folder is looked at once, however many files lie in it. */
  inOneJob<T>(run: () => T): T {
    this.seen = new Map()
    try {
      return run()
    } finally {
      this.seen = null
    }
  }

  /** For reading, under whichever name it has; faults with ENOENT when it has none. */
  forReading(file: FileIndex): number {
    const fd = this.descriptors.get(this.key, file, 'read', () => this.openEither(file))
    if (attempt('stat', this.path(file), () => fs.fstatSync(fd)).nlink > 0) return fd
    // Deleted or replaced while we held it: look again by name.
    this.descriptors.close(this.key, file)
    return this.descriptors.get(this.key, file, 'read', () => this.openEither(file))
  }

  /** For writing: the `.part` file, which a lane has made. */
  forWriting(file: FileIndex): number {
    return this.descriptors.get(this.key, file, 'write', () => this.openAt(file, this.part(file), O_RDWR))
  }

  /** For writing back, under whichever name it has; the caller closes it. */
  openForRepair(file: FileIndex): number {
    return this.openEither(file, O_RDWR)
  }

  /** A new file; EEXIST when something is there. The caller closes it. */
  create(file: FileIndex, path: string): number {
    this.checkFolders(file)
    return attempt('open', path, () => fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | SAFE, 0o666))
  }

  /** An existing `.part`, to change its length. The caller closes it. */
  openPart(file: FileIndex): number {
    return this.openAt(file, this.part(file), O_RDWR)
  }

  closeFile(file: FileIndex): void {
    this.descriptors.close(this.key, file)
  }

  closeAll(): void {
    this.descriptors.close(this.key)
  }

  /** Like `look`; from now on a finished file is served only as long as it stays as it is. */
  note(file: FileIndex, found: FileFound = this.look(file)): FileFound {
    if (found.name === 'final') this.known.set(file, found)
    else this.known.delete(file)
    return found
  }

  /** We change it ourselves. */
  disown(file: FileIndex): void {
    this.known.delete(file)
  }

  /** Refuses with ESTALE when a finished file is no longer the one that was noted. */
  checkUnchanged(file: FileIndex, fd: number): void {
    const known = this.known.get(file)
    if (known === undefined) return
    const path = this.path(file)
    const { size, mtimeNs, ino } = attempt('stat', path, () => fs.fstatSync(fd, { bigint: true }))
    if (Number(size) === known.size && String(mtimeNs) === known.mtimeNs && String(ino) === known.ino) return
    refuse('ESTALE', 'read', path)
  }

  /** What is there, without opening it. */
  look(file: FileIndex): FileFound {
    const missing: FileFound = { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
    if (this.layout.isPad(file)) return missing
    if (!this.hasFolders(file)) return missing
    for (const name of ['part', 'final'] as const) {
      const stat = this.statAt(name === 'part' ? this.part(file) : this.path(file))
      if (stat?.isFile() === true) return foundOf(file, name, stat)
    }
    return missing
  }

  /** lstat; null when nothing is there. */
  statAt(path: string): fs.BigIntStats | null {
    const stat = unless(['ENOTDIR'], () =>
      attempt('stat', path, () => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })),
    )
    return stat ?? null
  }

  /** Refuses a symbolic link, or a file, where a folder should be. */
  checkFolders(file: FileIndex): void {
    for (const folder of this.folders(file)) {
      if (this.seen?.get(folder) === true) continue
      checkFolder(folder)
      this.seen?.set(folder, true)
    }
  }

  /** Makes a folder that is not there; true when it did. Refuses a symbolic link, or a file, in its place. */
  ensureFolder(folder: string): boolean {
    if (this.seen?.get(folder) === true) return false
    const there = attempt('mkdir', folder, () => fs.lstatSync(folder, { throwIfNoEntry: false }))
    const made = there === undefined && makeFolder(folder)
    if (there !== undefined) judgeFolder(folder, there)
    else if (!made) checkFolder(folder)
    this.seen?.set(folder, true)
    return made
  }

  /** Refuses where `dir` itself is not there: nothing is made instead of it. */
  checkDir(): void {
    if (this.seen?.get(this.dir) === true) return
    attempt('stat', this.dir, () => fs.statSync(this.dir))
    this.seen?.set(this.dir, true)
  }

  private hasFolders(file: FileIndex): boolean {
    for (const folder of this.folders(file)) {
      let there = this.seen?.get(folder)
      if (there === undefined) {
        const stat = unless(['ENOTDIR', 'ELOOP'], () =>
          attempt('stat', folder, () => fs.lstatSync(folder, { throwIfNoEntry: false })),
        )
        there = stat?.isDirectory() === true
        this.seen?.set(folder, there)
      }
      if (!there) return false
    }
    return true
  }

  private openEither(file: FileIndex, flags: number = O_RDONLY): number {
    const part = unless(['ENOENT'], () => this.openAt(file, this.part(file), flags))
    return part ?? this.openAt(file, this.path(file), flags)
  }

  private openAt(file: FileIndex, path: string, flags: number): number {
    this.checkFolders(file)
    const fd = attempt('open', path, () => fs.openSync(path, flags | SAFE))
    if (fs.fstatSync(fd).isFile()) return fd
    fs.closeSync(fd)
    return refuse('EEXIST', 'open', path)
  }

  private relative(file: FileIndex): string {
    const found = this.files[file]
    if (found === undefined) throw new RangeError(`file ${String(file)} of ${String(this.files.length)}`)
    return found.path
  }
}

function checkFolder(folder: string): void {
  judgeFolder(
    folder,
    attempt('stat', folder, () => fs.lstatSync(folder)),
  )
}

/** False when somebody else was first. */
function makeFolder(folder: string): boolean {
  const made = unless(['EEXIST'], () => {
    attempt('mkdir', folder, () => {
      fs.mkdirSync(folder)
    })
    return true
  })
  return made ?? false
}

function judgeFolder(folder: string, stat: fs.Stats): void {
  if (stat.isSymbolicLink()) refuse('ELOOP', 'mkdir', folder)
  if (!stat.isDirectory()) refuse('ENOTDIR', 'mkdir', folder)
}

export function foundOf(file: FileIndex, name: 'part' | 'final', stat: fs.BigIntStats): FileFound {
  return { file, name, size: Number(stat.size), mtimeNs: String(stat.mtimeNs), ino: String(stat.ino) }
}

/** Writes all of it, however many calls that takes. */
export function writeFully(fd: number, bytes: Uint8Array, position: number, path: string): void {
  for (let at = 0; at < bytes.length;) {
    const start = at
    const written = attempt('write', path, () =>
      fs.writeSync(fd, bytes, start, bytes.length - start, position + start),
    )
    if (written <= 0) refuse('EIO', 'write', path)
    at += written
  }
}

/** Reads until `bytes` is full; answers false when the file ends before. */
export function readFully(fd: number, bytes: Uint8Array, position: number, path: string): boolean {
  for (let at = 0; at < bytes.length;) {
    const start = at
    const read = attempt('read', path, () =>
      fs.readSync(fd, bytes, start, bytes.length - start, position + start),
    )
    if (read <= 0) return false
    at += read
  }
  return true
}

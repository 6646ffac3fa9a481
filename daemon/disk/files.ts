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
/** Open descriptors a thread keeps, where the system lets it. */
const MOST_OPEN = 64
const FEWEST_OPEN = 4
/** Hash workers, lanes and their helpers share the process's descriptors with its sockets: each gets so small a part. */
const SHARES = 32
const TOO_MANY: readonly string[] = ['EMFILE', 'ENFILE']

/** Descriptors of one thread, the least recently used closed first. */
export class Descriptors {
  /** By storage, file and way of opening; in the order of use. */
  private readonly open = new Map<string, number>()
  private readonly most: number

  /** `limit`: descriptors the process may have. */
  constructor(limit = openLimit()) {
    this.most = Math.max(FEWEST_OPEN, Math.min(MOST_OPEN, Math.floor(limit / SHARES)))
  }

  get size(): number {
    return this.open.size
  }

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
    this.shrink(this.most)
    return fd
  }

  /** Opens something. Where the process has no descriptor left, this thread lets go of all it keeps and tries again. */
  opening<T>(open: () => T): T {
    const opened = this.open.size === 0 ? null : unless(TOO_MANY, () => ({ it: open() }))
    if (opened !== null) return opened.it
    this.shrink(0)
    return open()
  }

  private shrink(to: number): void {
    for (const [oldest, old] of this.open) {
      if (this.open.size <= to) break
      this.open.delete(oldest)
      fs.closeSync(old)
    }
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

/** Soft limit of open files, as Linux tells it; elsewhere the smallest that is usual. */
function openLimit(): number {
  try {
    const line = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))
    return line === null ? Infinity : Number(line[1])
  } catch {
    return 256 * SHARES
  }
}

/** Nanoseconds. */
const SECOND = 1_000_000_000n

type FileName = 'part' | 'final'
/** In the order in which they are looked at: a file that has both is not finished. */
const NAMES: readonly FileName[] = ['part', 'final']

/** A file that is there. */
export interface Seen {
  readonly name: FileName
  readonly stat: fs.BigIntStats
}

/** A finished file as its descriptor showed it when its content was last vouched for. Times in ms with fractions. */
interface Known {
  readonly size: number
  readonly mtimeMs: number
  /** Moves with every write, whatever is done to mtime after it; and with a link, a mode or an owner. */
  readonly ctimeMs: number
  readonly ino: number
  readonly nlink: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export class Files {
  readonly key: StorageKey
  readonly dir: string
  readonly layout: Layout
  readonly digests: Uint8Array
  private readonly files: readonly StorageFile[]
  /** Finished files as they were when they were last looked at for the main side. */
  private readonly known = new Map<FileIndex, Known>()
  /** Behind the path of a file that is not finished. */
  private readonly suffix: string
  /** What `folders` answers, by the path of the innermost one below `dir`. */
  private readonly chains = new Map<string, readonly string[]>()
  /** What volume `dir` must lie on, st_dev; null: not known here. */
  private volume: bigint | null = null
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

  bind(volume: string): void {
    this.volume = BigInt(volume)
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
    return this.descriptors.opening(() =>
      attempt('open', path, () => fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | SAFE, 0o666)),
    )
  }

  /** An existing `.part`, to change its length. The caller closes it. */
  openPart(file: FileIndex): number {
    return this.openAt(file, this.part(file), O_RDWR)
  }

  /** See Descriptors. */
  opening<T>(open: () => T): T {
    return this.descriptors.opening(open)
  }

  closeFile(file: FileIndex): void {
    this.descriptors.close(this.key, file)
  }

  closeAll(): void {
    this.descriptors.close(this.key)
  }

  /** Like `look`; from now on a finished file is served only as long as it stays as it is. */
  note(file: FileIndex, names: readonly FileName[] = NAMES): FileFound {
    const seen = this.see(file, names)
    this.known.delete(file)
    if (seen?.name === 'final') this.known.set(file, knownOf(seen.stat))
    return foundOf(file, seen)
  }

  /**
   * Like `look`, after pieces were hashed: a finished file that is not what it was when it was noted is told with an
   * mtime that fits no record.
   */
  lookAgain(file: FileIndex): FileFound {
    const known = this.known.get(file)
    if (known === undefined) return this.note(file)
    const seen = this.see(file, NAMES)
    const found = foundOf(file, seen)
    if (seen?.name !== 'final') return found
    return isSame(known, knownOf(seen.stat)) ? found : { ...found, mtimeNs: '0' }
  }

  /** We change it ourselves. */
  disown(file: FileIndex): void {
    this.known.delete(file)
  }

  /**
   * After a read: true where what was read is of the file that is there under its name, as far as its descriptor tells.
   * False: it was deleted or replaced while we held it, and is to be looked for again by name. Refuses with ESTALE when
   * a finished file is no longer the one that was noted: it may have been written to while it was read, or before.
   */
  isUnchanged(file: FileIndex, fd: number): boolean {
    const path = this.path(file)
    const stat = attempt('stat', path, () => fs.fstatSync(fd))
    const known = this.known.get(file)
    if (known === undefined || isSame(known, stat)) return stat.nlink > 0
    if (stat.nlink === 0) return false
    if (!this.isOnlyLinked(path, known, stat)) return refuse('ESTALE', 'read', path)
    this.known.set(file, stat)
    return true
  }

  /** Another name, mode or owner moves ctime as a write does. */
  private isOnlyLinked(path: string, known: Known, stat: fs.Stats): boolean {
    const { size, mtimeMs, ino, nlink, mode, uid, gid } = stat
    if (size !== known.size || mtimeMs !== known.mtimeMs || ino !== known.ino) return false
    if (nlink === known.nlink && mode === known.mode && uid === known.uid && gid === known.gid) return false
    return this.plainStat(path)?.ino === ino
  }

  private plainStat(path: string): fs.Stats | null {
    const stat = unless(['ENOTDIR'], () =>
      attempt('stat', path, () => fs.lstatSync(path, { throwIfNoEntry: false })),
    )
    return stat ?? null
  }

  /** What is there, without opening it. */
  look(file: FileIndex): FileFound {
    return foundOf(file, this.see(file, NAMES))
  }

  /** Null where there is no file under any of the names, or a folder above it is none. */
  private see(file: FileIndex, names: readonly FileName[]): Seen | null {
    if (this.layout.isPad(file) || !this.hasFolders(file)) return null
    for (const name of names) {
      const stat = this.statAt(name === 'part' ? this.part(file) : this.path(file))
      if (stat?.isFile() === true) return { name, stat }
    }
    return null
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

  /** Refuses where `dir` itself is not there, or lies on another volume: nothing is made instead of it. */
  checkDir(): void {
    if (this.seen?.get(this.dir) === true) return
    const { dev } = attempt('stat', this.dir, () => fs.statSync(this.dir, { bigint: true }))
    if (this.volume !== null && dev !== this.volume) refuse('ENODEV', 'stat', this.dir)
    this.seen?.set(this.dir, true)
  }

  /** Every folder above the file is there, and is one. */
  hasFolders(file: FileIndex): boolean {
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
    if (this.volume !== null) this.checkDir()
    this.checkFolders(file)
    const fd = this.descriptors.opening(() => attempt('open', path, () => fs.openSync(path, flags | SAFE)))
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

function isSame(known: Known, stat: Known): boolean {
  const { size, mtimeMs, ctimeMs, ino } = known
  return size === stat.size && mtimeMs === stat.mtimeMs && ctimeMs === stat.ctimeMs && ino === stat.ino
}

/** The same numbers as of an `fs.Stats`, of which `isUnchanged` has one at every read: it is the cheaper. */
export function knownOf(stat: fs.BigIntStats): Known {
  return {
    size: Number(stat.size),
    mtimeMs: millisOf(stat.mtimeNs),
    ctimeMs: millisOf(stat.ctimeNs),
    ino: Number(stat.ino),
    nlink: Number(stat.nlink),
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  }
}

/** Rounded as Node.js does it, from whole seconds and what is above them. */
function millisOf(nanos: bigint): number {
  const above = ((nanos % SECOND) + SECOND) % SECOND
  return Number((nanos - above) / SECOND) * 1e3 + Number(above) / 1e6
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

export function foundOf(file: FileIndex, seen: Seen | null): FileFound {
  if (seen === null) return { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
  const { name, stat } = seen
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

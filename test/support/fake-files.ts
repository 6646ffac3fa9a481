/** A tree of files in memory, with absolute '/' paths: what the fake disk lies on. */
import type { DiskFault } from '../../daemon/ports/disk.js'

export interface FakeNode {
  kind: 'file' | 'folder' | 'link'
  bytes: Buffer
  /** Nanoseconds since 1970; grows with every change of any file. */
  mtimeNs: bigint
  /** The same, whatever is done to mtime. */
  ctimeNs: bigint
  readonly ino: bigint
}

/** A refused call, with the system's code. */
export class FakeFileError extends Error {
  constructor(
    readonly code: string,
    readonly operation: string,
    readonly path: string,
  ) {
    super(`${code}: ${operation} '${path}'`)
  }
}

export class FakeFiles {
  /** By absolute path, without a trailing slash; '' is the root. */
  readonly nodes = new Map<string, FakeNode>()
  private inos = 1n
  private ticks = 1_700_000_000_000_000_000n

  constructor() {
    this.put('', 'folder')
  }

  get(path: string): FakeNode | null {
    return this.nodes.get(path) ?? null
  }

  /** Whole content of a file, or null. */
  content(path: string): Buffer | null {
    const node = this.get(path)
    return node?.kind === 'file' ? node.bytes : null
  }

  mkdirs(path: string): void {
    for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1))
      this.mkdirOne(path.slice(0, end))
    this.mkdirOne(path)
  }

  /** As a person would: folders on the way are made, an older file is replaced. */
  writeFile(path: string, bytes: Uint8Array): void {
    this.mkdirs(parentOf(path))
    this.put(path, 'file').bytes = Buffer.from(bytes)
  }

  link(path: string): void {
    this.mkdirs(parentOf(path))
    this.put(path, 'link')
  }

  create(path: string, size: number): FakeNode {
    const node = this.put(path, 'file')
    node.bytes = Buffer.alloc(size)
    return node
  }

  write(node: FakeNode, offset: number, bytes: Uint8Array): void {
    node.bytes.set(bytes, offset)
    this.touch(node)
  }

  /** Cuts a file or fills it up with zeros. */
  resize(node: FakeNode, size: number): void {
    const whole = Buffer.alloc(size)
    node.bytes.copy(whole)
    node.bytes = whole
  }

  /** A file, or an empty folder. */
  unlink(path: string): void {
    this.nodes.delete(path)
  }

  /** fdatasync; without a write list there is nothing that could be lost. */
  syncFile(_path: string): void {
    return undefined
  }

  /** fsync of a folder: its entries. */
  syncFolder(_path: string): void {
    return undefined
  }

  touch(node: FakeNode): void {
    this.ticks += 1_000_001n
    node.mtimeNs = this.ticks
    node.ctimeNs = this.ticks
  }

  rename(from: string, to: string): void {
    const node = this.get(from)
    if (node === null) throw new FakeFileError('ENOENT', 'rename', from)
    this.nodes.delete(from)
    this.nodes.set(to, node)
  }

  /** Inodes and times go on where those of another tree ended. */
  protected skip(other: FakeFiles): void {
    this.inos = other.inos
    this.ticks = other.ticks
  }

  /** Names in a folder, direct children only. */
  list(path: string): string[] {
    const start = `${path}/`
    return [...this.nodes.keys()].filter(
      (key) => key.startsWith(start) && !key.slice(start.length).includes('/'),
    )
  }

  private mkdirOne(path: string): void {
    if (this.get(path) === null) this.put(path, 'folder')
  }

  protected put(path: string, kind: FakeNode['kind']): FakeNode {
    const node: FakeNode = { kind, bytes: Buffer.alloc(0), mtimeNs: 0n, ctimeNs: 0n, ino: (this.inos += 1n) }
    this.touch(node)
    this.nodes.set(path, node)
    return node
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** Runs it; a refused call becomes a fault, a bug stays an exception. */
export function faultOf(run: () => void): DiskFault | null {
  try {
    run()
    return null
  } catch (error) {
    if (!(error instanceof FakeFileError)) throw error
    return { code: error.code, operation: error.operation, path: error.path }
  }
}

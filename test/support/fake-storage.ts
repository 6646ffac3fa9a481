/** One torrent's files on the fake disk: see FakeDisk. */
import { createHash } from 'node:crypto'
import type {
  DiskFault,
  FileFound,
  Frame,
  ReadRun,
  RemovalLook,
  Slot,
  Storage,
  StorageEvents,
  StorageSpec,
  VerifyJob,
} from '../../daemon/ports/disk.js'
import { partSuffix } from '../../daemon/disk/names.js'
import { Layout } from '../../shared/torrent/layout.js'
import { BLOCK_SIZE, EXTENT_SIZE, type FileIndex, type PieceIndex } from '../../shared/units.js'
import type { FakeDisk } from './fake-disk.js'
import { FakeFileError, faultOf, type FakeNode, parentOf } from './fake-files.js'

/** A piece on its way: extents are hashed in order and wait in their slots until then. */
interface Run {
  /** Full extents not hashed yet; without a slot those that were written unhashed. */
  readonly waiting: Map<number, { slot: Slot | null; length: number }>
  readonly hash: ReturnType<typeof createHash>
  next: number
}

export class FakeStorage implements Storage {
  readonly layout: Layout
  closed = false
  /** Pieces submitted and not answered. */
  readonly runs = new Map<PieceIndex, Run>()
  private readonly dirty = new Set<FileIndex>()
  /** Pieces that were bad and have not been good since. */
  private readonly suspects = new Set<PieceIndex>()
  private readonly suffix: string
  /** Finished files as the last survey or finish found them: changed ones are not read. */
  private readonly known = new Map<FileIndex, string>()
  /** Rounds of sync asked, for tests that count them. */
  syncs = 0
  /** Pieces that `verify` was to write back, in order. */
  readonly doubted: PieceIndex[] = []
  /** Pieces hashed by `verify`, and pieces looked at by `sniff`. */
  verified = 0
  sniffed = 0
  /** `expect` was called. */
  expected = false

  constructor(
    readonly spec: StorageSpec,
    private readonly events: StorageEvents,
    private readonly disk: FakeDisk,
  ) {
    this.layout = new Layout(spec.files, spec.pieceLength)
    this.suffix = partSuffix(spec.files.filter(({ pad }) => !pad).map(({ path }) => path))
  }

  expect(): void {
    this.expected = true
  }

  /** Files are made by their first write here. */
  makeReady(): void {
    return undefined
  }

  submit(slot: Slot, piece: PieceIndex, extent: number, length: number): void {
    if (length !== this.layout.extentSize(piece, extent))
      throw new Error(`submit: wrong length ${String(length)}`)
    this.disk.slab.handOver(slot)
    if (this.closed) {
      this.disk.slab.release(slot)
      return
    }
    const run = this.runs.get(piece) ?? { waiting: new Map(), hash: createHash('sha1'), next: 0 }
    this.runs.set(piece, run)
    this.disk.later('write', () => {
      if (this.runs.get(piece) !== run) this.disk.slab.release(slot)
      else this.take(run, slot, piece, extent, length)
    })
  }

  forget(piece: PieceIndex): void {
    const run = this.runs.get(piece)
    this.runs.delete(piece)
    for (const { slot } of run?.waiting.values() ?? []) if (slot !== null) this.disk.slab.release(slot)
    run?.waiting.clear()
  }

  readonly short = false
  /** The volume it is bound to, or null. */
  volume: string | null = null

  bind(volume: string): void {
    this.volume = volume
  }

  read(run: ReadRun, done: (frame: Frame | null, fault: DiskFault | null) => void): () => void {
    let cancelled = false
    this.disk.later('read', () => {
      if (this.closed || cancelled) return
      let bytes: Buffer = Buffer.alloc(0)
      const fault = faultOf(() => {
        bytes = this.frame(run)
      })
      if (fault !== null) done(null, fault)
      else done(this.pin(bytes), null)
    })
    return () => {
      cancelled = true
    }
  }

  survey(again = false): Promise<FileFound[]> {
    return this.disk.ask('stat', () =>
      this.spec.files.map((_, file) => {
        const known = this.known.get(file)
        if (!again || known === undefined) return this.note(file)
        const found = this.found(file)
        return known === this.stampOf(file) || found.name !== 'final' ? found : { ...found, mtimeNs: '0' }
      }),
    )
  }

  prepare(files: readonly FileIndex[]): Promise<DiskFault | null> {
    if (this.closed) return Promise.resolve({ code: 'ECANCELED', operation: 'mkdir', path: this.spec.dir })
    return this.disk.ask('mkdir', () =>
      faultOf(() => {
        for (const file of files) {
          if (this.layout.isPad(file)) continue
          this.makeParents(file)
          if (this.layout.fileLength(file) === 0) this.makeEmpty(file)
        }
      }),
    )
  }

  sync(also: readonly FileIndex[] = []): Promise<{ files: FileFound[]; fault: DiskFault | null }> {
    this.syncs += 1
    for (const file of also) this.dirty.add(file)
    return this.disk.ask('sync', () => {
      const files = [...this.dirty]
      const fault = faultOf(() => {
        for (const file of files) {
          const path = this.nodeOf(file)?.path
          if (path === undefined) throw new FakeFileError('ENOENT', 'sync', this.path(file))
          this.disk.check('sync', path)
        }
      })
      if (fault !== null) return { files: [], fault }
      for (const file of files) this.settle(file)
      for (const file of files) this.dirty.delete(file)
      return { files: files.map((file) => this.found(file)), fault }
    })
  }

  finish(files: readonly FileIndex[]): Promise<{ files: FileFound[]; fault: DiskFault | null }> {
    return this.disk.ask('rename', () => {
      const done: FileFound[] = []
      const fault = faultOf(() => {
        for (const file of files) {
          if (this.layout.isPad(file)) continue
          this.rename(file)
          done.push(this.note(file))
        }
        for (const file of files) this.disk.fs.syncFolder(parentOf(this.path(file)))
      })
      return { files: done, fault }
    })
  }

  verify(
    pieces: readonly PieceIndex[],
    onPiece: (piece: PieceIndex, good: boolean) => void,
    done: (fault: DiskFault | null) => void,
    doubtful: (piece: PieceIndex) => boolean = () => false,
  ): VerifyJob {
    this.doubted.push(...pieces.filter(doubtful))
    let cancelled = false
    const step = (at: number): void => {
      this.disk.later('read', () => {
        if (this.closed) return
        const piece = pieces[at]
        if (cancelled || piece === undefined) {
          done(null)
          return
        }
        let good = false
        const fault = faultOf(() => {
          good = this.isGood(piece)
        })
        if (fault !== null) {
          done(fault)
          return
        }
        this.verified += 1
        onPiece(piece, good)
        step(at + 1)
      })
    }
    step(0)
    return {
      cancel: () => {
        cancelled = true
      },
    }
  }

  sniff(pieces: readonly PieceIndex[]): Promise<PieceIndex[]> {
    this.sniffed += pieces.length
    return this.disk.ask('read', () =>
      pieces.filter((piece) => {
        const length = Math.min(BLOCK_SIZE, this.layout.pieceSize(piece))
        const found = { some: false }
        // A refused read claims nothing.
        faultOf(() => {
          found.some = this.bytes(piece, 0, length)?.some((byte) => byte !== 0) ?? false
        })
        return found.some
      }),
    )
  }

  planRemoval(): Promise<RemovalLook | DiskFault> {
    return this.disk.ask('stat', () => {
      const found = [...this.spec.files.keys()].flatMap((file) => {
        const node = this.layout.isPad(file) ? null : this.nodeOf(file)
        return node === null ? [] : [node]
      })
      const own = new Set(found.map(({ path }) => path))
      const folders = new Set([...this.spec.files.keys()].flatMap((file) => this.foldersAbove(file)))
      const strangers = [...folders]
        .flatMap((folder) => this.disk.fs.list(folder))
        .filter((path) => !own.has(path) && !folders.has(path))
        .map((path) => this.below(path) + (this.disk.fs.get(path)?.kind === 'folder' ? '/' : ''))
      const files = found.map(({ node, path }) => ({
        path: this.below(path),
        bytes: node.bytes.length,
        linked: false,
      }))
      return { files, strangers: strangers.sort(), more: 0 }
    })
  }

  private below(path: string): string {
    return path.slice(this.spec.dir.length + 1)
  }

  private foldersAbove(file: FileIndex): string[] {
    const folders: string[] = []
    for (let path = parentOf(this.path(file)); path.length > this.spec.dir.length; path = parentOf(path))
      folders.push(path)
    return folders
  }

  remove(): Promise<DiskFault | null> {
    this.dropAll()
    this.closed = true
    return this.disk.ask('unlink', () =>
      faultOf(() => {
        for (const file of this.spec.files.keys()) this.unlink(file)
        for (const file of this.spec.files.keys()) this.pruneParents(file)
        for (const file of this.spec.files.keys()) this.syncAbove(file)
      }),
    )
  }

  close(): Promise<void> {
    this.dropAll()
    this.closed = true
    return this.disk.ask('stat', () => undefined)
  }

  private dropAll(): void {
    for (const piece of [...this.runs.keys()]) this.forget(piece)
  }

  private take(run: Run, slot: Slot, piece: PieceIndex, extent: number, length: number): void {
    run.waiting.set(extent, { slot, length })
    for (let next = run.waiting.get(run.next); next !== undefined; next = run.waiting.get(run.next)) {
      const { slot: held, length: size } = next
      const fault = faultOf(() => {
        run.hash.update(this.due(piece, run.next, held, size))
      })
      if (fault !== null) {
        this.forget(piece)
        this.events.writeFailed(piece, fault)
        return
      }
      if (held !== null) this.disk.slab.release(held)
      run.waiting.delete(run.next)
      run.next += 1
    }
    if (this.disk.tight) this.spill()
    if (run.next < this.layout.extentCount(piece)) return
    this.runs.delete(piece)
    const good = run.hash.digest().equals(this.digest(piece))
    const blocks = good && !this.suspects.has(piece) ? null : this.digestBlocks(piece)
    if (good) {
      this.suspects.delete(piece)
      this.events.pieceGood(piece, blocks)
    } else {
      this.suspects.add(piece)
      this.events.pieceBad(piece, blocks)
    }
  }

  private digestBlocks(piece: PieceIndex): Uint8Array | null {
    const digests: Buffer[] = []
    const fault = faultOf(() => {
      const bytes = this.bytes(piece, 0, this.layout.pieceSize(piece)) ?? Buffer.alloc(0)
      for (let at = 0; at < bytes.length; at += BLOCK_SIZE)
        digests.push(
          createHash('sha1')
            .update(bytes.subarray(at, at + BLOCK_SIZE))
            .digest(),
        )
    })
    return fault !== null || digests.length === 0 ? null : Buffer.concat(digests)
  }

  /** An extent whose turn it is: written now, or read back. */
  private due(piece: PieceIndex, extent: number, slot: Slot | null, length: number): Buffer {
    if (slot === null) {
      const bytes = this.bytes(piece, extent * EXTENT_SIZE, length)
      if (bytes === null) throw new FakeFileError('EIO', 'read', this.spec.dir)
      return bytes
    }
    const bytes = slot.view.subarray(0, length)
    this.write(piece, extent * EXTENT_SIZE, bytes)
    return bytes
  }

  /** Slots are short: what waits for its turn is written unhashed. */
  spill(): void {
    for (const [piece, run] of [...this.runs]) {
      for (const [extent, waiting] of run.waiting) {
        const { slot, length } = waiting
        if (slot === null) continue
        const fault = faultOf(() => {
          this.write(piece, extent * EXTENT_SIZE, slot.view.subarray(0, length))
        })
        if (fault !== null) {
          this.forget(piece)
          this.events.writeFailed(piece, fault)
          break
        }
        waiting.slot = null
        this.disk.slab.release(slot)
      }
    }
  }

  private write(piece: PieceIndex, offset: number, bytes: Uint8Array): void {
    let at = 0
    for (const span of this.layout.spans(piece, offset, bytes.length)) {
      if (!span.pad) {
        this.disk.check('write', this.path(span.file))
        const node = this.forWriting(span.file)
        this.disk.fs.write(node, span.fileOffset, bytes.subarray(at, at + span.length))
        this.dirty.add(span.file)
      }
      at += span.length
    }
  }

  /** The `.part` file at its full length, made or renamed back when it is not there. */
  private forWriting(file: FileIndex): FakeNode {
    const path = this.path(file)
    const part = this.part(file)
    this.makeParents(file)
    const length = this.layout.fileLength(file)
    const final = this.disk.fs.get(path)
    this.known.delete(file)
    if (this.disk.fs.get(part) === null && final !== null) {
      if (final.kind === 'link') throw new FakeFileError('ELOOP', 'open', path)
      if (final.kind === 'folder' || final.bytes.length > length)
        throw new FakeFileError('EEXIST', 'rename', path)
      this.disk.fs.rename(path, part)
    }
    const node = this.disk.fs.get(part) ?? this.disk.fs.create(part, length)
    if (node.kind !== 'file') throw new FakeFileError('ELOOP', 'open', part)
    if (node.bytes.length !== length) this.disk.fs.resize(node, length)
    return node
  }

  private bytes(piece: PieceIndex, offset: number, length: number): Buffer | null {
    const out = Buffer.alloc(length)
    let at = 0
    for (const span of this.layout.spans(piece, offset, length)) {
      if (!span.pad) {
        const found = this.nodeOf(span.file)
        if (found === null) return null
        this.disk.check('read', found.path)
        if (found.node.bytes.length < span.fileOffset + span.length) return null
        found.node.bytes.copy(out, at, span.fileOffset, span.fileOffset + span.length)
      }
      at += span.length
    }
    return out
  }

  private isGood(piece: PieceIndex): boolean {
    const bytes = this.bytes(piece, 0, this.layout.pieceSize(piece))
    return bytes !== null && createHash('sha1').update(bytes).digest().equals(this.digest(piece))
  }

  private frame(run: ReadRun): Buffer {
    const parts: Buffer[] = []
    let offset = run.offset
    const whole = run.lengths.reduce((sum, length) => sum + length, 0)
    for (const { file, pad } of this.layout.spans(run.piece, offset, whole)) {
      if (!pad && this.nodeOf(file) !== null) this.checkUnchanged(file)
    }
    for (const length of run.lengths) {
      const block = this.bytes(run.piece, offset, length)
      if (block === null) throw this.absence(run.piece, offset, length)
      const header = Buffer.alloc(13)
      header.writeUInt32BE(9 + length, 0)
      header[4] = 7
      header.writeUInt32BE(run.piece, 5)
      header.writeUInt32BE(offset, 9)
      parts.push(header, block)
      offset += length
    }
    return Buffer.concat(parts)
  }

  private note(file: FileIndex): FileFound {
    const found = this.found(file)
    if (found.name === 'final') this.known.set(file, this.stampOf(file))
    else this.known.delete(file)
    return found
  }

  private stampOf(file: FileIndex): string {
    return `${JSON.stringify(this.found(file))} ${String(this.nodeOf(file)?.node.ctimeNs)}`
  }

  private checkUnchanged(file: FileIndex): void {
    const known = this.known.get(file)
    if (known === undefined || known === this.stampOf(file)) return
    throw new FakeFileError('ESTALE', 'read', this.path(file))
  }

  private absence(piece: PieceIndex, offset: number, length: number): FakeFileError {
    const gone = this.layout
      .spans(piece, offset, length)
      .find(({ file, pad }) => !pad && this.nodeOf(file) === null)
    return new FakeFileError(gone === undefined ? 'ESTALE' : 'ENOENT', 'read', this.path(gone?.file ?? 0))
  }

  private pin(bytes: Buffer): Frame {
    this.disk.pinned += 1
    let pinned = true
    return {
      bytes,
      release: () => {
        if (!pinned) throw new Error('frame released twice')
        pinned = false
        this.disk.pinned -= 1
      },
    }
  }

  private found(file: FileIndex): FileFound {
    const found = this.layout.isPad(file) ? null : this.nodeOf(file)
    if (found === null) return { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
    const { node, name } = found
    return { file, name, size: node.bytes.length, mtimeNs: String(node.mtimeNs), ino: String(node.ino) }
  }

  /** `.part` first: while it is there it is ours, and what lies at the final name is not. */
  private nodeOf(file: FileIndex): { node: FakeNode; path: string; name: 'part' | 'final' } | null {
    const final = this.path(file)
    for (const [name, path] of [
      ['part', this.part(file)],
      ['final', final],
    ] as const) {
      const node = this.disk.fs.get(path)
      if (node?.kind === 'file' && this.linkAbove(file) === null) return { node, path, name }
    }
    return null
  }

  private rename(file: FileIndex): void {
    const final = this.path(file)
    this.disk.check('rename', final)
    const part = this.disk.fs.get(this.part(file))
    const there = this.disk.fs.get(final)
    if (part === null && there?.kind === 'file' && there.bytes.length === this.layout.fileLength(file)) return
    if (part === null) throw new FakeFileError('ENOENT', 'rename', this.part(file))
    if (there !== null) throw new FakeFileError('EEXIST', 'rename', final)
    this.disk.fs.rename(this.part(file), final)
  }

  /** What a round does for a file: fdatasync of it, fsync of the folders above. */
  private settle(file: FileIndex): void {
    this.disk.fs.syncFile(this.nodeOf(file)?.path ?? '')
    this.syncAbove(file)
  }

  private syncAbove(file: FileIndex): void {
    for (
      let folder = parentOf(this.path(file));
      folder.length >= this.spec.dir.length;
      folder = parentOf(folder)
    )
      this.disk.fs.syncFolder(folder)
  }

  private makeParents(file: FileIndex): void {
    if (this.volume !== null && this.disk.volumeOf(this.spec.dir) !== this.volume)
      throw new FakeFileError('ENODEV', 'stat', this.spec.dir)
    if (this.disk.fs.get(this.spec.dir)?.kind !== 'folder')
      throw new FakeFileError('ENOENT', 'mkdir', this.spec.dir)
    const link = this.linkAbove(file)
    if (link !== null) throw new FakeFileError('ELOOP', 'mkdir', link)
    const parent = parentOf(this.path(file))
    this.disk.check('mkdir', parent)
    this.disk.fs.mkdirs(parent)
  }

  private makeEmpty(file: FileIndex): void {
    const path = this.path(file)
    const there = this.disk.fs.get(path)
    if (there === null) this.disk.fs.create(path, 0)
    else if (there.kind !== 'file' || there.bytes.length > 0) throw new FakeFileError('EEXIST', 'open', path)
    this.dirty.add(file)
  }

  private unlink(file: FileIndex): void {
    if (this.layout.isPad(file)) return
    const found = this.nodeOf(file)
    if (found === null) return
    this.disk.check('unlink', found.path)
    this.disk.fs.unlink(found.path)
  }

  private pruneParents(file: FileIndex): void {
    for (
      let folder = parentOf(this.path(file));
      folder.length > this.spec.dir.length;
      folder = parentOf(folder)
    ) {
      if (this.disk.fs.get(folder)?.kind !== 'folder' || this.disk.fs.list(folder).length > 0) return
      this.disk.fs.unlink(folder)
    }
  }

  /** A folder above the file, below `dir`, that is not a folder but a link. */
  private linkAbove(file: FileIndex): string | null {
    for (let path = parentOf(this.path(file)); path.length > this.spec.dir.length; path = parentOf(path)) {
      if (this.disk.fs.get(path)?.kind === 'link') return path
    }
    return null
  }

  private part(file: FileIndex): string {
    return `${this.path(file)}${this.suffix}`
  }

  private path(file: FileIndex): string {
    return `${this.spec.dir}/${this.spec.files[file]?.path ?? ''}`
  }

  private digest(piece: PieceIndex): Buffer {
    return Buffer.from(this.spec.digests.slice(piece * 20, piece * 20 + 20))
  }
}

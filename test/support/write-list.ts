/**
 * The tree of fake files with a power switch. What was written, made, renamed or deleted stands in a list until it is
 * synced: a file's bytes by `syncFile`, a folder's entries by `syncFolder`. When the power fails a random part of the
 * list is kept, writes torn at 4 KiB, whatever their order; only a rename happens whole or not at all.
 */
import { FakeFiles, type FakeNode, parentOf } from './fake-files.js'
import type { FakeRandom } from './fake-random.js'

const PAGE = 4096

type Unsynced =
  | { readonly kind: 'entry'; readonly path: string; readonly node: FakeNode | null }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly node: FakeNode }
  | { readonly kind: 'write'; readonly node: FakeNode; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly node: FakeNode; readonly size: number }

/** What a broken order, or a disk that lies, comes to. */
export interface Lies {
  /** A sync of a file says it is done and does nothing; `late`: it does what the one before should have done. */
  readonly files?: 'never' | 'late'
  /** A sync of a folder says it is done and does nothing. */
  readonly folders?: 'never'
}

export class WriteList extends FakeFiles {
  /** Not synced, oldest first. */
  private unsynced: Unsynced[] = []
  /** Entries that last, by path. */
  private readonly entries = new Map<string, FakeNode>()
  /** Bytes that last. */
  private readonly platter = new Map<FakeNode, Buffer>()

  /** Files whose next sync does what their last one did not. */
  private readonly owed = new Set<FakeNode>()

  constructor(private readonly lies: Lies = {}) {
    super()
    this.settleAll()
  }

  /** Makes everything last, as after a long time. */
  settleAll(): void {
    this.unsynced = []
    this.entries.clear()
    for (const [path, node] of this.nodes) this.entries.set(path, node)
    for (const node of this.nodes.values()) this.platter.set(node, Buffer.from(node.bytes))
  }

  override create(path: string, size: number): FakeNode {
    const node = super.create(path, size)
    this.unsynced.push({ kind: 'size', node, size })
    return node
  }

  override write(node: FakeNode, offset: number, bytes: Uint8Array): void {
    super.write(node, offset, bytes)
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, (Math.floor((offset + at) / PAGE) + 1) * PAGE - offset)
      this.unsynced.push({
        kind: 'write',
        node,
        offset: offset + at,
        bytes: Buffer.from(bytes.subarray(at, end)),
      })
      at = end
    }
  }

  override resize(node: FakeNode, size: number): void {
    super.resize(node, size)
    this.unsynced.push({ kind: 'size', node, size })
  }

  override rename(from: string, to: string): void {
    const node = this.get(from)
    super.rename(from, to)
    if (node !== null) this.unsynced.push({ kind: 'rename', from, to, node })
  }

  override unlink(path: string): void {
    super.unlink(path)
    this.unsynced.push({ kind: 'entry', path, node: null })
  }

  override syncFile(path: string): void {
    const node = this.get(path)
    if (node === null || this.lies.files === 'never') return
    if (this.lies.files === 'late' && !this.owed.delete(node)) {
      this.owed.add(node)
      return
    }
    this.unsynced = this.unsynced.filter((change) => {
      if (!('node' in change) || change.node !== node) return true
      if (change.kind !== 'write' && change.kind !== 'size') return true
      this.apply(change)
      return false
    })
  }

  override syncFolder(folder: string): void {
    if (this.lies.folders === 'never') return
    this.unsynced = this.unsynced.filter((change) => {
      if (change.kind !== 'entry' && change.kind !== 'rename') return true
      if (parentOf(change.kind === 'entry' ? change.path : change.to) !== folder) return true
      this.apply(change)
      return false
    })
  }

  /** What lies there when the power is back. This one is of no use any more. */
  crash(random: FakeRandom): WriteList {
    // All, nothing, or anything between.
    const kept = [0, 0.2, 0.5, 0.8, 1][random.int(5)] ?? 0
    for (const change of this.unsynced) if (random.float() < kept) this.apply(change)
    const after = new WriteList(this.lies)
    for (const [path, node] of this.entries) {
      if (!this.reaches(path)) continue
      const bytes = Buffer.from(this.platter.get(node) ?? Buffer.alloc(0))
      // The time of the last change is not among what fdatasync writes.
      const mtimeNs = random.float() < 0.5 ? node.mtimeNs : node.mtimeNs - 1_000_001n
      after.nodes.set(path, { ...node, bytes, mtimeNs })
    }
    after.skip(this)
    after.settleAll()
    return after
  }

  protected override put(path: string, kind: FakeNode['kind']): FakeNode {
    const node = super.put(path, kind)
    // The root is made before there is a list.
    ;(this.unsynced as Unsynced[] | undefined)?.push({ kind: 'entry', path, node })
    return node
  }

  private apply(change: Unsynced): void {
    if (change.kind === 'entry') {
      if (change.node === null) this.entries.delete(change.path)
      else this.entries.set(change.path, change.node)
    } else if (change.kind === 'rename') {
      this.entries.delete(change.from)
      this.entries.set(change.to, change.node)
    } else if (change.kind === 'size') {
      this.grow(change.node, change.size, true)
    } else {
      const bytes = this.grow(change.node, change.offset + change.bytes.length, false)
      change.bytes.copy(bytes, change.offset)
    }
  }

  private grow(node: FakeNode, size: number, exact: boolean): Buffer {
    const now = this.platter.get(node) ?? Buffer.alloc(0)
    if (now.length === size || (!exact && now.length > size)) return now
    const bytes = Buffer.alloc(size)
    now.copy(bytes)
    this.platter.set(node, bytes)
    return bytes
  }

  /** Every folder above it lasts. */
  private reaches(path: string): boolean {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      if (this.entries.get(folder)?.kind !== 'folder') return false
    }
    return true
  }
}

/** For tests of the disk port: torrents made up, extents handed over, events waited for. */
import { createHash } from 'node:crypto'
import type {
  Disk,
  DiskFault,
  Frame,
  ReadRun,
  Storage,
  StorageEvents,
  StorageSpec,
} from '../../daemon/ports/disk.js'
import { Layout } from '../../shared/torrent/layout.js'
import { EXTENT_SIZE, type PieceIndex, type TorrentId } from '../../shared/units.js'

export interface KitFile {
  readonly path: string
  readonly length: number
  readonly pad?: boolean
}

export class KitTorrent {
  readonly layout: Layout
  readonly spec: StorageSpec
  /** All files end to end, pads as zeros. */
  readonly bytes: Buffer

  constructor(init: { dir: string; files: readonly KitFile[]; pieceLength: number; seed?: number }) {
    const files = init.files.map((file) => ({ ...file, pad: file.pad ?? false }))
    this.layout = new Layout(files, init.pieceLength)
    this.bytes = noise(this.layout.totalSize, init.seed ?? 1)
    files.forEach((file, i) => {
      if (file.pad) this.bytes.fill(0, this.layout.fileOffset(i), this.layout.fileOffset(i) + file.length)
    })
    const digests = Buffer.concat(
      Array.from({ length: this.layout.pieceCount }, (_, piece) =>
        createHash('sha1').update(this.piece(piece)).digest(),
      ),
    )
    this.spec = { torrent: 7 as TorrentId, dir: init.dir, files, pieceLength: init.pieceLength, digests }
  }

  piece(piece: PieceIndex): Buffer {
    const start = piece * this.layout.pieceLength
    return this.bytes.subarray(start, start + this.layout.pieceSize(piece))
  }

  get pieces(): PieceIndex[] {
    return Array.from({ length: this.layout.pieceCount }, (_, piece) => piece)
  }

  extents(piece: PieceIndex): number[] {
    return Array.from({ length: this.layout.extentCount(piece) }, (_, extent) => extent)
  }

  file(index: number): Buffer {
    const start = this.layout.fileOffset(index)
    return this.bytes.subarray(start, start + this.layout.fileLength(index))
  }

  /** What `read` must answer. */
  frame(run: ReadRun): Buffer {
    let at = run.offset
    const parts = run.lengths.flatMap((length) => {
      const header = Buffer.alloc(13)
      header.writeUInt32BE(9 + length, 0)
      header[4] = 7
      header.writeUInt32BE(run.piece, 5)
      header.writeUInt32BE(at, 9)
      const block = this.piece(run.piece).subarray(at, at + length)
      at += length
      return [header, block]
    })
    return Buffer.concat(parts)
  }
}

/** Bytes that look random and are the same each time (xorshift). */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let x = (seed * 2654435761) >>> 0 || 1
  for (let i = 0; i < length; i += 1) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x & 0xff
  }
  return bytes
}

/** Events in the order they came, as `good 3`, `bad 3`, `failed 3 ENOSPC`; waits without sleeping. */
export class Recorder implements StorageEvents {
  readonly seen: string[] = []
  /** What was told of the blocks of each piece that was good or bad, in order. */
  readonly blocks: (Uint8Array | null)[] = []
  private waiting: { count: number; resolve: () => void }[] = []

  pieceGood(piece: PieceIndex, blocks: Uint8Array | null): void {
    this.blocks.push(blocks)
    this.add(`good ${String(piece)}`)
  }
  pieceBad(piece: PieceIndex, blocks: Uint8Array | null): void {
    this.blocks.push(blocks)
    this.add(`bad ${String(piece)}`)
  }
  writeFailed(piece: PieceIndex, fault: DiskFault): void {
    this.add(`failed ${String(piece)} ${fault.code}`)
  }

  until(count: number): Promise<string[]> {
    return new Promise((resolve) => {
      const entry = {
        count,
        resolve: () => {
          resolve(this.seen)
        },
      }
      if (this.seen.length >= count) entry.resolve()
      else this.waiting.push(entry)
    })
  }

  private add(event: string): void {
    this.seen.push(event)
    const due = this.waiting.filter((entry) => this.seen.length >= entry.count)
    this.waiting = this.waiting.filter((entry) => this.seen.length < entry.count)
    for (const entry of due) entry.resolve()
  }
}

/** Fills a slot and hands it over; throws when the slab is empty. */
export function hand(disk: Disk, storage: Storage, piece: PieceIndex, extent: number, whole: Buffer): void {
  const slot = disk.slab.take()
  if (slot === null) throw new Error('no slot')
  const bytes = whole.subarray(extent * EXTENT_SIZE, (extent + 1) * EXTENT_SIZE)
  bytes.copy(slot.view)
  storage.submit(slot, piece, extent, bytes.length)
}

/** Every extent of a piece in order. */
export function handPiece(disk: Disk, storage: Storage, torrent: KitTorrent, piece: PieceIndex): void {
  for (const extent of torrent.extents(piece)) hand(disk, storage, piece, extent, torrent.piece(piece))
}

export async function handAll(
  disk: Disk,
  storage: Storage,
  torrent: KitTorrent,
  events: Recorder,
  pieces: readonly PieceIndex[] = torrent.pieces,
): Promise<void> {
  for (const piece of pieces) {
    const before = events.seen.length
    handPiece(disk, storage, torrent, piece)
    await events.until(before + 1)
  }
}

export function read(
  storage: Storage,
  run: ReadRun,
): Promise<{ frame: Frame | null; fault: DiskFault | null }> {
  return new Promise((resolve) => {
    storage.read(run, (frame, fault) => {
      resolve({ frame, fault })
    })
  })
}

export function verify(
  storage: Storage,
  pieces: readonly PieceIndex[],
): Promise<{ good: PieceIndex[]; bad: PieceIndex[]; fault: DiskFault | null }> {
  return new Promise((resolve) => {
    const good: PieceIndex[] = []
    const bad: PieceIndex[] = []
    storage.verify(
      pieces,
      (piece, fine) => (fine ? good : bad).push(piece),
      (fault) => {
        resolve({ good, bad, fault })
      },
    )
  })
}

/** When every slot is free: the invariant at the end of each test. */
export function allFree(disk: Disk): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (disk.slab.available === disk.slab.capacity) resolve()
    }
    disk.slab.onFree(look)
    look()
  })
}

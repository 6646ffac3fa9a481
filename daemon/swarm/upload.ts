/**
 * Serves one torrent's blocks. Requests wait per peer until all that came with them is parsed; then they are cut into
 * runs: what is asked of the extent of the oldest request, in the order of the file, wherever it waits. Each run is
 * read with one job and written with one call. A peer that does not take its frames is not read for.
 */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type Millis, type PieceIndex } from '../../shared/units.js'
import type { Limiter } from '../base/limiter.js'
import { PIECE_HEADER } from '../codec/wire-writer.js'
import type { DiskFault, Frame, Storage } from '../ports/disk.js'
import type { Peer } from './peer.js'
import type { UploadRun } from './peer-upload.js'
import { countOf, isWhole, nextRun, type UploadRequest } from './upload-queue.js'

/** What we advertise as `reqq` (BEP 10) and keep of one peer's requests. */
export const MAX_QUEUED_REQUESTS = 2000
/** Longest run of requests that are not whole blocks: with all headers it fits where an extent does. */
const ODD_BYTES: Bytes = EXTENT_SIZE - MAX_QUEUED_REQUESTS * PIECE_HEADER
/** Reads under way for one peer: a window of tiny blocks would be thousands. */
const MOST_READS = 32
/** Largest block served; others ask for up to 128 KiB though 16 KiB is the rule. */
const MAX_BLOCK = 128 * 1024
/** So many blocks of an extent are worth reading all of it: the peer, or another, will ask for the rest. */
const WORTH_ALL = 4
/** From this window on a peer is fast: whole extents are read for it though few of their blocks are asked for. */
const FAST_WINDOW: Bytes = 512 * 1024
/** The most that is read at once for a peer that is slow, or not known yet. */
const MOST_SMALL: Bytes = 64 * 1024
/** Below this window a peer is slow, and gets less than an extent at once: memory for what it soon takes, no more. */
const SLOW_WINDOW: Bytes = EXTENT_SIZE
/** With the extent itself 1 MiB. */
const READ_AHEAD: Bytes = 3 * EXTENT_SIZE
/** A peer that has taken nothing for so long gets nothing more until it has. */
const STALLED_AFTER: Millis = 10_000
/** Every block of an extent of 256 KiB. */
const ALL_BLOCKS: readonly number[] = Array.from({ length: EXTENT_SIZE / BLOCK_SIZE }, () => BLOCK_SIZE)

export interface UploaderPorts {
  readonly storage: Storage
  /** How fast payload may go out, all torrents together. */
  readonly upLimit: Limiter
  readonly now: () => Millis
  /** May this piece be sent: verified, and readable. */
  readonly has: (piece: PieceIndex) => boolean
  readonly pieceSize: (piece: PieceIndex) => Bytes
  /** The disk failed to read a piece that we claim. */
  readonly readFailed: (piece: PieceIndex, fault: DiskFault) => void
  /** The peer begins to take all it gets at once: there is room for one more. */
  readonly eager: () => void
  /** Payload bytes handed to the kernel. */
  readonly uploaded: (peer: Peer, bytes: Bytes) => void
}

export class Uploader {
  readonly #ports: UploaderPorts

  constructor(ports: UploaderPorts) {
    this.#ports = ports
  }

  /** Queues a request, or rejects it (BEP 6) where the peer understands that. `pump` follows. */
  request(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    const fits =
      length > 0 &&
      length <= MAX_BLOCK &&
      this.#ports.has(piece) &&
      begin + length <= this.#ports.pieceSize(piece)
    const served = !peer.amChoking || peer.grantedFast.has(piece)
    const { queue } = peer.upload
    const full = queue.length >= MAX_QUEUED_REQUESTS || queue.isCrowded(piece, begin)
    if (!fits || !served || full) {
      peer.refuse(piece, begin, length)
      return
    }
    peer.upload.queue.push(piece, begin, length)
  }

  /** Takes a waiting request back; one that is being read is sent all the same (BEP 3). */
  cancel(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    if (peer.upload.queue.remove(piece, begin, length)) peer.sendReject(piece, begin, length)
  }

  /** Drops what waits or is being read: we choked the peer (BEP 6 wants a reject for each). */
  drop(peer: Peer): void {
    peer.holdRejects()
    for (const { run, cancel } of peer.upload.takeReads()) {
      cancel()
      this.#end(peer, run)
      for (const { piece, begin, length } of requestsOf(run)) peer.sendReject(piece, begin, length)
    }
    for (const { piece, begin, length } of peer.upload.queue.takeAll()) peer.sendReject(piece, begin, length)
    peer.sendRejects()
  }

  /** The peer is gone. */
  left(peer: Peer): void {
    for (const { run, cancel } of peer.upload.takeReads()) {
      cancel()
      this.#end(peer, run)
    }
    peer.upload.queue.clear()
  }

  /** Looks after one peer, every second or so. */
  tick(peer: Peer, now: Millis): void {
    const { upload } = peer
    upload.stalled = upload.written > 0 && now - peer.lastTaken > STALLED_AFTER
    if (!upload.stalled) return
    if (this.#ports.storage.short) return peer.close('reads-nothing')
    if (peer.amChoking) return
    peer.setChoking(true)
    this.drop(peer)
  }

  /** Once half of the peer's window is free it is filled: a few runs at once cost less than one and one. */
  pump(peer: Peer): void {
    const { upload } = peer
    if (upload.queue.length === 0) return
    const now = this.#ports.now()
    if (upload.unsent > upload.window(now) / 2) return
    while (!peer.closed && upload.queue.length > 0 && upload.unsent < upload.window(now)) {
      if (upload.reads.size >= MOST_READS) return
      const run = this.#nextRun(peer, now)
      if (run === null) return
      this.#read(peer, run)
    }
  }

  /** Takes the next run out of the queue; null: the limit lets none through now. */
  #nextRun(peer: Peer, now: Millis): UploadRun | null {
    const { queue } = peer.upload
    const first = queue.first()
    if (first === null) return null
    const { piece, begin } = first
    const extent = Math.floor(begin / EXTENT_SIZE)
    const start = extent * EXTENT_SIZE
    const size = Math.min(EXTENT_SIZE, this.#ports.pieceSize(piece) - start)
    if (!isWhole(begin - start, first.length, size)) return this.#oddRun(peer, first)
    const window = peer.upload.window(now)
    const asked = queue.maskOf(piece, extent, size)
    const count = countOf(asked)
    const blocks = Math.ceil(size / BLOCK_SIZE)
    const shared =
      peer.upload.eager &&
      window >= SLOW_WINDOW &&
      (count === blocks || count >= WORTH_ALL || window >= FAST_WINDOW)
    const wanted = shared
      ? asked
      : pieceOf(asked, (begin - start) / BLOCK_SIZE, Math.min(MOST_SMALL, window / 2))
    const limited = this.#ports.upLimit.rate !== null
    const mask = this.#allowed(peer, wanted, size)
    if (mask === 0) return null
    const bytes = bytesOf(mask, size)
    const metered = limited ? bytes : 0
    queue.takeMask(piece, extent, size, mask)
    const common = { piece, reader: peer, patient: !peer.upload.eager, shared }
    if (shared) {
      const follows = peer.upload.follows(piece, extent)
      const ahead = follows ? Math.min(READ_AHEAD, this.#ports.pieceSize(piece) - start - size) : 0
      const lengths = size === EXTENT_SIZE ? ALL_BLOCKS : lengthsOf(0, blocks, size)
      return { piece, read: { ...common, offset: start, lengths, ahead }, mask, bytes, metered }
    }
    const { first: from, end } = nextRun(mask, 0) ?? { first: 0, end: 0 }
    const offset = start + from * BLOCK_SIZE
    return {
      piece,
      read: { ...common, offset, lengths: lengthsOf(from, end, size) },
      mask: 0,
      bytes,
      metered,
    }
  }

  /** Requests that are not whole blocks are read as they are. */
  #oddRun(peer: Peer, first: UploadRequest): UploadRun | null {
    const { piece, begin, length } = first
    const limited = this.#ports.upLimit.rate !== null
    const granted = this.#ports.upLimit.take(length, this.#again(peer), length)
    if (granted === 0) return null
    // One at a time where there is a limit, so that what was granted is what is taken.
    const run = peer.upload.queue.takeRun(limited ? length : ODD_BYTES)
    const lengths = run.map((request) => request.length)
    const read = { piece, offset: begin, lengths, reader: peer, patient: true, shared: false }
    const bytes = lengths.reduce((sum, each) => sum + each, 0)
    return { piece, read, mask: 0, bytes, metered: limited ? granted : 0 }
  }

  /** The lowest blocks of the mask that the limit lets through. */
  #allowed(peer: Peer, mask: number, extentSize: Bytes): number {
    const wanted = bytesOf(mask, extentSize)
    const granted = this.#ports.upLimit.take(wanted, this.#again(peer))
    if (granted >= wanted) return mask
    let rest = mask
    let allowed = 0
    for (let left = Math.floor(granted / BLOCK_SIZE); left > 0; left--) {
      allowed |= rest & -rest
      rest &= rest - 1
    }
    return allowed
  }

  #read(peer: Peer, run: UploadRun): void {
    const { upload } = peer
    upload.unsent += run.bytes
    const read = {
      run,
      cancel: this.#ports.storage.read(run.read, (frame, fault) => {
        upload.reads.delete(read)
        if (frame !== null) this.#write(peer, run, frame)
        else this.#failed(peer, run, fault)
      }),
    }
    upload.reads.add(read)
  }

  #failed(peer: Peer, run: UploadRun, fault: DiskFault | null): void {
    this.#end(peer, run)
    if (fault !== null) this.#ports.readFailed(run.piece, fault)
    for (const { piece, begin, length } of requestsOf(run)) peer.refuse(piece, begin, length)
    this.pump(peer)
  }

  /** One write for each stretch of blocks that were asked for. */
  #write(peer: Peer, run: UploadRun, frame: Frame): void {
    const { upload } = peer
    upload.written += run.bytes
    const since = this.#ports.now()
    let left = 1
    const taken = (): void => {
      if (--left > 0) return
      frame.release()
      const held = upload.unsent
      upload.unsent -= run.bytes
      upload.written -= run.bytes
      if (peer.closed) return
      const now = this.#ports.now()
      const { eager } = upload
      upload.took(now, run.bytes, now - since, held)
      this.#ports.uploaded(peer, run.bytes)
      if (upload.eager && !eager) this.#ports.eager()
      this.pump(peer)
    }
    if (run.mask === 0) return peer.sendFrame(frame.bytes, taken)
    const step = BLOCK_SIZE + PIECE_HEADER
    let part = nextRun(run.mask, 0)
    while (part !== null) {
      const next = nextRun(run.mask, part.end)
      if (next !== null) left++
      // The last block of a piece may be shorter: subarray ends where the frame does.
      peer.sendFrame(frame.bytes.subarray(part.first * step, part.end * step), taken)
      part = next
    }
  }

  #again(peer: Peer): () => void {
    return (peer.upload.again ??= () => {
      this.pump(peer)
    })
  }

  /** What was read for nothing is neither unsent nor metered. */
  #end(peer: Peer, run: UploadRun): void {
    peer.upload.unsent -= run.bytes
    this.#ports.upLimit.give(run.metered)
  }
}

/** The stretch of the mask that begins at `block`, of `most` bytes at most and one block at least. */
function pieceOf(mask: number, block: number, most: Bytes): number {
  const end = nextRun(mask, block)?.end ?? block + 1
  const count = Math.min(end - block, Math.max(1, Math.floor(most / BLOCK_SIZE)))
  return ((1 << count) - 1) << block
}

function bytesOf(mask: number, extentSize: Bytes): Bytes {
  const last = Math.ceil(extentSize / BLOCK_SIZE) - 1
  const short = (mask & (1 << last)) === 0 ? 0 : (last + 1) * BLOCK_SIZE - extentSize
  return countOf(mask) * BLOCK_SIZE - short
}

function lengthsOf(first: number, end: number, extentSize: Bytes): number[] {
  const lengths: number[] = []
  for (let block = first; block < end; block++) {
    lengths.push(Math.min(BLOCK_SIZE, extentSize - block * BLOCK_SIZE))
  }
  return lengths
}

function requestsOf(run: UploadRun): UploadRequest[] {
  const requests: UploadRequest[] = []
  let begin = run.read.offset
  run.read.lengths.forEach((length, block) => {
    if (run.mask === 0 || (run.mask & (1 << block)) !== 0) requests.push({ piece: run.piece, begin, length })
    begin += length
  })
  return requests
}

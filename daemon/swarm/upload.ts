/**
 * Serves one torrent's blocks. Requests wait per peer; contiguous ones are cut into runs, each read with one job and
 * written with one call. A peer that does not take its frames is not read for.
 */
import { type Bytes, type PieceIndex } from '../../shared/units.js'
import type { Limiter } from '../base/limiter.js'
import type { DiskFault, Storage } from '../ports/disk.js'
import type { Peer, UploadRequest } from './peer.js'

/** What we advertise as `reqq` (BEP 10) and keep of one peer's requests. */
export const MAX_QUEUED_REQUESTS = 2000
/** Longest run read and written at once. */
const RUN_BYTES = 256 * 1024
/** Bytes being read or not yet taken by the kernel for one peer; beyond it its requests wait. */
const PEER_WINDOW = 1024 * 1024
/** Largest block served; others ask for up to 128 KiB though 16 KiB is the rule. */
const MAX_BLOCK = 128 * 1024

export interface UploaderPorts {
  readonly storage: Storage
  /** How fast payload may go out, all torrents together. */
  readonly upLimit: Limiter
  /** May this piece be sent: verified, and readable. */
  readonly has: (piece: PieceIndex) => boolean
  readonly pieceSize: (piece: PieceIndex) => Bytes
  /** The disk failed to read a piece that we claim. */
  readonly readFailed: (piece: PieceIndex, fault: DiskFault) => void
  /** Payload bytes handed to the kernel. */
  readonly uploaded: (peer: Peer, bytes: Bytes) => void
}

export class Uploader {
  readonly #ports: UploaderPorts

  constructor(ports: UploaderPorts) {
    this.#ports = ports
  }

  /** Queues a request, or rejects it (BEP 6) where the peer understands that. */
  request(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    const fits =
      length > 0 &&
      length <= MAX_BLOCK &&
      this.#ports.has(piece) &&
      begin + length <= this.#ports.pieceSize(piece)
    const served = !peer.amChoking || peer.grantedFast.has(piece)
    if (!fits || !served || peer.uploads.length >= MAX_QUEUED_REQUESTS) {
      peer.refuse(piece, begin, length)
      return
    }
    peer.uploads.push({ piece, begin, length })
    this.pump(peer)
  }

  /** Takes a waiting request back; one that is being read is sent all the same (BEP 3). */
  cancel(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    const at = peer.uploads.findIndex((r) => r.piece === piece && r.begin === begin && r.length === length)
    if (at < 0) return
    peer.uploads.splice(at, 1)
    peer.sendReject(piece, begin, length)
  }

  /** Drops what waits: we choked the peer (BEP 6 wants a reject for each). */
  drop(peer: Peer): void {
    for (const { piece, begin, length } of peer.uploads.splice(0)) {
      peer.sendReject(piece, begin, length)
    }
  }

  /** Reads for the peer as long as its window has room. */
  pump(peer: Peer): void {
    while (!peer.closed && peer.uploads.length > 0 && peer.uploadWindow < PEER_WINDOW) {
      this.#serve(peer, takeRun(peer.uploads))
    }
  }

  #serve(peer: Peer, run: UploadRequest[]): void {
    const first = run[0]
    if (first === undefined) return
    const bytes = run.reduce((sum, request) => sum + request.length, 0)
    peer.uploadWindow += bytes
    const lengths = run.map((request) => request.length)
    this.#ports.storage.read({ piece: first.piece, offset: first.begin, lengths }, (frame, fault) => {
      if (frame === null || peer.closed) {
        frame?.release()
        peer.uploadWindow -= bytes
        if (fault !== null) this.#ports.readFailed(first.piece, fault)
        if (peer.closed) return
        for (const request of run) peer.refuse(request.piece, request.begin, request.length)
        return this.pump(peer)
      }
      peer.sendFrame(frame.bytes, () => {
        frame.release()
        peer.uploadWindow -= bytes
        if (peer.closed) return
        this.#ports.uploaded(peer, bytes)
        this.pump(peer)
      })
    })
  }
}

/** Takes the contiguous requests at the head of the queue, up to a run's length. */
export function takeRun(queue: UploadRequest[]): UploadRequest[] {
  let count = 1
  let bytes = queue[0]?.length ?? 0
  for (; count < queue.length; count++) {
    const previous = queue[count - 1]
    const next = queue[count]
    if (previous === undefined || next === undefined) break
    const contiguous = next.piece === previous.piece && next.begin === previous.begin + previous.length
    if (!contiguous || bytes + next.length > RUN_BYTES) break
    bytes += next.length
  }
  return queue.splice(0, count)
}

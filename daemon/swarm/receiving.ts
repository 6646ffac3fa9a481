/** Blocks that arrive: where their bytes go, who else was asked for them, and the way of a full extent to the disk. */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type PieceIndex } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Storage } from '../ports/disk.js'
import type { Content } from './content.js'
import type { Peer } from './peer.js'
import { MAX_HOLDERS, type OpenPieces } from './pieces.js'
import type { Recorder } from './recorder.js'
import { STEAL_RATIO } from './rush.js'
import type { PieceMemory } from './slots.js'
import { rateOf } from './speed.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE

export interface ReceivingPorts {
  readonly clock: Clock
  readonly content: Content
  readonly pieces: OpenPieces
  readonly memory: PieceMemory
  readonly recorder: Recorder
  readonly storage: Storage
  readonly peer: (handle: number) => Peer | undefined
  /** Takes a request back from a peer. */
  readonly withdraw: (peer: Peer, piece: PieceIndex, block: number) => void
  /** Payload came; `kept` is false for what is thrown away. */
  readonly received: (peer: Peer, bytes: Bytes, kept: boolean) => void
  readonly wasted: (bytes: Bytes) => void
}

export class Receiving {
  readonly #ports: ReceivingPorts
  /** Full extents that wait for their files' marks. */
  #held: { readonly piece: PieceIndex; readonly extent: number }[] = []

  constructor(ports: ReceivingPorts) {
    this.#ports = ports
  }

  /** Where a block's bytes go; null discards them. */
  start(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null {
    const { pieces, memory } = this.#ports
    const block = begin / BLOCK_SIZE
    if ((begin & (BLOCK_SIZE - 1)) !== 0) return null
    if (length !== pieces.blockLength(piece, block) || pieces.isReceived(piece, block)) return null
    this.#overtake(peer, piece, block)
    const view = memory.begin(piece, block, length, peer.handle)
    if (view === null) return null
    peer.receivingPiece = piece
    peer.receivingBlock = block
    return view
  }

  /** A block that crawls in from a much slower peer is written by this one instead. */
  #overtake(peer: Peer, piece: PieceIndex, block: number): void {
    const source = this.#ports.memory.source(piece, block)
    if (source === 0) return
    const other = this.#ports.peer(source)
    if (other === undefined || other === peer) return
    const now = this.#ports.clock.now()
    if (rateOf(other, now) * STEAL_RATIO <= rateOf(peer, now)) this.revoke(other)
  }

  /** The bytes of a block are there, whether they were kept or not. */
  end(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    const block = begin / BLOCK_SIZE
    const now = this.#ports.clock.now()
    const kept = this.#endView(peer, piece, block)
    this.#ports.received(peer, length, kept)
    const asked = this.#ports.pieces.isRequestedFrom(piece, block, peer.handle)
    if (asked) peer.depth.onBlock(now, this.#ports.pieces.waited(piece, block, peer.handle, now))
    // Another copy is arriving, or is here. While it arrives this request stands, so that the peer is not asked again.
    if (!kept) return this.#ports.wasted(length)
    if (asked) {
      peer.outstanding--
      if (peer.unmetered > 0) peer.unmetered--
    }
    // It may have been taken back from this peer, which was slow, and asked of another.
    if (!asked || this.#ports.pieces.duplicates > 0) this.#cancelOthers(peer, piece, block)
    const receipt = this.#ports.pieces.received(piece, block, peer.handle, now)
    if (receipt === 'extent' || receipt === 'piece') {
      this.#submit(piece, (block / BLOCKS_PER_EXTENT) | 0)
    }
  }

  /** False where the bytes went nowhere: another copy, nothing we asked for, or a slot that was taken back. */
  #endView(peer: Peer, piece: PieceIndex, block: number): boolean {
    if (peer.receivingPiece !== piece || peer.receivingBlock !== block) return false
    peer.receivingPiece = peer.receivingBlock = -1
    return this.#ports.memory.end(piece, block, peer.handle)
  }

  #cancelOthers(peer: Peer, piece: PieceIndex, block: number): void {
    for (let nth = 0; nth < MAX_HOLDERS; nth++) {
      const handle = this.#ports.pieces.holderAt(piece, block, nth)
      const other = handle === peer.handle ? undefined : this.#ports.peer(handle)
      if (other !== undefined) this.#ports.withdraw(other, piece, block)
    }
  }

  /** Nothing more is written for the block that a peer is sending. */
  revoke(peer: Peer): void {
    const { receivingPiece: piece, receivingBlock: block } = peer
    if (piece < 0) return
    peer.receivingPiece = peer.receivingBlock = -1
    peer.dropBlock()
    this.#ports.memory.end(piece, block, peer.handle)
  }

  #submit(piece: PieceIndex, extent: number): void {
    if (!this.#ports.recorder.mayWrite(piece)) {
      this.#held.push({ piece, extent })
      return
    }
    const slot = this.#ports.memory.hand(piece, extent)
    if (slot === null) return
    this.#ports.storage.submit(slot, piece, extent, this.#ports.content.layout.extentSize(piece, extent))
  }

  /** Marks were committed: what waited for them goes on. */
  writable(): void {
    for (const { piece, extent } of this.#held.splice(0)) this.#submit(piece, extent)
  }

  /** The piece is over: its extents wait for nothing. */
  forget(piece: PieceIndex): void {
    this.#held = this.#held.filter((held) => held.piece !== piece)
  }

  close(): void {
    this.#held = []
  }
}

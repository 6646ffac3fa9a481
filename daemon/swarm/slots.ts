/** The memory of the open pieces: which extent has a slot, and which block of it is being received right now. */
import { BLOCK_SIZE, EXTENT_SIZE, type PieceIndex } from '../../shared/units.js'
import type { Slot } from '../ports/disk.js'
import type { Claim, SlotSource } from './slot-share.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE

interface PieceSlots {
  /** The slot of each extent; null before the first request and after it was handed to the disk. */
  readonly slots: (Slot | null)[]
  /** 1 where the extent was handed to the disk. */
  readonly submitted: Uint8Array
  /** Handle of the peer whose bytes are arriving for a block, 0 for none. */
  readonly receiving: Uint16Array
}

export class PieceMemory {
  readonly #source: SlotSource
  readonly #pieces = new Map<PieceIndex, PieceSlots>()
  /** Slots held here: taken and not handed on. */
  #held = 0
  /** The piece asked about last, and its entry: blocks come in runs. */
  #lastPiece: PieceIndex = -1
  #last: PieceSlots | undefined = undefined

  constructor(source: SlotSource) {
    this.#source = source
  }

  get held(): number {
    return this.#held
  }

  open(piece: PieceIndex, blocks: number): void {
    const extents = Math.ceil(blocks / BLOCKS_PER_EXTENT)
    this.#lastPiece = -1
    this.#pieces.set(piece, {
      slots: new Array<Slot | null>(extents).fill(null),
      submitted: new Uint8Array(extents),
      receiving: new Uint16Array(blocks),
    })
  }

  /** The block's extent has a slot: one more block of it costs nothing. */
  hasSlot(piece: PieceIndex, block: number): boolean {
    const slot = this.#entry(piece)?.slots[(block / BLOCKS_PER_EXTENT) | 0]
    return slot !== undefined && slot !== null
  }

  /** Makes sure that the block's extent has a slot. False: the slab has none for this claim, or it was handed on. */
  reserve(piece: PieceIndex, block: number, claim: Claim): boolean {
    const entry = this.#entry(piece)
    const extent = (block / BLOCKS_PER_EXTENT) | 0
    if (entry === undefined || entry.submitted[extent] !== 0) return false
    if (entry.slots[extent] !== null) return true
    const slot = this.#source.take(claim)
    if (slot === null) return false
    entry.slots[extent] = slot
    this.#held++
    return true
  }

  /** Where the block's bytes go, or null when another peer's are arriving or there is no slot. */
  begin(piece: PieceIndex, block: number, length: number, handle: number): Buffer | null {
    const entry = this.#entry(piece)
    const slot = entry?.slots[(block / BLOCKS_PER_EXTENT) | 0] ?? null
    if (entry === undefined || slot === null || entry.receiving[block] !== 0) return null
    entry.receiving[block] = handle
    const offset = (block % BLOCKS_PER_EXTENT) * BLOCK_SIZE
    return slot.view.subarray(offset, offset + length)
  }

  /** Whose bytes are arriving for the block; 0 for nobody's. */
  source(piece: PieceIndex, block: number): number {
    return this.#entry(piece)?.receiving[block] ?? 0
  }

  /** The block has come whole, or its source is gone. False where this peer was not the one. */
  end(piece: PieceIndex, block: number, handle: number): boolean {
    const entry = this.#entry(piece)
    if (entry?.receiving[block] !== handle) return false
    entry.receiving[block] = 0
    return true
  }

  /** The slot of a full extent, to be handed to the disk: it is not ours from here on. */
  hand(piece: PieceIndex, extent: number): Slot | null {
    const entry = this.#entry(piece)
    const slot = entry?.slots[extent] ?? null
    if (entry === undefined || slot === null) return null
    entry.slots[extent] = null
    entry.submitted[extent] = 1
    this.#held--
    this.#source.handed(slot)
    return slot
  }

  /** Frees what is still ours of a piece. */
  close(piece: PieceIndex): void {
    const entry = this.#pieces.get(piece)
    if (entry === undefined) return
    this.#lastPiece = -1
    this.#pieces.delete(piece)
    for (const slot of entry.slots) {
      if (slot === null) continue
      this.#held--
      this.#source.free(slot)
    }
  }

  /** Any block of the piece is arriving right now. */
  isBusy(piece: PieceIndex): boolean {
    return this.#pieces.get(piece)?.receiving.some((handle) => handle !== 0) ?? false
  }

  pieces(): PieceIndex[] {
    return [...this.#pieces.keys()]
  }

  #entry(piece: PieceIndex): PieceSlots | undefined {
    if (piece !== this.#lastPiece) {
      this.#lastPiece = piece
      this.#last = this.#pieces.get(piece)
    }
    return this.#last
  }
}

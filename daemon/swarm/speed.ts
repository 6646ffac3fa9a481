/**
 * How fast each peer gives, when its blocks will be here, and how much of the slab it may have blocks on their way
 * for: every link a floor, the rest by measured rate.
 */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type Millis, type Rate } from '../../shared/units.js'
import type { Peer } from './peer.js'
import { type Claim, CLAIM_FLOOR, CLAIM_SHARE, CLAIM_SPARE, type SlotSource } from './slot-share.js'

const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** Blocks that every link may have on their way, however tight the slab. */
export const LINK_FLOOR = 2
/** Slots are never filled to the last block, and some are with the disk. */
const USABLE = 0.75
const REFRESH: Millis = 100
/** A measured rate is believed so long without a block. */
const QUIET: Millis = 1000
/** A block takes so long from a peer of which nothing is known. */
const UNKNOWN_BLOCK: Millis = 200
/** Whoever brings a piece in less fetches it alone. */
const WHOLE_PIECE: Millis = 20_000

/** What a peer gives now: its measured rate, and less the longer nothing has come. 0: unknown. */
export function rateOf(peer: Peer, now: Millis): Rate {
  const rate = peer.depth.rate
  if (rate === 0 || peer.outstanding === 0) return rate
  const quiet = now - Math.max(peer.lastReceived, peer.busySince)
  return quiet > QUIET ? Math.min(rate, (BLOCK_SIZE * 1000) / quiet) : rate
}

/** Until so many blocks more would be here from a peer. */
export function timeFor(peer: Peer, blocks: number, now: Millis): Millis {
  const rate = rateOf(peer, now)
  return rate > 0 ? (blocks * BLOCK_SIZE * 1000) / rate : blocks * UNKNOWN_BLOCK
}

/** Until all is here that a peer was asked for; of one that has sent nothing yet: as long as that has been. */
export function timeLeft(peer: Peer, now: Millis): Millis {
  if (peer.outstanding === 0) return 0
  const rate = rateOf(peer, now)
  if (rate > 0) return (peer.outstanding * BLOCK_SIZE * 1000) / rate
  return now - Math.max(peer.lastReceived, peer.busySince)
}

export class Shares {
  readonly #slots: SlotSource
  /** When the shares were last computed. */
  #at: Millis = -Infinity

  constructor(slots: SlotSource) {
    this.#slots = slots
  }

  /** Brings the shares up to date; cheap to call often. */
  refresh(peers: Iterable<Peer>, now: Millis): void {
    if (now - this.#at < REFRESH) return
    this.#at = now
    let rate = 0
    let blocks = 0
    let hungry = 0
    for (const peer of peers) {
      if (peer.peerChoking || !peer.amInterested) continue
      rate += rateOf(peer, now)
      blocks += peer.depth.depth
      if (peer.hungry) hungry++
    }
    this.#slots.tell({ rate, blocks, hungry })
    const { capacity, available, demand } = this.#slots
    const usable = capacity * BLOCKS_PER_EXTENT * USABLE
    const ample = demand.blocks <= usable && available >= capacity / 2
    for (const peer of peers) {
      const part = demand.rate === 0 ? 0 : rateOf(peer, now) / demand.rate
      peer.share = ample ? Infinity : Math.floor(usable * part)
    }
  }

  /** At the next call everything is computed anew. */
  expire(): void {
    this.#at = -Infinity
  }

  /** Blocks that may be on their way from a peer. */
  limit(peer: Peer): number {
    const { depth, rate } = peer.depth
    // One that has shown nothing yet gets more than its floor only while there is plenty.
    if (rate === 0 && this.#slots.available <= this.#slots.capacity / 2) return Math.min(depth, LINK_FLOOR)
    if (depth <= peer.share) return depth
    return Math.min(depth, Math.max(LINK_FLOOR, peer.share))
  }

  /** What right a peer has to one slot more. */
  claim(peer: Peer): Claim {
    if (peer.outstanding < LINK_FLOOR) return CLAIM_FLOOR
    return peer.depth.rate > 0 && peer.outstanding < peer.share ? CLAIM_SHARE : CLAIM_SPARE
  }

  /** The peer brings a piece soon enough to have it to itself, and has the memory for it. */
  takesWhole(peer: Peer, size: Bytes, now: Millis): boolean {
    if (peer.share < BLOCKS_PER_EXTENT) return false
    return (size * 1000) / WHOLE_PIECE < rateOf(peer, now)
  }
}

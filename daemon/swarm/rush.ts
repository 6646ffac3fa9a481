/**
 * What a peer does that finds no free block to ask for: it takes over blocks that another will bring late. Those of a
 * long queue are taken from it; near the end a second copy is asked for, and whichever comes later is cancelled.
 * Neither needs a slot.
 */
import type { Millis, PieceIndex } from '../../shared/units.js'
import type { Peer } from './peer.js'
import type { OpenPieces } from './pieces.js'
import type { PieceMemory } from './slots.js'
import { rateOf, timeFor, timeLeft } from './speed.js'

/** A block is taken from a peer that would bring it so much later. */
export const STEAL_RATIO = 3
/** A second copy is asked for where the first would come so much later. */
const DUPLICATE_RATIO = 2
/** And later by this, in any case. */
const MARGIN: Millis = 100
/** Requests of one peer among which there may be second copies. */
const MAX_DUPLICATES = 16
/** Peers looked at, the latest first. */
const TRIES = 4

export interface RushPorts {
  readonly pieces: OpenPieces
  readonly memory: PieceMemory
  readonly peers: () => Iterable<Peer>
  /** Every block that is missing was asked of somebody. */
  readonly isEndgame: () => boolean
  readonly mayTake: (peer: Peer, piece: PieceIndex) => boolean
  readonly ask: (peer: Peer, piece: PieceIndex, block: number, now: Millis) => boolean
  /** Tells a peer that a block is not wanted of it any more. */
  readonly withdraw: (peer: Peer, piece: PieceIndex, block: number) => void
}

export class Rush {
  readonly #ports: RushPorts

  constructor(ports: RushPorts) {
    this.#ports = ports
  }

  /** Asks a peer for one block that others were asked for. False: there is none it would bring soon enough. */
  ask(peer: Peer, now: Millis): boolean {
    const mine = timeFor(peer, peer.outstanding + 1, now)
    let theirs = Infinity
    for (let tries = 0; tries < TRIES; tries++) {
      const late = this.#latest(peer, theirs, now)
      if (late === null) return false
      theirs = timeLeft(late, now)
      if (theirs < DUPLICATE_RATIO * mine + MARGIN) return false
      if (this.#takeOver(peer, late, theirs > STEAL_RATIO * mine + MARGIN, now)) return true
    }
    return false
  }

  /** Of the other peers the one whose last block comes latest, but before `below`. */
  #latest(peer: Peer, below: Millis, now: Millis): Peer | null {
    let found: Peer | null = null
    let latest = 0
    for (const other of this.#ports.peers()) {
      if (other === peer || other.outstanding === 0) continue
      const time = timeLeft(other, now)
      if (time <= latest || time >= below) continue
      latest = time
      found = other
    }
    return found
  }

  #takeOver(peer: Peer, late: Peer, muchLater: boolean, now: Millis): boolean {
    const { pieces, memory } = this.#ports
    const mayTake = (piece: PieceIndex): boolean => this.#ports.mayTake(peer, piece)
    if (!pieces.findNewest(late.handle, peer.handle, now, mayTake)) return false
    const { foundPiece: piece, foundBlock: block } = pieces
    const arriving = memory.source(piece, block) === late.handle
    const single = pieces.holderAt(piece, block, 1) < 0
    const rate = rateOf(peer, now)
    const theirs = rateOf(late, now)
    // From one of about the same rate only at the end: before it, the peer has sent what is taken as often as not.
    const alike = single && rate >= theirs && this.#ports.isEndgame()
    const fair = alike || rate >= theirs * STEAL_RATIO
    if (muchLater && fair && !arriving && rate > 0) {
      pieces.takeBack(piece, block, late.handle)
      this.#ports.withdraw(late, piece, block)
      return this.#ports.ask(peer, piece, block, now)
    }
    if (peer.outstanding >= MAX_DUPLICATES || !this.#ports.isEndgame()) return false
    if (this.#anotherIsSooner(peer, piece, now)) return false
    // What is arriving already is worth a second copy only from one that overtakes it.
    if (arriving && theirs * STEAL_RATIO > rate) return false
    return this.#ports.ask(peer, piece, block, now)
  }

  /** Somebody would bring a block of the piece much sooner than this peer, and will come to it. */
  #anotherIsSooner(peer: Peer, piece: PieceIndex, now: Millis): boolean {
    const mine = timeFor(peer, peer.outstanding + 1, now)
    for (const other of this.#ports.peers()) {
      if (other === peer || other.peerChoking || rateOf(other, now) === 0 || !other.bits.get(piece)) continue
      if (timeFor(other, other.outstanding + 1, now) * DUPLICATE_RATIO < mine) return true
    }
    return false
  }
}

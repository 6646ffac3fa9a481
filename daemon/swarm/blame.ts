/**
 * Who sent what of a piece that was bad. A piece that comes from one peer alone tells at once; of several the blocks
 * are remembered by digest, and when the piece is right in the end whoever sent another block is banned, nobody else.
 */
import type { PieceIndex } from '../../shared/units.js'
import type { Peer } from './peer.js'

/** SHA-1. */
const DIGEST = 20
/** Bad tries remembered of one piece, and pieces with such tries, the oldest given up first. */
const MOST_TRIES = 8
const MOST_PIECES = 64
/** Peers remembered that gave blocks of pieces which are not judged yet and left, the oldest given up first. */
const MOST_GONE = 64

/** One try that was bad. */
interface Try {
  /** Of each block, as it came. */
  readonly digests: Uint8Array
  /** Who sent it; null where that is not remembered. */
  readonly senders: readonly (Peer | null)[]
}

export class Blame {
  /** After a bad piece with several senders, the next try comes from one peer alone; null until one begins it. */
  readonly #alone = new Map<PieceIndex, Peer | null>()
  /** Bad tries of pieces that are not right yet, the oldest piece first. */
  readonly #tries = new Map<PieceIndex, Try[]>()
  /** Peers that left before the verdict, by the number that stands for each in the open pieces: below -1. */
  readonly #gone = new Map<number, Peer>()
  /** The number of the next. */
  #nextGone = -2
  readonly #ban: (peer: Peer) => void

  constructor(ports: { readonly ban: (peer: Peer) => void }) {
    this.#ban = ports.ban
  }

  /** Whether a peer may have part in a piece; the first that asks has one alone that is to be so. */
  mayTake(piece: PieceIndex, peer: Peer): boolean {
    if (this.#alone.size === 0) return true
    const only = this.#alone.get(piece)
    if (only === undefined || only === peer) return true
    if (only !== null) return false
    this.#alone.set(piece, peer)
    return true
  }

  /** Pieces that a peer had to itself; it gives nothing now, and another is to begin them anew. */
  standBack(peer: Peer): PieceIndex[] {
    if (this.#alone.size === 0) return []
    const pieces = [...this.#alone].filter(([, only]) => only === peer).map(([piece]) => piece)
    for (const piece of pieces) this.#alone.set(piece, null)
    return pieces
  }

  /** A peer leaves whose blocks are not judged yet: the number that stands for it from now on. */
  bury(peer: Peer): number {
    const stone = this.#nextGone--
    this.#gone.set(stone, peer)
    const [oldest] = this.#gone.keys()
    if (this.#gone.size > MOST_GONE && oldest !== undefined) this.#gone.delete(oldest)
    return stone
  }

  /** Whom a number of `bury` stands for. */
  buried(stone: number): Peer | undefined {
    return this.#gone.get(stone)
  }

  /** `senders` by block, null for one that is forgotten; `digests` of the blocks in a row, null where they are unknown. */
  bad(piece: PieceIndex, senders: readonly (Peer | null)[], digests: Uint8Array | null): void {
    // Those who are forgotten count as one more: who is left must not pay for them.
    const [only, second] = new Set(senders)
    if (only !== undefined && only !== null && second === undefined) return this.#ban(only)
    this.#alone.set(piece, null)
    if (digests !== null) this.#remember(piece, { digests, senders })
  }

  good(piece: PieceIndex, digests: Uint8Array | null): void {
    this.#alone.delete(piece)
    const tries = this.#tries.get(piece)
    this.#tries.delete(piece)
    if (tries === undefined || digests === null) return
    const liars = new Set(tries.flatMap((one) => differing(one, digests)))
    for (const liar of liars) this.#ban(liar)
  }

  #remember(piece: PieceIndex, bad: Try): void {
    const tries = this.#tries.get(piece) ?? []
    if (tries.length < MOST_TRIES) tries.push(bad)
    this.#tries.set(piece, tries)
    const [oldest] = this.#tries.keys()
    if (this.#tries.size > MOST_PIECES && oldest !== undefined) this.#tries.delete(oldest)
  }
}

/** Who sent a block that is not the right one. */
function differing({ digests, senders }: Try, right: Uint8Array): Peer[] {
  if (digests.length !== right.length) return []
  const liars: Peer[] = []
  senders.forEach((sender, block) => {
    const at = block * DIGEST
    if (
      sender !== null &&
      Buffer.compare(digests.subarray(at, at + DIGEST), right.subarray(at, at + DIGEST)) !== 0
    )
      liars.push(sender)
  })
  return liars
}

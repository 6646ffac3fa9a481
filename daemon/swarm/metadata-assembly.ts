/**
 * Which blocks of a torrent's metadata are asked of whom (BEP 9). Peers that claim the same size fill one attempt
 * together; where that comes out wrong, somebody lied, and from then on each of them fills one of its own: it tells.
 * Memory is taken by what came, never by what is claimed.
 */
import { METADATA_BLOCK } from '../codec/metadata.js'
import { MAX_METAINFO_SIZE } from '../../shared/torrent/metainfo.js'
import type { Bytes, Millis } from '../../shared/units.js'

/** Blocks on their way from one peer. */
const MOST_ASKED = 4
/** A block that has not come is asked of somebody else. */
const BLOCK_TIMEOUT: Millis = 10_000
/** One that has no metadata may have them later. */
const REJECT_PAUSE: Millis = 30_000
/** Sizes that are tried at once: liars can name any number of them. */
const MOST_ATTEMPTS = 4

export type Arrival =
  /** Nobody asked for it, or it does not fit. */
  | 'bad'
  | 'kept'
  /** Somebody else was faster, or the attempt is over. */
  | 'late'

interface Attempt {
  readonly size: Bytes
  /** The blocks that came, by number. */
  readonly blocks: Map<number, Uint8Array>
  /** Who sent something of it. */
  readonly from: Set<object>
  /** Who alone may fill it; null: everybody who claims this size. */
  readonly solo: object | null
  /** It is whole, and being looked at. */
  judged: boolean
  /** When it was begun, or got its last block. */
  progressAt: Millis
}

interface Source {
  readonly size: Bytes
  /** Blocks on their way from it, and when they were asked for. */
  readonly asked: Map<number, Millis>
  /** Not asked before. */
  notBefore: Millis
}

export interface AssemblyPorts {
  /** Are these bytes what the info hash names? Answers later. */
  readonly verify: (bytes: Uint8Array, done: (right: boolean) => void) => void
  readonly right: (bytes: Uint8Array) => void
  /** All of it came from this peer, and it was wrong. */
  readonly lied: (peer: object) => void
  /** There may be something to ask again. */
  readonly changed: () => void
}

export class MetadataAssembly {
  readonly #ports: AssemblyPorts
  /** Peers that have metadata. */
  readonly #sources = new Map<object, Source>()
  readonly #attempts: Attempt[] = []
  /** Sizes that several peers got wrong together. */
  readonly #mixed = new Set<Bytes>()
  #over = false

  constructor(ports: AssemblyPorts) {
    this.#ports = ports
  }

  /** 0..1 of the attempt that has come furthest. */
  get progress(): number {
    const parts = this.#attempts.map((attempt) => attempt.blocks.size / blockCount(attempt.size))
    return Math.max(0, ...parts)
  }

  /** The peer says that it has metadata of that size. False: that cannot be. */
  offers(peer: object, size: Bytes): boolean {
    if (size < 1 || size > MAX_METAINFO_SIZE) return false
    const known = this.#sources.get(peer)
    if (known !== undefined) return known.size === size
    this.#sources.set(peer, { size, asked: new Map(), notBefore: -Infinity })
    return true
  }

  /** The block to ask the peer for now, which counts as asked; null: none. */
  next(peer: object, now: Millis): number | null {
    const source = this.#sources.get(peer)
    if (source === undefined || this.#over) return null
    if (source.asked.size >= MOST_ASKED || source.notBefore > now) return null
    const attempt = this.#attemptOf(peer, source.size, now)
    if (attempt === null || attempt.judged) return null
    const block = this.#missing(attempt, peer)
    if (block !== null) source.asked.set(block, now)
    return block
  }

  received(peer: object, block: number, total: Bytes | undefined, data: Uint8Array, now: Millis): Arrival {
    const source = this.#sources.get(peer)
    if (source?.asked.delete(block) !== true) return 'bad'
    const { size } = source
    const length = Math.min(METADATA_BLOCK, size - block * METADATA_BLOCK)
    if (data.length !== length || (total !== undefined && total !== size)) return 'bad'
    const attempt = this.#existing(peer, size)
    if (attempt === undefined || attempt.judged || attempt.blocks.has(block)) return 'late'
    attempt.blocks.set(block, Uint8Array.from(data))
    attempt.from.add(peer)
    attempt.progressAt = now
    if (attempt.blocks.size === blockCount(size)) this.#judge(attempt)
    return 'kept'
  }

  rejected(peer: object, block: number, now: Millis): void {
    const source = this.#sources.get(peer)
    if (source?.asked.delete(block) !== true) return
    source.notBefore = now + REJECT_PAUSE
  }

  left(peer: object): void {
    this.#sources.delete(peer)
    this.#drop((attempt) => attempt.solo === peer && !attempt.judged)
  }

  /** Peers that were too slow with a block. Others are asked for it from now on, and they only after a while. */
  expire(now: Millis): object[] {
    const slow: object[] = []
    for (const [peer, source] of this.#sources) {
      for (const [block, at] of source.asked) {
        if (now - at < BLOCK_TIMEOUT) continue
        source.asked.delete(block)
        source.notBefore = now + REJECT_PAUSE
        if (!slow.includes(peer)) slow.push(peer)
      }
    }
    return slow
  }

  #existing(peer: object, size: Bytes): Attempt | undefined {
    return this.#attempts.find(
      (attempt) => attempt.size === size && (attempt.solo === null || attempt.solo === peer),
    )
  }

  #attemptOf(peer: object, size: Bytes, now: Millis): Attempt | null {
    const existing = this.#existing(peer, size)
    if (existing !== undefined) return existing
    if (this.#attempts.length >= MOST_ATTEMPTS) this.#dropStale(now)
    if (this.#attempts.length >= MOST_ATTEMPTS) return null
    const solo = this.#mixed.has(size) ? peer : null
    const attempt: Attempt = {
      size,
      blocks: new Map(),
      from: new Set(),
      solo,
      judged: false,
      progressAt: now,
    }
    this.#attempts.push(attempt)
    return attempt
  }

  /** Those who promise and send nothing must not keep the others from their turn. */
  #dropStale(now: Millis): void {
    this.#drop((attempt) => !attempt.judged && now - attempt.progressAt >= BLOCK_TIMEOUT)
  }

  /** A block that nobody was asked for; where all are on their way, one that this peer was not asked for. */
  #missing(attempt: Attempt, peer: object): number | null {
    const mine = this.#sources.get(peer)?.asked
    const count = blockCount(attempt.size)
    const asked = this.#askedOf(attempt)
    let again: number | null = null
    for (let block = 0; block < count; block++) {
      if (attempt.blocks.has(block) || mine?.has(block) === true) continue
      if (!asked.has(block)) return block
      again ??= block
    }
    return again
  }

  #askedOf(attempt: Attempt): Set<number> {
    const asked = new Set<number>()
    for (const [peer, source] of this.#sources) {
      if (source.size !== attempt.size || (attempt.solo !== null && attempt.solo !== peer)) continue
      for (const block of source.asked.keys()) asked.add(block)
    }
    return asked
  }

  #judge(attempt: Attempt): void {
    attempt.judged = true
    const bytes = Buffer.concat(
      Array.from(
        { length: blockCount(attempt.size) },
        (_, block) => attempt.blocks.get(block) ?? new Uint8Array(),
      ),
    )
    this.#ports.verify(bytes, (right) => {
      if (this.#over) return
      if (right) {
        this.#over = true
        this.#attempts.length = 0
        return this.#ports.right(bytes)
      }
      this.#wrong(attempt)
      this.#ports.changed()
    })
  }

  #wrong(attempt: Attempt): void {
    this.#drop((other) => other === attempt)
    const [only, ...others] = attempt.from
    if (only !== undefined && others.length === 0) this.#ports.lied(only)
    else this.#mixed.add(attempt.size)
  }

  #drop(which: (attempt: Attempt) => boolean): void {
    const kept = this.#attempts.filter((attempt) => !which(attempt))
    this.#attempts.splice(0, this.#attempts.length, ...kept)
  }
}

function blockCount(size: Bytes): number {
  return Math.ceil(size / METADATA_BLOCK)
}

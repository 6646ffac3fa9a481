/**
 * Who sends us packets: how many, and whether what we send there arrives at who asked. Somebody who writes another's
 * address on questions gets us to send there no more than half as much again as was sent to us.
 */
import type { Bytes, Millis } from '../../shared/units.js'
import type { Endpoint } from '../codec/krpc.js'
import { hostOf, isNear } from './id.js'

/** Packets a second that are looked at, on average over a window. */
const MOST_A_SECOND = 5
const WINDOW: Millis = 10_000
const IGNORED_FOR: Millis = 300_000
/** An answer proves its address for so long. */
const PROVEN_FOR: Millis = 1_800_000
/** Bytes that may be sent to an unproven address for each byte from it. */
const AMPLIFICATION = 1.5

interface Source {
  /** When its window began, and packets since. */
  since: Millis
  packets: number
  ignoredUntil: Millis
  provenUntil: Millis
  /** Bytes that may be sent there while it is unproven. */
  credit: Bytes
  /** Questions while it was unproven. */
  questions: number
}

export class Sources {
  readonly #most: number
  /** By address, or address and port for what is near us; who was quiet longest first. */
  readonly #sources = new Map<string, Source>()

  constructor(init: { readonly most?: number } = {}) {
    this.#most = init.most ?? 4096
  }

  get size(): number {
    return this.#sources.size
  }

  /** Notes a question. Null: it came too often and is ignored. */
  asked(from: Endpoint, size: Bytes, now: Millis): Allowance | null {
    const source = this.#of(from, now)
    if (source.ignoredUntil > now) return null
    if (now - source.since >= WINDOW) {
      source.since = now
      source.packets = 0
    }
    if (++source.packets > (MOST_A_SECOND * WINDOW) / 1000) {
      source.ignoredUntil = now + IGNORED_FOR
      return null
    }
    if (source.provenUntil > now) return PROVEN
    source.questions++
    // What was not used of earlier ones is not kept: one large answer would be much for the last question.
    source.credit = Math.min(source.credit, size * (AMPLIFICATION - 1)) + size * AMPLIFICATION
    return { proven: false, bytes: Math.floor(source.credit), again: source.questions > 1 }
  }

  /** Something was sent to an address that is not proven. */
  sent(to: Endpoint, size: Bytes, now: Millis): void {
    this.#of(to, now).credit -= size
  }

  /** It answered us, or showed a token: it receives what we send. */
  proved(from: Endpoint, now: Millis): void {
    this.#of(from, now).provenUntil = now + PROVEN_FOR
  }

  #of(endpoint: Endpoint, now: Millis): Source {
    const key = keyOf(endpoint)
    const known = this.#sources.get(key)
    if (known !== undefined) {
      this.#sources.delete(key)
      this.#sources.set(key, known)
      return known
    }
    const fresh: Source = {
      since: now,
      packets: 0,
      ignoredUntil: -Infinity,
      provenUntil: -Infinity,
      credit: 0,
      questions: 0,
    }
    this.#sources.set(key, fresh)
    if (this.#sources.size > this.#most) {
      for (const oldest of this.#sources.keys()) {
        this.#sources.delete(oldest)
        break
      }
    }
    return fresh
  }
}

export interface Allowance {
  readonly proven: boolean
  /** What may be sent there. */
  readonly bytes: Bytes
  /** It asked before, and was not proven. */
  readonly again: boolean
}

const PROVEN: Allowance = { proven: true, bytes: Infinity, again: false }

/** One party: an IPv4 address, an IPv6 /64; near us, where many share one, with its port. */
function keyOf(endpoint: Endpoint): string {
  if (isNear(endpoint)) return endpoint
  return endpoint.length === 6 ? hostOf(endpoint) : endpoint.slice(0, 8)
}

/** Tokens of get_peers (BEP 5): whoever shows one receives at the address that it was made for. */
import { createHash } from 'node:crypto'
import type { Millis } from '../../shared/units.js'
import type { Endpoint, NodeId } from '../codec/krpc.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { hostOf } from './id.js'

/** A secret makes tokens for so long, and they are taken for as long again. */
const ROTATION: Millis = 300_000
/** Guessing one at five tries a second would take decades. */
const TOKEN_BYTES = 4

export class Tokens {
  readonly #clock: Clock
  readonly #random: Random
  /** Makes tokens now. */
  #secret: Uint8Array
  /** Made them in the period before. */
  #previous: Uint8Array
  /** Which period `#secret` is for, counted from the clock's start. */
  #period: number

  constructor(ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#secret = ports.random.bytes(16)
    this.#previous = ports.random.bytes(16)
    this.#period = Math.floor(ports.clock.now() / ROTATION)
  }

  make(from: Endpoint, hash: NodeId): string {
    this.#rotate()
    return token(this.#secret, from, hash)
  }

  /** Whether we gave that token to that address for that hash within the last five to ten minutes. */
  isGood(given: string, from: Endpoint, hash: NodeId): boolean {
    this.#rotate()
    return given === token(this.#secret, from, hash) || given === token(this.#previous, from, hash)
  }

  #rotate(): void {
    const period = Math.floor(this.#clock.now() / ROTATION)
    const passed = period - this.#period
    if (passed === 0) return
    this.#previous = passed === 1 ? this.#secret : this.#random.bytes(16)
    this.#secret = this.#random.bytes(16)
    this.#period = period
  }
}

function token(secret: Uint8Array, from: Endpoint, hash: NodeId): string {
  const digest = createHash('sha1')
    .update(secret)
    .update(hostOf(from), 'latin1')
    .update(hash, 'latin1')
    .digest()
  return digest.toString('latin1', 0, TOKEN_BYTES)
}

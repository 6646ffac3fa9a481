/** Bloom filters of addresses (BEP 33): 2048 bits, two for each address. */
import { createHash } from 'node:crypto'

const BYTES = 256
const BITS = 8 * BYTES

/** A filter of addresses, each of 4 or 16 bytes, one character a byte. */
export function filterOf(hosts: Iterable<string>): Buffer {
  const filter = Buffer.alloc(BYTES)
  for (const host of hosts) {
    const hash = createHash('sha1').update(host, 'latin1').digest()
    for (const at of [hash.readUInt16LE(0) % BITS, hash.readUInt16LE(2) % BITS]) {
      filter[at >> 3] = (filter[at >> 3] ?? 0) | (1 << (at & 7))
    }
  }
  return filter
}

/** Takes up what is in `more`. */
export function uniteFilters(into: Buffer, more: Uint8Array): void {
  for (let i = 0; i < BYTES; i++) into[i] = (into[i] ?? 0) | (more[i] ?? 0)
}

/** What several nodes say of one swarm, together. */
export class Census {
  readonly #seeds = Buffer.alloc(BYTES)
  readonly #peers = Buffer.alloc(BYTES)
  /** Nodes that told. */
  #told = 0

  add({ seeds, peers }: { readonly seeds: Uint8Array; readonly peers: Uint8Array }): void {
    uniteFilters(this.#seeds, seeds)
    uniteFilters(this.#peers, peers)
    this.#told++
  }

  /** About how many are there; null where no node told. */
  get counts(): SwarmCounts | null {
    const about = (filter: Uint8Array): number => Math.round(countOf(filter))
    return this.#told === 0 ? null : { seeds: about(this.#seeds), leechers: about(this.#peers) }
  }
}

/** Peers of a swarm as its nodes count them; above 6000 too few. */
export interface SwarmCounts {
  readonly seeds: number
  readonly leechers: number
}

/** How many addresses are probably in it; useless above 6000. */
export function countOf(filter: Uint8Array): number {
  let zeros = 0
  for (const byte of filter) for (let bit = 0; bit < 8; bit++) if (((byte >> bit) & 1) === 0) zeros++
  const c = Math.max(1, Math.min(BITS - 1, zeros))
  return zeros === BITS ? 0 : Math.log(c / BITS) / (2 * Math.log(1 - 1 / BITS))
}

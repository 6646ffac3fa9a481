/** Who is preferred among equals (BEP 40): a number that both ends of a connection compute from their two addresses. */
import { classOf, type PeerAddress } from '../base/address.js'
import { crc32c } from '../base/crc32c.js'
import { ipBytes } from '../base/ip.js'

/**
 * 0..2^32-1, higher is dialled first and kept longer; the same from both ends. Null where the two have no family in
 * common.
 */
export function peerPriority(a: PeerAddress, b: PeerAddress): number | null {
  const one = ipBytes(a.host)
  const other = ipBytes(b.host)
  if (one === null || other === null || one.length !== other.length) return null
  const equal = commonBytes(one, other)
  if (equal === one.length) return crc32c(sorted(portBytes(a), portBytes(b)))
  const whole = Math.max(one.length === 4 ? 2 : 6, equal + 1)
  return crc32c(sorted(masked(one, whole), masked(other, whole)))
}

function commonBytes(a: Uint8Array, b: Uint8Array): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}

/** What one party may well choose, the lower bits, counts by half. */
function masked(bytes: Uint8Array, whole: number): Uint8Array {
  return bytes.map((byte, at) => (at < whole ? byte : byte & 0x55))
}

function portBytes({ port }: PeerAddress): Uint8Array {
  return Uint8Array.of(port >>> 8, port & 0xff)
}

function sorted(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.concat(Buffer.compare(a, b) <= 0 ? [a, b] : [b, a])
}

/** Peers whose word on our address is remembered, the latest. */
const MOST_VOTERS = 32

/**
 * Our own addresses as peers see them (BEP 10 `yourip`). One peer's word is a hint: what most say counts, and peers in
 * our network are asked apart from those far away, who see another address.
 */
export class OwnAddresses {
  /** The address each host told, by that host; the oldest first. */
  readonly #votes = new Map<string, { readonly circle: string; readonly host: string }>()
  /** What most say, by family and distance; made anew when somebody says something else. */
  readonly #agreed = new Map<string, string>()
  #version = 0

  /** Rises when an answer of `towards` changes. */
  get version(): number {
    return this.#version
  }

  heard(teller: PeerAddress, host: string): void {
    const circle = circleOf(teller)
    // An address from elsewhere is none that the teller can see.
    if (circleOf({ host, family: host.includes(':') ? 6 : 4 }) !== circle) return
    this.#votes.delete(teller.host)
    this.#votes.set(teller.host, { circle, host })
    for (const oldest of this.#votes.keys()) {
      if (this.#votes.size > MOST_VOTERS) this.#votes.delete(oldest)
      break
    }
    this.#count(circle)
  }

  /** Our host as a peer there sees it; null: nobody told. */
  towards(peer: PeerAddress): string | null {
    return this.#agreed.get(circleOf(peer)) ?? null
  }

  #count(circle: string): void {
    const counts = new Map<string, number>()
    for (const vote of this.#votes.values()) {
      if (vote.circle === circle) counts.set(vote.host, (counts.get(vote.host) ?? 0) + 1)
    }
    const old = this.#agreed.get(circle)
    let best = old !== undefined && counts.has(old) ? old : undefined
    for (const [host, count] of counts) {
      if (best === undefined || count > (counts.get(best) ?? 0)) best = host
    }
    if (best === undefined || best === old) return
    this.#agreed.set(circle, best)
    this.#version++
  }
}

function circleOf(address: { readonly host: string; readonly family: 4 | 6 }): string {
  return `${String(address.family)} ${classOf(address.host)}`
}

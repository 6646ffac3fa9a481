/** The peers that are attached to one torrent, by handle. */
import type { Peer } from './peer.js'

export class PeerTable {
  /** Attached peers by handle. */
  readonly #peers = new Map<number, Peer>()
  /** Handles are small and used again: the block table stores them in 16 bits. */
  readonly #freeHandles: number[] = []
  /** The smallest that was never used. */
  #nextHandle = 1

  get size(): number {
    return this.#peers.size
  }
  get seeds(): number {
    let seeds = 0
    for (const peer of this.#peers.values()) if (peer.isSeed) seeds++
    return seeds
  }

  /** Of those attached now; whoever comes or goes meanwhile is seen or not. */
  all(): IterableIterator<Peer> {
    return this.#peers.values()
  }

  /** For work by which peers may go. */
  list(): Peer[] {
    return [...this.#peers.values()]
  }

  get(handle: number): Peer | undefined {
    return this.#peers.get(handle)
  }

  /** The one with this peer id, in hex. */
  byPeerId(id: string): Peer | undefined {
    for (const peer of this.#peers.values()) if (peer.peerId === id) return peer
    return undefined
  }

  /** A handle for a peer that is added next. */
  takeHandle(): number {
    return this.#freeHandles.pop() ?? this.#nextHandle++
  }

  add(peer: Peer): void {
    this.#peers.set(peer.handle, peer)
  }

  remove(peer: Peer): void {
    this.#peers.delete(peer.handle)
    this.#freeHandles.push(peer.handle)
  }
}

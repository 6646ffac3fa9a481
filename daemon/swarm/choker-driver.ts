/** Carries out what the choker decides: rounds by the clock, and a slot at once for a peer that begins to want. */
import type { Bytes, Millis, Rate } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { Choker, type ChokerPeer, ROUND_INTERVAL, SNUB_AFTER } from './choker.js'
import type { Peer } from './peer.js'

export interface ChokerDriverPorts {
  readonly clock: Clock
  readonly random: Random
  readonly seeding: () => boolean
  readonly uploadRate: () => Rate
  /** What waits for a peer that is choked now. */
  readonly dropRequests: (peer: Peer) => void
}

/** A peer as the choker sees it: read when it is asked for, so that a look at many costs next to nothing. */
class Standing implements ChokerPeer {
  readonly peer: Peer
  readonly #clock: Clock

  constructor(peer: Peer, clock: Clock) {
    this.peer = peer
    this.#clock = clock
  }

  get id(): number {
    return this.peer.handle
  }
  get interested(): boolean {
    return wants(this.peer)
  }
  get choked(): boolean {
    return this.peer.amChoking
  }
  get downRate(): Rate {
    return this.peer.down.rate(this.#clock.now())
  }
  get upRate(): Rate {
    return this.peer.up.rate(this.#clock.now())
  }
  get uploadedSinceUnchoke(): Bytes {
    return this.peer.uploaded - this.peer.uploadedAtUnchoke
  }
  get connectedAt(): Millis {
    return this.peer.connectedAt
  }
  get snubbed(): boolean {
    const { outstanding, lastReceived, connectedAt } = this.peer
    return outstanding > 0 && this.#clock.now() - Math.max(lastReceived, connectedAt) > SNUB_AFTER
  }
  get uploadOnly(): boolean {
    return this.peer.uploadOnly
  }
  get eager(): boolean {
    return this.peer.upload.eager
  }
}

export class ChokerDriver {
  readonly #choker: Choker<Standing>
  readonly #ports: ChokerDriverPorts
  readonly #standings = new WeakMap<Peer, Standing>()
  /** When the next round is due. */
  #due: Millis

  constructor(init: { readonly pieceLength: Bytes }, ports: ChokerDriverPorts) {
    this.#ports = ports
    this.#choker = new Choker({ slots: 'auto', pieceLength: init.pieceLength }, { random: ports.random })
    this.#due = ports.clock.now() + ROUND_INTERVAL
  }

  tick(now: Millis, peers: Iterable<Peer>): void {
    if (now >= this.#due) this.#round(now, peers)
  }

  /** A slot may have come free: whoever waits gets it without waiting for the round. */
  fillSlots(peers: Iterable<Peer>): void {
    const all = [...peers]
    let taken = 0
    let eager = 0
    for (const peer of all) {
      if (!wants(peer) || peer.amChoking) continue
      taken++
      if (peer.upload.eager) eager++
    }
    let free = this.#choker.slotsWith(eager) - taken
    for (const peer of all) {
      // An offer looks at everybody: none is made for nothing, since many may leave at once.
      if (free <= 0) return
      if (wants(peer) && peer.amChoking && this.#offer(peer, all)) free--
    }
  }

  interestChanged(peer: Peer, peers: Iterable<Peer>): void {
    if (wants(peer) && peer.amChoking) this.#offer(peer, peers)
  }

  /** True where it got a slot. */
  #offer(peer: Peer, all: Iterable<Peer>): boolean {
    const now = this.#ports.clock.now()
    if (!this.#choker.onInterested(now, this.#standing(peer), this.#each(all))) return false
    peer.setChoking(false)
    return true
  }

  #round(now: Millis, peers: Iterable<Peer>): void {
    this.#due = now + ROUND_INTERVAL
    const verdict = this.#choker.round(now, this.#each(peers), {
      seeding: this.#ports.seeding(),
      uploadRate: this.#ports.uploadRate(),
    })
    for (const { peer } of verdict.choke) {
      peer.setChoking(true)
      this.#ports.dropRequests(peer)
    }
    for (const { peer } of verdict.unchoke) peer.setChoking(false)
  }

  *#each(peers: Iterable<Peer>): IterableIterator<Standing> {
    for (const peer of peers) yield this.#standing(peer)
  }

  #standing(peer: Peer): Standing {
    const known = this.#standings.get(peer)
    if (known !== undefined) return known
    const standing = new Standing(peer, this.#ports.clock)
    this.#standings.set(peer, standing)
    return standing
  }
}

/** Interested, and not so stalled that a slot would be lost on it. */
function wants(peer: Peer): boolean {
  return peer.peerInterested && !peer.upload.stalled
}

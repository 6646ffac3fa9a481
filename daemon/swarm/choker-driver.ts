/** Carries out what the choker decides: rounds by the clock, and a slot at once for a peer that begins to want. */
import type { Bytes, Millis, Rate } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { Choker, type ChokerPeer, ROUND_INTERVAL, SNUB_AFTER } from './choker.js'
import type { Peer } from './peer.js'
import type { UnchokeSeat } from './unchoke-share.js'

export interface ChokerDriverPorts {
  readonly clock: Clock
  readonly random: Random
  readonly seeding: () => boolean
  readonly uploadRate: () => Rate
  /** A limit holds uploads back, and not the line. */
  readonly limited: () => boolean
  /** How many may be unchoked at once. */
  readonly seat: UnchokeSeat
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
}

export class ChokerDriver {
  readonly #choker: Choker<Standing>
  readonly #ports: ChokerDriverPorts
  readonly #standings = new WeakMap<Peer, Standing>()
  /** When the next round is due. */
  #due: Millis

  constructor(init: { readonly pieceLength: Bytes }, ports: ChokerDriverPorts) {
    this.#ports = ports
    this.#choker = new Choker({ pieceLength: init.pieceLength }, { random: ports.random })
    this.#due = ports.clock.now() + ROUND_INTERVAL
  }

  /** Once a second: the round, and in between slots that came free or were added since. */
  tick(now: Millis, peers: Iterable<Peer>): void {
    if (now < this.#due) return this.fillSlots(peers)
    const all = [...peers]
    this.#look(all)
    this.#round(now, all)
  }

  /** A slot may have come free: whoever waits gets it without waiting for the round. */
  fillSlots(peers: Iterable<Peer>): void {
    const { waiting, taken } = this.#look(peers)
    const free = this.#ports.seat.slots - taken
    if (free <= 0 || waiting.length === 0) return
    const standings = waiting.map((peer) => this.#standing(peer))
    const now = this.#ports.clock.now()
    const seeding = this.#ports.seeding()
    for (const { peer } of this.#choker.fill(now, standings, free, seeding)) peer.setChoking(false)
  }

  /** Who waits for a slot and how many have one; tells what that shows of the uplink. */
  #look(peers: Iterable<Peer>): { readonly waiting: readonly Peer[]; readonly taken: number } {
    const waiting: Peer[] = []
    let taken = 0
    let eager = 0
    const limited = this.#ports.limited()
    let busy = false
    for (const peer of peers) {
      if (!wants(peer)) continue
      if (!peer.amChoking) {
        taken++
        if (peer.upload.eager && !limited) eager++
        busy ||= peer.upload.unsent > 0
      } else if (!peer.uploadOnly) waiting.push(peer)
    }
    this.#ports.seat.tell(waiting.length + taken, { rate: this.#ports.uploadRate(), busy, eager })
    return { waiting, taken }
  }

  interestChanged(peer: Peer, peers: Iterable<Peer>): void {
    // Who loses interest leaves its slot to somebody, and stays unchoked until the round: it may come back for more.
    if (wants(peer) === peer.amChoking) this.fillSlots(peers)
  }

  #round(now: Millis, peers: Iterable<Peer>): void {
    this.#due = now + ROUND_INTERVAL
    const verdict = this.#choker.round(now, this.#each(peers), {
      seeding: this.#ports.seeding(),
      slots: this.#ports.seat.slots,
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

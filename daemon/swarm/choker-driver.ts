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

/** A peer as it stands in one round. */
interface Standing extends ChokerPeer {
  readonly peer: Peer
}

export class ChokerDriver {
  readonly #choker: Choker<Standing>
  readonly #ports: ChokerDriverPorts
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
    const now = this.#ports.clock.now()
    const standings = standingsOf(peers, now)
    for (const standing of standings) {
      if (standing.interested && standing.choked) this.#offer(now, standing, standings)
    }
  }

  interestChanged(peer: Peer, peers: Iterable<Peer>): void {
    if (!peer.peerInterested) return
    const now = this.#ports.clock.now()
    this.#offer(now, standingOf(peer, now), standingsOf(peers, now))
  }

  #offer(now: Millis, standing: Standing, all: readonly Standing[]): void {
    if (this.#choker.onInterested(now, standing, all)) standing.peer.setChoking(false)
  }

  #round(now: Millis, peers: Iterable<Peer>): void {
    this.#due = now + ROUND_INTERVAL
    const verdict = this.#choker.round(now, standingsOf(peers, now), {
      seeding: this.#ports.seeding(),
      uploadRate: this.#ports.uploadRate(),
    })
    for (const { peer } of verdict.choke) {
      peer.setChoking(true)
      this.#ports.dropRequests(peer)
    }
    for (const { peer } of verdict.unchoke) peer.setChoking(false)
  }
}

function standingsOf(peers: Iterable<Peer>, now: Millis): Standing[] {
  return [...peers].map((peer) => standingOf(peer, now))
}

function standingOf(peer: Peer, now: Millis): Standing {
  return {
    peer,
    id: peer.handle,
    interested: peer.peerInterested,
    // Read late: an offer earlier in the same pass may have changed it.
    get choked() {
      return peer.amChoking
    },
    downRate: peer.down.rate(now),
    upRate: peer.up.rate(now),
    uploadedSinceUnchoke: peer.uploaded - peer.uploadedAtUnchoke,
    connectedAt: peer.connectedAt,
    snubbed: peer.outstanding > 0 && now - Math.max(peer.lastBlock, peer.connectedAt) > SNUB_AFTER,
    uploadOnly: peer.uploadOnly,
  }
}

/** Which links become peers, who has to go for one, and what is learnt of the address of one that does not. */
import type { Millis } from '../../shared/units.js'
import { addressKey, type PeerAddress } from '../base/address.js'
import type { Clock } from '../ports/clock.js'
import type { Candidates } from './candidates.js'
import type { Greeting, Link } from './link.js'
import { isStuck } from './patience.js'
import type { PeerTable } from './peer-table.js'
import type { Peer } from './peer.js'

/** One that moved nothing for so long makes room, in a full torrent, for one of higher priority. */
const IDLE_AFTER: Millis = 60_000

export interface AdmissionInit {
  /** Ours. */
  readonly peerId: Uint8Array
  readonly maxPeers: number
}

export interface AdmissionPorts {
  readonly clock: Clock
  readonly candidates: Candidates
  readonly peers: PeerTable
  readonly listenPort: () => number
  /** A peer can be dialled at another address than was known. */
  readonly moved: () => void
}

export class Admission {
  readonly #init: AdmissionInit
  readonly #ports: AdmissionPorts

  constructor(init: AdmissionInit, ports: AdmissionPorts) {
    this.#init = init
    this.#ports = ports
  }

  /** Why the link is not wanted, or null; then whoever was in its way is gone. */
  refusal(link: Link, greeting: Greeting): string | null {
    const { candidates, peers } = this.#ports
    const { address } = link.transport
    if (link.ended) return 'gone'
    if (Buffer.compare(greeting.peerId, this.#init.peerId) === 0) return 'self'
    if (candidates.isBanned(address)) return 'banned'
    const known = peers.byPeerId(greeting.peerId.toString('hex'))
    if (known !== undefined) {
      if (!this.#prefersNew(known, link, greeting)) return 'connected-already'
      known.close('connected-twice')
    }
    if (peers.size < this.#init.maxPeers || this.#makeRoom(address)) return null
    return 'too-many-peers'
  }

  /** A link was refused so; `dialled`: by us. */
  refused(refusal: string, address: PeerAddress, greeting: Greeting, dialled: boolean): void {
    if (refusal === 'self') this.#knowSelf(address)
    else if (dialled) this.#unwanted(refusal, address, greeting)
  }

  /**
   * The peer that dialled us can be dialled there: as long as it is connected, it need not be. False: we know it under
   * another address, which is the one that is free again when it goes.
   */
  reachedAt(peer: Peer, address: PeerAddress): boolean {
    const { direction, address: dialled } = peer.transport
    const known = direction === 'out' ? dialled : peer.listening
    if (known !== null && addressKey(known) !== addressKey(address)) return false
    peer.listening = address
    this.#ports.moved()
    this.#ports.candidates.connected(address)
    return true
  }

  /** Either end may see it first; the one that was dialled knows the host, and its own port. */
  #knowSelf(address: PeerAddress): void {
    const { candidates, listenPort } = this.#ports
    candidates.addSelf(address)
    candidates.addSelf({ ...address, port: listenPort() })
  }

  /** We dialled and do not keep it: not to be dialled again while the other connection stands. */
  #unwanted(refusal: string, address: PeerAddress, greeting: Greeting): void {
    const { candidates, clock, peers } = this.#ports
    const id = greeting.peerId.toString('hex')
    const standing = refusal === 'connected-already' ? peers.byPeerId(id) : undefined
    if (standing === undefined || !this.reachedAt(standing, address)) candidates.failed(address, clock.now())
  }

  /** BEP 40: a full torrent lets the idle peer of least priority go for one of more. */
  #makeRoom(newcomer: PeerAddress): boolean {
    const { candidates, clock, peers } = this.#ports
    const idle = clock.now() - IDLE_AFTER
    let least: Peer | null = null
    let lowest = candidates.priorityOf(newcomer) ?? 0
    for (const peer of peers.all()) {
      if (Math.max(peer.connectedAt, peer.lastBlock) > idle) continue
      const priority = candidates.priorityOf(peer.listening ?? peer.transport.address)
      if (priority === null || priority >= lowest) continue
      lowest = priority
      least = peer
    }
    least?.close('outranked')
    return least !== null
  }

  /**
   * One that moves no bytes is dead, and its peer has come back: its address changed, and no packet said so. Both
   * dialled at once: both sides keep the connection that the smaller peer id began.
   */
  #prefersNew(old: Peer, link: Link, greeting: Greeting): boolean {
    if (isStuck(old, this.#ports.clock.now())) return true
    if (old.transport.direction === link.transport.direction) return false
    const weAreSmaller = Buffer.compare(this.#init.peerId, greeting.peerId) < 0
    return (link.transport.direction === 'out') === weAreSmaller
  }
}

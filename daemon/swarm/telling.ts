/** What peers are told of us: what we have, what we understand, and each piece that is verified. */
import type { Bytes, Millis, PieceIndex, SwarmKey } from '../../shared/units.js'
import { ipBytes } from '../base/ip.js'
import { allowedFastSet } from '../codec/allowed-fast.js'
import * as out from '../codec/wire-writer.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Content } from './content.js'
import { introduce, type PexStance } from './introduction.js'
import type { PeerTable } from './peer-table.js'
import type { Peer } from './peer.js'
import { MAX_QUEUED_REQUESTS } from './upload.js'

const HAVE_BATCH: Millis = 100
/** Pieces a peer may take while choked, as long as it has fewer than that (BEP 6). */
export const ALLOWED_FAST = 10

export interface TellingInit {
  readonly key: SwarmKey
  /** Shown to peers as BEP 10 `v`. */
  readonly version: string
  /** Bytes of the info dictionary (BEP 9). */
  readonly metadataSize: Bytes
}

export interface TellingPorts {
  readonly clock: Clock
  readonly content: Content
  readonly peers: PeerTable
  readonly listenPort: () => number
  /** Whether peers tell each other of peers; null: never, in a private torrent. */
  readonly pex: (() => boolean) | null
}

export class Telling {
  readonly #init: TellingInit
  readonly #ports: TellingPorts
  /** Verified pieces not yet told to the peers. */
  #haves: PieceIndex[] = []
  /** Until they are. */
  #haveTimer: Cancel | null = null

  constructor(init: TellingInit, ports: TellingPorts) {
    this.#init = init
    this.#ports = ports
  }

  get pexStance(): PexStance {
    return this.#ports.pex === null ? 'never' : this.#ports.pex() ? 'on' : 'off'
  }

  /** What a peer is told first: our pieces, then what we understand. */
  open(peer: Peer): void {
    const { have } = this.#ports.content
    if (peer.fast && have.complete) peer.send(out.HAVE_ALL)
    else if (peer.fast && have.empty) peer.send(out.HAVE_NONE)
    else if (!have.empty) peer.send(out.encodeBitfield(have.bytes.slice()))
    this.introduce(peer)
    // Not from a seed: it looks for nothing in return, and in a crowd every newcomer would fetch the pieces it was
    // granted from it, past its slots, whatever is rare.
    if (peer.fast && !have.empty && !have.complete) this.#grantFast(peer)
  }

  /** One that was told that we have nothing hears of the pieces. */
  openLate(peer: Peer, pieces: readonly PieceIndex[]): void {
    if (pieces.length > 0) peer.send(out.encodeHaves(pieces))
    // It may have been offered what a private torrent has not.
    this.introduce(peer, this.pexStance === 'on' ? 'on' : 'off')
  }

  /** Our extension handshake (BEP 10), the first or another. */
  introduce(peer: Peer, pex: PexStance = this.pexStance): void {
    if (!peer.extensions) return
    const { content, listenPort } = this.#ports
    const extension = introduce(peer.transport, {
      version: this.#init.version,
      reqq: MAX_QUEUED_REQUESTS,
      port: listenPort(),
      metadataSize: this.#init.metadataSize,
      uploadOnly: content.complete,
      pex,
    })
    peer.send(out.encodeExtended(0, extension))
  }

  /** Those who lack the piece are told, with others that follow soon. */
  verified(piece: PieceIndex): void {
    this.#haves.push(piece)
    this.#haveTimer ??= this.#ports.clock.after(HAVE_BATCH, () => {
      this.#haveTimer = null
      this.#flushHaves()
    })
  }

  close(): void {
    this.#haveTimer?.()
  }

  #grantFast(peer: Peer): void {
    const { content } = this.#ports
    const [a, b, c, d, ...rest] = ipBytes(peer.transport.address.host) ?? []
    // BEP 6 defines the set for IPv4 only.
    if (a === undefined || b === undefined || c === undefined || d === undefined || rest.length > 0) return
    const count = content.layout.pieceCount
    for (const piece of allowedFastSet(this.#init.key, [a, b, c, d], count, ALLOWED_FAST)) {
      if (!content.have.get(piece)) continue
      peer.grantedFast.add(piece)
      peer.send(out.encodeAllowedFast(piece))
    }
  }

  #flushHaves(): void {
    const pieces = this.#haves
    this.#haves = []
    for (const peer of this.#ports.peers.list()) {
      const lacking = peer.isSeed ? [] : pieces.filter((piece) => !peer.bits.get(piece))
      if (lacking.length > 0) peer.send(out.encodeHaves(lacking))
    }
  }
}

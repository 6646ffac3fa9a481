/**
 * A peer of a torrent whose metadata are not here yet. Its pieces mean nothing so far, so what it tells is kept, and
 * said again to the `Peer` that takes the connection over.
 */
import type { Bytes, Millis } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { formatAddress } from '../base/address.js'
import { decodeExtensionHandshake, type PeerExtension } from '../codec/extension.js'
import { decodeMetadata, METADATA_EXTENSION, type MetadataMessage } from '../codec/metadata.js'
import { clientName } from '../codec/peer-id.js'
import * as out from '../codec/wire-writer.js'
import { WireParser, type WireHandler } from '../codec/wire.js'
import type { CandidateSource } from './candidates.js'
import { type Introduction, introduce, OUR_METADATA_ID, OUR_PEX_ID } from './introduction.js'
import type { Greeting, Link, LinkHandler } from './link.js'
import { PexIntake } from './pex.js'

/** Messages remembered; one that says more has to come again. */
const MOST_REMEMBERED = 20_000

export interface MetadataPeerOwner {
  /** It has metadata of that size. */
  offered(peer: MetadataPeer, size: Bytes): void
  message(peer: MetadataPeer, message: MetadataMessage): void
  /** It told of itself (BEP 10). */
  introduced(peer: MetadataPeer, told: PeerExtension): void
  /** Of peer exchange (BEP 11), unread. */
  exchanged(peer: MetadataPeer, payload: Buffer): void
  closed(peer: MetadataPeer, reason: string): void
  /** Something of ours threw while the peer was handled. */
  broke(peer: MetadataPeer, error: unknown): void
}

/** A connection that is handed to the torrent's peers. */
export interface Handover {
  readonly link: Link
  readonly greeting: Greeting
  readonly source: CandidateSource
  /** In the middle of a message, perhaps. */
  readonly parser: WireParser
  /** Said again, in order. */
  readonly told: readonly ((handler: WireHandler) => void)[]
}

export class MetadataPeer implements LinkHandler, WireHandler {
  readonly link: Link
  readonly source: CandidateSource
  readonly connectedAt: Millis
  lastHeard: Millis
  /** Blocks that came too late or wrong. */
  strikes = 0
  closed = false
  /** Whom it tells of. */
  readonly pex = new PexIntake()
  readonly #greeting: Greeting
  readonly #owner: MetadataPeerOwner
  readonly #now: () => Millis
  readonly #parser: WireParser
  /** What is to be said again: messages in order. */
  readonly #told: ((handler: WireHandler) => void)[] = []
  /** The id it wants metadata messages under; 0: it does not speak of them. */
  #metadataId = 0
  #client: string
  /** Bytes of metadata it sent. */
  #downloaded: Bytes = 0

  constructor(
    init: {
      readonly link: Link
      readonly greeting: Greeting
      readonly source: CandidateSource
      readonly own: Introduction
    },
    ports: { readonly owner: MetadataPeerOwner; readonly now: () => Millis },
  ) {
    this.link = init.link
    this.#greeting = init.greeting
    this.source = init.source
    this.#owner = ports.owner
    this.#now = ports.now
    this.connectedAt = this.lastHeard = ports.now()
    this.#client = clientName(init.greeting.peerId)
    this.#parser = new WireParser({ pieceCount: null }, this)
    if (init.greeting.features.fast) this.#send(out.HAVE_NONE)
    this.introduce(init.own)
  }

  get peerId(): string {
    return this.#greeting.peerId.toString('hex')
  }
  /** It speaks of metadata. */
  get hasExtension(): boolean {
    return this.#metadataId > 0
  }

  /** What it was told of us has changed. */
  introduce(own: Introduction): void {
    if (this.#greeting.features.extension)
      this.#send(out.encodeExtended(0, introduce(this.link.transport, own)))
  }

  ask(payload: Uint8Array): void {
    if (this.#metadataId > 0) this.#send(out.encodeExtended(this.#metadataId, payload))
  }

  keepAliveNow(): void {
    this.#send(out.KEEP_ALIVE)
  }

  handOver(): Handover {
    return {
      link: this.link,
      greeting: this.#greeting,
      source: this.source,
      parser: this.#parser,
      told: this.#told,
    }
  }

  close(reason: string): void {
    if (this.closed) return
    this.closed = true
    this.#parser.stop()
    this.link.transport.close(reason)
    this.#owner.closed(this, reason)
  }

  view(): PeerView {
    return {
      address: formatAddress(this.link.transport.address),
      client: this.#client,
      direction: this.link.transport.direction,
      source: this.source,
      encryption: this.link.encryption,
      progress: 0,
      downRate: 0,
      upRate: 0,
      downloaded: this.#downloaded,
      uploaded: 0,
      amChoking: true,
      amInterested: false,
      peerChoking: true,
      peerInterested: false,
    }
  }

  // --- LinkHandler

  data(view: Buffer): void {
    if (this.closed) return
    this.lastHeard = this.#now()
    const fault = this.#parser.push(view)
    if (fault !== null) this.close(fault)
  }

  transportClosed(reason: string): void {
    if (this.closed) return
    this.closed = true
    this.#parser.stop()
    this.#owner.closed(this, reason)
  }

  broke(error: unknown): void {
    this.#owner.broke(this, error)
  }

  // --- WireHandler

  keepAlive(): void {
    // lastHeard moved.
  }
  choke(): void {
    this.#keep((handler) => {
      handler.choke()
    })
  }
  unchoke(): void {
    this.#keep((handler) => {
      handler.unchoke()
    })
  }
  interested(): void {
    this.#keep((handler) => {
      handler.interested()
    })
  }
  notInterested(): void {
    this.#keep((handler) => {
      handler.notInterested()
    })
  }
  have(piece: number): void {
    this.#keep((handler) => {
      handler.have(piece)
    })
  }
  bitfield(bits: Buffer): void {
    const copy = Buffer.from(bits)
    this.#keep((handler) => {
      handler.bitfield(copy)
    })
  }
  haveAll(): void {
    this.#keep((handler) => {
      handler.haveAll()
    })
  }
  haveNone(): void {
    this.#keep((handler) => {
      handler.haveNone()
    })
  }
  allowedFast(piece: number): void {
    this.#keep((handler) => {
      handler.allowedFast(piece)
    })
  }
  port(port: number): void {
    this.#keep((handler) => {
      handler.port(port)
    })
  }
  request(): void {
    // We have no pieces, and said so.
  }
  cancel(): void {
    // Nothing was asked that could be.
  }
  suggest(): void {
    // A hint.
  }
  reject(): void {
    this.close('reject-unexpected')
  }
  pieceStart(): Buffer | null {
    this.close('piece-unexpected')
    return null
  }
  pieceEnd(): void {
    // No block is taken.
  }
  unknown(): void {
    // Skipped by the parser.
  }

  extended(id: number, payload: Buffer): void {
    if (id === 0) this.#introduced(payload)
    else if (id === OUR_METADATA_ID) this.#metadata(payload)
    else if (id === OUR_PEX_ID) this.#owner.exchanged(this, payload)
  }

  #introduced(payload: Buffer): void {
    const told = decodeExtensionHandshake(payload)
    if (told === null) return this.close('extension-handshake-malformed')
    const copy = Buffer.from(payload)
    this.#keep((handler) => {
      handler.extended(0, copy)
    })
    if (told.version !== undefined && told.version !== '') this.#client = told.version
    this.#owner.introduced(this, told)
    this.#metadataId = told.messages.get(METADATA_EXTENSION) ?? this.#metadataId
    if (this.#metadataId > 0 && told.metadataSize !== undefined) this.#owner.offered(this, told.metadataSize)
  }

  #metadata(payload: Buffer): void {
    const message = decodeMetadata(payload)
    if (message === null) return
    if (message.kind === 'data') this.#downloaded += message.data.length
    this.#owner.message(this, message)
  }

  #keep(again: (handler: WireHandler) => void): void {
    if (this.#told.length >= MOST_REMEMBERED) return this.close('says-too-much')
    this.#told.push(again)
  }

  #send(bytes: Uint8Array): void {
    if (!this.closed) this.link.transport.write(bytes)
  }
}

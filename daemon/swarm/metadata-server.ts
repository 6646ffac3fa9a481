/** Serves the metadata to peers that came by a magnet link (BEP 9). The bytes are read when somebody asks. */
import type { Bytes, Millis } from '../../shared/units.js'
import {
  encodeMetadataData,
  encodeMetadataReject,
  METADATA_BLOCK,
  type MetadataMessage,
} from '../codec/metadata.js'
import type { Peer } from './peer.js'

/** Requests that wait for the bytes to be read. */
const MOST_WAITING = 256
/** Answers of one connection, as a multiple of all blocks; more is a flood. */
const MOST_TIMES = 3
/** A peer that has not taken so much gets no more. */
const MOST_UNSENT: Bytes = 256 * 1024
/** The bytes are forgotten when nobody has asked for so long. */
const KEPT: Millis = 30_000

export interface MetadataServerPorts {
  readonly now: () => Millis
  /** The raw info dictionary; null where it cannot be read. Answers later. */
  readonly read: (done: (info: Uint8Array | null) => void) => void
}

export class MetadataServer {
  readonly #size: Bytes
  readonly #ports: MetadataServerPorts
  #info: Uint8Array | null = null
  /** Requests that came before the bytes did; null: nobody reads them. */
  #waiting: { readonly peer: Peer; readonly block: number }[] | null = null
  #lastAsked: Millis = -Infinity

  constructor(init: { readonly size: Bytes }, ports: MetadataServerPorts) {
    this.#size = init.size
    this.#ports = ports
  }

  /** A message of a peer; only requests are for us. */
  message(peer: Peer, message: MetadataMessage): void {
    if (message.kind !== 'request') return
    const blocks = Math.ceil(this.#size / METADATA_BLOCK)
    const { piece: block } = message
    if (block >= blocks || ++peer.metadataAsked > MOST_TIMES * blocks) return refuse(peer, block)
    this.#lastAsked = this.#ports.now()
    if (this.#info !== null) return this.#answer(peer, block)
    if (this.#waiting === null) this.#read()
    else if (this.#waiting.length >= MOST_WAITING) return refuse(peer, block)
    this.#waiting?.push({ peer, block })
  }

  /** Now and then: what nobody asks for is forgotten. */
  tick(now: Millis): void {
    if (this.#info !== null && now - this.#lastAsked > KEPT) this.#info = null
  }

  #read(): void {
    this.#waiting = []
    this.#ports.read((info) => {
      this.#info = info
      const waiting = this.#waiting ?? []
      this.#waiting = null
      for (const { peer, block } of waiting) this.#answer(peer, block)
    })
  }

  #answer(peer: Peer, block: number): void {
    if (this.#info === null || peer.transport.unsent > MOST_UNSENT) return refuse(peer, block)
    const data = this.#info.subarray(block * METADATA_BLOCK, (block + 1) * METADATA_BLOCK)
    peer.sendMetadata(encodeMetadataData(block, this.#size, data))
  }
}

function refuse(peer: Peer, block: number): void {
  peer.sendMetadata(encodeMetadataReject(block))
}

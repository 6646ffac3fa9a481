/** A peer whose every byte is the test's: speaks the wire by hand, and remembers what it was told. */
import { type PeerAddress, makeAddress } from '../../daemon/base/address.js'
import type { TransportHandler } from '../../daemon/swarm/transport.js'
import type { FakeEnd } from './fake-transport.js'
import type { Node, Source, Swarm } from './swarm-kit.js'

export interface RawMessage {
  readonly id: number
  readonly payload: Buffer
}

export interface RawInit {
  /** Offers BEP 6; true where left out. */
  readonly fast?: boolean
  /** Offers BEP 10; false where left out. */
  readonly extensions?: boolean
  readonly peerId?: string
  readonly key?: string
  /** Sends its handshake at once; true where left out. */
  readonly greet?: boolean
}

export interface Asked {
  readonly piece: number
  readonly begin: number
  readonly length: number
}

export class RawPeer implements TransportHandler {
  /** Whole messages that came, in order; the handshake is apart. */
  readonly messages: RawMessage[] = []
  handshake: Buffer | null = null
  /** Empty messages that came. */
  keepAlives = 0
  /** Why the connection ended, or null. */
  ended: string | null = null
  private rest = Buffer.alloc(0)
  private onMessage: (message: RawMessage) => void = () => undefined

  constructor(
    readonly end: FakeEnd,
    readonly source: Source,
    init: RawInit = {},
  ) {
    end.start(this)
    if (init.greet !== false) this.send(greeting(source, init))
  }

  data(view: Buffer): void {
    this.rest = Buffer.concat([this.rest, view])
    if (this.handshake === null) {
      if (this.rest.length < 68) return
      this.handshake = this.rest.subarray(0, 68)
      this.rest = this.rest.subarray(68)
    }
    while (this.rest.length >= 4) {
      const length = this.rest.readUInt32BE(0)
      if (this.rest.length < 4 + length) return
      const body = this.rest.subarray(4, 4 + length)
      this.rest = this.rest.subarray(4 + length)
      if (length === 0) {
        this.keepAlives++
        continue
      }
      const message = { id: body[0] ?? 0, payload: body.subarray(1) }
      this.messages.push(message)
      this.onMessage(message)
    }
  }

  closed(reason: string): void {
    this.ended = reason
  }

  /** Called for each message that comes from now on. */
  on(answer: (message: RawMessage) => void): this {
    this.onMessage = answer
    return this
  }

  send(...bytes: readonly Uint8Array[]): this {
    this.end.write(Buffer.concat(bytes))
    return this
  }

  /** Blocks asked for and not cancelled, each once for each time it was asked. */
  get asked(): Asked[] {
    return this.triples(6)
  }
  get cancelled(): Asked[] {
    return this.triples(8)
  }
  count(id: number): number {
    return this.messages.filter((message) => message.id === id).length
  }

  /** The right bytes for a request, or those changed by the test. */
  block({ piece, begin, length }: Asked, change: (bytes: Buffer) => void = () => undefined): Buffer {
    const at = piece * this.source.meta.pieceLength + begin
    const bytes = Buffer.from(this.source.whole.subarray(at, at + length))
    change(bytes)
    return message(7, int(piece), int(begin), bytes)
  }

  private triples(id: number): Asked[] {
    return this.messages
      .filter((message) => message.id === id)
      .map(({ payload }) => ({
        piece: payload.readUInt32BE(0),
        begin: payload.readUInt32BE(4),
        length: payload.readUInt32BE(8),
      }))
  }
}

export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function message(id: number, ...payload: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(payload)
  return Buffer.concat([int(1 + body.length), Buffer.from([id]), body])
}

export const CHOKE = message(0)
export const UNCHOKE = message(1)
export const INTERESTED = message(2)
export const NOT_INTERESTED = message(3)
export const HAVE_ALL = message(14)
export const HAVE_NONE = message(15)
export const have = (piece: number): Buffer => message(4, int(piece))
export const bitfield = (bytes: Uint8Array): Buffer => message(5, bytes)
export const request = (piece: number, begin: number, length: number): Buffer =>
  message(6, int(piece), int(begin), int(length))
export const cancel = (piece: number, begin: number, length: number): Buffer =>
  message(8, int(piece), int(begin), int(length))
export const extended = (id: number, payload: string): Buffer =>
  message(20, Buffer.from([id]), Buffer.from(payload, 'latin1'))

export function greeting(source: Source, init: RawInit = {}): Buffer {
  const bytes = Buffer.alloc(68)
  bytes.write('\x13BitTorrent protocol', 0, 'latin1')
  if (init.extensions === true) bytes[25] = 0x10
  if (init.fast !== false) bytes[27] = 0x04
  bytes.write(init.key ?? source.key, 28, 20, 'hex')
  bytes.write((init.peerId ?? '-RW0001-').padEnd(20, 'x'), 48, 20, 'latin1')
  return bytes
}

export function hostAddress(host: string, port = 6881): PeerAddress {
  const address = makeAddress(host, port)
  if (address === null) throw new Error(`no address: ${host}`)
  return address
}

/** A raw peer connects to a node. */
export function rawPeer(swarm: Swarm, node: Node, source: Source, host: string, init: RawInit = {}): RawPeer {
  const end = swarm.network.connect(hostAddress(host), node.address)
  if (end === null) throw new Error('nobody listens')
  return new RawPeer(end, source, { peerId: `-RW-${host}`, ...init })
}

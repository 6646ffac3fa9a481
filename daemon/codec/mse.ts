/**
 * The handshake of Message Stream Encryption (MSE/PE), for both sides: bytes in, bytes out. Before it nothing on the
 * wire tells of BitTorrent; after it the stream goes on as it is, or in RC4 where one side wants that.
 */
import type { Bytes, SwarmKey } from '../../shared/units.js'
import type { Random } from '../ports/random.js'
import {
  ciphers,
  KEY_SIZE,
  markOf,
  PRIVATE_SIZE,
  publicKey,
  sharedSecret,
  swarmMark,
  veil,
} from './mse-keys.js'
import type { Rc4 } from './rc4.js'

/** What a stream may be after the handshake; sent as a set of bits. */
const PLAIN = 1
const RC4 = 2
/** Most bytes of each filling. */
const MOST_PAD: Bytes = 512
/** Most bytes of the caller's first message, which is its BitTorrent handshake. */
const MOST_INITIAL: Bytes = 4096
/** The verification constant: eight zeros. */
const VC_SIZE = 8
const HASH_SIZE = 20

export type MseFault = 'mse-bad-key' | 'mse-no-mark' | 'mse-unknown-swarm' | 'mse-bad-answer' | 'mse-too-long'

/** What the handshake came to. */
export interface MseEnd {
  readonly key: SwarmKey
  /** What came behind it, readable: of a caller this begins with its BitTorrent handshake. */
  readonly rest: Buffer
  /** Of both directions from here on; null: the stream is plain. */
  readonly ciphers: { readonly receive: Rc4; readonly send: Rc4 } | null
}

export interface MsePorts {
  readonly random: Random
  /** To be sent at once. */
  readonly send: (bytes: Buffer) => void
  readonly done: (end: MseEnd) => void
  readonly failed: (fault: MseFault) => void
}

/** One step of it reads what is there: true where it got further, false where more must come. */
type Step = () => boolean

abstract class Handshake {
  protected readonly ports: MsePorts
  /** What came and was not read; bounded by what each step allows. */
  protected held: Buffer = Buffer.alloc(0)
  protected readonly secret: Uint8Array
  /** What is read next; null: it is over. */
  protected step: Step | null

  constructor(ports: MsePorts) {
    this.ports = ports
    this.secret = ports.random.bytes(PRIVATE_SIZE)
    this.step = () => this.readKey()
  }

  protected abstract readKey(): boolean

  /** Takes what came. After the end nothing is taken. */
  push(chunk: Uint8Array): void {
    if (this.step === null) return
    this.held = this.held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.held, chunk])
    // A step that ends it all answers false.
    while (this.step()) continue
  }

  protected fail(fault: MseFault): false {
    this.step = null
    this.held = Buffer.alloc(0)
    this.ports.failed(fault)
    return false
  }

  protected end(key: SwarmKey, both: { readonly receive: Rc4; readonly send: Rc4 } | null): false {
    const rest = this.held
    this.step = null
    this.held = Buffer.alloc(0)
    if (both !== null) both.receive.apply(rest)
    this.ports.done({ key, rest, ciphers: both })
    return false
  }

  /** Our public key and a filling of random length. */
  protected sendKey(): void {
    const { random, send } = this.ports
    send(Buffer.concat([publicKey(this.secret), random.bytes(random.int(MOST_PAD + 1))]))
  }

  /** The secret of both, once the other's key is there; undefined before, null where it is none. */
  protected takeShared(): Buffer | null | undefined {
    if (this.held.length < KEY_SIZE) return undefined
    return sharedSecret(this.secret, this.take(KEY_SIZE))
  }

  protected take(count: number): Buffer {
    const taken = this.held.subarray(0, count)
    this.held = this.held.subarray(count)
    return taken
  }

  /** Takes away everything up to the end of `mark`; false: it is not there yet, or, after a fault, never. */
  protected skipPast(mark: Uint8Array, fault: MseFault): boolean {
    const at = this.held.indexOf(mark)
    if (at > MOST_PAD || (at < 0 && this.held.length >= MOST_PAD + mark.length)) return this.fail(fault)
    if (at < 0) return false
    this.take(at + mark.length)
    return true
  }
}

/** The side that called. `initial` is sent with the handshake; it is BitTorrent's own. `rc4Only`: no plain stream is offered. */
export class MseCaller extends Handshake {
  readonly #key: SwarmKey
  readonly #offered: number
  readonly #initial: Uint8Array
  #receive: Rc4 | null = null
  #send: Rc4 | null = null

  constructor(
    init: { readonly key: SwarmKey; readonly initial: Uint8Array; readonly rc4Only?: boolean },
    ports: MsePorts,
  ) {
    super(ports)
    this.#offered = init.rc4Only === true ? RC4 : PLAIN | RC4
    this.#key = init.key
    this.#initial = init.initial
    this.sendKey()
  }

  protected readKey(): boolean {
    const shared = this.takeShared()
    if (shared === undefined) return false
    if (shared === null) return this.fail('mse-bad-key')
    const { caller, called } = ciphers(shared, this.#key)
    this.#sendOffer(shared, caller)
    // The other's filling ends where eight zeros, encrypted, are.
    const mark = new Uint8Array(VC_SIZE)
    called.apply(mark)
    this.#send = caller
    this.#receive = called
    this.step = () => {
      if (!this.skipPast(mark, 'mse-no-mark')) return false
      this.step = () => this.#readChoice(called)
      return true
    }
    return true
  }

  #sendOffer(shared: Buffer, cipher: Rc4): void {
    const { random, send } = this.ports
    const pad = random.int(MOST_PAD + 1)
    const offer = Buffer.alloc(VC_SIZE + 4 + 2 + pad + 2 + this.#initial.length)
    offer.writeUInt32BE(this.#offered, VC_SIZE)
    offer.writeUInt16BE(pad, VC_SIZE + 4)
    offer.set(random.bytes(pad), VC_SIZE + 6)
    offer.writeUInt16BE(this.#initial.length, VC_SIZE + 6 + pad)
    offer.set(this.#initial, VC_SIZE + 8 + pad)
    cipher.apply(offer)
    const mark = Buffer.from(swarmMark(this.#key), 'hex')
    send(Buffer.concat([markOf(shared), veil(mark, shared), offer]))
  }

  #readChoice(cipher: Rc4): boolean {
    if (this.held.length < 6) return false
    const head = this.take(6)
    cipher.apply(head)
    const choice = head.readUInt32BE(0)
    const pad = head.readUInt16BE(4)
    if ((choice !== PLAIN && choice !== RC4) || (choice & this.#offered) === 0)
      return this.fail('mse-bad-answer')
    if (pad > MOST_PAD) return this.fail('mse-too-long')
    this.step = () => {
      if (this.held.length < pad) return false
      cipher.apply(this.take(pad))
      const [receive, send] = [this.#receive, this.#send]
      const both = receive === null || send === null ? null : { receive, send }
      return this.end(this.#key, choice === RC4 ? both : null)
    }
    return true
  }
}

/** The side that was called. */
export class MseCalled extends Handshake {
  readonly #swarmOf: (mark: string) => SwarmKey | null

  /** `swarmOf`: the swarm of a mark (`swarmMark`), or null where we do not serve it. */
  constructor(init: { readonly swarmOf: (mark: string) => SwarmKey | null }, ports: MsePorts) {
    super(ports)
    this.#swarmOf = init.swarmOf
  }

  protected readKey(): boolean {
    const shared = this.takeShared()
    if (shared === undefined) return false
    if (shared === null) return this.fail('mse-bad-key')
    this.sendKey()
    const mark = markOf(shared)
    this.step = () => {
      if (!this.skipPast(mark, 'mse-no-mark')) return false
      this.step = () => this.#readSwarm(shared)
      return true
    }
    return true
  }

  #readSwarm(shared: Buffer): boolean {
    if (this.held.length < HASH_SIZE) return false
    const key = this.#swarmOf(veil(this.take(HASH_SIZE), shared).toString('hex'))
    if (key === null) return this.fail('mse-unknown-swarm')
    const { caller, called } = ciphers(shared, key)
    this.step = () => this.#readOffer(key, { receive: caller, send: called })
    return true
  }

  #readOffer(key: SwarmKey, both: { readonly receive: Rc4; readonly send: Rc4 }): boolean {
    if (this.held.length < VC_SIZE + 6) return false
    const head = this.take(VC_SIZE + 6)
    both.receive.apply(head)
    const offered = head.readUInt32BE(VC_SIZE)
    const pad = head.readUInt16BE(VC_SIZE + 4)
    if (head.subarray(0, VC_SIZE).some((byte) => byte !== 0)) return this.fail('mse-no-mark')
    if ((offered & (PLAIN | RC4)) === 0) return this.fail('mse-bad-answer')
    if (pad > MOST_PAD) return this.fail('mse-too-long')
    this.step = () => {
      if (this.held.length < pad + 2) return false
      const filling = this.take(pad + 2)
      both.receive.apply(filling)
      const size = filling.readUInt16BE(pad)
      if (size > MOST_INITIAL) return this.fail('mse-too-long')
      this.step = () => this.#readInitial(key, size, (offered & PLAIN) !== 0, both)
      return true
    }
    return true
  }

  /** RC4 costs both sides: it is chosen only where nothing else is offered. */
  #readInitial(
    key: SwarmKey,
    size: number,
    plain: boolean,
    both: { readonly receive: Rc4; readonly send: Rc4 },
  ): boolean {
    if (this.held.length < size) return false
    const initial = this.take(size)
    both.receive.apply(initial)
    const { random, send } = this.ports
    const pad = random.int(MOST_PAD + 1)
    const answer = Buffer.alloc(VC_SIZE + 6 + pad)
    answer.writeUInt32BE(plain ? PLAIN : RC4, VC_SIZE)
    answer.writeUInt16BE(pad, VC_SIZE + 4)
    answer.set(random.bytes(pad), VC_SIZE + 6)
    both.send.apply(answer)
    send(answer)
    if (!plain) both.receive.apply(this.held)
    const rest = Buffer.concat([initial, this.held])
    this.step = null
    this.held = Buffer.alloc(0)
    this.ports.done({ key, rest, ciphers: plain ? null : both })
    return false
  }
}

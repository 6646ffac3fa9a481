/** Announces and scrapes over UDP (BEP 15): connection ids, retransmission, and answers from nobody else. */
import type { Millis } from '../../shared/units.js'
import { addressKey } from '../base/address.js'
import type { PeerAddress } from '../base/address.js'
import type { SwarmKey } from '../../shared/units.js'
import { fault } from '../codec/announce.js'
import type {
  AnnounceRequest,
  AnnounceResult,
  Failed,
  ScrapeCounts,
  ScrapeResult,
} from '../codec/announce.js'
import { encodeAnnounce, encodeConnect, encodeScrape, parseUdpReply } from '../codec/udp-tracker.js'
import type { UdpReply } from '../codec/udp-tracker.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { isOffline } from './http.js'

export interface UdpInit {
  /** Waited for an answer before the first retransmission; doubled with each. Default 15 s. */
  readonly firstTimeout?: Millis
  /** Retransmissions of connect, and again of announce. Default 1: 90 s in all at the worst. */
  readonly retries?: number
}

export interface UdpPorts {
  readonly clock: Clock
  readonly random: Random
  readonly send: (packet: Uint8Array, to: PeerAddress, failed: (reason: string) => void) => void
}

/** A client may use a connection id for a minute after it came. */
const CONNECTION_FOR = 60_000
const FIRST_TIMEOUT = 15_000
const RETRIES = 1
const MOST_CONNECTIONS = 1_000

interface Connection {
  readonly id: Buffer
  /** Moment on `clock.now` after which it is not used. */
  readonly until: Millis
}

export class UdpAnnouncer {
  private readonly ports: UdpPorts
  private readonly firstTimeout: Millis
  private readonly retries: number
  /** By address of the tracker, oldest first. */
  private readonly connections = new Map<string, Connection>()
  /** What waits for an answer, by transaction id. */
  private readonly waiting = new Map<number, Exchange>()

  constructor(init: UdpInit, ports: UdpPorts) {
    this.ports = ports
    this.firstTimeout = init.firstTimeout ?? FIRST_TIMEOUT
    this.retries = init.retries ?? RETRIES
  }

  /** One announce to one address; `path` is that of the URL (BEP 41). `done` is called once, not after the Cancel. */
  announce(
    to: PeerAddress,
    path: string,
    request: AnnounceRequest,
    done: (result: AnnounceResult) => void,
  ): Cancel {
    const encode: Encode = (connection, transaction) => encodeAnnounce(connection, transaction, request, path)
    return this.exchange(
      new Exchange(to, 'announce', encode, (reply) => {
        if (!('kind' in reply)) done(reply)
        else if (reply.kind === 'announce') done({ ok: true, answer: reply.answer })
      }),
    )
  }

  /** The counts of at most 74 swarms, from one address. `done` is called once, not after the Cancel. */
  scrape(to: PeerAddress, keys: readonly SwarmKey[], done: (result: ScrapeResult) => void): Cancel {
    const encode: Encode = (connection, transaction) => encodeScrape(connection, transaction, keys)
    return this.exchange(
      new Exchange(to, 'scrape', encode, (reply) => {
        if (!('kind' in reply)) done(reply)
        else if (reply.kind === 'scrape') done(countsOf(keys, reply.counts))
      }),
    )
  }

  private exchange(exchange: Exchange): Cancel {
    this.begin(exchange)
    return () => {
      this.finish(exchange, null)
    }
  }

  /** A packet that came to our socket. What nobody waits for, or a stranger sent, is dropped. */
  received(packet: Buffer, from: PeerAddress): void {
    const reply = parseUdpReply(packet, from.family)
    if (reply === null) return
    const exchange = this.waiting.get(reply.transaction)
    if (exchange === undefined || addressKey(exchange.to) !== addressKey(from)) return
    if (reply.kind === 'error') this.refused(exchange, reply.message)
    else if (reply.kind === exchange.asked) this.answered(exchange, reply)
  }

  /** Announces and scrapes that wait for an answer. */
  get busy(): number {
    return this.waiting.size
  }

  private answered(exchange: Exchange, reply: UdpReply): void {
    if (reply.kind === 'connect') {
      this.remember(exchange.to, reply.connection)
      exchange.tries = 0
      this.begin(exchange)
    } else this.finish(exchange, reply)
  }

  private refused(exchange: Exchange, message: string): void {
    const key = addressKey(exchange.to)
    // A tracker that restarted no longer knows an id that we kept: one new id is asked for.
    if (exchange.asked === exchange.question && exchange.cached) {
      exchange.cached = false
      this.connections.delete(key)
      this.begin(exchange)
      return
    }
    const told = message === '' ? 'The tracker refused without a reason.' : `The tracker refused: ${message}`
    this.finish(exchange, fault('refused', told))
  }

  /** Asks with the connection id there is, or for one. */
  private begin(exchange: Exchange): void {
    const connection = this.connectionOf(exchange.to)
    this.forget(exchange)
    exchange.transaction = this.newTransaction()
    this.waiting.set(exchange.transaction, exchange)
    if (exchange.asked === null) exchange.cached = connection !== null
    exchange.asked = connection === null ? 'connect' : exchange.question
    const packet =
      connection === null
        ? encodeConnect(exchange.transaction)
        : exchange.encode(connection, exchange.transaction)
    exchange.timer = this.ports.clock.after(this.firstTimeout * 2 ** exchange.tries, () => {
      this.timedOut(exchange)
    })
    this.ports.send(packet, exchange.to, (reason) => {
      this.finish(exchange, fault(isOffline(reason) ? 'offline' : 'unreachable', unreachable(reason)))
    })
  }

  private timedOut(exchange: Exchange): void {
    if (exchange.tries >= this.retries) {
      this.finish(exchange, fault('unreachable', 'The tracker did not answer.'))
      return
    }
    exchange.tries += 1
    this.begin(exchange)
  }

  /** A null result tells nobody. */
  private finish(exchange: Exchange, result: Outcome | null): void {
    const { done } = exchange
    this.forget(exchange)
    exchange.done = null
    if (done !== null && result !== null) done(result)
  }

  private forget(exchange: Exchange): void {
    exchange.timer?.()
    exchange.timer = null
    if (this.waiting.get(exchange.transaction) === exchange) this.waiting.delete(exchange.transaction)
  }

  private newTransaction(): number {
    for (;;) {
      const transaction = Buffer.from(this.ports.random.bytes(4)).readUInt32BE(0)
      if (!this.waiting.has(transaction)) return transaction
    }
  }

  private connectionOf(to: PeerAddress): Buffer | null {
    const connection = this.connections.get(addressKey(to))
    return connection !== undefined && connection.until > this.ports.clock.now() ? connection.id : null
  }

  private remember(to: PeerAddress, id: Buffer): void {
    const key = addressKey(to)
    this.connections.delete(key)
    this.connections.set(key, { id, until: this.ports.clock.now() + CONNECTION_FOR })
    const [oldest] = this.connections.keys()
    if (this.connections.size > MOST_CONNECTIONS && oldest !== undefined) this.connections.delete(oldest)
  }
}

type Question = 'announce' | 'scrape'
type Encode = (connection: Buffer, transaction: number) => Buffer
/** A reply of the kind that was asked for, or why there is none. */
type Outcome = UdpReply | Failed

/** One question on its way: first a connection id where there is none, then the question. */
class Exchange {
  readonly to: PeerAddress
  readonly question: Question
  readonly encode: Encode
  /** Null once it was called or is not to be. */
  done: ((result: Outcome) => void) | null
  /** What was sent last; null before. */
  asked: 'connect' | Question | null = null
  /** The connection id was there before this exchange: it may have become invalid. */
  cached = false
  /** Id of the packet that waits; another one for each packet. */
  transaction = 0
  /** Retransmissions of the present question. */
  tries = 0
  timer: Cancel | null = null

  constructor(to: PeerAddress, question: Question, encode: Encode, done: (result: Outcome) => void) {
    this.to = to
    this.question = question
    this.encode = encode
    this.done = done
  }
}

/** In the order of the keys; what an answer that is too short says nothing of is left out. */
function countsOf(keys: readonly SwarmKey[], counts: readonly ScrapeCounts[]): ScrapeResult {
  const known = new Map<SwarmKey, ScrapeCounts>()
  for (const [at, key] of keys.entries()) {
    const each = counts[at]
    if (each !== undefined) known.set(key, each)
  }
  return { ok: true, counts: known, again: null }
}

function unreachable(reason: string): string {
  if (reason === 'out-of-scope') {
    return 'The tracker was not asked: its address lies outside the network that net.scope allows.'
  }
  return `The tracker could not be reached (${reason}).`
}

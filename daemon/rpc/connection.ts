/** One client: lines in, replies and feeds out. Reads no faster than its client takes the answers. */
import type { Socket } from 'node:net'
import { JSONRPCClient, type JSONRPCResponse, JSONRPCServerAndClient } from 'json-rpc-2.0'
import type { Feeds, Params, Result } from '../../shared/rpc/contract.js'
import { LineSplitter } from '../../shared/rpc/framing.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Feed } from './feed.js'
import { errorReply, type Item, type Message, readMessage } from './guard.js'
import type { Client, RpcLog, RpcMethods } from './methods.js'
import { Outbox } from './outbox.js'

export interface ConnectionLimits {
  /** Bytes of a line before `session.hello` and after it. */
  readonly lineBeforeHello: number
  readonly line: number
  /** Bytes that all connections together may hold unread. */
  readonly heldByAll: number
  /** Milliseconds until a connection without `session.hello` is closed. */
  readonly helloWithin: number
}

interface ConnectionPorts {
  readonly methods: RpcMethods
  readonly feeds: Feeds
  readonly log: RpcLog
  readonly clock: Clock
  turn(fn: () => void): void
  onWork(): void
  /** Bytes that all connections hold. */
  heldByAll(): number
  onClose(connection: Connection): void
}

/** Calls of one connection that may be under way. */
const IN_FLIGHT_CAP = 16
/** What one connection may do in a turn of the loop: lines, and bytes of lines. */
const TURN_LINES = 8
const TURN_BYTES = 131_072
/** Rows that the answers of one batch may have before the rest of it is refused. */
const BATCH_ROWS_CAP = 50_000
/** Milliseconds that a closing connection has to read what it was sent. */
const LINGER = 1000

export class Connection implements Client {
  readonly #socket: Socket
  readonly #limits: ConnectionLimits
  readonly #ports: ConnectionPorts
  readonly #lines: LineSplitter
  readonly #outbox: Outbox
  readonly #rpc: JSONRPCServerAndClient<Client>
  /** The name given in `session.hello`; set once. */
  #name: string | null = null
  /** Messages whose answer is not in the outbox yet; at most IN_FLIGHT_CAP. */
  #inFlight = 0
  /** A turn of #work is arranged. */
  #arranged = false
  /** The client will send nothing more. */
  #ended = false
  /** No more input is read; what is under way is answered. */
  #closing = false
  /** The socket is gone: nothing may be sent. */
  #closed = false
  #feed: Feed | null = null
  /** Ends the subscription in the session; null when there is none. */
  #stopFeed: (() => void) | null = null
  #cancelTimer: Cancel

  constructor(init: { readonly socket: Socket; readonly limits: ConnectionLimits }, ports: ConnectionPorts) {
    this.#socket = init.socket
    this.#limits = init.limits
    this.#ports = ports
    this.#lines = new LineSplitter(init.limits.lineBeforeHello)
    this.#outbox = new Outbox(
      { socket: init.socket },
      {
        turn: (fn) => ports.turn(fn),
        onIdle: () => this.#onIdle(),
        onBug: (error) => {
          ports.log.error({ err: error }, 'an answer cannot be written as JSON')
          this.#socket.destroy()
        },
      },
    )
    this.#rpc = new JSONRPCServerAndClient<Client>(
      ports.methods,
      new JSONRPCClient((message: object) => this.#outbox.send(message)),
    )
    this.#cancelTimer = ports.clock.after(init.limits.helloWithin, () => this.#socket.destroy())
    this.#listen()
  }

  get name(): string | null {
    return this.#name
  }

  /** Bytes received and not yet worked on. */
  get held(): number {
    return this.#lines.held
  }

  greet(name: string): void {
    this.#name = name
    this.#lines.cap = this.#limits.line
    if (!this.#closing) this.#cancelTimer()
  }

  /** A second subscription takes the place of the first. */
  async subscribe(params: Params<'events.subscribe'>): Promise<Result<'events.subscribe'>> {
    this.#stopFeed?.()
    this.#stopFeed = null
    const feed = new Feed({
      send: (name, notice) => this.#rpc.notify(name, notice, undefined),
      behind: () => this.#outbox.behind,
    })
    this.#feed = feed
    const { seq, rev, stop } = await this.#ports.feeds.subscribe(params.since, params.changes === true, feed)
    if (this.#closed || this.#feed !== feed) stop()
    else this.#stopFeed = stop
    return { seq, rev }
  }

  /** Reads no more, lets what is under way be answered, then ends. */
  close(): void {
    if (!this.#beginClosing()) return
    this.#endIfDone()
  }

  /** Answers with an error that belongs to no request, and closes. */
  refuse(name: 'tooLarge' | 'tooManyConnections', sentence: string): void {
    if (!this.#beginClosing()) return
    this.#outbox.send(errorReply(null, name, sentence))
    this.#endIfDone()
  }

  #beginClosing(): boolean {
    if (this.#closing || this.#closed) return false
    this.#closing = true
    this.#stopFeed?.()
    this.#stopFeed = null
    this.#cancelTimer()
    this.#cancelTimer = this.#ports.clock.after(LINGER, () => this.#socket.destroy())
    // What still comes is thrown away: a socket closed over unread bytes can take our last answer with it.
    this.#socket.resume()
    return true
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#socket.on('end', () => {
      this.#ended = true
      this.#work()
    })
    // 'close' follows every error, and tells all there is to know: the client has gone.
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#closed = true
      this.#cancelTimer()
      this.#stopFeed?.()
      this.#stopFeed = null
      this.#outbox.close()
      this.#ports.onClose(this)
    })
  }

  #onData(chunk: Buffer): void {
    this.#ports.onWork()
    if (this.#closing) return
    this.#lines.push(chunk)
    if (this.#ports.heldByAll() > this.#limits.heldByAll) {
      this.refuse('tooLarge', 'too many unfinished messages at once; send them one after the other')
    } else {
      this.#work()
    }
  }

  /** Takes lines until there are none, the turn is used up, or the client is behind; goes on by itself. */
  #work(): void {
    if (this.#arranged) return
    let bytes = 0
    for (let lines = 0; !this.#closing && !this.#closed; lines += 1) {
      if (this.#inFlight >= IN_FLIGHT_CAP || this.#outbox.behind) return void this.#socket.pause()
      if (lines >= TURN_LINES || bytes >= TURN_BYTES) {
        this.#nextTurn()
        return
      }
      const line = this.#lines.next()
      if (line === null) break
      bytes += line.length
      this.#take(readMessage(line))
    }
    if (this.#closing || this.#closed) return
    if (this.#lines.overflowed) {
      this.refuse('tooLarge', `a line has at most ${this.#lines.cap} bytes here`)
    } else {
      this.#socket.resume()
      this.#endIfDone()
    }
  }

  #nextTurn(): void {
    this.#socket.pause()
    this.#arranged = true
    this.#ports.turn(() => {
      this.#arranged = false
      this.#work()
    })
  }

  #take(message: Message): void {
    if (message.kind === 'nothing') return
    this.#inFlight += 1
    const answered = message.kind === 'single' ? this.#answer(message.item) : this.#answerBatch(message.items)
    const subscribes = itemsOf(message).some((item) => item.ok && item.request.method === 'events.subscribe')
    answered.then(
      (reply) => this.#done(reply, subscribes),
      (error: unknown) => {
        this.#ports.log.error({ err: error }, 'a message was not answered')
        this.#done(
          errorReply(null, 'internal', 'something went wrong inside torrentinod; its log says more'),
          false,
        )
      },
    )
  }

  async #answer(item: Item): Promise<object | null> {
    return item.ok ? await this.#rpc.server.receive(item.request, this) : item.reply
  }

  /** One after the other, so that a batch is no way to do a hundred things at once. */
  async #answerBatch(items: readonly Item[]): Promise<object | null> {
    const replies: object[] = []
    let rows = 0
    for (const item of items) {
      const id = item.ok ? item.request.id : undefined
      if (rows > BATCH_ROWS_CAP && id !== undefined) {
        replies.push(errorReply(id, 'tooLarge', 'the answers to this batch are too long; ask in several'))
        continue
      }
      const reply = await this.#answer(item)
      if (reply === null) continue
      replies.push(reply)
      rows += rowsIn(reply as JSONRPCResponse)
    }
    return replies.length === 0 ? null : replies
  }

  #done(reply: object | null, subscribes: boolean): void {
    this.#inFlight -= 1
    if (this.#closed) return
    if (reply !== null) this.#outbox.send(reply)
    if (subscribes) this.#feed?.release()
    if (this.#closing) this.#endIfDone()
    else this.#work()
  }

  #onIdle(): void {
    this.#feed?.flush()
    if (this.#closing) this.#endIfDone()
    else if (this.#socket.isPaused() || this.#ended) this.#work()
  }

  #endIfDone(): void {
    if (!this.#ended && !this.#closing) return
    if (this.#inFlight === 0 && !this.#outbox.behind) this.#socket.end()
  }
}

function itemsOf(message: Exclude<Message, { kind: 'nothing' }>): readonly Item[] {
  return message.kind === 'single' ? [message.item] : message.items
}

function rowsIn(reply: JSONRPCResponse): number {
  const result: unknown = reply.result
  if (typeof result !== 'object' || result === null) return 0
  return Object.values(result).reduce<number>(
    (sum, field) => sum + (Array.isArray(field) ? field.length : 0),
    0,
  )
}

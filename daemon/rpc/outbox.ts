/** What waits to be written to one client, message after message, in slices, at the client's own pace. */
import type { Socket } from 'node:net'
import { jsonParts } from './slices.js'

interface OutboxPorts {
  /** Runs `fn` after the events that wait have had their turn. */
  turn(fn: () => void): void
  /** Everything was handed to the system. */
  onIdle(): void
  /** A message cannot be written: a bug of ours. */
  onBug(error: unknown): void
}

export class Outbox {
  readonly #socket: Socket
  readonly #ports: OutboxPorts
  /** Messages not begun, oldest first; the readers of a connection stop while there are any. */
  #waiting: object[] = []
  /** The parts of the message being written, or null. */
  #current: Iterator<string> | null = null
  /** A turn of #pump is arranged: by 'drain' or a later turn. */
  #arranged = false
  #closed = false

  constructor(init: { readonly socket: Socket }, ports: OutboxPorts) {
    this.#socket = init.socket
    this.#ports = ports
  }

  /** True while the client has not taken what it was sent. */
  get behind(): boolean {
    return this.#current !== null || this.#waiting.length > 0 || this.#socket.writableNeedDrain
  }

  send(message: object): void {
    if (this.#closed) return
    this.#waiting.push(message)
    if (!this.#arranged) this.#pump()
  }

  close(): void {
    this.#closed = true
    this.#waiting = []
    this.#current = null
  }

  #pump(): void {
    while (!this.#closed) {
      if (this.#socket.writableNeedDrain) {
        this.#after('drain')
        return
      }
      const next = this.#nextPart()
      if (next === null) break
      this.#socket.write(next)
      if (this.#current !== null) {
        this.#after('turn')
        return
      }
    }
    if (!this.#closed) this.#ports.onIdle()
  }

  /** The next part; #current stays set while its message has more. */
  #nextPart(): string | null {
    try {
      if (this.#current === null) {
        const message = this.#waiting.shift()
        if (message === undefined) return null
        this.#current = jsonParts(message)
      }
      const part = this.#current.next()
      if (part.done !== true) {
        if (part.value.endsWith('\n')) this.#current = null
        return part.value
      }
      this.#current = null
    } catch (error) {
      this.#current = null
      this.#ports.onBug(error)
    }
    return null
  }

  #after(what: 'drain' | 'turn'): void {
    this.#arranged = true
    const go = () => {
      this.#arranged = false
      this.#pump()
    }
    if (what === 'drain') this.#socket.once('drain', go)
    else this.#ports.turn(go)
  }
}

/** What waits to be written to one client, message after message, in slices, at the client's own pace. */
import type { Socket } from 'node:net'
import { jsonParts } from './slices.js'

export class Outbox {
  readonly #socket: Socket
  /** Called when everything was handed to the system after the client had fallen behind. */
  readonly #onIdle: () => void
  /** Called with what made a message impossible to write: a bug of ours. */
  readonly #onBug: (error: unknown) => void
  /** Messages not begun, oldest first; the readers of a connection stop while there are any. */
  #waiting: object[] = []
  /** The parts of the message being written, or null. */
  #current: Iterator<string> | null = null
  /** A turn of #pump is arranged: by 'drain' or setImmediate. */
  #arranged = false
  #closed = false

  constructor(
    init: { readonly socket: Socket },
    ports: { onIdle: () => void; onBug: (error: unknown) => void },
  ) {
    this.#socket = init.socket
    this.#onIdle = ports.onIdle
    this.#onBug = ports.onBug
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
      if (this.#socket.writableNeedDrain) return this.#after('drain')
      const next = this.#nextPart()
      if (next === null) break
      this.#socket.write(next)
      if (this.#current !== null) return this.#after('turn')
    }
    if (!this.#closed) this.#onIdle()
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
      this.#onBug(error)
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
    else setImmediate(go)
  }
}

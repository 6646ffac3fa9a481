/** Holds a torrent's data while they are in use: loaded for whoever asks first, given back when nobody does. */
import type { Live } from './live.js'

export interface HolderPorts {
  load(): Promise<Live>
  /** The data were given back: what of them is to be remembered. */
  closed(live: Live): void
  failed(error: unknown): void
}

export class LiveHolder {
  readonly #ports: HolderPorts
  /** 'ready' exactly while `#live` may be used. */
  #phase: 'none' | 'loading' | 'ready' | 'closing' = 'none'
  #live: Live | null = null
  /** Who waits for the data. */
  #users: ((live: Live | null) => void)[] = []
  /** Who waits for their end. */
  #closers: (() => void)[] = []

  constructor(ports: HolderPorts) {
    this.#ports = ports
  }

  /** The data, or null while they are not in use. */
  get live(): Live | null {
    return this.#phase === 'ready' ? this.#live : null
  }
  /** Nothing is loaded, and nothing on its way in or out. */
  get empty(): boolean {
    return this.#phase === 'none'
  }

  /** Calls `use` with the data, at once or when they are loaded; null: they could not be. */
  use(use: (live: Live | null) => void): void {
    if (this.#phase === 'ready') return use(this.#live)
    this.#users.push(use)
    if (this.#phase === 'none') this.#load()
  }

  /** Ends connections, records and files; `done` afterwards, at once where nothing is loaded. */
  close(reason: string, done: () => void): void {
    if (this.#phase === 'none') return done()
    this.#closers.push(done)
    if (this.#phase === 'ready') this.#close(reason)
    else if (this.#phase === 'loading')
      this.#users.push(() => {
        if (this.#phase === 'ready') this.#close(reason)
      })
  }

  /** The data are void: they are forgotten without an end in order. */
  discard(): void {
    if (this.#phase !== 'ready') return
    this.#live = null
    this.#phase = 'none'
  }

  /** After a fault of our own: gives the data up at once, whatever they are at; answers them. */
  abandon(): Live | null {
    const live = this.#live
    // What is being loaded comes to its users by itself.
    if (this.#phase === 'loading') return null
    this.#live = null
    this.#phase = 'none'
    this.#tellClosers()
    if (this.#users.length > 0 && this.empty) this.#load()
    return live
  }

  #load(): void {
    this.#phase = 'loading'
    this.#ports.load().then(
      (live) => {
        this.#live = live
        this.#phase = 'ready'
        this.#tellUsers()
      },
      (error: unknown) => {
        this.#phase = 'none'
        this.#ports.failed(error)
        this.#tellUsers()
        this.#tellClosers()
      },
    )
  }

  #close(reason: string): void {
    const live = this.#live
    if (live === null) return
    this.#phase = 'closing'
    live.close(reason, () => {
      if (this.#live !== live) return
      this.#live = null
      this.#phase = 'none'
      this.#ports.closed(live)
      this.#tellClosers()
      // Somebody asked for the data in the meantime.
      if (this.#users.length > 0 && this.empty) this.#load()
    })
  }

  #tellUsers(): void {
    // One that throws leaves the others in the queue.
    for (let use = this.#users.shift(); use !== undefined; use = this.#users.shift()) use(this.live)
  }

  #tellClosers(): void {
    for (const done of this.#closers.splice(0)) done()
  }
}

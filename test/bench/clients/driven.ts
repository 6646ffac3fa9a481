/** A library driven by a small program of ours, in lines of JSON: libtorrent and webtorrent. */
import type { BenchTorrent } from '../content.js'
import type { Program } from '../program.js'
import type { Client } from './client.js'

interface Line {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
  /** Info hash of a torrent that is complete now. */
  readonly finished?: string
}

interface Status {
  readonly done: number
  readonly seeding: boolean
  readonly wasted?: number
  readonly uploaded: number
}

export class Driven implements Client {
  readonly pid: number
  readonly prompt: boolean
  readonly #program: Program
  /** Answers that are awaited, by number of the question. */
  readonly #waiting = new Map<number, (line: Line) => void>()
  /** Who waits for which hash. */
  readonly #finished = new Map<string, (at: number) => void>()
  /** Number of the last question. */
  #last = 0

  /** Settles when the driver answers. */
  static async start(program: Program, prompt: boolean): Promise<Driven> {
    const client = new Driven(program, prompt)
    await client.#call('ready')
    return client
  }

  private constructor(program: Program, prompt: boolean) {
    this.#program = program
    this.prompt = prompt
    this.pid = program.pid
    program.read((text) => {
      const line = JSON.parse(text) as Line
      const at = performance.now()
      if (line.finished !== undefined) this.#finished.get(line.finished)?.(at)
      if (line.id !== undefined) this.#settle(line.id, line)
    })
    void program.gone.then(() => {
      for (const id of [...this.#waiting.keys()]) this.#settle(id, { error: 'the driver ended' })
    })
  }

  async add(torrent: BenchTorrent, dir: string): Promise<void> {
    await this.#call('add', { file: torrent.file, hash: torrent.infoHash, dir })
  }

  completed(torrent: BenchTorrent): Promise<number> {
    return new Promise((done) => this.#finished.set(torrent.infoHash, done))
  }

  async seeding(torrent: BenchTorrent): Promise<boolean> {
    return (await this.#status(torrent)).seeding
  }

  async done(torrent: BenchTorrent): Promise<number> {
    return (await this.#status(torrent)).done
  }

  async totals(torrent: BenchTorrent): ReturnType<Client['totals']> {
    const { wasted = null, uploaded } = await this.#status(torrent)
    return { wasted, uploaded }
  }

  async loopDelay(): Promise<null> {
    return null
  }

  async stop(): Promise<void> {
    await this.#program.stop()
  }

  #call(verb: string, args: object = {}): Promise<unknown> {
    this.#program.assertRuns()
    const id = (this.#last += 1)
    return new Promise((done, failed) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) done(result)
        else failed(new Error(`${verb}: ${error}`))
      })
      this.#program.write(JSON.stringify({ id, verb, ...args }))
    })
  }

  async #status(torrent: BenchTorrent): Promise<Status> {
    return (await this.#call('status', { hash: torrent.infoHash })) as Status
  }

  #settle(id: number, line: Line): void {
    this.#waiting.get(id)?.(line)
    this.#waiting.delete(id)
  }
}

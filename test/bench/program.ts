/** Child processes of the benchmark: they die with the runner, may be pinned, and speak in lines of JSON. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

export interface ProgramInit {
  readonly command: string
  readonly args: readonly string[]
  readonly home: string
  /** CPUs as taskset takes them, or null for all. */
  readonly cpus: string | null
  readonly env?: Readonly<Record<string, string>>
  /** Where its standard error goes. */
  readonly log: string
}

/** Milliseconds a program has to end after SIGTERM. */
const GRACE = 10_000

export class Program {
  readonly child: ChildProcess
  readonly gone: Promise<void>
  /** Lines of standard output nobody has taken yet. */
  readonly #lines: string[] = []
  /** Who waits for the next line. */
  readonly #takers: ((line: string | null) => void)[] = []
  readonly #name: string
  /** The last of standard error, for messages. */
  #said = ''
  #ended = false
  /** Takes each line instead of the queue. */
  #reader: ((line: string) => void) | null = null

  constructor(init: ProgramInit) {
    this.#name = init.command
    const pin = init.cpus === null ? [] : ['taskset', '-c', init.cpus]
    const words = ['--pdeathsig', 'KILL', '--', ...pin, init.command, ...init.args]
    this.child = spawn('setpriv', words, {
      cwd: init.home,
      env: { ...process.env, HOME: init.home, XDG_CONFIG_HOME: '', XDG_DATA_HOME: '', ...init.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const log = createWriteStream(init.log, { flags: 'a' })
    this.child.stderr?.on('data', (text: Buffer) => {
      this.#said = (this.#said + text.toString()).slice(-4000)
      log.write(text)
    })
    this.child.stdin?.on('error', () => undefined)
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        this.#take(line)
      })
    }
    this.gone = new Promise((done) => {
      this.child.once('error', (error) => {
        this.#said += String(error)
      })
      this.child.once('close', () => {
        this.#ended = true
        log.end()
        for (const taker of this.#takers.splice(0)) taker(null)
        done()
      })
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Every line from now on goes there. */
  read(reader: (line: string) => void): void {
    this.#reader = reader
    for (const line of this.#lines.splice(0)) reader(line)
  }

  /** The next line of standard output as JSON. Rejects where the program ends without one. */
  async json(): Promise<Record<string, unknown>> {
    const line = await this.#line()
    if (line === null) throw new Error(`${this.#name} ended: ${this.#said.slice(-1500)}`)
    return JSON.parse(line) as Record<string, unknown>
  }

  write(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }

  assertRuns(): void {
    if (this.#ended) throw new Error(`${this.#name} ended: ${this.#said.slice(-1500)}`)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#ended) return
    this.child.kill(signal)
    const hard = setTimeout(() => this.child.kill('SIGKILL'), GRACE)
    await this.gone
    clearTimeout(hard)
  }

  #line(): Promise<string | null> {
    const line = this.#lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#ended) return Promise.resolve(null)
    return new Promise((taker) => this.#takers.push(taker))
  }

  #take(line: string): void {
    if (this.#reader !== null) {
      this.#reader(line)
      return
    }
    const taker = this.#takers.shift()
    if (taker !== undefined) taker(line)
    else if (this.#lines.length < 1000) this.#lines.push(line)
  }
}

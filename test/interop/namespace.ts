/**
 * A network of the test's own: one network namespace per host, joined by a bridge at 10.77.0.0/24 or, for hosts
 * without IPv4, fd77::/64, with no way out. Namespaces have no name and live as long as the processes in them; every process dies with the test
 * process (PR_SET_PDEATHSIG), even when that one is killed. Works as root and, where the kernel allows user
 * namespaces, as anybody.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type HubRequest =
  | { readonly id: number; readonly op: 'host'; readonly address: string }
  | {
      readonly id: number
      readonly op: 'forward'
      readonly socket: string
      readonly address: string
      readonly port: number
    }

export interface HubAnswer {
  readonly id: number
  readonly pid?: number
  readonly error?: string
}

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
const PREFIX = 'torrentino-lab-'
const ROOT = process.getuid?.() === 0
const UNSHARE = ROOT ? ['-n'] : ['-Un', '--map-current-user', '--keep-caps']
const ENTER = ROOT ? ['-n'] : ['-U', '-n', '--preserve-credentials']
// Debian keeps `ip` where only root's PATH looks.
const ENV = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' }

/** Whether a program of that name is on the PATH. */
export function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v "$0"`, program], { env: ENV }).status === 0
}

let missing: string | null | undefined

/** Why no lab can be opened here, in a few words, or null. */
export function labMissing(): string | null {
  missing ??= whyNoLab() ?? null
  return missing
}

function whyNoLab(): string | undefined {
  for (const program of ['unshare', 'nsenter', 'setpriv', 'ip']) {
    if (!installed(program)) return `${program} is not installed`
  }
  const trial = 'ip link add br0 type bridge && ip link add veth-a type veth peer name veth-b'
  const run = spawnSync('unshare', [...UNSHARE, '--', 'sh', '-c', trial], { env: ENV })
  return run.status === 0 ? undefined : 'this user may not make network namespaces'
}

/** A program that runs on a host of the lab. */
export class Program {
  /** What it wrote on either output; the last 64 KiB. */
  output = ''
  /** Null while it runs; else its exit code, or the name of the signal that ended it. */
  ended: number | NodeJS.Signals | null = null
  /** Settles once, when the process is gone. */
  readonly gone: Promise<void>
  readonly child: ChildProcess
  readonly #name: string

  constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.child = child
    const keep = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-65_536)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.stdin?.on('error', () => undefined)
    this.gone = new Promise((resolve) => {
      child.once('error', (error) => {
        this.ended = 127
        this.output += String(error)
        resolve()
      })
      child.once('exit', (code, signal) => {
        this.ended = signal ?? code
        resolve()
      })
    })
  }

  /** The pid of the program itself: what wraps it replaces itself by exec. */
  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Throws with the output where the program has ended. */
  assertRuns(): void {
    if (this.ended !== null)
      throw new Error(`${this.#name} ended (${this.ended}): ${this.output.slice(-2000)}`)
  }

  /** Asks with SIGTERM, after 5 s kills. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.ended !== null) return
    this.child.kill(signal)
    const hard = setTimeout(() => this.child.kill('SIGKILL'), 5000)
    await this.gone
    clearTimeout(hard)
  }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface HttpAsk {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** One machine of the lab: an address, and programs that see nothing but the lab. */
export class Host {
  readonly address: string
  /** A folder of its own below the lab's. */
  readonly dir: string
  /** The process that holds the namespace open. */
  readonly #holder: number
  readonly #lab: Lab
  /** Unix sockets that lead to a port here. */
  readonly #doors = new Map<number, Promise<string>>()

  constructor(lab: Lab, address: string, holder: number) {
    this.#lab = lab
    this.address = address
    this.#holder = holder
    this.dir = lab.folder(`host-${address.split(/[.:]/).at(-1) ?? ''}`)
  }

  /** Starts a program here; it dies with the test process. */
  spawn(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    const wrap = ['-t', String(this.#holder), ...ENTER, '--', 'setpriv', '--pdeathsig', 'KILL', '--', command]
    const child = spawn('nsenter', [...wrap, ...args], {
      cwd: this.dir,
      env: { ...ENV, HOME: this.dir, ...env },
      stdio: 'pipe',
    })
    const program = new Program(command, child)
    this.#lab.programs.add(program)
    void program.gone.then(() => this.#lab.programs.delete(program))
    return program
  }

  /** One HTTP exchange with a program here; 20 s. */
  async http(port: number, ask: HttpAsk): Promise<HttpAnswer> {
    let door = this.#doors.get(port)
    if (door === undefined) {
      door = this.#lab.forward(this.address, port)
      this.#doors.set(port, door)
    }
    const socketPath = await door
    return new Promise((resolve, reject) => {
      const name = this.address.includes(':') ? `[${this.address}]` : this.address
      const headers = { host: `${name}:${port}`, connection: 'close', ...ask.headers }
      const asked = httpRequest(
        { socketPath, path: ask.path, method: ask.method ?? 'GET', headers, timeout: 20_000 },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('error', reject)
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) })
          })
        },
      )
      asked.on('timeout', () => asked.destroy(new Error('no answer in 20 s')))
      asked.on('error', reject)
      asked.end(ask.body)
    })
  }
}

export class Lab {
  /** Running programs; each takes itself out when it ends. */
  readonly programs = new Set<Program>()
  /** Removed with the lab. */
  readonly dir: string
  readonly #hub: ChildProcess
  /** Number of the last question to the hub. */
  #asked = 0
  readonly #waiting = new Map<number, (answer: HubAnswer) => void>()

  constructor(dir: string, hub: ChildProcess) {
    this.dir = dir
    this.#hub = hub
    if (hub.stdout !== null) {
      createInterface({ input: hub.stdout }).on('line', (line) => {
        const answer = JSON.parse(line) as HubAnswer
        this.#waiting.get(answer.id)?.(answer)
        this.#waiting.delete(answer.id)
      })
    }
    hub.once('exit', (code) => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `the hub ended with ${code}` })
    })
  }

  /** A new host at 10.77.0.<number>, or with IPv6 alone at fd77::<number>; numbers 1 to 250. */
  async host(number: number, family: 4 | 6 = 4): Promise<Host> {
    const address = family === 4 ? `10.77.0.${number}` : `fd77::${number}`
    const { pid } = await this.#ask({ op: 'host', address })
    if (pid === undefined) throw new Error('the hub gave no pid')
    return new Host(this, address, pid)
  }

  async forward(address: string, port: number): Promise<string> {
    const socket = join(
      this.dir,
      `${address.replace(/^.*[.:]/, address.includes(':') ? 'six' : '')}-${port}.sock`,
    )
    await this.#ask({ op: 'forward', socket, address, port })
    return socket
  }

  /** A new folder of that name below the lab's, readable by all: opentracker gives up root. */
  folder(name: string): string {
    const made = mkdtempSync(join(this.dir, `${name}-`))
    chmodSync(made, 0o755)
    return made
  }

  /** Settles when the hub stands; rejects with what it wrote where it does not. */
  ready(): Promise<unknown> {
    return this.#answer(0)
  }

  async close(): Promise<void> {
    await Promise.all([...this.programs].map((program) => program.stop()))
    const gone = new Promise((resolve) => this.#hub.once('exit', resolve))
    const running = this.#hub.exitCode === null && this.#hub.signalCode === null
    this.#hub.stdin?.end()
    if (running) await gone
    rmSync(this.dir, { recursive: true, force: true })
  }

  #answer(id: number): Promise<HubAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer)
        else reject(new Error(answer.error))
      })
    })
  }

  #ask(
    question:
      { op: 'host'; address: string } | { op: 'forward'; socket: string; address: string; port: number },
  ): Promise<HubAnswer> {
    const id = ++this.#asked
    this.#hub.stdin?.write(`${JSON.stringify({ id, ...question })}\n`)
    return this.#answer(id)
  }
}

/** Folders of runs that were killed: the name tells the process, and it is gone. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0
    if (pid > 0 && !alive(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

export async function openLab(): Promise<Lab> {
  sweep()
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  chmodSync(dir, 0o755)
  const script = fileURLToPath(new URL('./hub.ts', import.meta.url))
  const node = [process.execPath, '--import', 'tsx', script]
  const hub = spawn('unshare', [...UNSHARE, '--', 'setpriv', '--pdeathsig', 'KILL', '--', ...node], {
    cwd: REPOSITORY,
    env: ENV,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lab = new Lab(dir, hub)
  await lab.ready()
  return lab
}

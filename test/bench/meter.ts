/** What a client costs, seen from outside: CPU and memory of its process tree, bytes on the interface. */
import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds between looks at memory. */
const EVERY = 50
/** Ticks a second of /proc/PID/stat: the kernel's USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100

export interface Cost {
  /** Seconds, user and system, ended children included. */
  readonly cpu: number
  /** Bytes. */
  readonly peakAnon: number
  readonly peakRss: number
  /** Bytes sent on the loopback interface, all sockets of the world together. */
  readonly wire: number
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It ended between two looks.
    return null
  }
}

/** The process and all that descends from it. */
export function treeOf(root: number): number[] {
  const found = [root]
  for (const pid of found) {
    for (const thread of threadsOf(pid)) {
      const children = read(`/proc/${pid}/task/${thread}/children`) ?? ''
      found.push(...children.split(' ').filter(Boolean).map(Number))
    }
  }
  return found
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** Seconds of CPU in a line of /proc/PID/stat: utime, stime, cutime and cstime. */
export function cpuOfStat(stat: string): number {
  // The name in parentheses may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / TICKS
}

export interface Memory {
  readonly rss: number
  readonly anon: number
  readonly peak: number
}

/** Bytes out of /proc/PID/status. */
export function memoryOfStatus(status: string): Memory {
  const field = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
  return { rss: field('VmRSS'), anon: field('RssAnon'), peak: field('VmHWM') }
}

/** Bytes sent so far. On loopback each is received once, so one direction counts all. */
export function loopbackBytes(): number {
  const line = (read('/proc/net/dev') ?? '').split('\n').find((each) => each.trim().startsWith('lo:'))
  return Number(
    line
      ?.slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/)[8] ?? 0,
  )
}

export class Meter {
  readonly #roots: readonly number[]
  readonly #cpuBefore: number
  readonly #wireBefore: number
  /** Peaks of the sums over all processes, bytes. */
  #anon = 0
  #rss = 0
  readonly #timer: NodeJS.Timeout

  constructor(roots: readonly number[]) {
    this.#roots = roots
    this.#cpuBefore = this.#cpu()
    this.#wireBefore = loopbackBytes()
    this.#look()
    this.#timer = setInterval(() => {
      this.#look()
    }, EVERY)
  }

  stop(): Cost {
    clearInterval(this.#timer)
    const cpu = this.#cpu() - this.#cpuBefore
    const wire = loopbackBytes() - this.#wireBefore
    this.#look()
    return { cpu, wire, peakAnon: this.#anon, peakRss: this.#rss }
  }

  #cpu(): number {
    const pids = this.#roots.flatMap(treeOf)
    return pids.reduce((sum, pid) => {
      const stat = read(`/proc/${pid}/stat`)
      return stat === null ? sum : sum + cpuOfStat(stat)
    }, 0)
  }

  #look(): void {
    const seen = this.#roots.map((pid) => memoryOfStatus(read(`/proc/${pid}/status`) ?? ''))
    const sum = (of: (memory: Memory) => number): number => seen.reduce((all, each) => all + of(each), 0)
    this.#anon = Math.max(
      this.#anon,
      sum((each) => each.anon),
    )
    // A sampled sum may miss a peak that the kernel kept; with several processes their peaks may differ in time.
    const kept = seen.length === 1 ? (seen[0]?.peak ?? 0) : 0
    this.#rss = Math.max(
      this.#rss,
      kept,
      sum((each) => each.rss),
    )
  }
}

export interface Stirring {
  /** Times a thread of the process went to sleep and was woken. */
  readonly wakeups: number
  /** Bytes it sent to storage. */
  readonly written: number
}

/** Since the process began. */
export function stirringOf(pid: number): Stirring {
  const wakeups = threadsOf(pid).reduce((sum, thread) => {
    const status = read(`/proc/${pid}/task/${thread}/status`) ?? ''
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0)
  }, 0)
  const written = Number(/^write_bytes: (\d+)/m.exec(read(`/proc/${pid}/io`) ?? '')?.[1] ?? 0)
  return { wakeups, written }
}

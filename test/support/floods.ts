/** Floods against a real daemon, and what they do to it: how long `session.status` takes, and its memory. */
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Daemon } from './daemon.js'

export interface FloodSpec {
  readonly port: number
  /** Connections. */
  readonly count: number
  /** What each sends first, its handshake included; the peer id in it is replaced by one of its own. */
  readonly prelude: Buffer
  /** Sent again and again; whole messages. */
  readonly flood: Buffer
  /** What it does with answers. 'slow': at most 640 KiB a second; they are read until the flood begins. */
  readonly read: 'all' | 'slow' | 'none'
  /** One byte of `flood` in so many milliseconds; at full rate where left out. */
  readonly everyMillis?: number
  readonly seconds: number
}

export interface FloodTotals {
  /** Bytes written after the prelude, and read. */
  readonly sent: number
  readonly received: number
  /** Connections that ended before the flood was over. */
  readonly ended: number
  /** From the start until the last of those ended. */
  readonly lastedMillis: number
}

const FLOODER = join(import.meta.dirname, 'flooder.mjs')
const EVERY = 50

/** A flood that has begun. */
export interface Flood {
  readonly totals: Promise<FloodTotals>
  /** Ends it and its connections. */
  end(): void
}

/** Settles when every connection stands and the flood begins. */
export async function beginFlood(spec: FloodSpec): Promise<Flood> {
  const child = fork(FLOODER, { execArgv: [] })
  const { prelude, flood, everyMillis = 0, ...rest } = spec
  child.send({
    ...rest,
    everyMillis,
    prelude: prelude.toString('base64'),
    flood: flood.toString('base64'),
  })
  await message(child, 'ready')
  const totals = message(child, 'totals') as Promise<FloodTotals>
  // One that is ended early is missed only by who waits for it.
  totals.catch(() => undefined)
  return {
    totals,
    end: () => {
      child.kill('SIGKILL')
    },
  }
}

function message(child: ChildProcess, name: string): Promise<unknown> {
  return new Promise((done, failed) => {
    const ended = (code: number | null): void => {
      failed(new Error(`the flooder ended (${String(code)}) before it was ${name}`))
    }
    const each = (told: unknown): void => {
      if (typeof told !== 'object' || told === null || !(name in told)) return
      child.off('message', each)
      child.off('exit', ended)
      done((told as Record<string, unknown>)[name])
    }
    child.on('message', each)
    child.on('exit', ended)
  })
}

export interface Watched {
  /** Milliseconds of the slowest answer to `session.status`, as the clock says. */
  readonly slowest: number
  /** The same without the time in which the daemon's main thread, or ours, was ready to run and got no core. */
  readonly slowestOwn: number
  /** The most CPU milliseconds that the daemon's main thread used between a question and its answer. */
  readonly slowestCpu: number
  readonly answers: number
  /** Part of the time in which neither of the two threads waited for a core. */
  readonly ownShare: number
  /** Bytes: most, and how much the last third is above the first. */
  readonly rssPeak: number
  readonly rssGrowth: number
  /** CPU seconds of the daemon's main thread. */
  readonly mainCpu: number
}

/** Asks for the status every 50 ms until `until` settles. */
export async function watch(daemon: Daemon, until: Promise<unknown>): Promise<Watched> {
  const over = until.then(
    () => true,
    () => true,
  )
  const rss: number[] = []
  let [slowest, slowestOwn, answers] = [0, 0, 0]
  const { cpu } = schedOf(daemon.pid)
  let slowestCpu = 0
  const waitedBefore = schedOf(daemon.pid).waited + schedOf(process.pid).waited
  const since = performance.now()
  for (let ended = false; !ended;) {
    const waited = schedOf(daemon.pid).waited + schedOf(process.pid).waited
    const ran = schedOf(daemon.pid).cpu
    const begun = performance.now()
    await daemon.call('session.status', {})
    const took = performance.now() - begun
    const own = took - (schedOf(daemon.pid).waited + schedOf(process.pid).waited - waited)
    slowestCpu = Math.max(slowestCpu, schedOf(daemon.pid).cpu - ran)
    slowest = Math.max(slowest, took)
    slowestOwn = Math.max(slowestOwn, own)
    answers += 1
    rss.push(rssOf(daemon.pid))
    ended = await Promise.race([over, delay(Math.max(0, EVERY - took), false)])
  }
  const waitedInAll = schedOf(daemon.pid).waited + schedOf(process.pid).waited - waitedBefore
  const third = Math.ceil(rss.length / 3)
  return {
    slowest,
    slowestOwn,
    slowestCpu,
    answers,
    ownShare: Math.max(0.1, 1 - waitedInAll / (performance.now() - since)),
    rssPeak: Math.max(...rss),
    rssGrowth: median(rss.slice(-third)) - median(rss.slice(0, third)),
    mainCpu: (schedOf(daemon.pid).cpu - cpu) / 1000,
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** Milliseconds for which the main thread of a process ran, and was ready to run while others had the cores. */
export function schedOf(pid: number): { readonly cpu: number; readonly waited: number } {
  const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/schedstat`, 'utf8')
  const [ran = 0, waited = 0] = text.split(' ').map(Number)
  return { cpu: ran / 1e6, waited: waited / 1e6 }
}

export function rssOf(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))
  if (found === null) throw new Error('no VmRSS')
  return Number(found[1]) * 1024
}

/** Has a backup copied by a process of its own (carry.ts), and waits for it no longer than it goes on. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Millis } from '../../shared/units.js'
import { StoreFault } from '../ports/store.js'

export interface CarryAsk {
  /** `put`: out of the home to where a person wants it; `take`: into the home. */
  readonly way: 'put' | 'take'
  readonly from: string
  readonly to: string
  /** `st_dev/st_ino` of the database in use. */
  readonly own: string
}

/** What the process says last. */
export type CarryEnd = { readonly bytes: number } | { readonly code: string; readonly message: string }

/** A copy under way. */
export interface Carrying {
  /** Bytes copied. Rejects with StoreFault; ETIMEDOUT: nothing came for so long. */
  readonly done: Promise<number>
  /** Waits for it no longer. */
  abandon(): void
}

export type Carrier = (ask: CarryAsk) => Carrying

/** Longer than a disk that slept needs to answer. */
const SILENT: Millis = 20_000

export function carrierOf(after: (delay: Millis, call: () => void) => () => void): Carrier {
  return (ask) => {
    const program = fileURLToPath(new URL('./carry.js', import.meta.url))
    const child = spawn(process.execPath, [program, JSON.stringify(ask)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {},
    })
    return watch(child, ask, after)
  }
}

function watch(
  child: ChildProcess,
  ask: CarryAsk,
  after: (delay: Millis, call: () => void) => () => void,
): Carrying {
  let abandon: (fault: StoreFault) => void = () => undefined
  const done = new Promise<number>((resolve, reject) => {
    let said = ''
    let cancel = (): void => undefined
    const wait = (): void => {
      cancel()
      cancel = after(SILENT, () => {
        abandon(silent(ask))
      })
    }
    abandon = (fault) => {
      cancel()
      // One that hangs in a system call ends when that does; nobody waits for it.
      child.kill('SIGKILL')
      child.stdout?.destroy()
      child.unref()
      reject(fault)
    }
    child.stdout?.on('data', (text: Buffer) => {
      said = (said + String(text)).replace(/^(\+\n)+/, '')
      wait()
    })
    child.on('error', (error) => {
      abandon(new StoreFault('ECHILD', error.message))
    })
    child.on('close', () => {
      cancel()
      const end = endOf(said)
      if ('bytes' in end) resolve(end.bytes)
      else reject(new StoreFault(end.code, end.message))
    })
    wait()
  })
  return {
    done,
    abandon: () => {
      abandon(new StoreFault('CLOSED', 'the store is closed'))
    },
  }
}

function endOf(said: string): CarryEnd {
  try {
    return JSON.parse(said) as CarryEnd
  } catch {
    return { code: 'ECHILD', message: 'the copy ended without a word' }
  }
}

function silent({ way, from, to }: CarryAsk): StoreFault {
  const path = way === 'put' ? to : from
  return new StoreFault(
    'ETIMEDOUT',
    `${path} does not answer; see whether its volume is well, or name another file`,
  )
}

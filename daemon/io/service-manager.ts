/**
 * What the daemon tells a systemd that asks for it (sd_notify(3), sd_watchdog_enabled(3)). Node has no Unix datagram
 * sockets, so the program systemd-notify speaks as a child.
 */
import { spawn } from 'node:child_process'
import type { Clock } from '../ports/clock.js'

export interface ServiceManagerInit {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
}

export interface ServiceManagerPorts {
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void }
  /** Tells the manager these assignments; calls back once, with why it could not or null. Only the default is real. */
  readonly tell?: (words: readonly string[], done: (problem: string | null) => void) => void
}

export interface ServiceManager {
  /** The daemon answers. From now on it also says regularly that it lives, where that is asked for. */
  ready(): void
  /** It is about to end: no more signs of life. */
  stopping(): void
}

/** No timer and no child where NOTIFY_SOCKET is not set. */
export function createServiceManager(
  { env, pid }: ServiceManagerInit,
  { clock, log, tell = systemdNotify }: ServiceManagerPorts,
): ServiceManager {
  const socket = env['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return { ready: () => undefined, stopping: () => undefined }
  /** One at a time: a manager that does not listen gets no heap of children. */
  let speaking = false
  let warned = false
  const say = (...words: readonly string[]): void => {
    speaking = true
    tell(words, (problem) => {
      speaking = false
      if (problem === null || warned) return
      warned = true
      log.warn({ problem }, 'systemd could not be told; systemd-notify is in the package systemd')
    })
  }
  let silence = (): void => undefined
  return {
    ready: () => {
      say('READY=1', 'STATUS=ready')
      const half = watchdogMillis(env, pid) / 2
      if (half <= 0) return
      silence = clock.every(half, () => {
        if (!speaking) say('WATCHDOG=1')
      })
    },
    stopping: () => {
      silence()
      say('STOPPING=1', 'STATUS=stopping')
    },
  }
}

/** 0 where nobody watches, or somebody else is meant. */
function watchdogMillis(env: ServiceManagerInit['env'], pid: number): number {
  const whose = env['WATCHDOG_PID']
  if (whose !== undefined && whose !== '' && Number(whose) !== pid) return 0
  const micros = Number(env['WATCHDOG_USEC'])
  // Less than 2 s would be a child a second: nobody means that.
  return Number.isSafeInteger(micros) && micros > 0 ? Math.max(2000, micros / 1000) : 0
}

/** It ends by itself when the manager has taken note. What does not end in half a minute is ended. */
function systemdNotify(words: readonly string[], done: (problem: string | null) => void): void {
  let settled = false
  const settle = (problem: string | null): void => {
    if (settled) return
    settled = true
    done(problem)
  }
  const child = spawn('systemd-notify', words, { stdio: 'ignore', timeout: 30_000 })
  child.once('error', (error) => settle(error.message))
  child.once('exit', (code, signal) => settle(code === 0 ? null : (signal ?? `exit status ${String(code)}`)))
  child.unref()
}

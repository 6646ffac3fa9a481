/** What every generator does the same way: one JSON line when it is ready, one when it ends. */
import { writeSync } from 'node:fs'

export interface CpuSeconds {
  readonly user: number
  readonly system: number
  readonly total: number
}

export interface Program {
  /** Seconds since `ready`. */
  readonly seconds: () => number
  /** Used since `ready`. */
  readonly cpu: () => CpuSeconds
  /** Writes the report and ends the process; later calls do nothing. */
  readonly end: () => void
}

export function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

/** Says that it is ready; from here on time and CPU count, and a signal to end leads to the report. */
export function ready(line: object, report: (program: Program) => object): Program {
  const since = performance.now()
  const used = process.cpuUsage()
  let over = false
  const program: Program = {
    seconds: () => (performance.now() - since) / 1000,
    cpu: () => {
      const { user, system } = process.cpuUsage(used)
      return { user: user / 1e6, system: system / 1e6, total: (user + system) / 1e6 }
    },
    end: () => {
      if (over) return
      over = true
      say(report(program))
      process.exit(0)
    },
  }
  process.on('SIGTERM', program.end)
  process.on('SIGINT', program.end)
  say({ ready: true, pid: process.pid, ...line })
  return program
}

/** A positive number from the command line, or the default. */
export function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!(value >= 0)) throw new Error(`--${name} '${text}' is no number`)
  return value
}

/** Runs a program's main part; an error is one line on stderr and exit code 1. */
export function run(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  })
}

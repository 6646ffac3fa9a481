/** What the proofs read from a command line and say at the end. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ProofFigures, START_BOUND } from './kill-rounds.js'

export interface Asked {
  readonly rounds: number
  readonly seed: number
  /** Takes a line for each round. */
  readonly say: (line: string) => void
}

/** `--rounds N --seed S --verbose`. */
export function asked(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds)
  const seed = Number(values.seed)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a number from 1')
  if (!Number.isInteger(seed)) throw new Error('--seed takes a whole number')
  const say = (line: string): void => {
    if (values.verbose) console.log(line)
  }
  return { rounds, seed, say }
}

/** Runs with a folder that is gone afterwards; the process ends with the status it answers. */
export async function inFolder(run: (dir: string) => Promise<number>): Promise<void> {
  // Short: the path of a socket has 103 bytes at most.
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'tor-proof-'))
  try {
    process.exitCode = await run(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Every way in which the figures break what is promised, one sentence each, but for how long a start took. */
export function violationsOf(figures: ProofFigures): string[] {
  const found = [...figures.lost, ...figures.wrong, ...figures.backwards]
  if (figures.mostUnrecorded > figures.bound) found.push('more progress was lost than one interval brings')
  return found
}

/** A sentence where a start took too long: for a machine that has nothing else to do. */
export function slowStarts(figures: ProofFigures): string[] {
  const millis = Math.round(figures.slowestStart)
  return millis < START_BOUND ? [] : [`a start took ${String(millis)} ms`]
}

/** The figures in one line. */
export function figuresLine(figures: ProofFigures): string {
  const { rounds, lost, wrongPieces, recorded, slowestStart, mostUnrecorded, bound } = figures
  const kib = (bytes: number): string => String(Math.ceil(bytes / 1024))
  return (
    `rounds ${String(rounds)}: ${String(lost.length)} lost torrents, ` +
    `${String(wrongPieces)} recorded pieces that do not hash (of ${String(recorded)}), ` +
    `slowest start ${String(Math.round(slowestStart))} ms, ` +
    `most progress lost ${kib(mostUnrecorded)} KiB (bound ${kib(bound)} KiB)`
  )
}

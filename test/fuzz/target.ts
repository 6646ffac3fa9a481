/** What is fuzzed, and how one input is judged: no foreign error, no long time, no memory by a claimed length. */
import fc from 'fast-check'
import { grow, type Mutant, mutants } from './mutation.js'

export interface Target {
  readonly name: string
  /** Sound inputs; at least one. */
  readonly seeds: readonly Uint8Array[]
  /** Throws where the parser did what it must not: the parser's own error is the target's to catch. */
  readonly check: (bytes: Buffer, cuts: readonly number[]) => void
}

/** Milliseconds that one input may take, the best of three: each is of 128 KiB at most. */
const MOST_MILLIS = 250
/** Bytes that one allocation may have beyond `MOST_TIMES` the input. */
const MOST_EXTRA = 128 * 1024
const MOST_TIMES = 4

/** Bytes of the largest array that was made since it was last set to 0. */
let largest = 0

function watched<A extends unknown[], R>(make: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    if (typeof args[0] === 'number') largest = Math.max(largest, args[0])
    return make(...args)
  }
}

// For the life of this process, as what parsers call are the global ones.
Buffer.alloc = watched(Buffer.alloc)
Buffer.allocUnsafe = watched(Buffer.allocUnsafe)
Buffer.allocUnsafeSlow = watched(Buffer.allocUnsafeSlow)
globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct: (real, args, target) => {
    if (typeof args[0] === 'number') largest = Math.max(largest, args[0])
    return Reflect.construct(real, args, target) as Uint8Array
  },
})

/** Judges one input; throws what is wrong with it. */
export function judge(target: Target, bytes: Buffer, cuts: readonly number[]): void {
  largest = 0
  const took = time(target, bytes, cuts)
  const most = MOST_EXTRA + MOST_TIMES * bytes.length
  if (largest > most) {
    throw new Error(`${String(bytes.length)} bytes made it allocate ${String(largest)} at once`)
  }
  if (took < MOST_MILLIS) return
  const best = Math.min(time(target, bytes, cuts), time(target, bytes, cuts))
  if (best >= MOST_MILLIS) throw new Error(`${String(bytes.length)} bytes took ${best.toFixed()} ms`)
}

function time(target: Target, bytes: Buffer, cuts: readonly number[]): number {
  const begun = performance.now()
  // A copy: a parser that writes into its input would hide what it was.
  target.check(Buffer.from(bytes), cuts)
  return performance.now() - begun
}

/** The same bytes in chunks of these sizes; the rest is the last one. Copies. */
export function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (const size of cuts) {
    chunks.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return [...chunks, Buffer.from(bytes.subarray(at))]
}

/** How a case is kept in cases/. */
export interface Case {
  readonly target: string
  /** Base64. */
  readonly input: string
  readonly cuts: readonly number[]
  /** What it was, in one line. */
  readonly what: string
}

/** Runs mutants; throws at the first that is judged wrong, shrunk, with the text of its case. */
export function fuzz(target: Target, options: { readonly seed: number; readonly runs: number }): void {
  const property = fc.property(mutants(target.seeds.length), (mutant: Mutant) => {
    const bytes = grow(target.seeds, mutant)
    try {
      judge(target, bytes, mutant.cuts)
    } catch (error) {
      const what = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : 'no error'
      const found: Case = { target: target.name, input: bytes.toString('base64'), cuts: mutant.cuts, what }
      throw new Error(`for cases/: ${JSON.stringify(found)}`, { cause: error })
    }
  })
  const { failed, errorInstance } = fc.check(property, { seed: options.seed, numRuns: options.runs })
  if (failed) throw errorInstance
}

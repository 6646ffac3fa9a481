/** `npm run test:fuzz -- --minutes 10 [--seed N] [--target NAME]`: mutants of a fresh seed until the time is over. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { fuzz } from './target.js'
import { TARGETS } from './targets/all.js'

/** Mutants of one target before the next has its turn. */
const TURN = 500

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    target: { type: 'string' },
  },
})
const targets = TARGETS.filter(({ name }) => values.target === undefined || name === values.target)
if (targets.length === 0) throw new Error(`the targets are ${TARGETS.map(({ name }) => name).join(', ')}`)

const say = (line: string): void => void process.stdout.write(`${line}\n`)
say(`seed ${values.seed}, ${values.minutes} minutes, ${String(targets.length)} parsers`)
const counts = new Map<string, number>()
const broken = new Set<string>()
const end = performance.now() + Number(values.minutes) * 60_000
for (let seed = Number(values.seed); performance.now() < end; seed += 1) {
  for (const target of targets) {
    if (performance.now() >= end) break
    if (broken.has(target.name)) continue
    try {
      fuzz(target, { seed: seed % 2 ** 31, runs: TURN })
      counts.set(target.name, (counts.get(target.name) ?? 0) + TURN)
    } catch (error) {
      broken.add(target.name)
      say(`${target.name} (seed ${String(seed)}): ${String(error)}`)
    }
  }
  if (broken.size === targets.length) break
}
for (const [name, runs] of counts) say(`${name}: ${String(runs)} mutants`)
say(
  broken.size === 0
    ? 'no parser broke'
    : `broken: ${[...broken].join(', ')}; each case goes to test/fuzz/cases`,
)
process.exitCode = broken.size === 0 ? 0 : 1

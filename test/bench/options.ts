/** The command line of `npm run bench`. Pure. */
import { CLIENTS, type ClientId, YARDSTICK } from './results.js'

export interface Options {
  readonly quick: boolean
  /** Scenario ids or groups, or null for the whole. */
  readonly only: readonly string[] | null
  readonly clients: readonly ClientId[]
  /** Rounds of each client, or null for what the scenario says. */
  readonly rounds: number | null
  /** After so many no further run begins; null for the default. */
  readonly minutes: number | null
  /** Payload sizes are multiplied by it. */
  readonly scale: number
  /** The JSON, or null for its usual place. */
  readonly out: string | null
  /** Whether finished cells of the same build stay as they are. */
  readonly resume: boolean
}

/** One sentence for the person who typed it. */
export class UsageError extends Error {}

export const USAGE = `npm run bench -- [--quick] [--only SCENARIO[,..]] [--clients A,B] [--rounds N] [--scale F]
                 [--minutes N] [--out FILE] [--resume | --again]

  --quick     small payloads, one round, the main scenarios: under 3 minutes
  --only      scenarios or groups of them (single, seed, mesh, ...); "idle" runs only this way
  --clients   ${CLIENTS.join(', ')};
              ${YARDSTICK} only this way: the least that a Node program pays, in "single"
  --rounds    rounds of every client, in place of 5 and 3
  --minutes   after so many no further run begins, and the next call goes on from there (default 60;
              with --quick 2.5)
  --scale     multiplies the payload sizes (default 1)
  --out       the JSON (default docs/benchmarks.json; with --quick or --scale torrentino-bench/benchmarks.json
              below the system's folder for temporary files); the page is written beside it
  --resume    keep finished cells of the same build and parameters (default)
  --again     measure them again`

export function parseOptions(words: readonly string[]): Options {
  const options = {
    quick: false,
    only: null as readonly string[] | null,
    clients: CLIENTS,
    rounds: null as number | null,
    minutes: null as number | null,
    scale: 1,
    out: null as string | null,
    resume: true,
  }
  const rest = [...words]
  const value = (name: string): string => {
    const word = rest.shift()
    if (word === undefined) throw new UsageError(`${name} needs a value.`)
    return word
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    switch (word) {
      case '--quick':
        options.quick = true
        break
      case '--only':
        options.only = value(word).split(',').filter(Boolean)
        break
      case '--clients':
        options.clients = value(word).split(',').map(clientNamed)
        break
      case '--rounds':
        options.rounds = positive(word, value(word), true)
        break
      case '--minutes':
        options.minutes = positive(word, value(word), false)
        break
      case '--scale':
        options.scale = positive(word, value(word), false)
        break
      case '--out':
        options.out = value(word)
        break
      case '--resume':
        options.resume = true
        break
      case '--again':
        options.resume = false
        break
      default:
        throw new UsageError(`There is no option ${word}.`)
    }
  }
  return options
}

function clientNamed(word: string): ClientId {
  const id = [...CLIENTS, YARDSTICK].find((each) => each === word)
  if (id === undefined) throw new UsageError(`There is no client ${word}: ${CLIENTS.join(', ')}.`)
  return id
}

function positive(name: string, word: string, whole: boolean): number {
  const number = Number(word)
  if (!(number > 0) || (whole && !Number.isInteger(number))) {
    throw new UsageError(`${name} needs a ${whole ? 'whole ' : ''}number above 0, not ${word}.`)
  }
  return number
}

/** The searches that run and those that wait for their turn. */
import type { Millis } from '../../shared/units.js'
import type { Contact, Endpoint, KrpcAnswer, NodeId } from '../codec/krpc.js'
import type { Question } from '../codec/krpc-writer.js'
import type { Cancel } from '../ports/clock.js'
import type { Family } from './family.js'
import { Census, type SwarmCounts } from './filter.js'
import { type Candidate, Lookup, type LookupResult } from './lookup.js'
import type { Outcome } from './questions.js'
import { K } from './table.js'

const MOST_RUNNING = 8
/** Bytes of a question that has room for eight nodes in the answer to a stranger (see Sources). */
export const LONG_QUESTION = 208

export interface SearchInit {
  readonly method: 'find_node' | 'get_peers'
  readonly target: NodeId
  readonly from?: readonly Contact[]
  readonly doors?: readonly Endpoint[]
  readonly announce?: { readonly port: number; readonly seed: boolean }
  /** In the end the nearest are asked how many there are (BEP 33): libtorrent tells that in place of peers. */
  readonly scrape?: boolean
  readonly peers?: (peers: readonly Endpoint[]) => void
  /** `counts`: what the nearest nodes say, where they were asked and one told. */
  readonly done: (result: LookupResult, announcedTo: number, counts: SwarmCounts | null) => void
}

export interface SearchPorts {
  /** When our own rate lets searches begin. */
  readonly freeAt: () => Millis
  readonly ask: (
    family: Family,
    to: { readonly id: NodeId | null; readonly at: Endpoint },
    question: Pick<Question, 'method' | 'target' | 'announce' | 'least' | 'scrape'>,
    outcome: Outcome,
  ) => void
  readonly usable: (family: Family, contacts: readonly Contact[], teller: Endpoint) => Contact[]
  readonly version: string
}

interface Search {
  readonly family: Family
  readonly init: SearchInit
  /** Null while it waits. */
  lookup: Lookup | null
}

export class Searches {
  readonly #ports: SearchPorts
  /** In the order of their coming. */
  readonly #waiting: Search[] = []
  readonly #running = new Set<Search>()

  constructor(ports: SearchPorts) {
    this.#ports = ports
  }

  get size(): number {
    return this.#waiting.length + this.#running.size
  }

  add(family: Family, init: SearchInit): Cancel {
    const search: Search = { family, init, lookup: null }
    this.#waiting.push(search)
    return () => {
      search.lookup?.cancel()
      this.#running.delete(search)
      const at = this.#waiting.indexOf(search)
      if (at >= 0) this.#waiting.splice(at, 1)
    }
  }

  /** Begins what has its turn. */
  run(now: Millis): void {
    for (let next = this.#next(); next !== undefined && this.#ports.freeAt() <= now; next = this.#next()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      this.#begin(next, now)
    }
  }

  /** When the first that waits may begin, where only our rate holds it back. */
  dueAt(now: Millis): Millis {
    return this.#next() === undefined ? Infinity : Math.max(now, this.#ports.freeAt())
  }

  clear(): void {
    for (const { lookup } of this.#running) lookup?.cancel()
    this.#running.clear()
    this.#waiting.length = 0
  }

  #next(): Search | undefined {
    if (this.#running.size >= MOST_RUNNING) return undefined
    // Before we know anybody a search for peers would end at once with nothing.
    return this.#waiting.find(({ family, init }) => init.method === 'find_node' || !family.booting)
  }

  #begin(search: Search, now: Millis): void {
    const { family, init } = search
    const { target } = init
    const lookup = new Lookup(
      {
        target,
        from: [...family.table.nearest(target, 2 * K, now), ...(init.from ?? [])],
        doors: init.doors ?? [],
        isShort: (answer) => this.#isShort(answer),
      },
      {
        ask: (candidate, long) => {
          const least = long ? { least: LONG_QUESTION } : {}
          this.#ports.ask(
            family,
            candidate,
            { method: init.method, target, ...least },
            {
              late: () => {
                lookup.late(candidate)
              },
              failed: () => {
                lookup.failed(candidate)
              },
              answered: (answer) => {
                lookup.answered(candidate, this.#cleared(family, answer, candidate.at))
              },
            },
          )
        },
        askDoor: (door) => {
          this.#askDoor(family, lookup, door)
        },
        values: (peers) => {
          init.peers?.(peers.filter((peer) => (peer.length === 6) === (family.family === 4)))
        },
        done: (result) => {
          this.#running.delete(search)
          this.#end(search, result)
        },
      },
    )
    search.lookup = lookup
    this.#running.add(search)
    lookup.start()
  }

  #askDoor(family: Family, lookup: Lookup, door: Endpoint): void {
    let late = false
    const failed = (): void => {
      if (!late) lookup.doorFailed()
      late = true
    }
    this.#ports.ask(
      family,
      { id: null, at: door },
      { method: 'find_node', target: lookup.target },
      {
        late: failed,
        failed,
        answered: (answer) => {
          if (!late) lookup.doorAnswered(this.#cleared(family, answer, door))
        },
      },
    )
  }

  #cleared(family: Family, answer: KrpcAnswer, from: Endpoint): KrpcAnswer {
    return { ...answer, nodes: this.#ports.usable(family, answer.nodes, from) }
  }

  /** Our own kind tells strangers little; asked at length it tells all. */
  #isShort(answer: KrpcAnswer): boolean {
    return answer.nodes.length < K && answer.version === this.#ports.version
  }

  /** Announces us to the nearest that gave a token, and asks the nearest to count, or ends at once. */
  #end(search: Search, result: LookupResult): void {
    const { family, init } = search
    const takers = init.announce === undefined ? [] : result.nearest.filter(({ token }) => token !== null)
    const tellers = init.scrape === true ? result.nearest : []
    // Only the nearest count: their word is what the swarm announced to, and others cannot add to it.
    const census = new Census()
    let left = takers.length + tellers.length
    let taken = 0
    const over = (): void => {
      if (--left <= 0) init.done(result, taken, census.counts)
    }
    if (left === 0) return over()
    for (const taker of takers) this.#announce(family, init, taker, { taken: () => taken++, over })
    for (const teller of tellers) {
      const answered = ({ filters }: KrpcAnswer): void => {
        if (filters !== null) census.add(filters)
        over()
      }
      const question = { method: init.method, target: init.target, scrape: true } as const
      this.#ports.ask(family, teller, question, { late: () => undefined, failed: over, answered })
    }
  }

  #announce(
    family: Family,
    init: SearchInit,
    taker: Candidate,
    told: { readonly taken: () => void; readonly over: () => void },
  ): void {
    const { announce, target } = init
    if (announce === undefined) return
    const asked = { port: announce.port, seed: announce.seed, token: taker.token ?? '' }
    this.#ports.ask(
      family,
      taker,
      { method: 'announce_peer', target, announce: asked },
      {
        late: () => undefined,
        failed: told.over,
        answered: () => {
          told.taken()
          told.over()
        },
      },
    )
  }
}

/**
 * One search towards a key in one family (BEP 5): asks the nearest known nodes until the eight nearest have answered.
 * Decides only; who asks it sends, and tells it what came of it.
 */
import type { Contact, Endpoint, KrpcAnswer, NodeId } from '../codec/krpc.js'
import { compareDistance, isLawful, isNear, networkOf } from './id.js'
import { K } from './table.js'

/** Questions on their way at once. */
const ALPHA = 4
/** Candidates that are kept, the nearest. */
const MOST_CANDIDATES = 100
/** Answers of nodes with unlawful ids count for less (BEP 42): so many of any kind end a search too. */
const ENOUGH_OF_ANY = 2 * K
/** Questions to nodes that are doubted: an unlawful id, or told of by one whose word was wrong. */
const MOST_DOUBTED = 24
/** Nodes of an answer that did not answer, from which on the others that it named wait. */
const MISLED = 2
const MOST_ASKED = 150
const MOST_VALUES = 5000

export interface LookupPorts {
  /** Sends the question. `long`: it is to be padded, because the node knows us not yet and answered in part. */
  readonly ask: (candidate: Candidate, long: boolean) => void
  /** A node whose id nobody told us yet. */
  readonly askDoor: (door: Endpoint) => void
  /** Peers that are new to this search. */
  readonly values: (peers: readonly Endpoint[]) => void
  readonly done: (result: LookupResult) => void
}

export interface LookupInit {
  readonly target: NodeId
  /** From our table. */
  readonly from: readonly Contact[]
  /** Nodes of which only the address is known. */
  readonly doors: readonly Endpoint[]
  /** Whether a node's answer may have been cut because it knows us not. */
  readonly isShort: (answer: KrpcAnswer) => boolean
}

export interface LookupResult {
  /** The nearest that answered, at most eight, the nearest first; those with lawful ids before others. */
  readonly nearest: readonly Candidate[]
  /** Questions asked, and how many of them were answered. */
  readonly asked: number
  readonly answered: number
  /** The longest path by which one of the nearest was found: 1 for a node of our own table. */
  readonly hops: number
  readonly peers: number
}

type State = 'new' | 'asked' | 'late' | 'answered' | 'failed'

/** A node that the search knows of. */
export interface Candidate extends Contact {
  readonly hops: number
  readonly lawful: boolean
  /** Who told of it. */
  readonly via: Candidate | null
  state: State
  /** What it gave for announce_peer. */
  token: string | null
  /** Its answer may have been cut, and it was not asked at length yet. */
  short: boolean
  /** Nodes it named that were silent. */
  misled: number
  /** A question to it is neither answered nor late. */
  flying: boolean
}

export class Lookup {
  readonly target: NodeId
  readonly #init: LookupInit
  readonly #ports: LookupPorts
  /** The nearest first. */
  readonly #candidates: Candidate[] = []
  readonly #ids = new Set<NodeId>()
  /** The one candidate of each /24 or /48; what is near us is not in it. */
  readonly #networks = new Map<string, Candidate>()
  readonly #values = new Set<Endpoint>()
  /** Questions that are neither answered nor late. */
  #flying = 0
  /** Doors that have not answered; they are no candidates. */
  #doors = 0
  #asked = 0
  #answered = 0
  #doubted = 0
  #ended = false

  constructor(init: LookupInit, ports: LookupPorts) {
    this.target = init.target
    this.#init = init
    this.#ports = ports
  }

  start(): void {
    for (const contact of this.#init.from) this.#add(contact, null)
    for (const door of this.#init.doors) {
      this.#doors++
      this.#asked++
      this.#ports.askDoor(door)
    }
    this.#go()
  }

  get ended(): boolean {
    return this.#ended
  }
  get peers(): number {
    return this.#values.size
  }

  answered(candidate: Candidate, answer: KrpcAnswer): void {
    const again = candidate.state === 'answered'
    this.#land(candidate)
    if (!again) this.#answered++
    candidate.state = 'answered'
    candidate.token = answer.token ?? candidate.token
    candidate.short = !again && this.#init.isShort(answer)
    this.#take(answer, candidate)
    this.#go()
  }

  doorAnswered(answer: KrpcAnswer): void {
    this.#doors--
    this.#answered++
    this.#take(answer, null)
    this.#go()
  }

  doorFailed(): void {
    this.#doors--
    this.#go()
  }

  late(candidate: Candidate): void {
    this.#land(candidate)
    if (candidate.state === 'asked') this.#miss(candidate, 'late')
    this.#go()
  }

  /** Silence, an error, or the answer of another id. */
  failed(candidate: Candidate): void {
    this.#land(candidate)
    if (candidate.state === 'asked') this.#miss(candidate, 'failed')
    else if (candidate.state === 'late') candidate.state = 'failed'
    this.#go()
  }

  /** Ends it with what there is. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    const nearest = this.#nearest()
    this.#ports.done({
      nearest,
      asked: this.#asked,
      answered: this.#answered,
      hops: nearest.reduce((most, each) => Math.max(most, each.hops), 0),
      peers: this.#values.size,
    })
  }

  /** Nothing more is told. */
  cancel(): void {
    this.#ended = true
  }

  #land(candidate: Candidate): void {
    if (candidate.flying) this.#flying--
    candidate.flying = false
  }

  #miss(candidate: Candidate, state: 'late' | 'failed'): void {
    candidate.state = state
    if (candidate.via !== null) candidate.via.misled++
  }

  #take(answer: KrpcAnswer, from: Candidate | null): void {
    if (this.#ended) return
    for (const contact of answer.nodes) this.#add(contact, from)
    const fresh = (answer.values ?? []).filter((peer) => !this.#values.has(peer))
    const room = MOST_VALUES - this.#values.size
    for (const peer of fresh.slice(0, room)) this.#values.add(peer)
    if (fresh.length > 0 && room > 0) this.#ports.values(fresh.slice(0, room))
  }

  #add(contact: Contact, via: Candidate | null): void {
    if (this.#ids.has(contact.id)) return
    const candidate: Candidate = {
      id: contact.id,
      at: contact.at,
      hops: (via?.hops ?? 0) + 1,
      lawful: isLawful(contact.id, contact.at),
      via,
      state: 'new',
      token: null,
      short: false,
      misled: 0,
      flying: false,
    }
    if (!this.#claim(candidate)) return
    this.#ids.add(candidate.id)
    const at = this.#candidates.findIndex((each) => compareDistance(this.target, candidate.id, each.id) < 0)
    if (at < 0) this.#candidates.push(candidate)
    else this.#candidates.splice(at, 0, candidate)
    if (this.#candidates.length > MOST_CANDIDATES) this.#drop(this.#candidates.length - 1)
  }

  /** One network has one place; who is lawful or answers takes it from who is not or does not. */
  #claim(candidate: Candidate): boolean {
    if (isNear(candidate.at)) return true
    const network = networkOf(candidate.at)
    const holder = this.#networks.get(network)
    if (holder !== undefined) {
      const better = candidate.lawful && !holder.lawful && holder.state === 'new'
      if (!better && holder.state !== 'failed') return false
      if (holder.state === 'new') this.#drop(this.#candidates.indexOf(holder))
    }
    this.#networks.set(network, candidate)
    return true
  }

  #drop(at: number): void {
    const [gone] = this.#candidates.splice(at, 1)
    if (gone !== undefined && this.#networks.get(networkOf(gone.at)) === gone) {
      this.#networks.delete(networkOf(gone.at))
    }
  }

  #go(): void {
    if (this.#ended) return
    let step = this.#step()
    while (step.next !== null && this.#flying < ALPHA && this.#asked < MOST_ASKED) {
      this.#ask(step.next, false)
      step = this.#step()
    }
    const nothingElse = step.next === null || this.#asked >= MOST_ASKED
    if (!nothingElse || step.waits || (this.#doors > 0 && !step.enough)) return
    // The eight nearest may know of others between them that they did not tell us yet.
    const cut = this.#nearest().filter((candidate) => candidate.short)
    for (const candidate of cut) this.#ask(candidate, true)
    if (cut.length === 0) this.end()
  }

  #ask(candidate: Candidate, long: boolean): void {
    candidate.short = false
    if (!long) {
      candidate.state = 'asked'
      if (isDoubted(candidate)) this.#doubted++
    }
    candidate.flying = true
    this.#flying++
    this.#asked++
    this.#ports.ask(candidate, long)
  }

  /**
   * `next`: the nearest that was not asked, up to where enough have answered. `waits`: a question to one of those is on
   * its way. `enough`: there are enough answers.
   */
  #step(): { readonly next: Candidate | null; readonly waits: boolean; readonly enough: boolean } {
    let lawful = 0
    let any = 0
    let waits = false
    let doubted: Candidate | null = null
    for (const candidate of this.#candidates) {
      if (lawful >= K || any >= ENOUGH_OF_ANY) break
      waits ||= candidate.flying
      if (candidate.state === 'answered') {
        any++
        if (candidate.lawful) lawful++
      } else if (candidate.state === 'new') {
        if (!isDoubted(candidate)) return { next: candidate, waits, enough: false }
        doubted ??= candidate
      }
    }
    const enough = lawful >= K || any >= ENOUGH_OF_ANY
    return { next: this.#doubted < MOST_DOUBTED ? doubted : null, waits, enough }
  }

  #nearest(): Candidate[] {
    const answered = this.#candidates.filter(({ state }) => state === 'answered')
    const lawful = answered.filter((candidate) => candidate.lawful)
    return [...lawful, ...answered.filter((candidate) => !candidate.lawful)].slice(0, K)
  }
}

function isDoubted(candidate: Candidate): boolean {
  return !candidate.lawful || (candidate.via?.misled ?? 0) >= MISLED
}

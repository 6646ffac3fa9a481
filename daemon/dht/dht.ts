/**
 * Our node of the DHT (BEP 5, 32, 33, 42, 43, 51): one brain over two families. Sans I/O: packets come in through
 * `receive` and go out through a port; one timer.
 */
import type { Millis } from '../../shared/units.js'
import {
  type Contact,
  type Endpoint,
  type KrpcAnswer,
  type KrpcBad,
  type KrpcQuery,
  type NodeId,
  readKrpc,
} from '../codec/krpc.js'
import { type Question, writeError, writeQuestion } from '../codec/krpc-writer.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { answerTo } from './answers.js'
import type { SwarmCounts } from './filter.js'
import { Family, type FamilyStatus, type SavedFamily } from './family.js'
import { classOfEndpoint, familyOf, isNear, randomIdNear } from './id.js'
import type { LookupResult } from './lookup.js'
import { Outgoing } from './outgoing.js'
import { Pace } from './pace.js'
import { type Outcome, Questions } from './questions.js'
import { LONG_QUESTION, Searches } from './searches.js'
import { type Allowance, Sources } from './sources.js'
import { K } from './table.js'
import { Tokens } from './tokens.js'

/** Bytes of the shortest question, which an unproven address must be allowed for us to ask it. */
const PING_SIZE = 70
/** Pings of newcomers that wait for an answer. */
const MOST_PINGS = 32
/** Peers of our own keeping that a search begins with, in each family. */
const MOST_OWN = 100
/** Nodes of an answer that are pinged for a free place. */
const EXPLORED = 3
/** Between two nodes that are asked whether they are there: after a sleep of the machine all are due. */
const BETWEEN_CHECKS: Millis = 600

export interface DhtInit {
  /** Four characters: client and version (BEP 5). */
  readonly version: string
  /** The families we have a socket for. */
  readonly families: readonly (4 | 6)[]
  /** BEP 43: we ask and answer nobody. */
  readonly readOnly?: boolean
  readonly saved?: readonly SavedFamily[]
  /** Addresses whose behaviour is remembered. */
  readonly mostSources?: number
}

export interface DhtPorts {
  readonly clock: Clock
  readonly random: Random
  /** Sends one packet; never throws. */
  readonly send: (packet: Buffer, to: Endpoint) => void
}

export interface DhtStatus {
  readonly families: readonly FamilyStatus[]
  readonly searches: number
  readonly waiting: number
  readonly rtt: Millis
  readonly counts: DhtCounts
}

/** Since the start. */
export interface DhtCounts {
  received: number
  /** Packets that were no KRPC, or answers that nobody asked for. */
  strange: number
  /** Questions left unanswered: their source or we had sent too much. */
  ignored: number
  answered: number
  asked: number
}

export interface Found {
  /** New peers; called as they come. */
  readonly peers: (peers: readonly Endpoint[]) => void
  /** Once for each family, the last with `last`. */
  readonly done?: (result: SearchResult) => void
}

export interface PeersOfInit {
  /** We announce ourselves there too. */
  readonly announce?: { readonly port: number; readonly seed: boolean }
  /** How many there are is asked (BEP 33). */
  readonly scrape?: boolean
}

export interface SearchResult extends LookupResult {
  readonly family: 4 | 6
  /** Nodes that took our announce. */
  readonly announcedTo: number
  /** How many the swarm has (BEP 33); null where that was not asked, or no node told. */
  readonly counts: SwarmCounts | null
  readonly last: boolean
}

interface Addressee {
  readonly id: NodeId | null
  readonly at: Endpoint
}
type Asking = Omit<Question, 'transaction' | 'id' | 'version' | 'readOnly'>

export class Dht {
  readonly #init: DhtInit
  readonly #ports: DhtPorts
  readonly #families: readonly Family[]
  readonly #tokens: Tokens
  readonly #sources: Sources
  readonly #questions: Questions
  readonly #outgoing: Outgoing
  readonly #pace = new Pace()
  readonly #searches: Searches
  readonly counts: DhtCounts = { received: 0, strange: 0, ignored: 0, answered: 0, asked: 0 }
  /** Pings of newcomers on their way. */
  #pings = 0
  /** A node was last asked whether it is there. */
  #checkedAt: Millis = -Infinity
  /** The one timer, and when it fires. */
  #timer: Cancel | null = null
  #timerAt: Millis = Infinity
  #running = false

  constructor(init: DhtInit, ports: DhtPorts) {
    this.#init = init
    this.#ports = ports
    const { clock, random } = ports
    this.#families = init.families.map((family) => {
      const saved = init.saved?.find((each) => each.family === family)
      return new Family({ family, ...(saved === undefined ? {} : { saved }) }, { clock, random })
    })
    this.#tokens = new Tokens(ports)
    this.#sources = new Sources(init.mostSources === undefined ? {} : { most: init.mostSources })
    this.#questions = new Questions(ports)
    this.#outgoing = new Outgoing({ now: clock.now() })
    this.#searches = new Searches({
      freeAt: () => this.#outgoing.freeAt(clock.now()),
      ask: (family, candidate, question, outcome) => {
        this.#ask(family, candidate, question, outcome)
      },
      usable: (family, contacts, teller) => usable(family, contacts, teller),
      version: init.version,
    })
  }

  start(): void {
    this.#running = true
    for (const family of this.#families) family.bootAt = this.#ports.clock.now()
    this.#work()
  }

  stop(): void {
    this.#running = false
    this.#timer?.()
    this.#timer = null
    this.#searches.clear()
    this.#questions.clear()
    this.#pace.clear()
  }

  /** Where to begin while we know nobody: routers. Replaces those given before; tried at once where needed. */
  setDoors(doors: readonly Endpoint[]): void {
    for (const family of this.#families) {
      family.doors = doors.filter((door) => familyOf(door) === family.family)
      if (family.table.good(this.#ports.clock.now()) < K) family.bootAt = this.#ports.clock.now()
    }
    this.#work()
  }

  /** A node may be there: a peer said so (PORT), or a torrent's `nodes`. */
  tryNode(at: Endpoint): void {
    const family = this.#family(at)
    if (!this.#running || family === null || family.knows(at) || this.#pings >= MOST_PINGS) return
    const lonely = family.table.size === 0
    this.#ping(family, null, at, () => {
      if (lonely) family.bootAt = this.#ports.clock.now()
    })
    this.#work()
  }

  /**
   * Searches for peers of a swarm in every family, and announces us there where `announce` is given: its port is that
   * of our peers' socket. After the returned Cancel nothing is told.
   */
  peersOf(hash: NodeId, found: Found, { announce, scrape = false }: PeersOfInit = {}): Cancel {
    const now = this.#ports.clock.now()
    // What others announced to us we know without asking.
    const own = this.#families.flatMap(({ peers }) => peers.some(hash, MOST_OWN, false, now))
    if (own.length > 0) found.peers(own)
    let left = this.#families.length
    const cancels = this.#families.map((family) =>
      this.#searches.add(family, {
        method: 'get_peers',
        target: hash,
        ...(announce === undefined ? {} : { announce }),
        scrape,
        peers: (peers) => {
          found.peers(peers)
        },
        done: (result, announcedTo, counts) => {
          left--
          found.done?.({ ...result, family: family.family, announcedTo, counts, last: left === 0 })
        },
      }),
    )
    this.#work()
    return () => {
      for (const cancel of cancels) cancel()
    }
  }

  /** Searches for the nodes nearest to an id, in one family. */
  nodesNear(target: NodeId, family: 4 | 6, done: (result: LookupResult) => void): void {
    const own = this.#families.find((each) => each.family === family)
    if (own === undefined) return
    this.#searches.add(own, { method: 'find_node', target, done })
    this.#work()
  }

  receive(packet: Uint8Array, from: Endpoint): void {
    if (!this.#running) return
    this.counts.received++
    const family = this.#family(from)
    const message = readKrpc(packet)
    if (message === null || family === null) {
      this.counts.strange++
      return
    }
    if (message.kind === 'answer' || message.kind === 'error') {
      if (!this.#questions.settle(message, from)) this.counts.strange++
    } else this.#serve(message, from, packet.length, family)
    this.#work()
  }

  get status(): DhtStatus {
    const now = this.#ports.clock.now()
    return {
      families: this.#families.map((family) => family.status(now)),
      searches: this.#searches.size,
      waiting: this.#questions.waiting,
      rtt: this.#questions.rtt,
      counts: this.counts,
    }
  }

  /** Ids and nodes to begin with next time. */
  get saved(): SavedFamily[] {
    return this.#families.map((family) => family.save())
  }

  #family(endpoint: Endpoint): Family | null {
    const family = familyOf(endpoint)
    return this.#families.find((each) => each.family === family) ?? null
  }

  #serve(message: KrpcQuery | KrpcBad, from: Endpoint, size: number, family: Family): void {
    const now = this.#ports.clock.now()
    if (this.#init.readOnly === true) return
    const allowance = this.#sources.asked(from, size, now)
    if (allowance === null) {
      this.counts.ignored++
      return
    }
    if (message.kind === 'bad') {
      const { transaction, code, reason } = message
      const packet = writeError({ transaction, version: '', ip: from, code, message: reason })
      if (packet.length <= allowance.bytes) this.#reply(packet, from, allowance, now)
      return
    }
    const newcomer = !message.readOnly && family.table.heard({ id: message.id, at: from }, now)
    const { version } = this.#init
    const answerWithin = (most: number): ReturnType<typeof answerTo> =>
      answerTo(
        { query: message, from, most, version, now },
        { tokens: this.#tokens, known: (each) => this.#families.find((own) => own.family === each) ?? null },
      )
    // A newcomer's second question is answered with less, so that a ping has room: it may be worth a place.
    const short = newcomer && allowance.again ? answerWithin(allowance.bytes - PING_SIZE) : null
    const answer = short ?? answerWithin(allowance.bytes)
    const before = this.#outgoing.sent
    if (answer !== null) this.#reply(answer.packet, from, allowance, now)
    if (answer?.proves === true) this.#sources.proved(from, now)
    const left = allowance.bytes - (this.#outgoing.sent - before)
    if (newcomer && left >= PING_SIZE && this.#pings < MOST_PINGS) {
      if (!allowance.proven) this.#sources.sent(from, PING_SIZE, now)
      this.#ping(family, message.id, from)
    }
  }

  #reply(packet: Buffer, to: Endpoint, allowance: Allowance, now: Millis): void {
    if (!this.#outgoing.has(packet.length, now)) {
      this.counts.ignored++
      return
    }
    this.counts.answered++
    if (!allowance.proven) this.#sources.sent(to, packet.length, now)
    this.#send(packet, to)
  }

  #send(packet: Buffer, to: Endpoint): void {
    this.#outgoing.spend(packet.length)
    this.#ports.send(packet, to)
  }

  /** Sends a question, as soon as there may be one there. `id`: null where it is not known. */
  #ask(family: Family, to: Addressee, question: Asking, outcome: Outcome): void {
    this.#pace.ask(to.at, this.#ports.clock.now(), () => {
      this.#put(family, to, question, outcome)
    })
  }

  /** Sends a question now; what its answer says of the node is noted here. */
  #put(family: Family, to: Addressee, question: Asking, outcome: Outcome): void {
    const transaction = this.#questions.add(to.at, {
      late: () => {
        outcome.late()
      },
      failed: (error) => {
        if (to.id !== null) this.#wasSilent(family, { id: to.id, at: to.at })
        outcome.failed(error)
      },
      answered: (answer) => {
        this.#heard(family, to.at, answer)
        if (to.id === null || answer.id === to.id) return outcome.answered(answer)
        // Somebody else lives there now, or it says what we want to hear.
        this.#wasSilent(family, { id: to.id, at: to.at })
        outcome.failed(null)
      },
    })
    const both = family.booting && this.#families.length > 1
    this.counts.asked++
    const packet = writeQuestion({
      ...question,
      transaction,
      id: family.table.id,
      version: this.#init.version,
      readOnly: this.#init.readOnly === true,
      ...(both && question.target !== undefined && question.method === 'find_node'
        ? { want: ['n4', 'n6'] }
        : {}),
    })
    this.#send(packet, to.at)
  }

  #heard(family: Family, at: Endpoint, answer: KrpcAnswer): void {
    const now = this.#ports.clock.now()
    this.#sources.proved(at, now)
    family.answered({ id: answer.id, at }, now)
    if (answer.ip !== null && family.vote(at, answer.ip)) family.bootAt = now
    for (const other of this.#families) {
      if (other !== family) other.hint(usable(other, answer.nodes, at))
    }
  }

  #wasSilent(family: Family, contact: Contact): void {
    const spare = family.table.failed(contact)
    if (spare !== null) this.#ping(family, spare.id, spare.at)
  }

  #ping(family: Family, id: NodeId | null, at: Endpoint, answered: () => void = () => undefined): void {
    this.#pings++
    const over = (): void => {
      this.#pings--
    }
    const outcome: Outcome = {
      late: () => undefined,
      failed: over,
      answered: () => {
        over()
        answered()
      },
    }
    this.#ask(family, { id, at }, { method: 'ping' }, outcome)
  }

  /** Does what is due, and sets the timer for what comes next. */
  #work(): void {
    if (!this.#running) return
    const now = this.#ports.clock.now()
    if (this.#questions.dueAt() <= now) this.#questions.expire()
    for (const family of this.#families) {
      if (family.bootAt <= now && !family.booting) this.#boot(family)
    }
    if (now >= this.#checkedAt + BETWEEN_CHECKS) this.#check(now)
    this.#pace.run(now)
    this.#searches.run(now)
    this.#arm()
  }

  #arm(): void {
    const searches = this.#searches.dueAt(this.#ports.clock.now())
    let at = Math.min(this.#questions.dueAt(), this.#pace.dueAt, searches)
    for (const family of this.#families) {
      if (!family.booting) at = Math.min(at, family.bootAt)
      at = Math.min(at, Math.max(family.table.dueAt, this.#checkedAt + BETWEEN_CHECKS))
    }
    if (at === this.#timerAt && this.#timer !== null) return
    // One that fires too early costs a wake-up once; to set it anew for each packet costs more.
    if (this.#timer !== null && this.#timerAt <= at && at - this.#timerAt < 1000) return
    this.#timer?.()
    this.#timerAt = at
    this.#timer =
      at === Infinity
        ? null
        : this.#ports.clock.after(Math.max(0, at - this.#ports.clock.now()), () => {
            this.#timer = null
            this.#work()
          })
  }

  /** Asks the node that waits longest whether it is there, and for others of its neighbourhood. */
  #check(now: Millis): void {
    for (const family of this.#families) {
      const stalest = family.table.dueAt > now ? null : family.table.stalest(now)
      if (stalest === null) continue
      const { entry, bits } = stalest
      entry.askedAt = now
      this.#checkedAt = now
      const target = randomIdNear(family.table.id, bits, this.#ports.random)
      this.#ask(
        family,
        entry,
        { method: 'find_node', target },
        {
          late: () => undefined,
          failed: () => {
            if (family.table.good(this.#ports.clock.now()) === 0) family.bootLater()
          },
          answered: (answer) => {
            this.#explore(family, entry.at, answer, EXPLORED)
          },
        },
      )
      return
    }
  }

  #explore(family: Family, teller: Endpoint, answer: KrpcAnswer, most: number): void {
    const unknown = usable(family, answer.nodes, teller).filter((contact) => {
      return family.table.find(contact.id) === undefined && family.table.wants(contact)
    })
    for (const { id, at } of unknown.slice(0, most)) {
      if (this.#pings < MOST_PINGS) this.#ping(family, id, at)
    }
  }

  /** Finds our own neighbours, then somebody for every bucket that has room. */
  #boot(family: Family): void {
    const from = family.beginBoot()
    this.#searches.add(family, {
      method: 'find_node',
      target: family.table.id,
      from,
      doors: family.table.size < K ? family.doors : [],
      done: () => {
        family.endBoot()
        this.#fill(family)
      },
    })
  }

  /** Asks for nodes of every bucket that has room. */
  #fill(family: Family): void {
    for (const target of family.thinPlaces()) {
      const [nearest] = family.table.nearest(target, 1, this.#ports.clock.now())
      if (nearest === undefined) return
      this.#ask(
        family,
        nearest,
        { method: 'find_node', target, least: LONG_QUESTION },
        {
          late: () => undefined,
          failed: () => undefined,
          answered: (answer) => {
            this.#explore(family, nearest.at, answer, K)
          },
        },
      )
    }
  }
}

/** Contacts of that family which the teller can know: who is far away knows nothing that is near us. */
function usable(family: Family, contacts: readonly Contact[], teller: Endpoint): Contact[] {
  const near = isNear(teller)
  return contacts.filter((contact) => {
    if (familyOf(contact.at) !== family.family || contact.id === family.table.id) return false
    const kind = classOfEndpoint(contact.at)
    return near ? kind !== 'never' : kind === 'internet'
  })
}

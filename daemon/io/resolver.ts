/** Names to addresses: the system's resolver, with a short memory and one question at a time for a name. */
import { lookup } from 'node:dns'
import type { Millis } from '../../shared/units.js'
import { parseIp } from '../base/ip.js'
import type { IpAddress } from '../base/ip.js'
import type { Clock } from '../ports/clock.js'

/** `addresses` is empty where `reason` tells why. Order: the system's. */
export interface Resolved {
  readonly addresses: readonly IpAddress[]
  /** The system's code (ENOTFOUND, EAI_AGAIN, ...) or null. */
  readonly reason: string | null
}

/** The system's lookup; another one in tests. Never rejects. */
export type Lookup = (host: string) => Promise<Resolved>

interface Entry {
  readonly answer: Promise<Resolved>
  /** Moment on `clock.now`; Infinity while the question is open. */
  until: Millis
}

const GOOD_FOR = 300_000
const BAD_FOR = 30_000
const MOST_NAMES = 2_000

export class Resolver {
  private readonly clock: Clock
  private readonly lookup: Lookup
  /** What was asked, oldest first; at most MOST_NAMES. */
  private readonly names = new Map<string, Entry>()

  constructor(init: { readonly lookup?: Lookup }, ports: { readonly clock: Clock }) {
    this.lookup = init.lookup ?? systemLookup
    this.clock = ports.clock
  }

  /** Literal addresses (IPv6 with or without brackets) are answered without a question. */
  resolve(host: string): Promise<Resolved> {
    const literal = parseIp(host)
    if (literal !== null) return Promise.resolve({ addresses: [literal], reason: null })
    const name = host.toLowerCase().replace(/\.$/, '')
    const known = this.names.get(name)
    if (known !== undefined && known.until > this.clock.now()) return known.answer
    return this.ask(name)
  }

  /** Forgets what is known, as a changed network asks for. */
  forget(): void {
    this.names.clear()
  }

  private ask(name: string): Promise<Resolved> {
    const entry: Entry = { answer: this.lookup(name), until: Infinity }
    this.names.delete(name)
    this.names.set(name, entry)
    const [oldest] = this.names.keys()
    if (this.names.size > MOST_NAMES && oldest !== undefined) this.names.delete(oldest)
    void entry.answer.then(({ addresses }) => {
      entry.until = this.clock.now() + (addresses.length > 0 ? GOOD_FOR : BAD_FOR)
    })
    return entry.answer
  }
}

function systemLookup(host: string): Promise<Resolved> {
  return new Promise((resolve) => {
    lookup(host, { all: true, verbatim: true }, (error, found) => {
      if (error !== null) {
        resolve({ addresses: [], reason: error.code ?? 'ENOTFOUND' })
        return
      }
      const addresses = found.map(({ address }) => parseIp(address)).filter((ip) => ip !== null)
      resolve({ addresses, reason: addresses.length > 0 ? null : 'ENOTFOUND' })
    })
  })
}

/** Who announces what to the local network, and when (BEP 14); and what is believed of what others announce there. */
import type { Millis, SwarmKey } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import { MOST_KEYS, readLsd, writeLsd } from '../codec/lsd.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Hearing } from './hearing.js'

/** The BEP's: each torrent so often. */
const EVERY: Millis = 300_000
/** The BEP's: one message in this time, all torrents together. */
const BETWEEN: Millis = 60_000
/** What is added together goes out together. */
const GATHER: Millis = 500
/** Addresses that one torrent takes from the network between two of its announces. */
const MOST_FOUND = 50

export interface LsdInit {
  /** Drawn anew by each process; letters and digits. */
  readonly cookie: string
}

export interface LsdPorts {
  readonly clock: Clock
  /** The TCP port of peers; 0: nobody can connect to us, and nothing is announced. */
  readonly listenPort: () => number
  /** To the group of that family, on every link. */
  readonly send: (packet: Buffer, family: 4 | 6) => void
  /** The last torrent left. */
  readonly empty?: () => void
}

export interface LsdAsks {
  found(peers: readonly PeerAddress[]): void
  isPrivate(): boolean
}

/** What a member asks of the whole. */
interface MemberPorts {
  soon(member: Member): void
  left(member: Member): void
}

/** A torrent that is announced. A class, not an object of closures: every torrent that runs has one. */
class Member {
  readonly key: SwarmKey
  readonly asks: LsdAsks
  private readonly ports: MemberPorts
  /** When it was announced last; -Infinity: never. */
  lastAt: Millis = -Infinity
  /** When it is due. */
  nextAt: Millis
  /** Who was told to it since its last announce; null: nobody. */
  found: Set<string> | null = null

  constructor(
    init: { readonly key: SwarmKey; readonly asks: LsdAsks; readonly nextAt: Millis },
    ports: MemberPorts,
  ) {
    this.key = init.key
    this.asks = init.asks
    this.nextAt = init.nextAt
    this.ports = ports
  }

  /** Announces it soon. */
  now(): void {
    this.ports.soon(this)
  }

  leave(): void {
    this.ports.left(this)
  }
}

export class Lsd {
  readonly #cookie: string
  readonly #ports: LsdPorts
  /** By key; each torrent once. */
  readonly #members = new Map<SwarmKey, Member>()
  readonly #hearing: Hearing
  /** Groups that are open; none while it is off. */
  #families: readonly (4 | 6)[] = []
  /** When the last message went out, on `clock.now`. */
  #sentAt: Millis = -Infinity
  #timer: Cancel | null = null
  /** When the timer fires; Infinity without one. */
  #timerAt: Millis = Infinity
  /** Messages sent (to both groups: one), announces of others heard, and peers found by them, since the start. */
  #sent = 0
  #heard = 0
  #found = 0

  /** What all members ask of it. */
  readonly #turns: MemberPorts

  constructor(init: LsdInit, ports: LsdPorts) {
    this.#cookie = init.cookie
    this.#ports = ports
    this.#turns = { soon: this.#soon.bind(this), left: this.#left.bind(this) }
    this.#hearing = new Hearing({ now: () => ports.clock.now() })
  }

  get size(): number {
    return this.#members.size
  }
  get counts(): { readonly sent: number; readonly heard: number; readonly found: number } {
    return { sent: this.#sent, heard: this.#heard, found: this.#found }
  }

  /** These groups are open from now on; none: nothing is sent. */
  open(families: readonly (4 | 6)[]): void {
    this.#families = families
    if (families.length === 0) this.#disarm()
    else this.#arm(this.#earliest())
  }

  join(key: SwarmKey, asks: LsdAsks): { now(): void; leave(): void } {
    const nextAt = this.#ports.clock.now() + GATHER
    const member = new Member({ key, asks, nextAt }, this.#turns)
    this.#members.set(key, member)
    this.#arm(nextAt)
    return member
  }

  #soon(member: Member): void {
    member.nextAt = Math.min(member.nextAt, this.#ports.clock.now() + GATHER)
    this.#arm(member.nextAt)
  }

  #left(member: Member): void {
    if (this.#members.get(member.key) === member) this.#members.delete(member.key)
    if (this.#members.size > 0) return
    this.#disarm()
    this.#ports.empty?.()
  }

  /** A datagram from that address; whether that is near is the network's to know. */
  receive(packet: Uint8Array, from: PeerAddress): void {
    if (!this.#hearing.mayRead(from.host)) return
    const said = readLsd(packet)
    if (said === null || said.cookie === this.#cookie) return
    this.#heard++
    const peer = { ...from, port: said.port }
    for (const key of said.keys) {
      const member = this.#members.get(key)
      if (member !== undefined && !member.asks.isPrivate()) this.#tell(member, peer)
    }
  }

  #tell(member: Member, peer: PeerAddress): void {
    const name = `${peer.host} ${String(peer.port)}`
    const found = (member.found ??= new Set())
    if (found.has(name) || found.size >= MOST_FOUND) return
    found.add(name)
    this.#found++
    member.asks.found([peer])
  }

  #announce(): void {
    const { clock, listenPort, send } = this.#ports
    const now = clock.now()
    const port = listenPort()
    const due = this.#due(now)
    due.forEach((member, at) => {
      // What was added together is told one by one later: some clients read no message with several hashes.
      const first = member.lastAt === -Infinity
      member.nextAt = now + (first ? (EVERY * (at + 1)) / due.length : EVERY)
      member.lastAt = now
      member.found = null
    })
    const keys = due.filter(({ asks }) => !asks.isPrivate()).map(({ key }) => key)
    if (port > 0 && keys.length > 0) {
      this.#sentAt = now
      this.#sent++
      for (const family of this.#families)
        send(writeLsd(family, { port, keys, cookie: this.#cookie }), family)
    }
    this.#arm(this.#earliest())
  }

  /** What goes into one message: first what was never told, the newest first, then what was not told for longest. */
  #due(now: Millis): Member[] {
    const all = [...this.#members.values()].reverse()
    const due = all.filter(({ nextAt }) => nextAt <= now)
    return due.sort((a, b) => (a.lastAt === b.lastAt ? 0 : a.lastAt - b.lastAt)).slice(0, MOST_KEYS)
  }

  #earliest(): Millis {
    let at = Infinity
    for (const { nextAt } of this.#members.values()) at = Math.min(at, nextAt)
    return at
  }

  #arm(wanted: Millis): void {
    if (this.#families.length === 0 || wanted === Infinity) return
    const at = Math.max(wanted, this.#sentAt + BETWEEN)
    if (at >= this.#timerAt) return
    this.#disarm()
    this.#timerAt = at
    const { clock } = this.#ports
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => {
      this.#timer = null
      this.#timerAt = Infinity
      this.#announce()
    })
  }

  #disarm(): void {
    this.#timer?.()
    this.#timer = null
    this.#timerAt = Infinity
  }
}

/** The DHT in the daemon: on and off, where it begins, what it keeps, and the torrents that look for peers there. */
import type { Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Settings } from '../../shared/settings.js'
import type { Millis, SwarmKey } from '../../shared/units.js'
import { formatAddress, type PeerAddress } from '../base/address.js'
import type { IpAddress } from '../base/ip.js'
import { ipFromBytes } from '../base/ip.js'
import type { Log } from '../base/log.js'
import type { Endpoint } from '../codec/krpc.js'
import { Dht, type Found, type SearchResult } from '../dht/dht.js'
import { addressOf, endpointOf, idHex, idOfKey } from '../dht/id.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { DhtGate } from '../swarm/dht-port.js'
import type { Need } from '../swarm/tracker-port.js'
import type { DhtNetwork, DhtSockets } from '../ports/dht-network.js'
import { readSaved, writeSaved } from './dht-saved.js'

/** Client and version, as others see them in our packets. */
const DHT_VERSION = 'TO01'
const META_KEY = 'dht'
/** Peers of others are kept for half an hour: every node is told again in half of that. */
const ANNOUNCE_EVERY: Millis = 900_000
/** A torrent that has nobody asks again after this. */
const URGENT_AFTER: Millis = 60_000
/** The nodes are kept this often at most while torrents announce themselves, and at the end. */
const SAVE_EVERY: Millis = 1_800_000
const LONGEST_LOOKUP: Millis = 30_000
const FIRST_RESOLVE_RETRY: Millis = 30_000
const LONGEST_RESOLVE_RETRY: Millis = 900_000
/** Candidates of one torrent that a search may bring. */
const MOST_FOUND = 500

export interface DhtRoomPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: {
    getMeta(key: string): Promise<string | null>
    setMeta(key: string, value: string): Promise<void>
  }
  readonly network: DhtNetwork
  /** The TCP port of peers; 0: nobody can connect to us. */
  readonly listenPort: () => number
  readonly settings: () => Settings
}

export interface MemberAsks {
  found(peers: readonly PeerAddress[]): void
  isSeed(): boolean
}

/** What a member asks of the room. */
interface MemberPorts {
  sooner(member: Member, at: Millis): void
  left(member: Member): void
  now(): Millis
}

/** A torrent that is in the DHT. A class, not an object of closures: every torrent that runs has one. */
class Member {
  readonly key: SwarmKey
  readonly asks: MemberAsks
  private readonly ports: MemberPorts
  /** When it announces itself next. */
  nextAt: Millis
  lastAt: Millis = -Infinity
  /** How much it wants peers. */
  level: Need = 'some'
  /** Its search, while one runs or waits. */
  search: Cancel | null = null

  constructor(init: { readonly key: SwarmKey; readonly asks: MemberAsks }, ports: MemberPorts) {
    this.key = init.key
    this.asks = init.asks
    this.ports = ports
    this.nextAt = ports.now()
  }

  need(level: Need): void {
    this.level = level
    if (level === 'urgent') this.ports.sooner(this, this.lastAt + URGENT_AFTER)
  }

  /** Announces it soon. */
  now(): void {
    this.ports.sooner(this, this.ports.now())
  }

  leave(): void {
    this.search?.()
    this.ports.left(this)
  }
}

export class DhtRoom {
  readonly #ports: DhtRoomPorts
  /** Null while it is off. */
  #dht: Dht | null = null
  #sockets: DhtSockets | null = null
  readonly #members = new Set<Member>()
  /** Fires when the next member is due. */
  #timer: Cancel | null = null
  #timerAt: Millis = Infinity
  /** A name of `dht.bootstrap` could not be resolved: when it is tried again. */
  #resolveRetry: Cancel | null = null
  #resolveFailures = 0
  #savedAt: Millis = 0
  /** What is in force: a change of it closes and opens. */
  #inForce = { enabled: false, port: 0, bootstrap: '', readOnly: false }
  /** Opening and closing take their turns. */
  #turn: Promise<void> = Promise.resolve()

  /** What all members ask of it. */
  readonly #turns: MemberPorts

  constructor(ports: DhtRoomPorts) {
    this.#ports = ports
    this.#turns = {
      sooner: this.#sooner.bind(this),
      left: (member) => this.#members.delete(member),
      now: () => ports.clock.now(),
    }
  }

  /** What the connections of torrents see of it. */
  readonly gate: DhtGate = {
    port: () => this.#sockets?.port ?? 0,
    node: (at) => {
      if (this.#ports.network.allows(at)) this.#dht?.tryNode(endpointOf(at))
    },
  }

  /** Brings it to what the settings say; settles when it is so. */
  apply(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#apply())
    return this.#turn
  }

  async stop(): Promise<void> {
    await this.#turn
    this.#timer?.()
    this.#timer = null
    await this.#close()
  }

  /** The torrent looks for peers from now on. */
  join(key: SwarmKey, asks: MemberAsks): { need(level: Need): void; now(): void; leave(): void } {
    const member = new Member({ key, asks }, this.#turns)
    this.#members.add(member)
    this.#arm()
    return member
  }

  /** Nodes that a torrent names (BEP 5 `nodes`). */
  tryNamed(nodes: readonly { readonly host: string; readonly port: number }[]): void {
    const dht = this.#dht
    if (dht === null) return
    for (const { host, port } of nodes) {
      void this.#ports.network.resolve(host).then(
        (found) => {
          for (const ip of found.slice(0, 2)) this.gate.node({ ...ip, port })
        },
        () => undefined,
      )
    }
  }

  status(): Result<'dht.status'> {
    const { status } = this.#dht ?? {}
    return {
      enabled: this.#dht !== null,
      port: this.gate.port(),
      error: this.#sockets?.error ?? null,
      torrents: this.#members.size,
      searches: status?.searches ?? 0,
      received: status?.counts.received ?? 0,
      asked: status?.counts.asked ?? 0,
      answered: status?.counts.answered ?? 0,
      ignored: status?.counts.ignored ?? 0,
      roundTrip: status?.rtt ?? 0,
      families: (status?.families ?? []).map((each) => ({
        family: each.family,
        id: idHex(each.id),
        nodes: each.nodes,
        good: each.good,
        buckets: each.buckets,
        address: each.host === null ? null : ipFromBytes(Buffer.from(each.host, 'latin1')).host,
        booting: each.booting,
        hashes: each.hashes,
        peers: each.peers,
      })),
    }
  }

  /** Who is known to be in a swarm; nothing is announced. Throws wrongState where it is off. */
  lookup(key: SwarmKey): Promise<Result<'dht.lookup'>> {
    const dht = this.#dht
    if (dht === null) {
      throw rpcError('wrongState', 'The DHT is off; torrentinoctl config set dht.enabled true turns it on.')
    }
    const { clock } = this.#ports
    const begun = clock.now()
    const peers: string[] = []
    const searches: SearchResult[] = []
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        timer()
        resolve({ peers, took: clock.now() - begun, searches: searches.map(searchView) })
      }
      const timer = clock.after(LONGEST_LOOKUP, end)
      const listener: Found = {
        peers: (found) => {
          peers.push(...found.map((peer) => formatAddress(addressOf(peer))))
        },
        done: (result) => {
          searches.push(result)
          // Later: it may be over before `cancel` is there.
          if (result.last) clock.after(0, end)
        },
      }
      const cancel = dht.peersOf(idOfKey(key), listener, { scrape: true })
    })
  }

  // --- on and off

  async #apply(): Promise<void> {
    const settings = this.#ports.settings()
    const wanted = {
      enabled: settings['dht.enabled'],
      port: settings['dht.port'] || this.#ports.listenPort(),
      bootstrap: settings['dht.bootstrap'],
      readOnly: settings['dht.readOnly'],
    }
    const old = this.#inForce
    this.#inForce = wanted
    const other = wanted.port !== old.port || wanted.readOnly !== old.readOnly
    if (wanted.enabled !== old.enabled || (wanted.enabled && other)) {
      await this.#close()
      if (wanted.enabled) await this.#open(wanted)
    }
    if (wanted.enabled && wanted.bootstrap !== '') this.#resolve()
    else this.#dht?.setDoors([])
  }

  async #open({ port, readOnly }: { readonly port: number; readonly readOnly: boolean }): Promise<void> {
    const { clock, random, store, network, log } = this.#ports
    const saved = readSaved(await store.getMeta(META_KEY).catch(() => null))
    const receive = (packet: Buffer, from: PeerAddress): void => this.#dht?.receive(packet, endpointOf(from))
    let sockets = await network.open(port, receive)
    if (sockets.families.length === 0 && sockets.error === 'EADDRINUSE')
      sockets = await network.open(0, receive)
    this.#sockets = sockets
    if (sockets.families.length === 0) {
      log.warn({ port, reason: sockets.error }, 'the DHT has no port and is off')
      return
    }
    this.#dht = new Dht(
      { version: DHT_VERSION, families: sockets.families, saved, readOnly },
      { clock, random, send: (packet, to) => sockets.send(packet, addressOf(to)) },
    )
    this.#dht.start()
    this.#savedAt = clock.now()
    for (const member of this.#members) member.nextAt = clock.now()
    this.#arm()
    log.info({ port: sockets.port }, 'the DHT is on')
  }

  async #close(): Promise<void> {
    this.#resolveRetry?.()
    this.#resolveRetry = null
    for (const member of this.#members) {
      member.search?.()
      member.search = null
    }
    const dht = this.#dht
    this.#dht = null
    dht?.stop()
    this.#sockets?.close()
    this.#sockets = null
    if (dht !== null) await this.#save(dht)
  }

  async #save(dht: Dht): Promise<void> {
    this.#savedAt = this.#ports.clock.now()
    const saved = dht.saved
    // Nobody was reached in this run: what an earlier one knew is worth more.
    if (saved.every(({ nodes }) => nodes.length === 0)) return
    try {
      await this.#ports.store.setMeta(META_KEY, writeSaved(saved))
    } catch (error) {
      this.#ports.log.warn({ error: String(error) }, 'the nodes of the DHT could not be saved')
    }
  }

  /** Names to addresses; again later where one gave none. */
  #resolve(): void {
    const dht = this.#dht
    const list = this.#inForce.bootstrap
    if (dht === null) return
    this.#resolveRetry?.()
    this.#resolveRetry = null
    void this.#doors(list).then(({ doors, missing }) => {
      if (this.#dht !== dht || this.#inForce.bootstrap !== list) return
      dht.setDoors(doors)
      if (!missing) this.#resolveFailures = 0
      else {
        const pause = Math.min(LONGEST_RESOLVE_RETRY, FIRST_RESOLVE_RETRY * 2 ** this.#resolveFailures++)
        this.#resolveRetry = this.#ports.clock.after(pause, () => {
          this.#resolve()
        })
      }
    })
  }

  async #doors(list: string): Promise<{ readonly doors: Endpoint[]; readonly missing: boolean }> {
    const { network } = this.#ports
    const doors: Endpoint[] = []
    let missing = false
    for (const each of list.split(',')) {
      const [, host = '', port = ''] = /^\s*\[?([^\]]*?)\]?:(\d+)\s*$/.exec(each) ?? []
      const found = await network.resolve(host).catch((): readonly IpAddress[] => [])
      missing ||= found.length === 0 && network.allows({ host: '1.1.1.1', port: 1, family: 4 })
      for (const ip of found) {
        const address: PeerAddress = { ...ip, port: Number(port) }
        if (network.allows(address)) doors.push(endpointOf(address))
      }
    }
    return { doors, missing }
  }

  // --- the torrents

  #sooner(member: Member, at: Millis): void {
    member.nextAt = Math.min(member.nextAt, at)
    this.#arm()
  }

  #arm(): void {
    let at = Infinity
    if (this.#dht !== null) {
      for (const { nextAt, search } of this.#members) if (search === null) at = Math.min(at, nextAt)
    }
    if (at >= this.#timerAt && this.#timer !== null) return
    this.#timer?.()
    this.#timerAt = at
    const { clock } = this.#ports
    this.#timer =
      at === Infinity
        ? null
        : clock.after(Math.max(0, at - clock.now()), () => {
            this.#timer = null
            this.#timerAt = Infinity
            this.#announceDue()
          })
  }

  #announceDue(): void {
    const now = this.#ports.clock.now()
    const dht = this.#dht
    if (dht === null) return
    for (const member of this.#members) {
      if (member.search === null && member.nextAt <= now) this.#announce(dht, member, now)
    }
    if (now - this.#savedAt >= SAVE_EVERY) void this.#save(dht)
    this.#arm()
  }

  #announce(dht: Dht, member: Member, now: Millis): void {
    member.lastAt = now
    // They do not all come at once again.
    member.nextAt = now + ANNOUNCE_EVERY * (0.9 + 0.2 * this.#ports.random.float())
    const port = this.#ports.listenPort()
    let room = MOST_FOUND
    let over = false as boolean
    const search = dht.peersOf(
      idOfKey(member.key),
      {
        peers: (found) => {
          const some = found.slice(0, room)
          room -= some.length
          if (some.length > 0) member.asks.found(some.map(addressOf))
        },
        done: ({ last }) => {
          if (!last) return
          over = true
          member.search = null
          if (member.level === 'urgent') this.#sooner(member, member.lastAt + URGENT_AFTER)
          else this.#arm()
        },
      },
      // Whoever cannot be reached has nothing to announce.
      port > 0 ? { announce: { port, seed: member.asks.isSeed() } } : {},
    )
    // While we know nobody it is over at once.
    if (!over) member.search = search
  }
}

function searchView(result: SearchResult): Result<'dht.lookup'>['searches'][number] {
  const { family, asked, answered, hops, counts } = result
  return {
    family,
    asked,
    answered,
    hops,
    seeds: counts?.seeds ?? null,
    leechers: counts?.leechers ?? null,
    nearest: result.nearest.map(({ id, at }) => ({ id: idHex(id), address: formatAddress(addressOf(at)) })),
  }
}

/** Peer exchange (BEP 11): what each peer is told of the others, and what its word on them is worth. */
import type { Millis } from '../../shared/units.js'
import type { PeerView } from '../../shared/views.js'
import { addressKey, isNearer, type PeerAddress } from '../base/address.js'
import {
  decodePex,
  encodePex,
  FLAG_REACHABLE,
  FLAG_SECRET,
  FLAG_SEED,
  MOST_CONTACTS,
  type PexContact,
} from '../codec/pex.js'
import type { Candidates } from './candidates.js'

/** A newcomer is told of the others after this: who comes at the same moment is told in one message. */
const FIRST_AFTER: Millis = 2000
/** BEP 11: no more than one message a minute. */
const EVERY: Millis = 60_000
/** Contacts that one peer knows from us: what is remembered of it stays small in a large swarm. */
const MOST_TOLD = 100
/** Messages that may come at once: a first one, and one that waited for its minute. */
const BURST = 2
/** A message is given back in this; a little under the minute of the sender's clock. */
const GIVEN_BACK: Millis = 55_000
/** So many messages in a row that came too soon are no mistake. */
const MOST_IGNORED = 10

/** What comes from one peer, read and counted. */
export class PexIntake {
  /** Messages it may send now, 0..BURST. */
  #allowed = BURST
  /** When `#allowed` was last counted. */
  #at: Millis = -Infinity
  /** Messages in a row that came too soon. */
  #ignored = 0

  /**
   * Takes a message of that peer: whom it names become candidates. The result is the reason to end the connection, or
   * null. One that comes too soon is not looked at.
   */
  read(payload: Uint8Array, from: PeerAddress, now: Millis, candidates: Candidates): string | null {
    if (!this.#mayCome(now)) return ++this.#ignored >= MOST_IGNORED ? 'pex-floods' : null
    const message = decodePex(payload)
    if (message === null) return 'pex-malformed'
    const hosts = new Set<string>()
    for (const { address, flags } of message.added) {
      // Who is far away knows nothing that is near us. BEP 11: a host with many ports is somebody's victim.
      if (isNearer(address.host, from.host) || !isFresh(hosts, address, from)) continue
      if (!candidates.add(address, 'pex', from)) continue
      if ((flags & FLAG_SEED) !== 0) candidates.noteSeed(address)
      if ((flags & FLAG_SECRET) !== 0) candidates.noteSecret(address, true)
    }
    return null
  }

  #mayCome(now: Millis): boolean {
    this.#allowed = Math.min(BURST, this.#allowed + (now - this.#at) / GIVEN_BACK)
    this.#at = now
    if (this.#allowed < 1) return false
    this.#allowed -= 1
    this.#ignored = 0
    return true
  }
}

/** One port of a host in a message, but for peers on this machine, who share theirs. */
function isFresh(hosts: Set<string>, address: PeerAddress, from: PeerAddress): boolean {
  const key = address.host === from.host ? addressKey(address) : address.host
  if (hosts.has(key)) return false
  hosts.add(key)
  return true
}

/** A peer as it is told of, and whom we tell. */
export interface PexPeer {
  readonly handle: number
  readonly transport: { readonly address: PeerAddress; readonly direction: 'in' | 'out' }
  /** Where one that dialled us listens; null: unknown. */
  readonly listening: PeerAddress | null
  readonly uploadOnly: boolean
  readonly encryption: PeerView['encryption']
  /** It speaks of peer exchange. */
  readonly speaksPex: boolean
  readonly connectedAt: Millis
  readonly pex: PexLedger
  sendPex(payload: Uint8Array): void
}

/** What one peer was told. */
export class PexLedger {
  readonly intake = new PexIntake()
  /** Contacts it knows from us, by address. */
  told: Map<string, PeerAddress> | null = null
  /** When it was last told something. */
  sentAt: Millis = -Infinity
  /** It knows of all changes up to this one. */
  knows = -1
}

interface Contact extends PexContact {
  readonly key: string
}

/** The outgoing side, for all peers of a torrent. */
export class Pex {
  /** Rises with each change of who could be told of. */
  #changes = 0

  /** A peer came, left, or is known to listen. */
  moved(): void {
    this.#changes++
  }

  /** Tells each peer that is due what changed since it was last told. */
  tick(now: Millis, peers: () => Iterable<PexPeer>): void {
    let contacts: Contact[] | null = null
    for (const peer of peers()) {
      if (!this.#isDue(peer, now)) continue
      contacts ??= contactsOf(peers())
      this.#tell(peer, contacts, now)
    }
  }

  /** Peer exchange was turned off and on: they forget what they knew, and so do we. */
  forget(peer: PexPeer): void {
    peer.pex.told = null
    peer.pex.knows = -1
  }

  #isDue(peer: PexPeer, now: Millis): boolean {
    const { pex, speaksPex, connectedAt } = peer
    if (!speaksPex || pex.knows === this.#changes) return false
    return now >= Math.max(connectedAt + FIRST_AFTER, pex.sentAt + EVERY)
  }

  #tell(peer: PexPeer, contacts: readonly Contact[], now: Millis): void {
    const ledger = peer.pex
    const told = (ledger.told ??= new Map())
    const { added, dropped, rest } = difference(peer, told, contacts)
    // What did not fit is said in a minute.
    if (!rest) ledger.knows = this.#changes
    if (added.length + dropped.length === 0) return
    for (const address of dropped) told.delete(addressKey(address))
    for (const { key, address } of added) told.set(key, address)
    ledger.sentAt = now
    peer.sendPex(encodePex({ added, dropped }))
  }
}

function difference(
  peer: PexPeer,
  told: ReadonlyMap<string, PeerAddress>,
  contacts: readonly Contact[],
): { readonly added: Contact[]; readonly dropped: PeerAddress[]; readonly rest: boolean } {
  const present = new Set(contacts.map(({ key }) => key))
  const gone = [...told].filter(([key]) => !present.has(key)).map(([, address]) => address)
  const dropped = gone.slice(0, MOST_CONTACTS)
  const room = Math.min(MOST_CONTACTS, MOST_TOLD - told.size + dropped.length)
  const own = addressKey(addressOf(peer) ?? peer.transport.address)
  const news = contacts.filter(
    ({ key, address }) =>
      key !== own && !told.has(key) && !isNearer(address.host, peer.transport.address.host),
  )
  // Not the same ones to everybody where not all can be named.
  const first = news.length > room ? peer.handle % news.length : 0
  const added = [...news.slice(first), ...news.slice(0, first)].slice(0, room)
  const full = told.size - dropped.length + added.length >= MOST_TOLD
  return { added, dropped, rest: gone.length > dropped.length || (news.length > added.length && !full) }
}

/** Those who can be dialled, as far as we know, each once. */
function contactsOf(peers: Iterable<PexPeer>): Contact[] {
  const contacts = new Map<string, Contact>()
  for (const peer of peers) {
    const address = addressOf(peer)
    if (address === null) continue
    const reached = peer.transport.direction === 'out' ? FLAG_REACHABLE : 0
    const key = addressKey(address)
    const secret = peer.encryption === 'none' ? 0 : FLAG_SECRET
    contacts.set(key, { key, address, flags: reached | secret | (peer.uploadOnly ? FLAG_SEED : 0) })
  }
  return [...contacts.values()]
}

function addressOf(peer: PexPeer): PeerAddress | null {
  return peer.transport.direction === 'out' ? peer.transport.address : peer.listening
}

/** Magnet links (BEP 9, 53): what they name, and where it may be found. */
import type { FileIndex, Hashes, InfoHashV1, InfoHashV2 } from '../units.js'
import { usableTracker, usableWebSeed } from './metainfo-urls.js'

/** Characters of a link. */
export const LONGEST_MAGNET = 65_536

export interface Magnet {
  /** At least one of them. */
  readonly hashes: Hashes
  /** `dn`, or '' where the link has none. Not to be trusted as a path, nor to be shown unescaped. */
  readonly name: string
  /** `tr`, each a tier of its own: http, https and udp, without duplicates. */
  readonly trackers: readonly string[]
  /** `ws` (BEP 19). */
  readonly webSeeds: readonly string[]
  /** `x.pe`: 'host:port' with a literal address. */
  readonly peers: readonly string[]
  /** `dht`: nodes as 'host:port'. */
  readonly nodes: readonly string[]
  /** `so` (BEP 53): the only files wanted, ascending; empty: all. */
  readonly only: readonly FileIndex[]
  /** `x.select`, of our own: words of a person for the only files wanted, instead of `only`; empty: none. */
  readonly choice: readonly string[]
}

/** The link names no torrent. The message is one sentence for the user. */
export class MagnetError extends Error {
  override readonly name = 'MagnetError'
}

const MOST_TRACKERS = 100
const MOST_PEERS = 100
/** The highest file number that `so` may name: never anything is allocated by one. */
const HIGHEST_FILE = 10_000
/** Parameters looked at. */
const MOST_PARAMETERS = 2000
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
/** A multihash of sha2-256 with 32 bytes. */
const SHA256_PREFIX = '1220'

const CHOICE = 'x.select'
const MOST_CHOICES = 100

/** The link with these words for the only files wanted, and no others. */
export function withChoice(text: string, words: readonly string[]): string {
  const [start = '', query = ''] = text.trim().split(/\?(.*)/s)
  const kept = query.split('&').filter((part) => !/^x\.select(?:\.\d+)?=/i.test(part))
  return `${start}?${[...kept, ...words.map((word) => `${CHOICE}=${encodeURIComponent(word)}`)].join('&')}`
}

/** Whether this text is meant as a magnet link. */
export function isMagnet(text: string): boolean {
  return /^magnet:/i.test(text)
}

/** Throws MagnetError where no torrent is named; whatever else is wrong in the link is left out. */
export function parseMagnet(text: string): Magnet {
  const uri = text.trim()
  if (uri.length > LONGEST_MAGNET) throw new MagnetError('The magnet link is too long.')
  const query = /^magnet:(?:\/\/\/?)?\?(.*)$/is.exec(uri)?.[1]
  if (query === undefined) throw new MagnetError('This is no magnet link.')
  const parameters = readParameters(query)
  const all = (name: string): string[] => parameters.flatMap(([key, value]) => (key === name ? [value] : []))
  const hashes = readHashes(all('xt'))
  if (hashes.v1 === undefined && hashes.v2 === undefined) {
    throw new MagnetError('The magnet link names no torrent: it has no xt=urn:btih: with a valid hash.')
  }
  return {
    hashes,
    name: all('dn')[0] ?? '',
    trackers: distinct(all('tr'), usableTracker, MOST_TRACKERS),
    webSeeds: distinct(all('ws'), usableWebSeed, MOST_TRACKERS),
    peers: distinct(all('x.pe'), literalAddress, MOST_PEERS),
    nodes: distinct(all('dht'), hostAndPort, MOST_PEERS),
    only: readSelection(all('so')),
    choice: all(CHOICE).slice(0, MOST_CHOICES),
  }
}

/** Names in lower case, with the number of `tr.1` taken off; values decoded. */
function readParameters(query: string): [string, string][] {
  return query.split('&', MOST_PARAMETERS).flatMap((part) => {
    const at = part.indexOf('=')
    if (at < 1) return []
    const name = part
      .slice(0, at)
      .toLowerCase()
      .replace(/\.\d+$/, '')
    const value = unescape(part.slice(at + 1))
    return value === null ? [] : [[name, value] as [string, string]]
  })
}

/** Null where an escape is broken or no UTF-8. */
function unescape(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

function readHashes(topics: readonly string[]): Hashes {
  let v1: InfoHashV1 | undefined
  let v2: InfoHashV2 | undefined
  for (const topic of topics) {
    v1 ??= /^urn:btih:(.*)$/is.exec(topic) === null ? undefined : readV1(topic.slice(9))
    v2 ??= /^urn:btmh:(.*)$/is.exec(topic) === null ? undefined : readV2(topic.slice(9))
  }
  return { ...(v1 === undefined ? {} : { v1 }), ...(v2 === undefined ? {} : { v2 }) }
}

function readV1(text: string): InfoHashV1 | undefined {
  const lower = text.toLowerCase()
  if (/^[0-9a-f]{40}$/.test(lower)) return lower as InfoHashV1
  return /^[a-z2-7]{32}$/.test(lower) ? (fromBase32(lower) as InfoHashV1) : undefined
}

function readV2(text: string): InfoHashV2 | undefined {
  const lower = text.toLowerCase()
  if (!lower.startsWith(SHA256_PREFIX)) return undefined
  const hash = lower.slice(SHA256_PREFIX.length)
  return /^[0-9a-f]{64}$/.test(hash) ? (hash as InfoHashV2) : undefined
}

/** 32 characters of RFC 4648 base32 as 40 hex digits. */
function fromBase32(text: string): string {
  let bits = 0n
  for (const character of text) bits = (bits << 5n) | BigInt(BASE32.indexOf(character))
  return bits.toString(16).padStart(40, '0')
}

function distinct(texts: readonly string[], usable: (text: string) => string | null, most: number): string[] {
  const kept = new Set<string>()
  for (const text of texts) {
    const value = usable(text)
    if (value !== null && kept.size < most) kept.add(value)
  }
  return [...kept]
}

/** Names are not resolved: a link must not make us ask a name server. */
function literalAddress(text: string): string | null {
  const literal = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]):\d{1,5}$/i
  return literal.test(text) && portOf(text) > 0 ? text : null
}

function hostAndPort(text: string): string | null {
  return /^(?:[\w.-]{1,253}|\[[0-9a-f:.]+\]):\d{1,5}$/i.test(text) && portOf(text) > 0 ? text : null
}

/** 0 where it is none. */
function portOf(text: string): number {
  const port = Number(text.slice(text.lastIndexOf(':') + 1))
  return port <= 65_535 ? port : 0
}

function readSelection(texts: readonly string[]): FileIndex[] {
  const files = new Set<FileIndex>()
  for (const part of texts.join(',').split(',')) {
    const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    if (first === '') continue
    for (let file = Number(first); file <= Number(last) && file <= HIGHEST_FILE; file++) files.add(file)
  }
  return [...files].sort((a, b) => a - b)
}

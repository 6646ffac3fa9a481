/** Announces over HTTP: BEP 3, compact peers of BEP 23 and 7, `retry in` of BEP 31. */
import {
  asBytes,
  asInt,
  asList,
  asText,
  BencodeError,
  decode,
  dictGet,
} from '../../shared/torrent/bencode.js'
import type { BDict, BNode } from '../../shared/torrent/bencode.js'
import type { Millis } from '../../shared/units.js'
import { makeAddress, readCompact } from '../base/address.js'
import type { PeerAddress } from '../base/address.js'
import { fault, MOST_PEERS, oneLine, plausible } from './announce.js'
import type { AnnounceRequest, AnnounceResult, Failed } from './announce.js'

/** Answers are small; the limits keep a hostile one cheap. */
const LIMITS = { maxDepth: 16, maxTokens: 100_000 }

/** Each byte as %XX, letters and digits as they are: some trackers take nothing else unescaped. */
export function percentEncode(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    text += /[0-9A-Za-z]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** The announce URL with our parameters after those it has. A fragment is dropped. */
export function announceUrl(url: string, request: AnnounceRequest): string {
  const [base = ''] = url.split('#', 1)
  const parts = [
    `info_hash=${percentEncode(Buffer.from(request.swarmKey, 'hex'))}`,
    `peer_id=${percentEncode(request.peerId)}`,
    `port=${String(request.port)}`,
    `uploaded=${String(request.uploaded)}`,
    `downloaded=${String(request.downloaded)}`,
    `left=${String(request.left)}`,
    'compact=1',
    `numwant=${String(request.numwant)}`,
    `key=${request.key.toString(16).padStart(8, '0')}`,
    `supportcrypto=${request.crypto === undefined ? '0' : '1'}`,
  ]
  if (request.crypto === 'required') parts.push('requirecrypto=1')
  if (request.event !== null) parts.push(`event=${request.event}`)
  if (request.trackerId !== null) parts.push(`trackerid=${percentEncode(request.trackerId)}`)
  return base + joint(base) + parts.join('&')
}

/** What stands between a URL and a parameter that follows it. */
export function joint(base: string): string {
  if (!base.includes('?')) return '?'
  return base.endsWith('?') || base.endsWith('&') ? '' : '&'
}

/** Reads the body of an answer, whatever the status was. Never throws. */
export function parseAnnounce(body: Uint8Array): AnnounceResult {
  const root = dictionary(body)
  if (root === null) return fault('bad-answer', notAnAnswer(body))
  const refused = refusal(root, body)
  if (refused !== null) return refused
  const interval = asInt(dictGet(root, 'interval')) ?? 0
  const odd = interval < 0 ? `its interval of ${String(interval)} s cannot be` : ''
  const warning = oneLine(asText(dictGet(root, 'warning message'), body) ?? odd)
  const trackerId = asBytes(dictGet(root, 'tracker id'), body)
  return {
    ok: true,
    answer: {
      interval: seconds(dictGet(root, 'interval')),
      minInterval: seconds(dictGet(root, 'min interval')),
      seeds: count(dictGet(root, 'complete')),
      leechers: count(dictGet(root, 'incomplete')),
      downloads: count(dictGet(root, 'downloaded')),
      peers: peersOf(root, body),
      warning: warning === '' ? null : warning,
      trackerId: trackerId !== undefined && trackerId.length <= 256 ? trackerId.slice() : null,
    },
  }
}

/** What the tracker says against it (BEP 3, 31), or null. */
export function refusal(root: BDict, body: Uint8Array): Failed | null {
  const reason = asText(dictGet(root, 'failure reason'), body)
  if (reason === undefined) return null
  const message = oneLine(reason)
  const told = message === '' ? 'The tracker refused without a reason.' : `The tracker refused: ${message}`
  return fault('refused', told, retryIn(dictGet(root, 'retry in'), body))
}

/** The answer, or null where it is none. */
export function dictionary(body: Uint8Array): BDict | null {
  try {
    // Some trackers end their answer with a line break.
    const node = decode(body, { trailing: 'allow', limits: LIMITS })
    return node.kind === 'dict' ? node : null
  } catch (error) {
    if (error instanceof BencodeError) return null
    throw error
  }
}

/** What came instead of an answer. */
export function notAnAnswer(body: Uint8Array): string {
  const start = Buffer.from(body.subarray(0, 256)).toString('latin1').trimStart().toLowerCase()
  if (start === '') return 'The tracker sent an empty answer.'
  if (start.startsWith('<'))
    return 'The tracker answered with a web page; its address may be wrong or out of date.'
  return 'The tracker sent an answer that is not a tracker answer.'
}

function seconds(node: BNode | undefined): Millis | null {
  const value = asInt(node)
  return value === undefined || value < 0 ? null : value * 1000
}

/** A number of peers or downloads, or null. */
export function count(node: BNode | undefined): number | null {
  const value = asInt(node)
  return value === undefined ? null : plausible(value)
}

/** BEP 31: minutes, or 'never'. */
function retryIn(node: BNode | undefined, body: Uint8Array): Millis | 'never' | null {
  const text = asText(node, body)
  if (text === 'never') return 'never'
  const minutes = asInt(node) ?? (text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0)
  return minutes > 0 ? minutes * 60_000 : null
}

function peersOf(root: BDict, body: Uint8Array): PeerAddress[] {
  const node = dictGet(root, 'peers')
  const six = asBytes(dictGet(root, 'peers6'), body)
  const found = [...compact(asBytes(node, body), 6), ...listed(asList(node), body), ...compact(six, 18)]
  return found.filter((peer) => peer.port !== 0).slice(0, MOST_PEERS)
}

function compact(bytes: Uint8Array | undefined, stride: 6 | 18): PeerAddress[] {
  return bytes === undefined ? [] : readCompact(bytes.subarray(0, stride * MOST_PEERS), stride)
}

/** BEP 3's list of dictionaries. A peer that is named instead of numbered is left out: peers are not looked up. */
function listed(items: readonly BNode[] | undefined, body: Uint8Array): PeerAddress[] {
  const found: PeerAddress[] = []
  for (const item of (items ?? []).slice(0, MOST_PEERS)) {
    const host = asText(dictGet(item, 'ip'), body)
    const address = host === undefined ? null : makeAddress(host, asInt(dictGet(item, 'port')) ?? 0)
    if (address !== null) found.push(address)
  }
  return found
}

/** Scrapes over HTTP (BEP 48): the counts of many swarms in one request, without announcing. */
import { asDict, asInt, dictGet } from '../../shared/torrent/bencode.js'
import type { SwarmKey } from '../../shared/units.js'
import { fault, type ScrapeCounts, type ScrapeResult } from './announce.js'
import { count, dictionary, joint, notAnAnswer, percentEncode, refusal } from './http-tracker.js'

const PARTS = /^([a-z]+:\/\/[^/?#]*)([^?#]*)(\?[^#]*)?/i

/**
 * The announce URL with its last path segment that begins with `announce` as `scrape`; null where there is none: such
 * a tracker cannot be scraped (BEP 48).
 */
export function scrapeBase(url: string): string | null {
  const [, host, path, query] = PARTS.exec(url) ?? []
  if (host === undefined || path === undefined) return null
  const at = path.lastIndexOf('/announce')
  if (at < 0) return null
  return `${host}${path.slice(0, at)}/scrape${path.slice(at + '/announce'.length)}${query ?? ''}`
}

/** With an `info_hash` for each key. Null as `scrapeBase`. */
export function scrapeUrl(url: string, keys: readonly SwarmKey[]): string | null {
  const base = scrapeBase(url)
  if (base === null) return null
  const hashes = keys.map((key) => `info_hash=${percentEncode(Buffer.from(key, 'hex'))}`)
  return base + joint(base) + hashes.join('&')
}

/** Reads what is said of these keys, and nothing else. Never throws. */
export function parseScrape(body: Uint8Array, keys: readonly SwarmKey[]): ScrapeResult {
  const root = dictionary(body)
  if (root === null) return fault('bad-answer', notAnAnswer(body))
  const refused = refusal(root, body)
  if (refused !== null) return refused
  const files = asDict(dictGet(root, 'files'))
  if (files === undefined) return fault('bad-answer', 'The tracker sent an answer that counts nothing.')
  const counts = new Map<SwarmKey, ScrapeCounts>()
  for (const key of keys) {
    const swarm = asDict(dictGet(files, Buffer.from(key, 'hex').toString('latin1')))
    if (swarm === undefined) continue
    counts.set(key, {
      seeds: count(dictGet(swarm, 'complete')),
      leechers: count(dictGet(swarm, 'incomplete')),
      downloads: count(dictGet(swarm, 'downloaded')),
    })
  }
  const wait = asInt(dictGet(dictGet(root, 'flags'), 'min_request_interval'))
  return { ok: true, counts, again: wait !== undefined && wait > 0 ? wait * 1000 : null }
}

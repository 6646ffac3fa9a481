/** Trackers (BEP 3, 12) and web seeds (BEP 19) of a .torrent file. Nothing wrong in here sinks a torrent. */
import { asList, asText, dictGet, type BNode } from './bencode.js'

/** More of either is of no use to anyone. */
const MAX_URLS = 1000
const MAX_URL_LENGTH = 4096

/** Tiers as BEP 12 has them, without duplicates, empty tiers and what is neither http, https nor udp. */
export function readTrackers(root: BNode, source: Uint8Array): string[][] {
  const tiers: string[][] = []
  const seen = new Set<string>()
  for (const tier of asList(dictGet(root, 'announce-list')) ?? []) {
    const urls = asList(tier) ?? (tier.kind === 'bytes' ? [tier] : [])
    addTier(
      urls.map((url) => asText(url, source)),
      tiers,
      seen,
    )
  }
  if (tiers.length === 0) addTier([asText(dictGet(root, 'announce'), source)], tiers, seen)
  return tiers
}

function addTier(urls: readonly (string | undefined)[], tiers: string[][], seen: Set<string>): void {
  const tier: string[] = []
  for (const text of urls) {
    const url = usableTracker(text ?? '')
    if (url === null || seen.has(url) || seen.size >= MAX_URLS) continue
    seen.add(url)
    tier.push(url)
  }
  if (tier.length > 0) tiers.push(tier)
}

/** The URL, trimmed, where it is one that a tracker can be asked by; else null. */
export function usableTracker(text: string): string | null {
  return usableUrl(text, ['http:', 'https:', 'udp:'])
}

/** Web seeds without duplicates. A torrent of several files has them end in '/' (BEP 19). */
export function readWebSeeds(root: BNode, source: Uint8Array, multiFile: boolean): string[] {
  const node = dictGet(root, 'url-list')
  const seeds = new Set<string>()
  for (const entry of asList(node) ?? (node === undefined ? [] : [node])) {
    const url = usableWebSeed(asText(entry, source) ?? '')
    if (url === null || seeds.size >= MAX_URLS) continue
    seeds.add(multiFile && !url.endsWith('/') ? `${url}/` : url)
  }
  return [...seeds]
}

/** The URL, trimmed and its spaces escaped, where it is one that data can be fetched from; else null (BEP 19). */
export function usableWebSeed(text: string): string | null {
  return usableUrl(text.trim().replaceAll(' ', '%20'), ['http:', 'https:'])
}

function usableUrl(text: string, schemes: readonly string[]): string | null {
  const url = text.trim()
  if (url.length === 0 || url.length > MAX_URL_LENGTH || !URL.canParse(url)) return null
  const { protocol, hostname } = new URL(url)
  return schemes.includes(protocol) && hostname !== '' ? url : null
}

/** Magnet links (BEP 9, 52), written. */
import { LONGEST_MAGNET, type Magnet } from './magnet.js'

/** The part of a magnet that is written; what is empty is left out. */
export type MagnetParts = Pick<Magnet, 'hashes' | 'name' | 'trackers' | 'webSeeds'>

/**
 * The link, for `parseMagnet`. Trackers and web seeds come last, and those for which there is no room are left out.
 * Only ASCII that needs no quotes beyond those for `?` and `&`, whatever the name is.
 */
export function magnetLink({ hashes, name, trackers, webSeeds }: MagnetParts): string {
  const topics = [
    ...(hashes.v1 === undefined ? [] : [`xt=urn:btih:${hashes.v1}`]),
    ...(hashes.v2 === undefined ? [] : [`xt=urn:btmh:1220${hashes.v2}`]),
  ]
  const known = [
    ...(name === '' ? [] : [`dn=${escaped(name)}`]),
    ...trackers.map((url) => `tr=${escaped(url)}`),
    ...webSeeds.map((url) => `ws=${escaped(url)}`),
  ]
  let link = `magnet:?${topics.join('&')}`
  for (const part of known) {
    if (link.length + 1 + part.length <= LONGEST_MAGNET) link += `&${part}`
  }
  return link
}

/** Half a surrogate pair becomes U+FFFD: it has no UTF-8. */
function escaped(text: string): string {
  const whole = Buffer.from(text, 'utf8').toString('utf8')
  return encodeURIComponent(whole).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

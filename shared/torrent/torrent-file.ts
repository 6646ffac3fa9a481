/** A .torrent file around an info dictionary that came alone (BEP 3, 12, 19). */
import { encode } from './bencode.js'

/** `info` is kept byte for byte: its hash is the torrent's name. */
export function torrentFile(
  info: Uint8Array,
  about: { readonly trackers: readonly (readonly string[])[]; readonly webSeeds: readonly string[] },
): Uint8Array {
  const first = about.trackers[0]?.[0]
  const head = first === undefined ? {} : { announce: first, 'announce-list': about.trackers }
  const tail = about.webSeeds.length === 0 ? {} : { 'url-list': about.webSeeds }
  // Keys in order: announce, announce-list, info, url-list.
  return Buffer.concat([open(head), Buffer.from('4:info'), info, close(tail)])
}

function open(entries: Parameters<typeof encode>[0]): Uint8Array {
  return encode(entries).slice(0, -1)
}

function close(entries: Parameters<typeof encode>[0]): Uint8Array {
  return encode(entries).slice(1)
}

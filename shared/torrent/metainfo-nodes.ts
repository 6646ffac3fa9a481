/** The DHT nodes of a .torrent file (BEP 5 `nodes`). Nothing wrong in here sinks a torrent. */
import { asInt, asList, asText, BencodeError, decode, dictGet } from './bencode.js'

/** More are of no use: any one of them leads on. */
const MOST_NODES = 8

export interface NamedNode {
  /** A name or an address, not checked further. */
  readonly host: string
  readonly port: number
}

/** `torrent` is the whole file. */
export function readNodes(torrent: Uint8Array): NamedNode[] {
  try {
    const nodes: NamedNode[] = []
    for (const pair of asList(dictGet(decode(torrent), 'nodes')) ?? []) {
      const [first, second] = asList(pair) ?? []
      const host = asText(first, torrent) ?? ''
      const port = asInt(second) ?? 0
      const valid = /^[0-9a-z.:-]{1,253}$/i.test(host) && port > 0 && port <= 65_535
      if (valid && nodes.length < MOST_NODES) nodes.push({ host, port })
    }
    return nodes
  } catch (error) {
    if (error instanceof BencodeError) return []
    throw error
  }
}

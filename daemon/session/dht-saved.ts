/** The tables of the DHT as text for the store: JSON, ids in hex, nodes in compact form in base64. */
import type { Contact, Endpoint, NodeId } from '../codec/krpc.js'
import { idFrom, idHex } from '../dht/id.js'
import type { SavedFamily } from '../dht/family.js'

const MOST_NODES = 200

export function writeSaved(saved: readonly SavedFamily[]): string {
  return JSON.stringify(
    saved.map(({ family, id, nodes }) => ({
      family,
      id: idHex(id),
      nodes: Buffer.from(nodes.map((node) => node.id + node.at).join(''), 'latin1').toString('base64'),
    })),
  )
}

/** What can be read of it; [] where nothing can. */
export function readSaved(text: string | null): SavedFamily[] {
  const value = parse(text ?? '[]')
  return Array.isArray(value) ? value.flatMap(family) : []
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function family(value: unknown): SavedFamily[] {
  if (typeof value !== 'object' || value === null) return []
  const { family, id, nodes } = value as Readonly<Record<string, unknown>>
  if ((family !== 4 && family !== 6) || typeof id !== 'string' || typeof nodes !== 'string') return []
  if (!/^[0-9a-f]{40}$/.test(id)) return []
  return [{ family, id: idFrom(Buffer.from(id, 'hex')), nodes: contacts(nodes, family === 4 ? 26 : 38) }]
}

function contacts(base64: string, size: 26 | 38): Contact[] {
  const compact = Buffer.from(base64, 'base64').toString('latin1')
  const out: Contact[] = []
  for (let at = 0; at + size <= compact.length && out.length < MOST_NODES; at += size) {
    out.push({ id: compact.slice(at, at + 20) as NodeId, at: compact.slice(at + 20, at + size) as Endpoint })
  }
  return out
}

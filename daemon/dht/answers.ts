/** What we answer to the questions of others. */
import type { Millis } from '../../shared/units.js'
import { type Contact, KRPC_ERRORS, type Endpoint, type KrpcQuery, type NodeId } from '../codec/krpc.js'
import { type Reply, writeError, writeReply } from '../codec/krpc-writer.js'
import { familyOf, hostOf } from './id.js'
import type { PeerStore } from './peer-store.js'
import { K, type Table } from './table.js'
import type { Tokens } from './tokens.js'

/** BEP 32: no packet of ours is larger. */
const MOST_ANSWER = 1024
const MOST_VALUES = 100

/** The tables and peers of one family. */
export interface Known {
  readonly table: Table
  readonly peers: PeerStore
}

export interface AnswerPorts {
  readonly tokens: Tokens
  /** Null: we have no node in that family. */
  readonly known: (family: 4 | 6) => Known | null
}

export interface Asked {
  readonly query: KrpcQuery
  readonly from: Endpoint
  /** What the answer may have at most. */
  readonly most: number
  readonly version: string
  readonly now: Millis
}

/** Null: nothing is sent. `proves`: a token was shown that only who receives there can know. */
export function answerTo(asked: Asked, ports: AnswerPorts): { packet: Buffer; proves: boolean } | null {
  const { query, from, now } = asked
  const own = ports.known(familyOf(from))
  if (own === null) return null
  const bare = { transaction: query.transaction, version: asked.version, ip: from }
  if (query.method === 'announce_peer' && query.target !== null) {
    const proves = ports.tokens.isGood(query.token, from, query.target)
    if (!proves) {
      const packet = writeError({ ...bare, code: KRPC_ERRORS.protocol, message: 'bad token' })
      return packet.length <= asked.most ? { packet, proves } : null
    }
    own.peers.add(query.target, withPort(from, query.port ?? 0), query.seed, now)
    const packet = writeReply({ ...bare, id: own.table.id, most: MOST_ANSWER })
    return packet === null ? null : { packet, proves }
  }
  const reply: Reply = {
    ...bare,
    id: own.table.id,
    most: Math.min(MOST_ANSWER, asked.most),
    ...(query.target === null ? {} : body(asked, query.target, own, ports)),
  }
  const packet = writeReply(reply)
  return packet === null ? null : { packet, proves: false }
}

function body(asked: Asked, target: NodeId, own: Known, ports: AnswerPorts): Partial<Reply> {
  const { query, from, now } = asked
  const nodes = nodesFor(asked, target, ports)
  if (query.method === 'sample_infohashes') return { ...nodes, samples: own.peers.samples(now) }
  if (query.method !== 'get_peers') return nodes
  const values = own.peers.some(target, MOST_VALUES, query.noSeed, now)
  const filters = query.scrape ? own.peers.filters(target, now) : undefined
  return {
    ...nodes,
    token: ports.tokens.make(from, target),
    ...(values.length > 0 ? { values } : {}),
    ...(filters === undefined ? {} : { filters }),
  }
}

/** BEP 32: of the families that are wanted, or of the packet's own. */
function nodesFor(asked: Asked, target: NodeId, ports: AnswerPorts): Pick<Reply, 'nodes' | 'nodes6'> {
  const { query, from, now } = asked
  const family = familyOf(from)
  const want = query.want ?? { v4: family === 4, v6: family === 6 }
  const nearest = (each: 4 | 6): Contact[] => ports.known(each)?.table.nearest(target, K, now, from) ?? []
  return { ...(want.v4 ? { nodes: nearest(4) } : {}), ...(want.v6 ? { nodes6: nearest(6) } : {}) }
}

/** Port 0: that of the packet. */
function withPort(from: Endpoint, port: number): Endpoint {
  if (port === 0) return from
  return (hostOf(from) + String.fromCharCode(port >> 8, port & 255)) as Endpoint
}

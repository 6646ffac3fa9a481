/** KRPC messages, values to bytes. Keys are written in their order (BEP 3), strings are one character a byte. */
import type { Contact, Endpoint, KrpcMethod, NodeId } from './krpc.js'

/** What a question says, beside who asks. */
export interface Question {
  readonly transaction: string
  readonly method: KrpcMethod
  readonly id: NodeId
  /** '' or 4 characters. */
  readonly version: string
  readonly readOnly: boolean
  readonly target?: NodeId
  /** BEP 32: families that are asked for beside or instead of the packet's own. */
  readonly want?: readonly ('n4' | 'n6')[]
  /** announce_peer. Port 0: the packet's own is meant (`implied_port`). */
  readonly announce?: { readonly port: number; readonly token: string; readonly seed: boolean }
  /** get_peers: filters are wanted (BEP 33). */
  readonly scrape?: boolean
  /** Bytes that the packet has at least: whoever does not know us yet answers no more than our question has. */
  readonly least?: number
}

export function writeQuestion(question: Question): Buffer {
  const short = questionText(question, '')
  const lacking = (question.least ?? 0) - short.length
  if (lacking <= 0) return Buffer.from(short, 'latin1')
  // '1:z' and 'N:' have five characters.
  return Buffer.from(questionText(question, `1:z${text('0'.repeat(Math.max(1, lacking - 5)))}`), 'latin1')
}

function questionText(question: Question, filling: string): string {
  const { method, announce } = question
  let args = `2:id20:${question.id}`
  if (announce !== undefined && announce.port === 0) args += '12:implied_porti1e'
  const hash = method === 'get_peers' || method === 'announce_peer'
  if (question.target !== undefined && hash) args += `9:info_hash20:${question.target}`
  if (announce !== undefined) args += `4:porti${announce.port}e`
  if (question.scrape === true) args += '6:scrapei1e'
  if (announce?.seed === true) args += '4:seedi1e'
  if (question.target !== undefined && !hash) args += `6:target20:${question.target}`
  if (announce !== undefined) args += `5:token${text(announce.token)}`
  if (question.want !== undefined) args += `4:wantl${question.want.map(text).join('')}e`
  const readOnly = question.readOnly ? '2:roi1e' : ''
  return `d1:ad${args}${filling}e1:q${text(method)}${readOnly}${end(question, 'q')}`
}

export interface Reply {
  readonly transaction: string
  readonly id: NodeId
  /** '' or 4 characters. */
  readonly version: string
  /** Who asked, as we see them (BEP 42). */
  readonly ip: Endpoint
  /** What the packet may have; nodes, then values that do not fit are left out. */
  readonly most: number
  readonly token?: string
  readonly nodes?: readonly Contact[]
  readonly nodes6?: readonly Contact[]
  readonly values?: readonly Endpoint[]
  /** BEP 33; left out where they do not fit. */
  readonly filters?: { readonly seeds: Uint8Array; readonly peers: Uint8Array }
  /** BEP 51. */
  readonly samples?: { readonly hashes: readonly NodeId[]; readonly num: number; readonly interval: number }
}

/** The name and the ends of the list of values, and three digits for each of three lengths that were 0. */
const MOST_AROUND = '6:valuesle'.length + 3 * 3

/** Null where not even an empty answer fits. */
export function writeReply(reply: Reply): Buffer | null {
  const bare = replyText(reply, { filters: '', nodes: 0, nodes6: 0, samples: 0, values: 0 })
  let room = reply.most - bare.length
  if (room < 0) return null
  room -= MOST_AROUND
  const filters = reply.filters === undefined ? '' : filterText(reply.filters)
  const take = (size: number, wanted: number): number => {
    const taken = Math.max(0, Math.min(wanted, Math.floor(room / size)))
    room -= taken * size
    return taken
  }
  const parts = {
    filters: take(filters.length, filters === '' ? 0 : 1) === 1 ? filters : '',
    // Peers are what was asked for; two of the nodes have their place before them, so that a search goes on.
    nodes: take(26, Math.min(2, reply.nodes?.length ?? 0)),
    values: 0,
    nodes6: take(38, Math.min(2, reply.nodes6?.length ?? 0)),
    samples: take(20, reply.samples?.hashes.length ?? 0),
  }
  parts.values = take((reply.values?.[0]?.length ?? 6) + 3, reply.values?.length ?? 0)
  parts.nodes += take(26, (reply.nodes?.length ?? 0) - parts.nodes)
  parts.nodes6 += take(38, (reply.nodes6?.length ?? 0) - parts.nodes6)
  return Buffer.from(replyText(reply, parts), 'latin1')
}

interface Parts {
  readonly filters: string
  readonly nodes: number
  readonly nodes6: number
  readonly samples: number
  readonly values: number
}

function replyText(reply: Reply, parts: Parts): string {
  const { samples } = reply
  let body = `${parts.filters}2:id20:${reply.id}`
  if (samples !== undefined) body += `8:intervali${samples.interval}e`
  if (reply.nodes !== undefined) body += `5:nodes${compact(reply.nodes, parts.nodes)}`
  if (reply.nodes6 !== undefined) body += `6:nodes6${compact(reply.nodes6, parts.nodes6)}`
  if (samples !== undefined) {
    body += `3:numi${samples.num}e7:samples${text(samples.hashes.slice(0, parts.samples).join(''))}`
  }
  if (reply.token !== undefined) body += `5:token${text(reply.token)}`
  if (reply.values !== undefined && parts.values > 0) {
    body += `6:valuesl${reply.values.slice(0, parts.values).map(text).join('')}e`
  }
  return `d2:ip${text(reply.ip)}1:rd${body}e${end(reply, 'r')}`
}

function filterText(filters: NonNullable<Reply['filters']>): string {
  const latin1 = (bytes: Uint8Array): string =>
    text(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'))
  return `4:BFpe${latin1(filters.peers)}4:BFsd${latin1(filters.seeds)}`
}

export interface Refusal {
  readonly transaction: string
  readonly version: string
  readonly ip: Endpoint
  readonly code: number
  /** Plain ASCII. */
  readonly message: string
}

export function writeError(refusal: Refusal): Buffer {
  const { code, message } = refusal
  const list = `li${code}e${text(message)}`
  return Buffer.from(`d1:e${list}e2:ip${text(refusal.ip)}${end(refusal, 'e')}`, 'latin1')
}

function end(
  said: { readonly transaction: string; readonly version: string },
  kind: 'q' | 'r' | 'e',
): string {
  const version = said.version === '' ? '' : `1:v${text(said.version)}`
  return `1:t${text(said.transaction)}${version}1:y1:${kind}e`
}

function compact(contacts: readonly Contact[], count: number): string {
  let bytes = ''
  for (const { id, at } of contacts.slice(0, count)) bytes += id + at
  return text(bytes)
}

function text(bytes: string): string {
  return `${bytes.length}:${bytes}`
}

/** The table of what the thread does for each method of the port. */
import type { Answer, Args, Method, Request } from './protocol.js'
import {
  appendEvent,
  clearHave,
  eventsSince,
  getMeta,
  lastSeq,
  markWriting,
  readHave,
  recordRound,
  setMeta,
} from './records.js'
import type { Sql } from './sql.js'
import {
  addTorrent,
  addTrackers,
  listTorrents,
  readMetainfo,
  removeTorrent,
  saveTotals,
  setDesired,
  setFault,
  setWishes,
} from './torrents.js'

type Handlers = { readonly [M in Method]: (sql: Sql, ...args: Args<M>) => Answer<M> }

const HANDLERS: Handlers = {
  torrents: listTorrents,
  add: addTorrent,
  metainfo: readMetainfo,
  have: readHave,
  setDesired,
  setFault,
  setWishes,
  addTrackers,
  markWriting,
  recordRound,
  clearHave,
  saveTotals,
  remove: removeTorrent,
  appendEvent,
  eventsSince,
  lastSeq,
  getMeta,
  setMeta,
}

const READS: ReadonlySet<Method> = new Set<Method>([
  'torrents',
  'metainfo',
  'have',
  'eventsSince',
  'lastSeq',
  'getMeta',
])

export function isWrite(method: Method): boolean {
  return !READS.has(method)
}

export function perform<M extends Method>(sql: Sql, request: Request<M>): Answer<M> {
  const handler: Handlers[M] = HANDLERS[request.method]
  return handler(sql, ...request.args)
}

/** What arrives as bytes, checked before json-rpc-2.0 sees it: that library trusts its input (JSON-RPC 2.0, 4 to 6). */
import { isUtf8 } from 'node:buffer'
import type { JSONRPCID, JSONRPCRequest } from 'json-rpc-2.0'
import { type ErrorName, ERRORS } from '../../shared/rpc/errors.js'
import { exceedsJsonLimits } from '../../shared/rpc/framing.js'

/** Requests in one batch. */
export const BATCH_CAP = 100
/** Characters of a string id: it is echoed. */
const ID_CAP = 256

export interface ErrorReply {
  readonly jsonrpc: '2.0'
  readonly id: JSONRPCID
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** A request that is safe to hand on, or the answer to what was none. Answers to calls of ours are left out. */
export type Item =
  { readonly ok: true; readonly request: JSONRPCRequest } | { readonly ok: false; readonly reply: ErrorReply }

export type Message =
  | { readonly kind: 'single'; readonly item: Item }
  /** Answered as an array however few its answers are. */
  | { readonly kind: 'batch'; readonly items: readonly Item[] }
  | { readonly kind: 'nothing' }

export function errorReply(id: JSONRPCID, name: ErrorName, sentence: string, data?: unknown): ErrorReply {
  const error = { code: ERRORS[name].code, message: sentence }
  return { jsonrpc: '2.0', id, error: data === undefined ? error : { ...error, data } }
}

/** One line of input to requests and refusals. Never throws. */
export function readMessage(line: Buffer): Message {
  if (isBlank(line)) return { kind: 'nothing' }
  if (exceedsJsonLimits(line)) {
    return refuse('tooLarge', 'the message is nested too deep or has too many values; send less at once')
  }
  if (!isUtf8(line)) return refuse('parseError', 'the line is not UTF-8')
  let value: unknown
  try {
    value = JSON.parse(line.toString('utf8'))
  } catch {
    return refuse('parseError', 'the line is not JSON; send one JSON text a line')
  }
  if (!Array.isArray(value)) {
    const item = readItem(value)
    return item === null ? { kind: 'nothing' } : { kind: 'single', item }
  }
  if (value.length === 0) return refuse('invalidRequest', 'the batch is empty')
  if (value.length > BATCH_CAP) {
    return refuse('tooLarge', `a batch has at most ${BATCH_CAP} requests, this one has ${value.length}`)
  }
  return { kind: 'batch', items: value.map(readItem).filter((item) => item !== null) }
}

function refuse(name: ErrorName, sentence: string): Message {
  return { kind: 'single', item: { ok: false, reply: errorReply(null, name, sentence) } }
}

function isBlank(line: Buffer): boolean {
  return line.length === 0 || (line.length === 1 && line[0] === 0x0d)
}

/** Own properties only: what a prototype has is not what was sent. */
function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined
}

function isId(id: unknown): id is string | number {
  return typeof id === 'string' ? id.length <= ID_CAP : Number.isSafeInteger(id)
}

function readItem(value: unknown): Item | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(null, 'a request is a JSON object')
  }
  const id = own(value, 'id')
  const hasId = Object.hasOwn(value, 'id')
  if (hasId && !isId(id)) return bad(null, 'an id is a string or an integer below 2^53')
  const echo = isId(id) ? id : null
  const isAnswer =
    !Object.hasOwn(value, 'method') && (Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error'))
  if (isAnswer) return null
  const method = own(value, 'method')
  const params = own(value, 'params')
  if (own(value, 'jsonrpc') !== '2.0') return bad(echo, 'jsonrpc must be "2.0"')
  if (typeof method !== 'string') return bad(echo, 'method must be a string')
  if (Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error'))
    return bad(echo, 'a request has no result')
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return bad(echo, 'params must be an object')
  }
  const request: JSONRPCRequest = { jsonrpc: '2.0', method, params: params ?? {} }
  return { ok: true, request: isId(id) ? { ...request, id } : request }
}

function bad(id: string | number | null, sentence: string): Item {
  return { ok: false, reply: errorReply(id, 'invalidRequest', sentence) }
}

/** The contract's methods around the session's handlers: greeting, schemas, errors. */
import { JSONRPCServer } from 'json-rpc-2.0'
import {
  type Caller,
  contract,
  type Handlers,
  type Method,
  type Params,
  type Result,
} from '../../shared/rpc/contract.js'
import { contractMajor } from '../../shared/rpc/contract-version.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import { discover } from './discover.js'
import { errorReply } from './guard.js'
import type { z } from 'zod'

/** The methods' view of a connection. */
export interface Client {
  /** What it called itself in `session.hello`, or null before that. */
  readonly name: string | null
  greet(name: string): void
  subscribe(params: Params<'events.subscribe'>): Promise<Result<'events.subscribe'>>
}

/** pino's shape: fields, then a sentence. */
export interface RpcLog {
  warn(fields: Readonly<Record<string, unknown>>, sentence: string): void
  error(fields: Readonly<Record<string, unknown>>, sentence: string): void
}

export interface MethodsInit {
  readonly version: string
  readonly contract: string
  /** Results are checked against the contract too: in tests. */
  readonly checkResults: boolean
}

interface MethodsPorts {
  readonly handlers: Handlers
  readonly log: RpcLog
}

/** More names than any method takes. */
const MOST_KEYS = 32

export type RpcMethods = JSONRPCServer<Client>

export function createMethods(init: MethodsInit, ports: MethodsPorts): RpcMethods {
  const server: RpcMethods = new JSONRPCServer<Client>({
    // Notifications have no reply: this is where their bugs are seen too.
    errorListener: (_, error) => {
      if (!(error instanceof RpcError)) ports.log.error({ err: error }, 'a call of the contract failed')
    },
  })
  server.mapErrorToJSONRPCErrorResponse = (id, error) =>
    error instanceof RpcError
      ? errorReply(id, error.errorName, error.message, error.data)
      : errorReply(id, 'internal', 'something went wrong inside torrentinod; its log says more')
  server.handleMethodNotFound = (request) => {
    if (request.id === undefined) return Promise.resolve(null)
    const name = JSON.stringify(request.method.slice(0, 64))
    const sentence = `there is no method ${name}; rpc.discover lists them`
    return Promise.resolve(errorReply(request.id, 'methodNotFound', sentence))
  }
  for (const name of Object.keys(contract) as Method[]) {
    server.addMethod(name, (params, client) => call(name, params as object, client, init, ports))
  }
  return server
}

async function call(
  name: Method,
  given: object,
  client: Client,
  init: MethodsInit,
  ports: MethodsPorts,
): Promise<unknown> {
  if (client.name === null && name !== 'session.hello') {
    throw rpcError('helloFirst', 'session.hello must be the first call of a connection')
  }
  const params = readParams(name, given)
  if (name === 'session.hello') greet(params as Params<'session.hello'>, client, init)
  const result = await answer(name, params, client, ports.handlers)
  if (init.checkResults) checkResult(name, result)
  return result
}

function answer(name: Method, params: unknown, client: Client, handlers: Handlers): Promise<unknown> {
  if (name === 'rpc.discover') return Promise.resolve(discover())
  if (name === 'events.subscribe') return client.subscribe(params as Params<'events.subscribe'>)
  const caller: Caller = { via: 'socket', name: client.name ?? '' }
  const handler = handlers[name] as (params: unknown, caller: Caller) => Promise<unknown>
  return handler(params, caller)
}

/** The name counts from here on, before the handler is done: a client may send its next calls without waiting. */
function greet(params: Params<'session.hello'>, client: Client, init: MethodsInit): void {
  if (contractMajor(params.contract) !== contractMajor(init.contract)) {
    throw rpcError(
      'otherContract',
      `torrentinod ${init.version} speaks contract ${init.contract} and the client ${params.contract}; ` +
        'use the torrentinoctl that came with it, or restart torrentinod after an upgrade',
      { contract: init.contract, version: init.version },
    )
  }
  client.greet(params.client)
}

function readParams(name: Method, given: object): unknown {
  if (Array.isArray(given)) {
    throw rpcError('invalidParams', `${name}: params are an object with names, not a list`, { field: '' })
  }
  // The schema would name each of a hundred thousand keys that it does not know.
  if (Object.keys(given).length > MOST_KEYS) {
    throw rpcError('invalidParams', `${name}: params have too many names`, { field: '' })
  }
  const schema: z.ZodType = contract[name].params
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = (issue?.path ?? []).map(String).join('.').slice(0, 128)
  const what = (issue?.message ?? 'not valid').slice(0, 200)
  throw rpcError('invalidParams', `${name}: ${field === '' ? 'params' : field}: ${what}`, { field })
}

function checkResult(name: Method, result: unknown): void {
  const schema: z.ZodType = contract[name].result
  const parsed = schema.safeParse(result)
  if (!parsed.success) throw new TypeError(`${name} answers against its contract: ${parsed.error.message}`)
}

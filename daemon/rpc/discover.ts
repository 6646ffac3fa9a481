/** The contract as an OpenRPC document (open-rpc.org, 1.3), made when it is first asked for. */
import { z } from 'zod'
import { contract, notifications, type Result } from '../../shared/rpc/contract.js'
import { CONTRACT_VERSION } from '../../shared/rpc/contract-version.js'
import { ERRORS } from '../../shared/rpc/errors.js'

let made: Result<'rpc.discover'> | null = null

/** Method and notification names in the order of the contract, with what they take and give. */
export function discover(): Result<'rpc.discover'> {
  made ??= {
    openrpc: '1.3.2',
    info: {
      title: 'torrentinod',
      version: CONTRACT_VERSION,
      description: 'JSON-RPC 2.0, a message a line, on a Unix socket; session.hello comes first.',
    },
    methods: Object.entries(contract).map(([name, { summary, params, result }]) => ({
      name,
      summary,
      paramStructure: 'by-name' as const,
      params: paramsOf(params),
      result: { name: 'result', schema: schemaOf(result) },
    })),
    components: {
      errors: Object.fromEntries(
        Object.entries(ERRORS).map(([name, { code, means }]) => [name, { code, message: means }]),
      ),
    },
    'x-notifications': Object.entries(notifications).map(([name, { summary, params }]) => ({
      name,
      summary,
      params: paramsOf(params).map(({ required: _, ...param }) => param),
    })),
  }
  return made
}

/** What is read of the schema of an object. */
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>
  readonly required?: readonly string[]
}

interface Param {
  readonly name: string
  readonly summary?: string
  readonly required: boolean
  readonly schema: unknown
}

function paramsOf(schema: z.ZodType): Param[] {
  const { properties = {}, required = [] } = schemaOf(schema) as ObjectSchema
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    ...(description === undefined ? {} : { summary: description }),
    required: required.includes(name),
    schema: rest,
  }))
}

/** As input: so that results are not said to be closed, and may grow with a minor version. */
function schemaOf(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: 'input' })
}

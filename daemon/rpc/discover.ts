/** The contract as JSON Schemas, made when it is first asked for. */
import { z } from 'zod'
import { contract, notifications, type Result } from '../../shared/rpc/contract.js'
import { CONTRACT_VERSION } from '../../shared/rpc/contract-version.js'

let made: Result<'rpc.discover'> | null = null

/** Method and notification names in the order of the contract, with what they take and give. */
export function discover(): Result<'rpc.discover'> {
  made ??= {
    contract: CONTRACT_VERSION,
    methods: Object.entries(contract).map(([name, { summary, params, result }]) => ({
      name,
      summary,
      params: schemaOf(params),
      result: schemaOf(result),
    })),
    notifications: Object.entries(notifications).map(([name, { summary, params }]) => ({
      name,
      summary,
      params: schemaOf(params),
    })),
  }
  return made
}

/** As input: so that results are not said to be closed, and may grow with a minor version. */
function schemaOf(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: 'input' })
}

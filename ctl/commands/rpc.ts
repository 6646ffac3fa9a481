/** `rpc`: any method of the contract, as JSON. */
import { text } from 'node:stream/consumers'
import type { Argv } from 'yargs'
import { jsonText } from '../../shared/text.js'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'

export function rpcCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'rpc <method> [params]',
    'Call any method of torrentinod, as JSON',
    (command) =>
      command
        .positional('method', {
          type: 'string',
          demandOption: true,
          describe: 'Its name; rpc.discover lists all',
        })
        .positional('params', { type: 'string', describe: 'A JSON object, - for standard input' }),
    verb(async (context, argv) => {
      const params = readParams(argv.params === '-' ? await text(process.stdin) : (argv.params ?? '{}'))
      return withDaemon(context, 'never', async (client) => {
        const result = await client.callByName(argv.method, params)
        if (context.json || !context.live) context.outJson(result)
        else context.out(jsonText(result, 2) + '\n')
        return EXIT.ok
      })
    }),
  )
}

function readParams(json: string): object {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw new Failure(EXIT.usage, 'the parameters are not JSON; quote them: \'{"id": 3}\'')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Failure(EXIT.usage, 'the parameters must be a JSON object: \'{"id": 3}\'')
  }
  return value
}

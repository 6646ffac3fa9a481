/** `dht status|lookup`: the node of the DHT, and who it knows of a swarm. */
import type { Argv } from 'yargs'
import { type Globals, verb } from '../context.js'
import { EXIT, Failure } from '../exit.js'
import { withDaemon } from '../owner.js'
import { renderDht, renderLookup } from '../render/dht.js'

export function dhtCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'dht <action> [hash]',
    'Ask the DHT how it is, or who is in a swarm',
    (command) =>
      command
        .positional('action', {
          choices: ['status', 'lookup'] as const,
          demandOption: true,
          describe: 'What to ask',
        })
        .positional('hash', { type: 'string', describe: 'Info hash of 40 or 64 hex digits' }),
    verb(async (context, { action, hash }) => {
      const key = action === 'lookup' ? readHash(hash) : ''
      return withDaemon(context, 'never', async (client) => {
        if (action === 'status') {
          const view = await client.call('dht.status', {})
          if (context.json) context.outJson(view)
          else context.out(renderDht(view, context.style))
        } else {
          const found = await client.call('dht.lookup', { hash: key })
          if (context.json) context.outJson(found)
          else context.out(renderLookup(found))
        }
        return EXIT.ok
      })
    }),
  )
}

/** The swarm key: a v2 hash is cut (BEP 52). */
function readHash(text: string | undefined): string {
  if (text === undefined) throw new Failure(EXIT.usage, 'dht lookup needs an info hash')
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(text)) {
    throw new Failure(EXIT.usage, 'an info hash has 40 hex digits, or 64 for version 2')
  }
  return text.slice(0, 40).toLowerCase()
}

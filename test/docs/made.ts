/** The documents that are made from the code, as they should be. */
import { format, resolveConfig } from 'prettier'
import { cliDoc } from './cli.js'
import { rpcDoc } from './rpc.js'

/** File and text, formatted as everything here is. */
export async function made(): Promise<[file: string, text: string][]> {
  const options = (await resolveConfig(import.meta.filename)) ?? {}
  const formatted = (text: string): Promise<string> => format(text, { ...options, parser: 'markdown' })
  return [
    ['docs/cli.md', await formatted(cliDoc())],
    ['docs/rpc.md', await formatted(rpcDoc())],
  ]
}

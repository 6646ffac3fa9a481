/** The documents that are made from the code, as they should be. */
import { format, resolveConfig } from 'prettier'
import { cliDoc } from './cli.js'
import { ctlPage, daemonPage } from './man.js'
import { rpcDoc } from './rpc.js'

/** File and text; documents in Markdown are formatted as everything here is. */
export async function made(): Promise<[file: string, text: string][]> {
  const options = (await resolveConfig(import.meta.filename)) ?? {}
  const formatted = (text: string): Promise<string> => format(text, { ...options, parser: 'markdown' })
  return [
    ['docs/cli.md', await formatted(cliDoc())],
    ['docs/rpc.md', await formatted(rpcDoc())],
    ['docs/man/torrentinoctl.1', ctlPage()],
    ['docs/man/torrentinod.8', daemonPage()],
  ]
}

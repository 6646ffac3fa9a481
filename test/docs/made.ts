/** The documents that are made from the code, as they should be. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { cliDoc } from './cli.js'
import { configDoc } from './config.js'
import { ctlPage, daemonPage } from './man.js'
import { rpcDoc } from './rpc.js'

const CONFIG = join(import.meta.dirname, '../../docs/config.md')

/** File and text; documents in Markdown are formatted as everything here is. */
export async function made(): Promise<[file: string, text: string][]> {
  const options = (await resolveConfig(import.meta.filename)) ?? {}
  const formatted = (text: string): Promise<string> => format(text, { ...options, parser: 'markdown' })
  return [
    ['docs/cli.md', await formatted(cliDoc())],
    ['docs/config.md', await formatted(configDoc(readFileSync(CONFIG, 'utf8')))],
    ['docs/rpc.md', await formatted(rpcDoc())],
    ['docs/man/torrentinoctl.1', ctlPage()],
    ['docs/man/torrentinod.8', daemonPage()],
  ]
}

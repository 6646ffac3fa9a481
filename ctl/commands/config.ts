/** `config get|set|list`: through the daemon where one runs, else in the file itself. */
import type { Argv } from 'yargs'
import type { SettingView } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import { Client } from '../client.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { renderSettings } from '../render/settings.js'

/** Where settings are read and written. */
interface Settings {
  list(): Promise<readonly SettingView[]>
  get(key: string): Promise<SettingView>
  set(key: string, value: string): Promise<SettingView>
}

export function configCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'config <action> [key] [value]',
    'Show or change settings',
    (command) =>
      command
        .positional('action', {
          choices: ['get', 'set', 'list'] as const,
          demandOption: true,
          describe: 'What to do',
        })
        .positional('key', { type: 'string', describe: 'For example download.dir' })
        .positional('value', { type: 'string', describe: 'With set: the new value' }),
    verb((context, { action, key, value }) =>
      withSettings(context, async (settings, running) => {
        if (action === 'list') return await runList(context, settings)
        if (key === undefined)
          throw new Failure(EXIT.usage, `config ${action} needs a key; config list shows them`)
        if (action === 'get') return await runGet(context, settings, key)
        if (value === undefined) throw new Failure(EXIT.usage, `config set ${escapeText(key)} needs a value`)
        return await runSet(context, settings, { key, value, running })
      }),
    ),
  )
}

/** Calls `use` with the settings of the daemon where one runs, else with those of its file. */
export async function withSettings(
  context: Context,
  use: (settings: Settings, running: boolean) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const client = await Client.connect(context.home.socket)
  try {
    return await use(client === null ? await ofFile(context) : ofDaemon(client), client !== null)
  } finally {
    client?.close()
  }
}

/** Loaded late: it brings the reader of TOML. */
async function ofFile(context: Context): Promise<Settings> {
  const { fileSettings } = await import('../config-file.js')
  return fileSettings(context.home.config)
}

function ofDaemon(client: Client): Settings {
  return {
    list: async () => (await client.call('config.list', {})).settings,
    get: (key) => client.call('config.get', { key }),
    set: (key, value) => client.call('config.set', { key, value }),
  }
}

async function runList(context: Context, settings: Settings): Promise<ExitStatus> {
  const all = await settings.list()
  if (context.json) context.outJson(all)
  else context.out(renderSettings(all, context.style))
  return EXIT.ok
}

async function runGet(context: Context, settings: Settings, key: string): Promise<ExitStatus> {
  const setting = await settings.get(key)
  if (context.json) context.outJson(setting)
  else context.out(`${escapeText(String(setting.value))}\n`)
  return EXIT.ok
}

async function runSet(
  context: Context,
  settings: Settings,
  { key, value, running }: { key: string; value: string; running: boolean },
): Promise<ExitStatus> {
  const setting = await settings.set(key, value)
  const later = running && setting.applies === 'restart' ? ', from the next start of torrentinod on' : ''
  if (context.json) context.outJson(setting)
  else context.out(`${escapeText(setting.key)} = ${escapeText(String(setting.value))}${later}\n`)
  if (setting.source === 'environment') {
    context.note('warning: an environment variable overrides this setting\n')
  }
  return EXIT.ok
}

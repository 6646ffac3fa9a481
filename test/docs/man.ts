/** The manual pages: torrentinoctl.1 out of the command tree, torrentinod.8 out of the settings. */
import { EXIT } from '../../shared/rpc/errors.js'
import { SETTING_KEYS, SETTINGS } from '../../shared/settings.js'
import { EXIT_MEANINGS, optionSentence, optionText } from '../../ctl/render/help.js'
import { globalOptions, type OptionSpec, type ShownVerb } from '../../ctl/tree.js'
import { commandTree } from '../../ctl/verbs.js'
import { entry, heading, inner, line, page, prose } from './roff.js'

const INTRO = `torrentinoctl drives torrentinod(8), the daemon of Torrentino, which downloads and seeds torrents. Without a
command it tells how things stand; a file, an address or a magnet link without a command is added.

An id is the number that list shows, an info hash, or the beginning of one that fits one torrent only. Most commands take
several, and all. Messages go to standard error, one sentence each.`

const DAEMON = `torrentinod downloads and seeds torrents until it is told to stop. It runs in the foreground; torrentinoctl(1)
starts it in the background (torrentinoctl daemon start) or has launchd or systemd keep it running (torrentinoctl service
install). What it has recorded survives a kill at any moment.`

const DAEMON_OPTIONS: readonly (readonly [string, string])[] = [
  ['--home DIR', 'Folder of state, socket, settings and logs.'],
  ['--version', 'Print the version and end.'],
  ['--help', 'Print the usage and end.'],
]

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['TORRENTINO_HOME', 'The same as --home, which wins over it.'],
  ['TORRENTINO_SOCKET', 'An absolute path: the socket alone lies there. --home wins over it.'],
]

const DAEMON_ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['TORRENTINO_NET', 'How far any connection may go: internet, private or loopback.'],
  ['TORRENTINO_OWNER', 'With service, a second daemon on one home ends with 0 and not with 6.'],
]

const SIGNALS: readonly (readonly [string, string])[] = [
  ['SIGTERM, SIGINT', 'Write everything down and stop; a second one ends it at once.'],
]

const DAEMON_EXIT: readonly (readonly [string, string])[] = [
  [String(EXIT.ok), 'it was told to stop'],
  [String(EXIT.fault), 'a fault; the sentence is on standard error and in the log'],
  [String(EXIT.usage), 'wrong usage or a bad setting'],
  [String(EXIT.alreadyRunning), 'a daemon runs on this home already'],
]

const FILES: readonly (readonly [string, string])[] = [
  ['~/.config/torrentino/config.toml', 'Settings (on macOS in ~/Library/Application Support/torrentino).'],
  ['~/.local/state/torrentino', 'Database, socket and logs (on macOS as above, logs in ~/Library/Logs).'],
]

export function ctlPage(): string {
  return page({ name: 'torrentinoctl', section: 1, book: 'User Commands' }, [
    heading('SH', 'NAME'),
    line('torrentinoctl - download and seed torrents'),
    heading('SH', 'SYNOPSIS'),
    '.B torrentinoctl',
    line('[command] [options]'),
    heading('SH', 'DESCRIPTION'),
    prose(INTRO),
    heading('SH', 'COMMANDS'),
    ...commandTree().flatMap(({ title, verbs }) => [heading('SS', title), ...verbs.map(verbEntry)]),
    ...list('OPTIONS OF EVERY COMMAND', globalOptions().map(optionPair)),
    ...list(
      'EXIT STATUS',
      Object.entries(EXIT_MEANINGS).map(([name, meaning]) => [
        String(EXIT[name as keyof typeof EXIT]),
        meaning,
      ]),
    ),
    ...list('ENVIRONMENT', [...ENVIRONMENT, ['NO_COLOR', 'No colours on a terminal.']]),
    ...list('FILES', FILES),
    ...seeAlso('torrentinod', 8),
  ])
}

export function daemonPage(): string {
  return page({ name: 'torrentinod', section: 8, book: 'System Administration' }, [
    heading('SH', 'NAME'),
    line('torrentinod - BitTorrent daemon'),
    heading('SH', 'SYNOPSIS'),
    '.B torrentinod',
    line('[run] [--home DIR]'),
    heading('SH', 'DESCRIPTION'),
    prose(DAEMON),
    ...list('OPTIONS', DAEMON_OPTIONS),
    heading('SH', 'SETTINGS'),
    line('One file, config.toml; torrentinoctl config set changes it, also while the daemon runs.'),
    ...SETTING_KEYS.map(settingEntry),
    ...list('SIGNALS', SIGNALS),
    ...list('EXIT STATUS', DAEMON_EXIT),
    ...list('ENVIRONMENT', [...ENVIRONMENT, ...DAEMON_ENVIRONMENT]),
    ...list('FILES', FILES),
    ...seeAlso('torrentinoctl', 1),
  ])
}

function verbEntry(verb: ShownVerb): string {
  const also = verb.aliases.length === 0 ? '' : ` Also ${verb.aliases.join(', ')}.`
  const words = verb.words
    .filter(({ describe, choices }) => describe !== '' || choices.length > 0)
    .map(({ name, describe, choices }) =>
      entry(name, line([describe, choices.join(', ')].filter((part) => part !== '').join(': '))),
    )
  const options = verb.options.map((option) => pairEntry(optionPair(option)))
  const examples = verb.examples.map(([typed, what]) => entry(`torrentinoctl ${typed}`, line(what)))
  return [entry(verb.usage, line(`${verb.describe}.${also}`)), inner(...words, ...options, ...examples)].join(
    '\n',
  )
}

function optionPair(option: OptionSpec): readonly [string, string] {
  const standard = option.default === null ? '' : ` (${option.default})`
  return [optionText(option), optionSentence(option) + standard]
}

function settingEntry(key: (typeof SETTING_KEYS)[number]): string {
  const { kind, summary, applies, default: standard } = SETTINGS[key]
  const without = standard === null ? '' : ` Without it: ${standard === '' ? '""' : String(standard)}.`
  const when = applies === 'restart' ? ' A change works from the next start.' : ''
  return entry(`${key} (${kind})`, line(`${summary}${without}${when}`))
}

const pairEntry = ([name, what]: readonly [string, string]): string => entry(name, line(what))

function list(title: string, pairs: readonly (readonly [string, string])[]): string[] {
  return [heading('SH', title), ...pairs.map(pairEntry)]
}

const seeAlso = (name: string, section: number): string[] => [
  heading('SH', 'SEE ALSO'),
  `.BR ${name} (${section})`,
]

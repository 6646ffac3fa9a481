/** `--help`: of everything on one screen, and of one verb. */
import { EXIT } from '../../shared/rpc/errors.js'
import { globalOptions, type OptionSpec, type ShownGroup, type ShownVerb } from '../tree.js'
import { paint, type Style, wrap } from './style.js'

/** What each exit status means, in the order of the numbers. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  fault: 'a fault',
  usage: 'wrong usage or a bad file',
  noSuchTorrent: 'no such torrent',
  ambiguous: 'the id fits several torrents',
  noDaemon: 'torrentinod is not running',
  alreadyRunning: 'it is running already',
  partly: 'some of it was done',
  waitTimedOut: 'the wait took too long',
  otherContract: 'torrentinod is of another version',
}

export function renderHelp(groups: readonly ShownGroup[], style: Style): string {
  const verbs = groups.flatMap((group) => group.verbs)
  const width = Math.max(...verbs.map(({ name }) => name.length))
  const parts = groups.map(
    ({ title, verbs: own }) =>
      `${paint(title, 'bold', style)}\n${own.map(({ name, describe }) => row(name, describe, width, style)).join('')}`,
  )
  return (
    'torrentinoctl [command]\n\nDownloads and seeds torrents. Without a command: how things stand.\n\n' +
    `${parts.join('\n')}\n` +
    `${paint('Options of every command', 'bold', style)}\n${optionRows(globalOptions(), style)}\n` +
    'torrentinoctl COMMAND --help tells all about one, with examples.\n' +
    wrap(`Exit status: ${exitText()}.`, Math.min(100, style.columns)).join('\n') +
    '\n'
  )
}

export function renderVerbHelp(verb: ShownVerb, style: Style): string {
  const width = Math.max(0, ...verb.words.map(({ name }) => name.length))
  const words = verb.words
    .filter(({ describe, choices }) => describe !== '' || choices.length > 0)
    .map(({ name, describe, choices }) => row(name, withChoices(describe, choices), width, style))
  const aliases = verb.aliases.length === 0 ? '' : ` Also: torrentinoctl ${verb.aliases.join(', ')}.`
  return (
    `${paint(`torrentinoctl ${verb.usage}`, 'bold', style)}\n\n${sentence(verb.describe)}${aliases}\n` +
    (words.length === 0 ? '' : `\n${words.join('')}`) +
    `\n${paint('Options', 'bold', style)}\n${optionRows([...verb.options, ...globalOptions()], style)}` +
    `\n${paint('Examples', 'bold', style)}\n` +
    verb.examples.map(([typed, what]) => `  torrentinoctl ${typed}\n      ${what}\n`).join('')
  )
}

/** Longer lists of choices are told behind the sentence. */
const LONGEST_CHOICES = 30

/** `--dir DIR`, `--for complete|paused`, `-o, --output OUTPUT`. */
export function optionText({ name, short, takesValue, choices }: OptionSpec): string {
  const listed = choices.join('|')
  const value = listed !== '' && listed.length <= LONGEST_CHOICES ? listed : name.toUpperCase()
  return `${short === null ? '' : `-${short}, `}--${name}${takesValue ? ` ${value}` : ''}`
}

/** What it does, with its choices where they do not stand beside its name. */
export function optionSentence({ choices, describe }: OptionSpec): string {
  return choices.join('|').length <= LONGEST_CHOICES ? describe : withChoices(describe, choices)
}

function optionRows(options: readonly OptionSpec[], style: Style): string {
  const width = Math.min(26, Math.max(...options.map((option) => optionText(option).length)))
  return options
    .map((option) => {
      const standard = option.default === null ? '' : ` (${option.default})`
      return row(optionText(option), optionSentence(option) + standard, width, style)
    })
    .join('')
}

/** A name and what it is; a long name has a line to itself, and a long sentence goes on below. */
function row(name: string, describe: string, width: number, style: Style): string {
  const room = Math.max(30, Math.min(100, style.columns) - width - 4)
  const lines = wrap(describe, room)
  const indent = ' '.repeat(width + 4)
  const head = name.length > width ? `  ${name}\n${indent}` : `  ${name.padEnd(width)}  `
  return `${head}${lines.join(`\n${indent}`)}\n`
}

function withChoices(describe: string, choices: readonly string[]): string {
  const listed = choices.join(', ')
  return describe === '' || choices.length === 0 ? describe + listed : `${describe}: ${listed}`
}

function exitText(): string {
  return Object.entries(EXIT_MEANINGS)
    .map(([name, meaning]) => `${String(EXIT[name as keyof typeof EXIT])} ${meaning}`)
    .join(', ')
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

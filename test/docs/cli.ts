/** docs/cli.md: every verb, out of the command tree. */
import { EXIT } from '../../shared/rpc/errors.js'
import { EXIT_MEANINGS, optionSentence, optionText } from '../../ctl/render/help.js'
import { globalOptions, type OptionSpec, type ShownVerb } from '../../ctl/tree.js'
import { commandTree } from '../../ctl/verbs.js'
import { jsonOf, type VerbJson } from './json.js'
import { table } from './rpc.js'
import { schemaOf, typeText } from './shapes.js'

const NOTE = '<!-- Made by `npm run docs` from the command tree; a change here is lost. -->'

const INTRO = `\`torrentinoctl --help\` shows all commands on a screen, \`torrentinoctl COMMAND --help\` one of them. Without a command it
tells how things stand; a file, an address or a magnet link without a command is added.

An \`id\` is the number that \`list\` shows, an info hash, or the beginning of one that fits one torrent only. Most commands
take several, and \`all\`. Messages go to standard error, one sentence each. Tables fit the terminal; in a pipe nothing is
cut. Colours are for terminals, and \`NO_COLOR\` turns them off. Whatever came from outside is shown with its control
characters and direction marks escaped, in tables and in JSON.`

const SEVERAL = `Where several torrents are named and some fail, each failure is a line on standard error and the status is 7; where all
fail for the same reason it is the status of that reason.`

export function cliDoc(): string {
  return [
    '# torrentinoctl',
    NOTE,
    INTRO,
    '## Options of every command',
    optionTable(globalOptions()),
    '## Exit status',
    table(
      ['status', 'meaning'],
      Object.entries(EXIT_MEANINGS).map(([name, meaning]) => [
        String(EXIT[name as keyof typeof EXIT]),
        meaning,
      ]),
    ),
    SEVERAL,
    ...commandTree().flatMap(({ title, verbs }) => [`## ${title}`, ...verbs.map(verbText)]),
    '',
  ].join('\n\n')
}

function verbText(verb: ShownVerb): string {
  const also = verb.aliases.length === 0 ? '' : ` Also \`${verb.aliases.join('`, `')}\`.`
  const words = verb.words.map(({ name, choices, describe }) => {
    const listed = choices.map((choice) => `\`${choice}\``).join(', ')
    return `- \`${name}\`: ${[describe, listed].filter((part) => part !== '').join(': ')}`
  })
  return [
    `### ${verb.name}`,
    `\`torrentinoctl ${verb.usage}\`: ${verb.describe}.${also}`,
    ...(words.length === 0 ? [] : [words.join('\n')]),
    ...(verb.options.length === 0 ? [] : [optionTable(verb.options)]),
    `\`\`\`sh\n${verb.examples.map(([typed, what]) => `torrentinoctl ${typed}  # ${what}`).join('\n')}\n\`\`\``,
    jsonOf(verb.name)
      .map(([words, json]) => jsonText(words, json))
      .join('\n'),
  ].join('\n\n')
}

function optionTable(options: readonly OptionSpec[]): string {
  return table(
    ['option', 'what it does', 'without it'],
    options.map((option) => [
      `\`${optionText(option)}\``,
      optionSentence(option),
      option.default === null ? '' : `\`${option.default}\``,
    ]),
  )
}

function jsonText(words: string, json: VerbJson | null): string {
  const name = words.includes(' ') ? `- \`${words} --json\`` : '`--json`'
  if (json === null) return `${name}: none.`
  const { schema, lines, note } = json
  const each = lines === undefined ? '' : `, ${lines}`
  return `${name}: ${typeText(schemaOf(schema), 'rpc.md')}${each}.${note === undefined ? '' : ` ${note}`}`
}

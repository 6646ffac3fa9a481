/** docs/rpc.md: the whole contract, for whoever writes a program of their own. */
import { contract, notifications } from '../../shared/rpc/contract.js'
import { CONTRACT_VERSION } from '../../shared/rpc/contract-version.js'
import { ERRORS } from '../../shared/rpc/errors.js'
import { commentsOf, fieldsOf, type Schema, schemaOf, SHAPES, typeText } from './shapes.js'

const NOTE = '<!-- Made by `npm run docs` from the contract; a change here is lost. -->'

const INTRO = `torrentinod speaks JSON-RPC 2.0 on a Unix socket, a message a line, in UTF-8. \`torrentinoctl status\` names the home
that the socket \`torrentino.sock\` lies in. Whoever may open it may do everything. This is contract ${CONTRACT_VERSION}; the same as
an OpenRPC document comes from \`torrentinoctl rpc rpc.discover\`, and \`torrentinoctl rpc METHOD PARAMS\` makes one call.

- The first call of a connection is \`session.hello\`. Another major number of the contract is refused.
- Parameters are an object, by name; one that is not known is refused. A result may have more fields than are named here.
- Bytes, milliseconds and bytes a second are integers; times are milliseconds since 1970.
- A line has 16 MiB at most, a batch 100 calls.`

export function rpcDoc(): string {
  const methods = Object.entries(contract).map(([name, { summary, params, result }]) =>
    methodText(name, summary, schemaOf(params), schemaOf(result)),
  )
  const notices = Object.entries(notifications).map(([name, { summary, params }]) =>
    noticeText(name, summary, schemaOf(params)),
  )
  return [
    '# JSON-RPC',
    NOTE,
    INTRO,
    '## Methods',
    ...methods,
    '## Notifications',
    'What the daemon sends unasked after `events.subscribe`.',
    ...notices,
    '## Shapes',
    ...SHAPES.map(shapeText),
    '## Errors',
    table(['code', 'name', 'meaning', 'exit status'], errorRows()),
    '',
  ].join('\n\n')
}

function methodText(name: string, summary: string, params: Schema, result: Schema): string {
  return [`### ${name}`, summary, paramsText(params), `Gives ${resultText(result)}`].join('\n\n')
}

function noticeText(name: string, summary: string, params: Schema): string {
  return [`### ${name}`, summary, `Brings ${resultText(params)}`].join('\n\n')
}

function paramsText({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, param]) => [
    `\`${name}\``,
    typeText(param, ''),
    required.includes(name) ? 'yes' : 'no',
    param.description ?? '',
  ])
  return rows.length === 0 ? 'Takes nothing.' : table(['parameter', 'type', 'needed', 'what it is'], rows)
}

function resultText(schema: Schema): string {
  if (schema.shape !== undefined || schema.properties === undefined) return `${typeText(schema, '')}.`
  const fields = Object.entries(schema.properties)
  if (fields.length === 0) return 'an empty object.'
  return `an object:\n\n${fields.map(([name, field]) => `- \`${name}\`: ${typeText(field, '')}`).join('\n')}`
}

function shapeText(shape: (typeof SHAPES)[number]): string {
  const rows = fieldsOf(shape, commentsOf(shape.type)).map(({ path, type, what }) => [
    `\`${path}\``,
    type,
    what,
  ])
  const fields = rows.length === 0 ? [] : [table(['field', 'type', 'what it is'], rows)]
  return [`### ${shape.name}`, shape.what, ...fields].join('\n\n')
}

function errorRows(): string[][] {
  return Object.entries(ERRORS).map(([name, { code, exit, means }]) => [
    String(code),
    `\`${name}\``,
    means,
    String(exit),
  ])
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

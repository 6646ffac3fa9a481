/** `--template`: one line of a person's own making for each row, with fields by the names that --json has. */
import { nearest } from '../../shared/nearest.js'
import { escapeText } from '../../shared/text.js'
import { EXIT, Failure } from '../exit.js'

type Part = { readonly text: string } | { readonly field: string }

const BACKSLASH: Readonly<Record<string, string>> = { '\\t': '\t', '\\n': '\n', '\\\\': '\\' }

/** `{{name}} {{listen.port}}`, and `\t` for a tab. */
export function readTemplate(template: string): readonly Part[] {
  const parts = template.split(/(\{\{[^{}]*\}\})/)
  return parts.map((part, at) => {
    if (at % 2 === 1) return { field: part.slice(2, -2).trim() }
    if (part.includes('{{')) throw new Failure(EXIT.usage, '--template has a {{ without its }}')
    return { text: part.replace(/\\[tn\\]/g, (escape) => BACKSLASH[escape] ?? escape) }
  })
}

/** A line for each row. Exact numbers, nothing for null, lists with commas; text from outside is escaped. */
export function renderTemplate(parts: readonly Part[], rows: readonly object[]): string {
  return rows
    .map(
      (row) => parts.map((part) => ('text' in part ? part.text : valueText(row, part.field))).join('') + '\n',
    )
    .join('')
}

function valueText(row: object, field: string): string {
  let value: unknown = row
  for (const name of field.split('.')) {
    if (!isRecord(value) || !Object.hasOwn(value, name)) throw noSuchField(field, row)
    value = value[name]
  }
  return plainText(value)
}

function plainText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return escapeText(value)
  if (Array.isArray(value)) return value.map(plainText).join(',')
  return escapeText(JSON.stringify(value))
}

function noSuchField(field: string, row: object): Failure {
  const names = fieldNames(row)
  const near = nearest(field, names)
  const what = near === null ? `; there are ${names.join(', ')}` : `; did you mean ${near}?`
  return new Failure(EXIT.usage, `--template: there is no field ${JSON.stringify(field)}${what}`)
}

function fieldNames(row: object, prefix = ''): string[] {
  return Object.entries(row).flatMap(([name, value]) =>
    isRecord(value) && !Array.isArray(value) ? fieldNames(value, `${prefix}${name}.`) : [`${prefix}${name}`],
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** The option, for verbs that show rows. */
export const TEMPLATE_OPTION = {
  type: 'string',
  requiresArg: true,
  describe: "A line of your own for each row: '{{name}} {{progress}}', with the names of --json",
} as const

/** What was given, read; null: nothing. */
export function templateOf(given: string | undefined, json: boolean): readonly Part[] | null {
  if (given === undefined) return null
  if (json) throw new Failure(EXIT.usage, '--template and --json exclude each other')
  return readTemplate(given)
}

/** config.toml: reading it, and changing one value in it without touching the rest. Pure. */
import { parse, TomlError } from 'smol-toml'
import type { SettingView } from './rpc/contract.js'
import {
  isSettingKey,
  nearestKey,
  SETTING_KEYS,
  SETTINGS,
  type Checked,
  type SettingKey,
  type Settings,
  type SettingValue,
} from './settings.js'
import { scanToml, type TomlPair, type TomlStatement } from './toml-scan.js'

/** The user's fault: one sentence, and where in the file. */
export class ConfigError extends Error {
  /** From 1; 0 where it is not a place in the file. */
  readonly line: number
  readonly column: number

  constructor(
    message: string,
    place: { readonly line: number; readonly column: number } = { line: 0, column: 0 },
  ) {
    super(message)
    this.name = 'ConfigError'
    this.line = place.line
    this.column = place.column
  }

  /** `, line 3, column 5`, or '' where it is not a place in the file. */
  get place(): string {
    return this.line > 0 ? `, line ${String(this.line)}, column ${String(this.column)}` : ''
  }
}

export type ConfigValues = { readonly [K in SettingKey]?: Settings[K] }

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
}

/** What the text sets. Everything in it must be known and right: a slip of the pen is told, not passed over. */
export function parseConfig(text: string): { readonly values: ConfigValues } | ConfigError {
  try {
    const values: Record<string, unknown> = {}
    for (const { path, value } of leavesOf(parseToml(text))) {
      const key = knownKey(text, path)
      const checked: Checked<SettingValue> = SETTINGS[key].check(value)
      values[key] = unwrap(key, checked, placeOf(text, path))
    }
    return { values: values }
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

function parseToml(text: string): Record<string, unknown> {
  try {
    const table = parse(text, { integersAsBigInt: 'asNeeded' })
    if (isDeeperThan(table, MOST_DEPTH))
      throw new ConfigError('Tables lie too deep in one another.', FIRST_PLACE)
    return table
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const why = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw new ConfigError(`This is not TOML: ${why}.`, error)
  }
}

/** Tables and lists in one another; what goes through them calls itself as often. */
const MOST_DEPTH = 100
const FIRST_PLACE = { line: 1, column: 1 }

function isDeeperThan(table: object, most: number): boolean {
  let level: object[] = [table]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > most) return true
    level = level.flatMap((each) => Object.values(each).filter(isObject))
  }
  return false
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** The values that are no tables, and the tables that are empty. */
function leavesOf(table: Record<string, unknown>, path: readonly string[] = []): Leaf[] {
  return Object.entries(table)
    .flatMap(([key, value]): Leaf[] => {
      const here = [...path, key]
      return isTable(value) && Object.keys(value).length > 0 ? leavesOf(value, here) : [{ path: here, value }]
    })
    .filter(({ path: here, value }) => !(isTable(value) && isSection(here)))
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function isSection(path: readonly string[]): boolean {
  return SETTING_KEYS.some((key) => path.length === 1 && key.startsWith(`${path[0] ?? ''}.`))
}

function knownKey(text: string, path: readonly string[]): SettingKey {
  const key = path.join('.')
  if (isSettingKey(key) && path.length === key.split('.').length) return key
  throw unknownKey(key, placeOf(text, path))
}

/** What is shown of a key that nobody knows. */
const LONGEST_NAME = 60

function unknownKey(key: string, place?: Place): ConfigError {
  const near = nearestKey(key)
  const help = near === null ? '; torrentinoctl config list shows all.' : `: did you mean ${near}?`
  return new ConfigError(`There is no setting ${JSON.stringify(key.slice(0, LONGEST_NAME))}${help}`, place)
}

function unwrap<T>(key: SettingKey, checked: Checked<T>, place?: Place): T {
  if (checked.ok) return checked.value
  throw new ConfigError(`${key} ${checked.problem}.`, place)
}

interface Place {
  readonly line: number
  readonly column: number
}

/** The first statement that names most of the path, or something below it. */
function placeOf(text: string, path: readonly string[]): Place {
  let start = 0
  let most = 0
  for (const statement of scanToml(text)) {
    const near = begins(path, statement.path) || begins(statement.path, path)
    const named = near ? Math.min(statement.path.length, path.length) : 0
    if (named <= most) continue
    most = named
    start = statement.start
  }
  const before = text.slice(0, start).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

function begins(path: readonly string[], start: readonly string[]): boolean {
  return start.length <= path.length && start.every((part, at) => part === path[at])
}

/** A key and a value from a command or a call: text is read as the kind that the key takes. Throws ConfigError. */
export function readSetting(key: string, value: SettingValue): { key: SettingKey; value: SettingValue } {
  if (!isSettingKey(key)) throw unknownKey(key)
  const setting = SETTINGS[key]
  const checked: Checked<SettingValue> =
    typeof value === 'string' ? setting.read(value) : setting.check(value)
  return { key, value: unwrap(key, checked) }
}

/**
 * The text with `key` ("table.name") set: its line changes or one is added, every other byte stays. Throws
 * ConfigError where that cannot be done.
 */
export function setInToml(text: string, key: string, value: SettingValue): string {
  const path = key.split('.')
  const before = parseToml(text)
  const after = edited(text, path, literal(value, isSettingKey(key) && SETTINGS[key].kind === 'ratio'))
  const wanted = withValue(before, path, value)
  if (wanted === null || !holds(after, wanted)) throw cannotEdit(text, path)
  return after
}

/** An inline table may not be extended: then the new text is no TOML at all. */
function holds(text: string, wanted: Record<string, unknown>): boolean {
  try {
    return canonical(parseToml(text)) === canonical(wanted)
  } catch (error) {
    if (error instanceof ConfigError) return false
    throw error
  }
}

function cannotEdit(text: string, path: readonly string[]): ConfigError {
  const place = placeOf(text, path)
  return new ConfigError(
    `${path.join('.')} cannot be set without rewriting line ${place.line}: change that line by hand.`,
    place,
  )
}

function edited(text: string, path: readonly string[], written: string): string {
  const statements = scanToml(text)
  const same = statements.find((one): one is TomlPair => one.kind === 'pair' && samePath(one.path, path))
  if (same !== undefined) return text.slice(0, same.valueStart) + written + text.slice(same.valueEnd)
  return added(text, statements, path, written)
}

function added(
  text: string,
  statements: readonly TomlStatement[],
  path: readonly string[],
  written: string,
): string {
  const eol = /\r?\n/.exec(text)?.[0] ?? '\n'
  const table = path.slice(0, -1)
  const name = path.slice(-1)
  const pairs = statements.filter((one): one is TomlPair => one.kind === 'pair')
  const headers = statements.filter((one) => one.kind === 'header')
  const section = 1 + headers.findIndex((one) => !one.array && samePath(one.path, table))
  if (section > 0) {
    const last = pairs.findLast((pair) => pair.section === section) ?? headers[section - 1]
    return insertAfter(text, last, `${name.join('.')} = ${written}`, eol)
  }
  // A table that dotted keys of the root made may not be opened again by a header.
  const dotted = pairs.findLast((pair) => pair.section === 0 && begins(pair.path, table))
  if (dotted !== undefined) return insertAfter(text, dotted, `${path.join('.')} = ${written}`, eol)
  const gap = text === '' ? '' : text.endsWith('\n') ? eol : eol + eol
  return `${text}${gap}[${table.join('.')}]${eol}${name.join('.')} = ${written}${eol}`
}

/** On a line of its own behind the statement, indented as it is. */
function insertAfter(text: string, statement: TomlStatement | undefined, line: string, eol: string): string {
  const { start, end } = statement ?? { start: 0, end: 0 }
  const indent = /[ \t]*$/.exec(text.slice(0, start))?.[0] ?? ''
  return `${text.slice(0, end)}${eol}${indent}${line}${text.slice(end)}`
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && begins(a, b)
}

/** A basic string (TOML 1.0 forbids DEL in it bare, which JSON allows), an integer or a boolean; of a ratio a float. */
function literal(value: SettingValue, isRatio: boolean): string {
  if (typeof value === 'string' && !/\p{Surrogate}/u.test(value))
    return JSON.stringify(value).replaceAll('\x7f', '\\u007f')
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value)
  if (isRatio && typeof value === 'number' && Number.isFinite(value)) return String(value)
  throw new ConfigError('Only text, whole numbers, true and false can be written.')
}

/** The tables with `path` set; null where a part of the path is no table, or the end of it is one. */
function withValue(
  table: unknown,
  path: readonly string[],
  value: SettingValue,
): Record<string, unknown> | null {
  const [key = '', ...rest] = path
  if (!isTable(table)) return null
  const old = Object.hasOwn(table, key) ? table[key] : undefined
  if (rest.length === 0) return isTable(old) ? null : { ...table, [key]: value }
  const inner = withValue(old ?? {}, rest, value)
  return inner === null ? null : { ...table, [key]: inner }
}

/** The same text for the same values, whatever the order of the keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value instanceof Date) return `date ${value.toISOString()}`
  if (!isTable(value))
    return `${typeof value} ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`
  const keys = Object.keys(value).sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}

/** What holds, and why. */
export interface Effective {
  readonly settings: Settings
  readonly views: readonly SettingView[]
}

/** What the machine contributes to the settings. */
export interface ConfigSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homedir: string
  /** See `defaultDownloadDir`. */
  readonly downloadDir: string
}

/** `limits.down` is TORRENTINO_LIMITS_DOWN, `peers.perTorrent` TORRENTINO_PEERS_PER_TORRENT. */
export function variableOf(key: SettingKey): string {
  return `TORRENTINO_${key
    .replace('.', '_')
    .replace(/[A-Z]/g, (capital) => `_${capital}`)
    .toUpperCase()}`
}

/** File over default, environment over file; `~/` is resolved. Throws ConfigError for a variable that is wrong. */
export function effectiveSettings(values: ConfigValues, around: ConfigSurroundings): Effective {
  const views = SETTING_KEYS.map((key) => viewOf(key, values, around))
  const settings = Object.fromEntries(views.map(({ key, value }) => [key, value])) as unknown as Settings
  return { settings, views }
}

function viewOf(key: SettingKey, values: ConfigValues, around: ConfigSurroundings): SettingView {
  const { summary, applies, default: fixed } = SETTINGS[key]
  const standard = fixed ?? around.downloadDir
  const common = { key, default: standard, applies, summary }
  const forced = forcedOf(key, around)
  if (forced !== null) return { ...common, value: resolved(key, forced, around), source: 'environment' }
  const set = values[key]
  if (set === undefined) return { ...common, value: standard, source: 'default' }
  return { ...common, value: resolved(key, set, around), source: 'file' }
}

function resolved(key: SettingKey, value: SettingValue, { homedir }: ConfigSurroundings): SettingValue {
  const tilde = key === 'download.dir' && typeof value === 'string' && value.startsWith('~/')
  return tilde ? homedir + value.slice(1) : value
}

/** What the environment says; one that is empty says nothing. TORRENTINO_NET is the short name of a scope's. */
function forcedOf(key: SettingKey, { env }: ConfigSurroundings): SettingValue | null {
  for (const name of [variableOf(key), ...(key === 'net.scope' ? ['TORRENTINO_NET'] : [])]) {
    const word = env[name]
    if (word === undefined || word === '') continue
    const checked = SETTINGS[key].read(word)
    if (!checked.ok) throw new ConfigError(`${name} ${checked.problem}.`)
    return checked.value
  }
  return null
}

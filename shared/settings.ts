/** The settings: one table with kind, default, meaning and check of each. Pure. */
import { isSeconds, readSeconds } from './durations.js'
import { distance } from './nearest.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Each includes the ones after it. */
export const NET_SCOPES = ['internet', 'private', 'loopback'] as const
export type NetScope = (typeof NET_SCOPES)[number]

/** How far peers are spoken to in secret (Message Stream Encryption). */
export const ENCRYPTIONS = ['off', 'allowed', 'preferred', 'required'] as const
export type Encryption = (typeof ENCRYPTIONS)[number]

export interface Settings {
  readonly 'download.dir': string
  readonly 'listen.port': number
  readonly 'listen.host': string
  readonly 'log.level': LogLevel
  readonly 'net.scope': NetScope
  readonly 'peers.max': number
  readonly 'peers.perTorrent': number
  readonly 'peers.encryption': Encryption
  readonly 'memory.buffer': number
  readonly 'disk.reserve': number
  readonly 'limits.down': number
  readonly 'limits.up': number
  readonly 'trash.keep': number
  readonly 'queue.downloads': number
  readonly 'queue.seeds': number
  readonly 'queue.stalled': number
  readonly 'seed.ratio': number
  readonly 'seed.time': number
  readonly 'seed.idle': number
  readonly 'dht.enabled': boolean
  readonly 'dht.port': number
  readonly 'dht.bootstrap': string
  readonly 'dht.readOnly': boolean
  readonly 'lsd.enabled': boolean
  readonly 'pex.enabled': boolean
}

export type SettingKey = keyof Settings
export type SettingValue = string | number | boolean

/** A value as it is used, or one sentence on what would be right. */
export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

export interface Setting<T> {
  /** Null: depends on the machine, see `summary`. */
  readonly default: T | null
  /** One line: what it does, in which unit, what special values mean. */
  readonly summary: string
  /** The kind of value, in a word or two, for lists and docs. */
  readonly kind: string
  readonly applies: 'now' | 'restart'
  /** Of a value from the file. */
  check(value: unknown): Checked<T>
  /** Of a word from a command line. */
  read(text: string): Checked<T>
}

export const SETTINGS: { readonly [K in SettingKey]: Setting<Settings[K]> } = {
  'download.dir': text({
    default: null,
    kind: 'folder',
    summary:
      'Where torrents land that name no folder: the download folder of the desktop, on macOS ~/Torrents.',
    applies: 'now',
    valid: (path) => /^(?:\/|~\/)/.test(path) && !path.includes('\0') && path.length <= 4096,
    needs: 'an absolute folder, or one that begins with ~/',
  }),
  'listen.port': integer({
    default: 0,
    kind: 'port',
    summary: 'The port for peers, TCP and UDP; 0: drawn once between 10000 and 32767 and kept.',
    applies: 'restart',
    min: 0,
    max: 65_535,
  }),
  'listen.host': text({
    default: '',
    kind: 'address',
    summary: 'The address to listen on for peers; empty: every address of this machine.',
    applies: 'restart',
    valid: (host) => host === '' || isIPv4(host) || isIPv6(host),
    needs: 'an IPv4 or IPv6 address, or nothing for every address',
  }),
  'log.level': choice({
    default: 'info',
    summary: 'How much goes into the log.',
    applies: 'now',
    among: LOG_LEVELS,
  }),
  'net.scope': choice({
    default: 'internet',
    summary:
      'How far any connection may go; each wider scope includes the narrower ones. TORRENTINO_NET overrides it.',
    applies: 'restart',
    among: NET_SCOPES,
  }),
  'peers.max': integer({
    default: 500,
    kind: 'count',
    summary: 'Connections to peers, all torrents together.',
    applies: 'restart',
    min: 1,
    max: 100_000,
  }),
  'peers.perTorrent': integer({
    default: 80,
    kind: 'count',
    summary: 'Connections to peers of one torrent.',
    applies: 'restart',
    min: 1,
    max: 10_000,
  }),
  'peers.encryption': choice({
    default: 'allowed',
    summary:
      'Encrypted connections to peers: never, only where a peer wants it, tried before a plain one, or nothing else.',
    applies: 'now',
    among: ENCRYPTIONS,
  }),
  'memory.buffer': integer({
    default: 32 * 1024 * 1024,
    kind: 'bytes',
    summary: 'Memory for data on their way to the disk, in bytes, or as text with a unit ("64 MiB").',
    applies: 'restart',
    min: 16 * 1024 * 1024,
    max: 4 * 1024 * 1024 * 1024,
    units: true,
  }),
  'disk.reserve': integer({
    default: 64 * 1024 * 1024,
    kind: 'bytes',
    summary:
      'Room that downloads leave free on each volume, in bytes, or as text with a unit ("1 GiB"); never more than a twentieth of it.',
    applies: 'now',
    min: 0,
    max: 1024 * 1024 * 1024 * 1024,
    units: true,
  }),
  'limits.down': rate('Payload received, all torrents together'),
  'limits.up': rate('Payload sent, all torrents together'),
  'trash.keep': duration({
    default: 7 * 86_400,
    summary:
      'How long a removed torrent can come back, in seconds, or as text with a unit ("7d"); 0: it goes at once.',
    applies: 'now',
    max: 3650 * 86_400,
  }),
  'queue.downloads': upTo({
    default: 8,
    summary: 'Torrents that download at once, the others wait in order; 0 or "none": all.',
  }),
  'queue.seeds': upTo({
    default: 0,
    summary: 'Torrents that seed at once, the others wait in order; 0 or "none": all.',
  }),
  'queue.stalled': patience({
    default: 300,
    summary:
      'A torrent that moved less than 2 KiB a second for so long goes on, but takes no place of those above; in seconds, or as text with a unit ("5m"); 0 or "none": it keeps its place.',
  }),
  'seed.ratio': ratio({
    default: 0,
    summary:
      'A torrent pauses when it has sent so many times what it received ("torrentinoctl seed" says it for one); 0 or "none": never.',
  }),
  'seed.time': patience({
    default: 0,
    summary:
      'A torrent pauses when it has seeded so long, in seconds, or as text with a unit ("7d"); 0 or "none": never.',
  }),
  'seed.idle': patience({
    default: 0,
    summary:
      'A torrent pauses when it has seeded so long and sent nothing, in seconds, or as text with a unit ("30m"); 0 or "none": never.',
  }),
  'dht.enabled': flag({
    default: true,
    summary: 'Whether peers are looked for in the DHT too, and found there; private torrents never are.',
    applies: 'now',
  }),
  'dht.port': integer({
    default: 0,
    kind: 'port',
    summary: 'The UDP port of the DHT; 0: the same as for peers.',
    applies: 'now',
    min: 0,
    max: 65_535,
  }),
  'dht.bootstrap': text({
    default: [
      'router.bittorrent.com:6881',
      'dht.transmissionbt.com:6881',
      'dht.libtorrent.org:25401',
      'router.utorrent.com:6881',
    ].join(','),
    kind: 'addresses',
    summary: 'Where the DHT begins while no node is known, with commas between; empty: nowhere.',
    applies: 'now',
    valid: (list) => list.length <= 2048 && (list === '' || list.split(',').every(isHostPort)),
    needs: 'HOST:PORT,HOST:PORT,..., an IPv6 address in brackets',
  }),
  'dht.readOnly': flag({
    default: false,
    summary:
      'Whether our DHT node asks others and answers none (BEP 43), for lines that are paid for by the byte; peers are found all the same.',
    applies: 'now',
  }),
  'lsd.enabled': flag({
    default: true,
    summary:
      'Whether torrents are announced to the local network, and peers found there; private torrents never are.',
    applies: 'now',
  }),
  'pex.enabled': flag({
    default: true,
    summary: 'Whether peers tell us of other peers, and we them; private torrents never do.',
    applies: 'now',
  }),
}

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[]

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}

/** The key that was probably meant: the one with the fewest letters to change, its table or its name alone; or null. */
export function nearestKey(key: string): SettingKey | null {
  const wrong = key.toLowerCase().slice(0, 64)
  const far = (known: SettingKey) => {
    const word = known.toLowerCase()
    const [table = '', rest = ''] = word.split('.')
    return Math.min(distance(word, wrong), 1 + distance(rest, wrong), 1 + distance(table, wrong))
  }
  const nearest = SETTING_KEYS.reduce((best, other) => (far(other) < far(best) ? other : best))
  return far(nearest) <= Math.max(2, wrong.length / 2) ? nearest : null
}

/** "router.example.net:6881", "192.0.2.1:6881", "[2001:db8::1]:6881". */
function isHostPort(text: string): boolean {
  const [, six, host = '', port] =
    /^(?:\[([^\]]+)\]|([a-z0-9.-]{1,253})):([0-9]{1,5})$/i.exec(text.trim()) ?? []
  const valid = six === undefined ? /^[a-z0-9]/i.test(host) : isIPv6(six)
  return valid && Number(port) >= 1 && Number(port) <= 65_535
}

interface Common<T> {
  readonly default: T
  readonly summary: string
  readonly applies: 'now' | 'restart'
}

function text(
  init: Common<string | null> & { kind: string; valid: (value: string) => boolean; needs: string },
): Setting<string> {
  const check = (value: unknown): Checked<string> =>
    typeof value === 'string' && !/\p{Surrogate}/u.test(value) && init.valid(value)
      ? { ok: true, value }
      : { ok: false, problem: `must be ${init.needs}` }
  return { ...init, check, read: check }
}

function integer(
  init: Common<number> & { kind: string; min: number; max: number; units?: boolean },
): Setting<number> {
  const problem = `must be a whole number from ${init.min} to ${init.max}`
  const check = (value: unknown): Checked<number> => {
    const number = typeof value === 'string' && init.units === true ? fromUnits(value) : value
    return typeof number === 'number' &&
      Number.isSafeInteger(number) &&
      number >= init.min &&
      number <= init.max
      ? { ok: true, value: number }
      : { ok: false, problem }
  }
  return { ...init, check, read: (word) => check(fromUnits(word, init.units === true)) }
}

function flag(init: Common<boolean>): Setting<boolean> {
  const problem = 'must be true or false'
  const check = (value: unknown): Checked<boolean> =>
    typeof value === 'boolean' ? { ok: true, value } : { ok: false, problem }
  const words: Readonly<Record<string, boolean>> = {
    true: true,
    on: true,
    yes: true,
    false: false,
    off: false,
    no: false,
  }
  return { ...init, kind: 'switch', check, read: (word) => check(words[word.trim().toLowerCase()]) }
}

/** Bytes a second: less is a slip of the pen, and so is more. */
export const LEAST_RATE = 1024
export const MOST_RATE = 1024 ** 4
export const RATE_PROBLEM = `must be "none" or a rate from 1 KiB/s to 1024 GiB/s, in bytes a second or as "10 MiB/s"`

/** 0, which "none" stands for, or a rate within the bounds. */
function rate(what: string): Setting<number> {
  const check = (value: unknown): Checked<number> => {
    const number = typeof value === 'string' ? fromRate(value) : value
    return typeof number === 'number' &&
      Number.isSafeInteger(number) &&
      (number === 0 || (number >= LEAST_RATE && number <= MOST_RATE))
      ? { ok: true, value: number }
      : { ok: false, problem: RATE_PROBLEM }
  }
  return {
    default: 0,
    kind: 'rate',
    summary: `${what}, in bytes a second, or as text with a unit ("10 MiB/s"); 0 or "none": unlimited.`,
    applies: 'now',
    check,
    read: check,
  }
}

const isNone = (value: unknown): boolean =>
  value === 0 || (typeof value === 'string' && /^(?:none|0)$/i.test(value.trim()))

type Limited = Pick<Setting<number>, 'summary'> & { readonly default: number }

/** 0, which "none" stands for, or how many. */
function upTo(init: Limited): Setting<number> {
  const most = 100_000
  const problem = `must be "none" or a whole number from 1 to ${String(most)}`
  const check = (value: unknown): Checked<number> => {
    if (isNone(value)) return { ok: true, value: 0 }
    const number = typeof value === 'string' ? fromUnits(value, false) : value
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1 && number <= most
      ? { ok: true, value: number }
      : { ok: false, problem }
  }
  return { ...init, kind: 'count', applies: 'now', check, read: check }
}

/** 0, which "none" stands for, or seconds. */
function patience(init: Limited): Setting<number> {
  const problem = 'must be "none" or a time: seconds, or "90s", "30m", "2h", "7d"'
  const check = (value: unknown): Checked<number> => {
    const seconds = isNone(value) ? 0 : secondsIn(value)
    return seconds === null ? { ok: false, problem } : { ok: true, value: seconds }
  }
  return { ...init, kind: 'time', applies: 'now', check, read: check }
}

/** As a file, a program or a person says them; null for anything else. */
function secondsIn(value: unknown): number | null {
  if (value === 0 || (typeof value === 'string' && NO_TIME.test(value.trim()))) return 0
  const seconds = typeof value === 'string' ? readSeconds(value) : value
  return isSeconds(seconds) ? seconds : null
}

const NO_TIME = /^0+ ?[smhdw]?$/i

/** 0, which "none" stands for, or a ratio with at most three decimals. */
function ratio(init: Limited): Setting<number> {
  const problem = 'must be "none" or a ratio from 0.01 to 10000, like 2 or 1.5'
  const check = (value: unknown): Checked<number> => {
    if (isNone(value)) return { ok: true, value: 0 }
    const number =
      typeof value === 'string' && /^[0-9]{1,5}(?:\.[0-9]{1,3})?$/.test(value.trim()) ? Number(value) : value
    return typeof number === 'number' && number >= 0.01 && number <= 10_000
      ? { ok: true, value: Math.round(number * 1000) / 1000 }
      : { ok: false, problem }
  }
  return { ...init, kind: 'ratio', applies: 'now', check, read: check }
}

/** "none" (0), or bytes with or without "/s"; null for anything else. */
export function fromRate(word: string): number | null {
  const bare = word.trim()
  return /^none$/i.test(bare) ? 0 : fromUnits(bare.replace(/ ?\/s$/i, ''))
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** "48 MiB", "1.5M" or "50331648", in whole bytes; null for anything else. Units count in 1024. */
function fromUnits(word: string, units = true): number | null {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,3}(?= ?[kmg]))?) ?(?:([kmg])(?:ib|b)?|b)?$/i.exec(word.trim())
  if (match === null || (!units && !/^[0-9]+$/.test(word.trim()))) return null
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1))
}

/** Seconds, 0 among them; a file and a person may write "90s", "5m", "12h" or "7d". */
function duration(init: Common<number> & { max: number }): Setting<number> {
  const problem = `must be a time from 0 to ${init.max} seconds, or one like "7d"`
  const check = (value: unknown): Checked<number> => {
    const seconds = secondsIn(value)
    return seconds !== null && seconds <= init.max ? { ok: true, value: seconds } : { ok: false, problem }
  }
  return { ...init, kind: 'time', check, read: check }
}

function choice<T extends string>(init: Common<T> & { among: readonly T[] }): Setting<T> {
  const check = (value: unknown): Checked<T> => {
    const found = init.among.find((word) => word === value)
    return found === undefined
      ? { ok: false, problem: `must be one of ${init.among.join(', ')}` }
      : { ok: true, value: found }
  }
  return { ...init, kind: 'word', check, read: check }
}

function isIPv4(host: string): boolean {
  const parts = host.split('.')
  return (
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
  )
}

/** RFC 4291 2.2, with an IPv4 tail and a zone (%en0) allowed. */
function isIPv6(host: string): boolean {
  const [address = '', zone, ...rest] = host.split('%')
  if (rest.length > 0 || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const tail = groups.at(-1) ?? ''
  const embedded = tail.includes('.')
  const words = embedded ? groups.slice(0, -1) : groups
  if (
    (embedded && (!isIPv4(tail) || address.endsWith('::'))) ||
    !words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))
  )
    return false
  const count = words.length + (embedded ? 2 : 0)
  return halves.length === 2 ? count <= 7 : count === 8
}

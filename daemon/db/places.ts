/** What lies where in the home, by the path of the database, and how dates become names. Pure. */
import { dirname, join } from 'node:path'
import type { Millis } from '../../shared/units.js'

export interface Places {
  /** The folder of all of it. */
  readonly home: string
  readonly database: string
  /** A whole database that takes the place of the present one at the next start. */
  readonly next: string
  /** Where such a one is made. */
  readonly draft: string
  /** A backup on its way to where a person wants it. */
  readonly outgoing: string
  /** A backup that a person wants back, as it was found. */
  readonly incoming: string
  readonly backups: string
  /** Copies of the .torrent files, one for each torrent. */
  readonly copies: string
  /** Databases that were replaced, each in a dated folder. */
  readonly aside: string
  /** Bytes kept for the day when the volume is full. */
  readonly reserve: string
  /** Is there: a call met damage, so the next start looks at every page. */
  readonly suspect: string
}

export function placesOf(database: string): Places {
  const home = dirname(database)
  return {
    home,
    database,
    next: `${database}.next`,
    draft: `${database}.draft`,
    outgoing: `${database}.outgoing`,
    incoming: `${database}.incoming`,
    backups: join(home, 'backups'),
    copies: join(home, 'torrents'),
    aside: join(home, 'aside'),
    reserve: `${database}.reserve`,
    suspect: `${database}.suspect`,
  }
}

/** `20261122-174114`, UTC: names sort by date. */
export function stamp(at: Millis): string {
  return new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
}

/** The date in such a name, or null. */
export function stampedAt(name: string): Millis | null {
  const found = /(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(name)
  if (found === null) return null
  const [, year, month, day, hour, minute, second] = found.map(Number)
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
}

/** For people: `2026-11-22 17:41 UTC`. */
export function dateOf(at: Millis): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** The first of `name`, `name-2`, ... that is free; `ending` comes after the number. */
export function freeName(name: string, ending: string, taken: (name: string) => boolean): string {
  let candidate = name + ending
  for (let n = 2; taken(candidate); n += 1) candidate = `${name}-${n}${ending}`
  return candidate
}

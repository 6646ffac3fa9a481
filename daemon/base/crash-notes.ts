/** The note of what brought the daemon down lately, as the database keeps it: one line of JSON, the last ten. */
import type { Millis } from '../../shared/units.js'

/** Where the database keeps it (`Store.getMeta`). */
export const CRASHES_KEY = 'crashes'

const KEPT = 10

export interface Crash {
  /** Wall clock. */
  readonly at: Millis
  /** The torrent at work, 0: none. */
  readonly torrent: number
  /** It was the only one just started: no other can have been it. */
  readonly alone: boolean
}

/** What is no note holds nothing. */
export function readCrashes(text: string | null): Crash[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(value) ? value.filter(isCrash) : []
  } catch {
    return []
  }
}

export function writeCrashes(crashes: readonly Crash[]): string {
  return JSON.stringify(crashes.slice(-KEPT))
}

function isCrash(value: unknown): value is Crash {
  if (typeof value !== 'object' || value === null) return false
  const { at, torrent, alone } = value as Partial<Record<keyof Crash, unknown>>
  return typeof at === 'number' && typeof torrent === 'number' && typeof alone === 'boolean'
}

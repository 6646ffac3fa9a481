/** Words of a command line to values. */
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { TorrentRef, TorrentRefs } from '../shared/rpc/contract.js'
import { EXIT, Failure } from './exit.js'

/** More digits than a torrent's number has: a hash that happens to have digits only. */
const NUMBER = /^[0-9]{1,9}$/

/** A number is an id; anything else is a hash or its beginning, which the daemon resolves. */
export function readRef(word: string): TorrentRef {
  if (word === '') throw new Failure(EXIT.usage, 'an id is missing; torrentinoctl list shows them')
  if (!NUMBER.test(word)) return word.slice(0, 64)
  const id = Number(word)
  if (id === 0)
    throw new Failure(EXIT.noSuchTorrent, 'no torrent 0; torrentinoctl list shows those there are')
  return id
}

/** A folder as an absolute path. `~/` is the user's own: a shell leaves it alone behind `--dir=`. */
export function readFolder(word: string): string {
  if (word === '') throw new Failure(EXIT.usage, '--dir is empty; name a folder, or leave it out')
  if (word === '~' || word.startsWith('~/')) return resolve(homedir(), `.${word.slice(1)}`)
  if (word.startsWith('~'))
    throw new Failure(EXIT.usage, `${word} is nobody's folder here; write it as /... or ./${word}`)
  return resolve(word)
}

/** Several, or the one word `all`. */
export function readRefs(words: readonly string[]): TorrentRefs {
  if (words.includes('all')) {
    if (words.length > 1) throw new Failure(EXIT.usage, 'all stands alone: it is every torrent already')
    return 'all'
  }
  return words.map(readRef)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** What a timer takes: 24.8 days. */
const LONGEST = 2_147_483_647

/** `60s`, `5m`, `2h`, `1500ms`; a bare number is seconds. In milliseconds. */
export function readDuration(word: string): number {
  const match = /^([0-9]{1,10}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(word)
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? 's'] ?? Number.NaN)
  if (!(ms > 0 && ms <= LONGEST)) {
    throw new Failure(EXIT.usage, `${JSON.stringify(word)} is no time; write 60s, 5m or 2h, at most 24 days`)
  }
  return Math.ceil(ms)
}

const MOST = 1_000_000_000

/** A whole number from 0 on, as `option` takes it. */
export function readCount(option: string, word: string): number {
  const value = /^[0-9]{1,10}$/.test(word) ? Number(word) : Number.NaN
  if (!(value <= MOST))
    throw new Failure(EXIT.usage, `${option} takes a whole number, not ${JSON.stringify(word)}`)
  return value
}

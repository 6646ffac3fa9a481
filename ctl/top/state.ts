/** The live list as a value: what is chosen, in which order, what is asked; and what a key does to it. Pure. */
import type { TorrentId } from '../../shared/units.js'
import type { TorrentView, WhyView } from '../../shared/views.js'
import type { Key } from './keys.js'

export const SORTS = ['added', 'name', 'done', 'down', 'up', 'state'] as const
export type Sort = (typeof SORTS)[number]

export interface TopState {
  /** The line that keys act on; null: the first. */
  readonly chosen: TorrentId | null
  readonly sort: Sort
  /** A removal that waits for yes or no. */
  readonly asking: { readonly id: TorrentId; readonly name: string; readonly data: boolean } | null
  /** What was done last, or could not be. */
  readonly notice: { readonly text: string; readonly bad: boolean } | null
  /** An explanation that is read; any key ends it. */
  readonly why: WhyView | null
}

export type TopAction =
  | { readonly kind: 'quit' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'pause' | 'resume' | 'verify' | 'why'; readonly id: TorrentId }
  | { readonly kind: 'remove'; readonly id: TorrentId; readonly data: boolean }

export interface Pressed {
  readonly state: TopState
  readonly action: TopAction | null
}

export const START: TopState = { chosen: null, sort: 'added', asking: null, notice: null, why: null }

/** The torrents in the order of the screen. */
export function inOrder(torrents: Iterable<TorrentView>, sort: Sort): TorrentView[] {
  return [...torrents].sort((a, b) => compare(a, b, sort) || a.id - b.id)
}

function compare(a: TorrentView, b: TorrentView, sort: Sort): number {
  switch (sort) {
    case 'added':
      return 0
    case 'name':
      return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
    case 'done':
      return a.progress - b.progress
    case 'down':
      return b.downRate - a.downRate
    case 'up':
      return b.upRate - a.upRate
    case 'state':
      return rank(a) - rank(b)
  }
}

/** What needs somebody first, then what moves. */
function rank({ state }: TorrentView): number {
  return (
    ['blocked', 'fetchingMetadata', 'checking', 'moving', 'downloading', 'queued', 'seeding'].indexOf(
      state,
    ) >>> 0
  )
}

/** Where the chosen line is in the list; 0 where it is gone. */
export function chosenAt(state: TopState, torrents: readonly TorrentView[]): number {
  return Math.max(
    0,
    torrents.findIndex((torrent) => torrent.id === state.chosen),
  )
}

/** `torrents` as they stand on the screen, `page` lines of them at a time. */
export function press(state: TopState, key: Key, torrents: readonly TorrentView[], page: number): Pressed {
  if (key === 'interrupt') return { state, action: { kind: 'quit' } }
  if (key === 'suspend') return { state, action: { kind: 'suspend' } }
  if (state.why !== null) return { state: { ...state, why: null }, action: null }
  if (state.asking !== null) return answered(state, state.asking, key)
  const at = chosenAt(state, torrents)
  const moved = movedTo(key, at, torrents.length, page)
  if (moved !== null)
    return { state: { ...state, chosen: torrents[moved]?.id ?? null, notice: null }, action: null }
  if (key === 'escape') return { state, action: { kind: 'quit' } }
  const letter = typeof key === 'object' ? key.char : ''
  return typed({ ...state, notice: null }, letter, torrents[at])
}

function answered(state: TopState, asking: NonNullable<TopState['asking']>, key: Key): Pressed {
  const yes = typeof key === 'object' && key.char.toLowerCase() === 'y'
  const action: TopAction | null = yes ? { kind: 'remove', id: asking.id, data: asking.data } : null
  return { state: { ...state, asking: null }, action }
}

function movedTo(key: Key, at: number, length: number, page: number): number | null {
  const last = Math.max(0, length - 1)
  const within = (to: number): number => Math.min(last, Math.max(0, to))
  switch (typeof key === 'object' ? key.char : key) {
    case 'up':
    case 'k':
      return within(at - 1)
    case 'down':
    case 'j':
      return within(at + 1)
    case 'pageUp':
      return within(at - page)
    case 'pageDown':
    case ' ':
      return within(at + page)
    case 'home':
    case 'g':
      return 0
    case 'end':
    case 'G':
      return last
    default:
      return null
  }
}

function typed(state: TopState, letter: string, torrent: TorrentView | undefined): Pressed {
  if (letter === 'q') return { state, action: { kind: 'quit' } }
  if (letter === 's' || letter === 'S') {
    const step = letter === 's' ? 1 : SORTS.length - 1
    const sort = SORTS[(SORTS.indexOf(state.sort) + step) % SORTS.length] ?? 'added'
    return { state: { ...state, sort }, action: null }
  }
  if (torrent === undefined) return { state, action: null }
  const { id, name } = torrent
  const chosen = { ...state, chosen: id }
  switch (letter) {
    case 'p':
      return { state: chosen, action: { kind: 'pause', id } }
    case 'r':
      return { state: chosen, action: { kind: 'resume', id } }
    case 'v':
      return { state: chosen, action: { kind: 'verify', id } }
    case 'w':
      return { state: chosen, action: { kind: 'why', id } }
    case 'x':
    case 'X':
      return { state: { ...chosen, asking: { id, name, data: letter === 'X' } }, action: null }
    default:
      return { state, action: null }
  }
}

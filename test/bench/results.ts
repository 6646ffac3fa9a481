/**
 * The shape of docs/benchmarks.json: what the runner writes cell by cell and the report reads. A cell is one run
 * of one client in one scenario. Sizes are bytes, times seconds, unless the name says otherwise; what a client
 * does not tell, or a scenario does not measure, is null.
 */

export const SCHEMA = 1

export type ClientId =
  | 'torrentino'
  | 'libtorrent'
  | 'libtorrent-tuned'
  | 'qbittorrent'
  | 'aria2'
  | 'transmission'
  | 'rtorrent'
  | 'webtorrent'
  | 'floor'

/** In the order they take their turns and are shown. */
export const CLIENTS: readonly ClientId[] = [
  'torrentino',
  'libtorrent',
  'libtorrent-tuned',
  'qbittorrent',
  'aria2',
  'transmission',
  'rtorrent',
  'webtorrent',
]

/** No client, and not held against one: it takes part where it is named. */
export const YARDSTICK: ClientId = 'floor'

/** What was built when a cell ran: a cell of another build is measured again. */
export interface Build {
  /** 40 hex digits. */
  readonly commit: string
  /** Whether the tree differed from the commit. */
  readonly dirty: boolean
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: number
  readonly kernel: string
  readonly system: string
  readonly node: string
}

export interface ClientInfo {
  readonly id: ClientId
  /** As shown: "libtorrent 2.0.8 (tuned)". */
  readonly title: string
  /** '' where it is not here. */
  readonly version: string
  /** Every setting that is not the client's default, as one line each. */
  readonly settings: readonly string[]
  /** Why it takes part in nothing, or null. */
  readonly absent: string | null
}

/** Numbers and words that name what ran: a cell with other parameters is another cell. */
export type Parameters = Readonly<Record<string, number | string | boolean>>

export interface ScenarioInfo {
  /** "single", "single-16m", "mesh". */
  readonly id: string
  /** Scenarios that belong into one table: "single" for all of its variants. */
  readonly group: string
  readonly title: string
  /** One or two sentences: what happens in it. */
  readonly about: string
  /** What ranks the clients: a key of Figures or of `extra`. */
  readonly by: string
  /** Whether the least or the most is best. */
  readonly best: 'least' | 'most'
  readonly parameters: Parameters
  /** Keys of `extra` in the order they are shown, with a heading each. */
  readonly extras: Readonly<Record<string, string>>
}

/** What was measured of one client in one run, from the add call to completion (or to the end of the window). */
export interface Figures {
  /** From the add call to complete. */
  readonly wall: number
  /** User and system time of the client's processes. */
  readonly cpu: number
  /** Payload that was moved: what GiB/s and CPU-s/GiB count. */
  readonly payload: number
  /** Peak of RssAnon, sampled; all processes of the client together. */
  readonly peakAnon: number | null
  /** Peak of all resident memory: the larger of the samples and VmHWM. */
  readonly peakRss: number | null
  /** Bytes that crossed the interface, packet headers and control calls included, over the payload, less 1. */
  readonly wireOverhead: number | null
  /** Payload the client threw away, by its own count. */
  readonly wasted: number | null
  /** From the add call to the first request that reached the seeder. */
  readonly firstRequest: number | null
  /** From the add call to the first verified piece, where the client tells. */
  readonly firstPiece: number | null
  /** Delay of the main loop, milliseconds: ours only. */
  readonly loopP99: number | null
  readonly loopMax: number | null
  /** What only this scenario measures, by the keys of its `extras`. */
  readonly extra: Readonly<Record<string, number | null>>
}

interface CellHead {
  readonly build: Build
  readonly scenario: string
  readonly parameters: Parameters
  readonly client: ClientId
  readonly version: string
  /** From 1. */
  readonly round: number
  /** ISO 8601. */
  readonly at: string
}

export interface DoneCell extends CellHead {
  readonly outcome: 'done'
  readonly figures: Figures
}

/** It ran and came to no figure: a timeout, a wrong SHA-256, a crash. */
export interface FailedCell extends CellHead {
  readonly outcome: 'failed'
  readonly reason: string
}

export type Cell = DoneCell | FailedCell

/** A client that a scenario leaves out. */
export interface LeftOut {
  readonly scenario: string
  readonly client: ClientId
  readonly reason: string
}

export interface Results {
  readonly schema: typeof SCHEMA
  readonly machine: Machine
  /** The build of the last run. */
  readonly build: Build
  /** The command that repeats the last run. */
  readonly command: string
  /** ISO 8601: when the last cell was added. */
  readonly updated: string
  readonly clients: readonly ClientInfo[]
  readonly scenarios: readonly ScenarioInfo[]
  readonly leftOut: readonly LeftOut[]
  /** In the order they ran. */
  readonly cells: readonly Cell[]
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly count: number
}

/** Null for no values. The median of an even number is the mean of the middle two. */
export function spread(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b)
  const { length } = sorted
  const low = sorted[Math.floor((length - 1) / 2)]
  const high = sorted[Math.floor(length / 2)]
  if (low === undefined || high === undefined) return null
  return { median: (low + high) / 2, min: sorted[0] ?? low, max: sorted[length - 1] ?? high, count: length }
}

export const GIB = 1024 ** 3

/** GiB a second. */
export function rateOf(figures: Figures): number {
  return figures.payload / GIB / figures.wall
}

/** CPU-seconds for a GiB. */
export function costOf(figures: Figures): number {
  return figures.cpu / (figures.payload / GIB)
}

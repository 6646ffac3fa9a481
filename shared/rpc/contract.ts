/**
 * Every method of the daemon, declared once: parameters, result, one sentence. Server, clients and the generated
 * reference come from here. Bytes, milliseconds and rates are integers; parameters are strict, results may grow.
 * Clients import only the types of this file: zod is not loaded by torrentinoctl.
 */
import { z } from 'zod'
import { isLabel, LABEL_LENGTH, MOST_LABELS } from '../labels.js'
import { LEAST_RATE, MOST_RATE } from '../settings.js'
import type { TorrentId } from '../units.js'
import {
  CAUSE_KINDS,
  type DaemonView,
  type DhtView,
  type FileView,
  type JobView,
  type PeerView,
  type RemovalPlanView,
  type QueueEntryView,
  type QueueView,
  type SeedGoals,
  type TorrentView,
  type TrackerView,
  type TrashView,
  type WhyView,
} from '../views.js'

/** How a torrent is named by a caller: its number, its full hash, or a unique prefix of it. */
export type TorrentRef = number | string
/** Several torrents: refs, or every torrent. */
export type TorrentRefs = 'all' | TorrentRef[]

/** One torrent with what `torrent.list` leaves out. */
export interface TorrentDetail extends TorrentView {
  /** Pads left out. */
  readonly fileCount: number
  /** Of these, wanted. */
  readonly wantedFileCount: number
  /** As its author wrote it. */
  readonly comment: string | null
  /** The program that made it, as it calls itself. */
  readonly createdBy: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: number | null
  /** By tier. */
  readonly trackers: readonly TrackerView[]
  /** Addresses. */
  readonly webSeeds: readonly string[]
  /** Payload that was thrown away: duplicates and pieces that failed their hash. Bytes. */
  readonly wasted: number
}

/** A fact of the past, durable. `seq` grows by at least one. */
export interface EventView {
  /** Its number. */
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** What happened. */
  readonly kind: string
  /** The id of the torrent, or null. */
  readonly torrent: TorrentId | null
  /** Who asked for it; '' where nobody did. */
  readonly caller: string
  /** What belongs to it, by kind. */
  readonly data: Readonly<Record<string, unknown>>
}

/** One setting of config.toml. */
export interface SettingView {
  /** Table and name: `listen.port`. */
  readonly key: string
  /** What is in force. */
  readonly value: string | number | boolean
  /** Where nothing is said. */
  readonly default: string | number | boolean
  /** Where the value comes from. */
  readonly source: 'default' | 'file' | 'environment'
  /** Whether a change works at once or after the next start of the daemon. */
  readonly applies: 'now' | 'restart'
  /** What it is for. */
  readonly summary: string
}

/** A row of `torrent.list`: whole, or the fields asked for and `id`. */
export type TorrentRow = Pick<TorrentView, 'id'> & Partial<TorrentView>

/** The answer for one of several torrents. `ref` is as the caller wrote it; for 'all' it is the id. */
export type PerTorrent =
  | { readonly ref: TorrentRef; readonly ok: true; readonly torrent: TorrentView }
  | {
      readonly ref: TorrentRef
      readonly ok: false
      readonly error: { readonly code: number; readonly message: string }
    }

/** The plan for one of several torrents, or why there is none. */
export type PlanPerTorrent =
  | { readonly ref: TorrentRef; readonly ok: true; readonly plan: RemovalPlanView }
  | Extract<PerTorrent, { readonly ok: false }>

/** What became of one torrent in the trash. */
export type EmptiedPerTorrent =
  | { readonly ref: TorrentRef; readonly ok: true; readonly torrent: TrashView }
  | Extract<PerTorrent, { readonly ok: false }>

type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> }

/** An object schema that has exactly the fields of the view: one missing or one too many does not compile. */
function view<T>(fields: Fields<T>): z.ZodType<T> {
  return z.object(fields) as unknown as z.ZodType<T>
}

const count = z.int().nonnegative()
const fraction = z.number().min(0).max(1)
const time = z.int()
const torrentId = z.int().positive() as unknown as z.ZodType<TorrentId>
const fileIndex = count
const hexHash = z.string().regex(/^[0-9a-f]{40}$|^[0-9a-f]{64}$/)
const stateKind = z.enum([
  'paused',
  'queued',
  'fetchingMetadata',
  'checking',
  'downloading',
  'seeding',
  'moving',
  'stopping',
  'blocked',
])
const owner = z.enum(['service', 'person'])

const goalKept = z.enum(['none', 'default'])
const seconds = z.int().min(1).max(315_360_000)
const goal = z.union([z.number().positive(), goalKept])
const seedGoals = view<SeedGoals>({ ratio: goal, time: goal, idle: goal })

const torrentFields: Fields<TorrentView> = {
  id: torrentId,
  infoHash: hexHash.nullable(),
  infoHashV2: hexHash.nullable(),
  name: z.string(),
  state: stateKind,
  desired: z.enum(['running', 'forced', 'paused', 'removed', 'removedWithData', 'trashed']),
  progress: fraction,
  checkProgress: fraction.nullable(),
  moveProgress: fraction.nullable(),
  totalBytes: count,
  wantedBytes: count,
  doneBytes: count,
  downRate: count,
  upRate: count,
  downloaded: count,
  uploaded: count,
  ratio: z.number().nonnegative().nullable(),
  peers: count,
  seeds: count,
  eta: count.nullable(),
  dir: z.string(),
  private: z.boolean(),
  pieceLength: count,
  pieceCount: count,
  sequential: z.boolean(),
  firstLast: z.boolean(),
  labels: z.array(z.string()),
  queuedFor: z.enum(['check', 'download', 'seed']).nullable(),
  queueRank: count.nullable(),
  seedingTime: count,
  seedGoals,
  goalReached: z.string().nullable(),
  downLimit: count.nullable(),
  upLimit: count.nullable(),
  addedAt: time,
  completedAt: time.nullable(),
  error: z.string().nullable(),
}

/** The fields of a torrent, in the order they are shown. */
export const TORRENT_FIELDS = Object.keys(torrentFields) as readonly (keyof TorrentView)[]

export const torrentView = view<TorrentView>(torrentFields)
export const torrentRow = z
  .object(torrentFields)
  .partial()
  .extend({ id: torrentId }) as unknown as z.ZodType<TorrentRow>

/** The bounds of the settings limits.down and limits.up. */
const ownLimit = z.int().min(LEAST_RATE).max(MOST_RATE).nullable()
const chosenFiles = z.array(fileIndex).min(1).max(200_000)
const priority = z.enum(['skip', 'low', 'normal', 'high'])

export const fileView = view<FileView>({
  index: fileIndex,
  path: z.string(),
  length: count,
  doneBytes: count,
  wanted: z.boolean(),
  priority,
})

export const queueView = view<QueueView>({
  downloads: count.nullable(),
  seeds: count.nullable(),
  stalled: count.nullable(),
  order: z.array(
    view<QueueEntryView>({
      rank: count,
      for: z.enum(['download', 'seed']),
      stalled: z.boolean(),
      torrent: torrentView,
    }),
  ),
})

export const jobView = view<JobView>({
  id: count,
  kind: z.enum(['move', 'remove', 'rename']),
  torrent: torrentId,
  name: z.string(),
  state: z.enum(['running', 'waiting', 'done', 'failed', 'cancelled']),
  from: z.string(),
  to: z.string().nullable(),
  progress: fraction,
  error: z.string().nullable(),
})

export const peerView = view<PeerView>({
  address: z.string(),
  client: z.string(),
  direction: z.enum(['in', 'out']),
  source: z.enum(['tracker', 'dht', 'lsd', 'pex', 'incoming', 'resume', 'user', 'magnet']),
  encryption: z.enum(['none', 'handshake', 'rc4']),
  progress: fraction,
  downRate: count,
  upRate: count,
  downloaded: count,
  uploaded: count,
  amChoking: z.boolean(),
  amInterested: z.boolean(),
  peerChoking: z.boolean(),
  peerInterested: z.boolean(),
})

const family = z.union([z.literal(4), z.literal(6)])
export const dhtView = view<DhtView>({
  enabled: z.boolean(),
  port: count,
  error: z.string().nullable(),
  torrents: count,
  searches: count,
  received: count,
  asked: count,
  answered: count,
  ignored: count,
  roundTrip: count,
  families: z.array(
    z.object({
      family,
      id: z.string(),
      nodes: count,
      good: count,
      buckets: count,
      address: z.string().nullable(),
      booting: z.boolean(),
      hashes: count,
      peers: count,
    }),
  ),
})

export const trackerView = view<TrackerView>({
  tier: count,
  url: z.string(),
  status: z.enum(['idle', 'waiting', 'announcing', 'working', 'failing']),
  message: z.string().nullable(),
  failures: count,
  lastAnswerAt: time.nullable(),
  lastFailureAt: time.nullable(),
  nextAnnounceAt: time.nullable(),
  seeds: count.nullable(),
  leechers: count.nullable(),
  scrapedAt: time.nullable(),
  downloads: count.nullable(),
  peers: count.nullable(),
  before: count.nullable(),
})

export const whyView = view<WhyView>({
  torrent: torrentView,
  causes: z.array(z.object({ kind: z.enum(CAUSE_KINDS), stops: z.boolean(), sentence: z.string() })),
  summary: z.string(),
})

const took = z.object({ last: count.nullable(), slowest: count.nullable() })

export const daemonView = view<DaemonView>({
  version: z.string(),
  contract: z.string(),
  pid: count,
  home: z.string(),
  owner,
  uptime: z.number().nonnegative(),
  listen: z.object({ host: z.string(), port: count, error: z.string().nullable() }),
  torrents: z.object({ total: count, byState: z.partialRecord(stateKind, count) }),
  connections: count,
  downRate: count,
  upRate: count,
  downloadDir: z.string(),
  scope: z.enum(['internet', 'private', 'loopback']),
  lsd: z.object({
    enabled: z.boolean(),
    reason: z.string().nullable(),
    torrents: count,
    families: z.array(family),
    sent: count,
    heard: count,
    found: count,
  }),
  rssBytes: count,
  loopDelay: z.object({ p99: count.nullable(), max: count.nullable(), samples: count }),
  buffers: z.object({ slab: count, slabLimit: count, frames: count, checks: count }),
  queues: z.object({ hash: count, lanes: count, reads: count, checks: count, oldest: count }),
  latency: z.object({ write: took, sync: took, store: took }),
  stalls: z.object({ count, longest: count, phase: z.string().nullable() }),
  faults: z.object({ peers: count, torrents: count }),
  trash: z.object({ torrents: count, bytes: count }),
  settingsMistake: z.string().nullable(),
  database: z.object({ problem: z.string().nullable(), notice: z.string().nullable() }),
})

export const torrentDetail = view<TorrentDetail>({
  ...torrentFields,
  fileCount: count,
  wantedFileCount: count,
  comment: z.string().nullable(),
  createdBy: z.string().nullable(),
  createdAt: time.nullable(),
  trackers: z.array(trackerView),
  webSeeds: z.array(z.string()),
  wasted: count,
})

export const eventView = view<EventView>({
  seq: count,
  at: time,
  kind: z.string(),
  torrent: torrentId.nullable(),
  caller: z.string(),
  data: z.record(z.string(), z.unknown()),
})

const scalar = z.union([z.string(), z.number(), z.boolean()])
export const settingView = view<SettingView>({
  key: z.string(),
  value: scalar,
  default: scalar,
  source: z.enum(['default', 'file', 'environment']),
  applies: z.enum(['now', 'restart']),
  summary: z.string(),
})

const ref = z.union([z.int().positive(), z.string().min(1).max(64)], {
  error: 'expected a number, a hash or the beginning of a hash',
})
const refs: z.ZodType<TorrentRefs> = z.union([z.literal('all'), z.array(ref).min(1).max(10_000)], {
  error: 'expected "all" or a list of numbers, hashes or beginnings of hashes',
})
const one = z.strictObject({
  id: ref.describe('The torrent: its number, its hash, or the beginning of its hash.'),
})
const many = z.strictObject({ ids: refs.describe('The torrents, each as an id of one, or "all".') })
const job = z.strictObject({ id: count.describe('The number of the job.') })
const none = z.strictObject({})
/** Base64 of RFC 4648 section 4 with padding; checked by decoding, since a pattern over 16 MB exhausts the engine. */
const base64 = z.string().refine(isBase64, 'expected base64 with padding').meta({ contentEncoding: 'base64' })
/** An absolute path of at most 4096 characters. */
const path = z.string().min(1).max(4096).startsWith('/')

const trackerUrls = z.array(z.string().min(1).max(4096)).min(1).max(100)

const labels = z
  .array(
    z
      .string()
      .refine(
        isLabel,
        `expected 1 to ${String(LABEL_LENGTH)} characters without comma or control characters`,
      ),
  )
  .min(1)
  .max(MOST_LABELS)

const settingKey = z.string().max(64).describe('The name of a setting: `listen.port`.')

const perTorrent: z.ZodType<PerTorrent> = z.discriminatedUnion('ok', [
  z.object({ ref, ok: z.literal(true), torrent: torrentView }),
  z.object({ ref, ok: z.literal(false), error: z.object({ code: z.int(), message: z.string() }) }),
])
const results = z.object({ results: z.array(perTorrent) })
export const removalPlanView = view<RemovalPlanView>({
  id: torrentId,
  name: z.string(),
  dir: z.string(),
  files: z.array(z.object({ path: z.string(), bytes: count, linked: z.boolean() })),
  bytes: count,
  freedBytes: count,
  stays: z.array(z.string()),
  moreStays: count,
})
export const trashView = view<TrashView>({
  id: torrentId,
  infoHash: hexHash.nullable(),
  infoHashV2: hexHash.nullable(),
  name: z.string(),
  data: z.boolean(),
  bytes: count,
  dir: z.string(),
  removedAt: time,
  until: time,
  by: z.string(),
})
const emptied: z.ZodType<EmptiedPerTorrent> = z.discriminatedUnion('ok', [
  z.object({ ref, ok: z.literal(true), torrent: trashView }),
  z.object({ ref, ok: z.literal(false), error: z.object({ code: z.int(), message: z.string() }) }),
])
const planPerTorrent: z.ZodType<PlanPerTorrent> = z.discriminatedUnion('ok', [
  z.object({ ref, ok: z.literal(true), plan: removalPlanView }),
  z.object({ ref, ok: z.literal(false), error: z.object({ code: z.int(), message: z.string() }) }),
])
/** `durable` is false, with the reason, when the intent could not be stored: it holds until the daemon stops. */
const durableResults = z.object({
  results: z.array(perTorrent),
  durable: z.boolean(),
  reason: z.string().nullable(),
})

/** A parameter or a result of OpenRPC. */
const described = z.object({ name: z.string(), summary: z.string().optional(), schema: z.unknown() })

function isBase64(text: string): boolean {
  if (text.length % 4 !== 0) return false
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return Buffer.from(text, 'base64').length === (text.length / 4) * 3 - padding
}

function method<P extends z.ZodType, R extends z.ZodType>(summary: string, params: P, result: R) {
  return { summary, params, result }
}

/** Method name to its declaration. */
export const contract = {
  'session.hello': method(
    'Comes first on every connection: says who calls and which contract it speaks.',
    z.strictObject({
      client: z.string().min(1).max(64).describe('Who calls; the journal names it.'),
      contract: z.string().min(1).max(16).describe('The contract that the caller knows.'),
    }),
    z.object({
      contract: z.string(),
      version: z.string(),
      pid: count,
      owner,
      home: z.string(),
      rev: count,
    }),
  ),
  'session.status': method(
    'What the daemon is doing, in figures; with `resetLoop` the delay of the main loop is counted anew from here.',
    z.strictObject({ resetLoop: z.boolean().optional().describe('Count the delay of the main loop anew.') }),
    daemonView,
  ),
  'session.shutdown': method(
    'Stops the daemon in order; the answer comes before it ends.',
    none,
    z.object({ pid: count }),
  ),
  'events.subscribe': method(
    'Sends `event` notifications (those after `since` first) and, with `changes`, `changed` notifications.',
    z.strictObject({
      since: count.optional().describe('The number of the last event that is known.'),
      changes: z.boolean().optional().describe('Tell of torrents that change, too.'),
    }),
    z.object({ seq: count, rev: count }),
  ),
  'events.since': method(
    'Past events after `seq`, oldest first.',
    z.strictObject({
      seq: count.describe('The number of the last event that is known; 0: none.'),
      limit: z.int().min(1).max(1000).optional().describe('The most events of one answer.'),
    }),
    z.object({ events: z.array(eventView), more: z.boolean() }),
  ),
  'torrent.add': method(
    'Adds a torrent from the bytes of its .torrent file (base64) or from a magnet link; a known one gets its trackers added, and one whose files lie in the trash comes back.',
    z.strictObject({
      metainfo: base64.max(16_000_000).optional().describe('The bytes of a .torrent file.'),
      magnet: z.string().max(65_536).optional().describe('A magnet link, in place of metainfo.'),
      dir: path.optional().describe('Folder for the files; without it the setting download.dir.'),
      select: z
        .array(fileIndex)
        .min(1)
        .max(200_000)
        .optional()
        .describe('Indexes of the only files that are wanted.'),
      choose: z
        .array(z.string().min(1).max(1024))
        .min(1)
        .max(100)
        .optional()
        .describe(
          'In place of select: the only files that are wanted, by number from 1 (`1,3-5`), by pattern (`*.mkv`), or `all`; of a magnet link it is kept until the files are known.',
        ),
      paused: z.boolean().optional().describe('Do not start it.'),
      trackers: z
        .array(z.url().max(2048))
        .max(100)
        .optional()
        .describe('More trackers, in a tier of their own.'),
    }),
    z.object({
      id: torrentId,
      infoHash: hexHash.nullable(),
      infoHashV2: hexHash.nullable(),
      name: z.string(),
      duplicate: z.boolean(),
      fromTrash: z.boolean(),
      dir: z.string(),
      freeBytes: count,
      totalBytes: count,
      wantedBytes: count,
      addedTrackers: count,
    }),
  ),
  'torrent.list': method(
    'Torrents by id; with `since`, those changed after that revision; `after` and `limit` page through them.',
    z.strictObject({
      ids: refs.optional().describe('Only these.'),
      fields: z
        .array(z.enum(TORRENT_FIELDS as [keyof TorrentView]))
        .optional()
        .describe('Only these fields, and the id.'),
      since: count.optional().describe('The rev of an earlier answer: only what changed after it.'),
      after: count.optional().describe('The id that the page before ended with.'),
      limit: z.int().min(1).max(100_000).optional().describe('The most torrents of one answer.'),
    }),
    z.object({
      rev: count,
      torrents: z.array(torrentRow),
      removed: z.array(torrentId),
      more: z.boolean(),
    }),
  ),
  'torrent.get': method('One torrent with its trackers and what its author wrote.', one, torrentDetail),
  'torrent.files': method(
    'The files of a torrent, pads left out.',
    one,
    z.object({ files: z.array(fileView) }),
  ),
  'torrent.peers': method(
    'The peers a torrent is connected to.',
    one,
    z.object({ peers: z.array(peerView) }),
  ),
  'torrent.pieces': method(
    'Which pieces of a torrent are there and right: `have` has a bit for each, the high bit of the first byte first.',
    one,
    z.object({ count, have: base64 }),
  ),
  'torrent.trackers': method(
    'The trackers of a torrent by tier.',
    one,
    z.object({ trackers: z.array(trackerView) }),
  ),
  'torrent.scrape': method(
    'Asks each tracker of a torrent for seeds, leechers and downloads, without announcing. Takes seconds, 20 at most.',
    one,
    z.object({
      trackers: z.array(trackerView),
      failed: z.array(z.object({ url: z.string(), message: z.string() })),
    }),
  ),
  'torrent.editTrackers': method(
    'Adds trackers to a torrent, which are asked at once, and removes others, which hear that it stopped.',
    one.extend({
      add: trackerUrls.optional().describe('Addresses: http, https or udp.'),
      remove: trackerUrls
        .optional()
        .describe('Addresses as they were added, or as `torrent.trackers` shows them.'),
      tier: z
        .int()
        .min(0)
        .max(999)
        .optional()
        .describe('Where they are added; without it each has a tier of its own. Only there is removed.'),
    }),
    z.object({ trackers: z.array(trackerView) }),
  ),
  'torrent.why': method('What is in the way of a torrent, the most important first.', one, whyView),
  'dht.status': method('The DHT of the daemon: tables, searches, traffic.', none, dhtView),
  'dht.lookup': method(
    'Searches the DHT for the peers of a swarm (40 hex digits); nothing is announced. Takes seconds, 30 at most.',
    z.strictObject({
      hash: z
        .string()
        .regex(/^[0-9a-fA-F]{40}$/)
        .describe('The info hash; of one of version 2 its first 40 digits.'),
    }),
    z.object({
      peers: z.array(z.string()),
      took: count,
      searches: z.array(
        z.object({
          family,
          asked: count,
          answered: count,
          hops: count,
          seeds: count.nullable().describe('About so many, as the nodes count; null where none told.'),
          leechers: count.nullable().describe('About so many, as the nodes count; null where none told.'),
          nearest: z.array(z.object({ id: z.string(), address: z.string() })),
        }),
      ),
    }),
  ),
  'torrent.pause': method('Stops torrents and keeps them stopped.', many, durableResults),
  'torrent.resume': method(
    'Starts torrents and keeps them running; those over a limit of the queue wait there, but with `now`.',
    many.extend({
      now: z.boolean().optional().describe('Past the queue, from now on: they take no place in it.'),
    }),
    durableResults,
  ),
  'torrent.seed': method(
    'Says when the seeding of torrents ends: what is reached first pauses them. What is not named stays as it is.',
    many.extend({
      ratio: z
        .union([z.number().min(0.01).max(10_000), goalKept])
        .optional()
        .describe('So many times what was received is sent; "none": no such goal; "default": seed.ratio.'),
      time: z
        .union([seconds, goalKept])
        .optional()
        .describe('Seconds of seeding; "none": no such goal; "default": seed.time.'),
      idle: z
        .union([seconds, goalKept])
        .optional()
        .describe('Seconds of seeding in which nothing is sent; "none": no such goal; "default": seed.idle.'),
    }),
    results,
  ),
  'queue.list': method(
    'The order of the queue: who downloads or seeds, who waits, and how many may at once.',
    none,
    queueView,
  ),
  'queue.move': method(
    'Puts torrents elsewhere in the order of the queue; those that come before others now get their places.',
    many.extend({
      to: z
        .union([z.enum(['top', 'bottom', 'up', 'down']), z.int().min(1).max(1_000_000)])
        .describe('An end, one step, or a place counted from 1, among those that do the same.'),
    }),
    results,
  ),
  'torrent.announce': method(
    'Asks for peers now: the trackers of running torrents as early as they allow, and the DHT.',
    many,
    results,
  ),
  'torrent.verify': method('Reads and hashes the data of torrents again.', many, results),
  'torrent.remove': method(
    'Puts torrents into the trash, with `data` their files too; where the setting `trash.keep` is 0, and with `now`, they go for good at once.',
    many.extend({
      data: z.boolean().describe('Their files too.'),
      now: z.boolean().optional().describe('For good, and not into the trash.'),
    }),
    results,
  ),
  'torrent.label': method(
    'Gives torrents labels and takes labels away: first all with `clear`, or those of `remove`, then `add` comes.',
    many.extend({
      add: labels.optional().describe('Labels that they get besides those they have.'),
      remove: labels.optional().describe('Labels that they lose.'),
      clear: z.boolean().optional().describe('They lose all that they have.'),
    }),
    results,
  ),
  'trash.list': method(
    'What lies in the trash, the latest first.',
    none,
    z.object({ trash: z.array(trashView), bytes: count }),
  ),
  'trash.undo': method(
    'Brings a torrent back from the trash, with its files where they lie there too, and starts it where it ran.',
    z.strictObject({
      id: ref
        .optional()
        .describe('Its number, its hash, or the beginning of its hash; without it the latest.'),
    }),
    z.object({ torrent: torrentView }),
  ),
  'trash.empty': method(
    'Deletes for good what lies in the trash.',
    z.strictObject({ ids: refs.describe('What of it, each as an id of `trash.undo`, or "all".') }),
    z.object({ results: z.array(emptied) }),
  ),
  'torrent.planRemoval': method(
    'What a removal with `data` would delete and what it would leave; nothing is touched.',
    many,
    z.object({ results: z.array(planPerTorrent) }),
  ),
  'torrent.select': method(
    'Chooses which files of a torrent are downloaded, which of them first, and in what order; what is not named stays as it is.',
    one.extend({
      files: chosenFiles.optional().describe('Indexes from 0 of the only files that are wanted.'),
      priorities: z
        .array(z.strictObject({ files: chosenFiles, priority }))
        .max(1000)
        .optional()
        .describe('How much files are wanted, after `files`; the last word on a file counts.'),
      sequential: z.boolean().optional().describe('Pieces are fetched in order, and not the rarest first.'),
      firstLast: z
        .boolean()
        .optional()
        .describe('The first and the last piece of each file come before the others.'),
    }),
    z.object({ torrent: torrentView }),
  ),
  'torrent.limit': method(
    'Sets how fast payload of torrents may move, each for itself and below what `limits.down` and `limits.up` let all of them; what is not named stays as it is.',
    many.extend({
      down: ownLimit.optional().describe('Bytes a second received; null: no limit of its own.'),
      up: ownLimit.optional().describe('Bytes a second sent; null: no limit of its own.'),
    }),
    results,
  ),
  'torrent.move': method(
    'Brings the files of a torrent to another folder, which is made where it is not there; the answer comes when that has begun, with a job, or without one where they lie there already.',
    one.extend({ dir: path.describe('The folder, absolute.') }),
    z.object({ torrent: torrentView, job: jobView.nullable() }),
  ),
  'torrent.rename': method(
    'Gives a torrent another name, and with it its file, or the folder of its files; or one file of several another path in that folder. Hashes stay, and so does what other peers see. The answer comes when that has begun, with a job, or without one where it is called so already.',
    one.extend({
      name: z
        .string()
        .min(1)
        .max(4096)
        .describe('The new name; of a file its path below the folder of the torrent.'),
      file: count.optional().describe('The index of one file; without it the torrent.'),
    }),
    z.object({ torrent: torrentView, job: jobView.nullable() }),
  ),
  'job.list': method(
    'Long work that is under way or ended lately, by number.',
    none,
    z.object({ jobs: z.array(jobView) }),
  ),
  'job.get': method('One job.', job, jobView),
  'job.cancel': method(
    'Takes a move or a rename back; the answer comes when everything is as it was.',
    job,
    jobView,
  ),
  'torrent.export': method(
    'The .torrent file as it was added (base64), passkeys included.',
    one,
    z.object({ metainfo: base64, name: z.string() }),
  ),
  'database.backup': method(
    'Copies the database as it is now to a new file, by default a dated one in the home; nothing waits for it.',
    z.strictObject({ path: path.optional().describe('A file that is not there yet, absolute.') }),
    z.object({ path: z.string(), bytes: count }),
  ),
  'database.restore': method(
    'Checks a backup and makes it the database of the next start; the present one is then kept aside.',
    z.strictObject({ path: path.describe('The backup, absolute.') }),
    z.object({ path: z.string() }),
  ),
  'config.get': method('One setting.', z.strictObject({ key: settingKey }), settingView),
  'config.set': method(
    'Writes one setting to config.toml; text is read as the kind of value that the key takes.',
    z.strictObject({
      key: settingKey,
      value: z
        .union([z.string().max(4096), z.number(), z.boolean()])
        .describe('The new value, of the kind that the setting takes or as text.'),
    }),
    settingView,
  ),
  'config.list': method('Every setting.', none, z.object({ settings: z.array(settingView) })),
  'rpc.discover': method(
    'This contract as an OpenRPC document: methods with their parameters, results and errors, and notifications.',
    none,
    z.object({
      openrpc: z.string(),
      info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
      methods: z.array(
        z.object({
          name: z.string(),
          summary: z.string(),
          paramStructure: z.literal('by-name'),
          params: z.array(described.extend({ required: z.boolean() })),
          result: described,
        }),
      ),
      components: z.object({
        errors: z.record(z.string(), z.object({ code: z.int(), message: z.string() })),
      }),
      'x-notifications': z.array(
        z.object({ name: z.string(), summary: z.string(), params: z.array(described) }),
      ),
    }),
  ),
}

/** What the daemon sends unasked after `events.subscribe`. */
export const notifications = {
  event: { summary: 'A fact, durable, in order.', params: eventView },
  changed: {
    summary: 'Torrents as they are now, the latest only.',
    params: z.object({ rev: count, torrents: z.array(torrentView), removed: z.array(torrentId) }),
  },
  gap: {
    summary: 'You read too slowly and missed something: ask `events.since` and `torrent.list` again.',
    params: none,
  },
}

export type Method = keyof typeof contract
export type Params<M extends Method> = z.output<(typeof contract)[M]['params']>
export type Result<M extends Method> = z.output<(typeof contract)[M]['result']>
export type Notification = keyof typeof notifications
export type NotificationParams<N extends Notification> = z.output<(typeof notifications)[N]['params']>

/** Who calls: the transport, and the name the client gave in `session.hello`. */
export interface Caller {
  readonly via: 'socket' | 'test'
  readonly name: string
}

/** What the transport answers itself; everything else is the session's. */
export type TransportMethod = 'events.subscribe' | 'rpc.discover'

/** The session as the transports see it. A handler throws RpcError for the user's faults; the rest are bugs. */
export type Handlers = {
  readonly [M in Exclude<Method, TransportMethod>]: (params: Params<M>, caller: Caller) => Promise<Result<M>>
}

/** Where a feed goes. Nothing is kept for a sink: a slow reader is the transport's matter. */
export interface FeedSink {
  event(event: EventView): void
  /** Coalesced by the session: at most a few a second. */
  changed(changed: NotificationParams<'changed'>): void
}

/** The two feeds of the session. */
export interface Feeds {
  /**
   * Calls `sink` from the answer on, never before it: first the events after `since` (none when it is absent), then
   * what happens. `changed` is called only when `changes` is true.
   */
  subscribe(
    since: number | undefined,
    changes: boolean,
    sink: FeedSink,
  ): Promise<{ readonly seq: number; readonly rev: number; readonly stop: () => void }>
}

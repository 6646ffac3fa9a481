/** What each verb prints with --json: said in docs/cli.md, and held to it by test/contract/ctl.test.ts. */
import { z } from 'zod'
import {
  contract,
  daemonView,
  dhtView,
  eventView,
  fileView,
  jobView,
  peerView,
  removalPlanView,
  queueView,
  settingView,
  torrentDetail,
  torrentView,
  trackerView,
  whyView,
} from '../../shared/rpc/contract.js'

export interface VerbJson {
  /** Of one value. */
  readonly schema: z.ZodType
  /** Several values come a line each. */
  readonly lines?: string
  /** What the schema does not say. */
  readonly note?: string
}

const pid = z.int().nullable()
const linesOf = (what: string) => `a line for each ${what}`

/** By verb, or by verb and its first word where those differ; null: it has none. */
export const VERB_JSON: Readonly<Record<string, VerbJson | null>> = {
  add: {
    schema: z.object({
      id: z.int(),
      infoHash: z.string().nullable(),
      name: z.string(),
      duplicate: z.boolean(),
      fromTrash: z.boolean(),
    }),
    lines: linesOf('torrent'),
    note: 'With `--follow` a Torrent follows, a line for each change worth telling.',
  },
  inspect: {
    schema: z.object({
      source: z.string().nullable(),
      name: z.string(),
      kind: z.enum(['v1', 'v2', 'hybrid']),
      infoHash: z.string().nullable(),
      infoHashV2: z.string().nullable(),
      private: z.boolean(),
      contentSize: z.int(),
      totalSize: z.int(),
      pieceLength: z.int(),
      pieceCount: z.int(),
      comment: z.string().nullable(),
      createdBy: z.string().nullable(),
      createdAt: z.int().nullable(),
      trackers: z.array(z.array(z.string())),
      webSeeds: z.array(z.string()),
      files: z.array(z.object({ path: z.string(), length: z.int(), pad: z.boolean() })),
    }),
    lines: linesOf('file'),
  },
  magnet: { schema: z.object({ id: z.int(), magnet: z.string() }), lines: linesOf('torrent') },
  export: { schema: contract['torrent.export'].result },
  list: { schema: z.array(torrentView) },
  open: { schema: z.object({ id: z.int(), path: z.string() }), note: 'Nothing is opened.' },
  log: {
    schema: z.record(z.string(), z.unknown()),
    lines: linesOf('line'),
    note: 'As it was written: `level`, `time`, `msg` and what belongs to it.',
  },
  completion: { schema: z.object({ shell: z.string(), script: z.string() }) },
  top: null,
  watch: null,
  show: { schema: torrentDetail, lines: linesOf('torrent') },
  why: { schema: whyView, lines: linesOf('torrent') },
  files: { schema: z.array(fileView), lines: linesOf('torrent') },
  peers: { schema: z.array(peerView), lines: linesOf('torrent') },
  trackers: { schema: z.array(trackerView), lines: linesOf('torrent') },
  events: { schema: eventView, lines: linesOf('event') },
  'dht status': { schema: dhtView },
  'dht lookup': { schema: contract['dht.lookup'].result },
  pause: { schema: contract['torrent.pause'].result },
  resume: { schema: contract['torrent.resume'].result },
  queue: {
    schema: queueView,
    note: 'With ids the results of queue.move, see [rpc.md](rpc.md).',
  },
  seed: { schema: contract['torrent.seed'].result },
  limit: {
    schema: z.union([
      contract['torrent.limit'].result,
      z.object({ down: z.int().nullable(), up: z.int().nullable() }),
    ]),
    note: 'The second without ids: bytes a second of all torrents together, null where there is no limit.',
  },
  select: { schema: torrentView },
  move: {
    schema: z.union([jobView, z.object({ torrent: torrentView, job: z.null() })]),
    note: 'The second where the files lie there already.',
  },
  rename: {
    schema: z.union([jobView, z.object({ torrent: torrentView, job: z.null() })]),
    note: 'The second where it is called so already.',
  },
  verify: { schema: contract['torrent.verify'].result },
  announce: { schema: contract['torrent.announce'].result },
  remove: {
    schema: z.union([contract['torrent.remove'].result, removalPlanView]),
    note: 'The second with `--plan`, a line for each torrent.',
  },
  label: { schema: contract['torrent.label'].result },
  undo: { schema: torrentView },
  trash: {
    schema: z.union([contract['trash.list'].result, contract['trash.empty'].result]),
    note: 'The second with `--empty`.',
  },
  wait: { schema: torrentView, lines: linesOf('torrent') },
  status: { schema: daemonView },
  'daemon start': { schema: z.object({ started: z.boolean(), pid: z.int() }) },
  'daemon stop': { schema: z.object({ stopped: z.boolean(), pid }) },
  'daemon status': { schema: z.object({ running: z.boolean(), daemon: daemonView.nullable() }) },
  'daemon run': null,
  'config list': { schema: z.array(settingView) },
  'config get': { schema: settingView },
  'config set': { schema: settingView },
  backup: { schema: contract['database.backup'].result },
  restore: { schema: z.object({ path: z.string(), running: z.boolean(), torrents: z.int().nullable() }) },
  rpc: { schema: z.unknown(), note: 'The result of the method, see [rpc.md](rpc.md).' },
  'service install': {
    schema: z.record(z.string(), z.unknown()),
    note: 'What was written and where, by service manager.',
  },
  'service uninstall': {
    schema: z.object({ removed: z.boolean(), stateDir: z.string(), logDir: z.string() }),
  },
  'service status': {
    schema: z.object({ installed: z.boolean(), pid }),
    note: 'And what else the service manager tells.',
  },
  'service start': { schema: z.object({ started: z.literal(true) }) },
  'service restart': { schema: z.object({ started: z.literal(true) }) },
}

/** What is known of a verb: one entry, or one for each first word. */
export function jsonOf(verb: string): [words: string, json: VerbJson | null][] {
  return Object.entries(VERB_JSON).filter(([words]) => words.split(' ')[0] === verb)
}

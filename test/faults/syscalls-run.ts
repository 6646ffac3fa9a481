/**
 * The nth call fails, for n = 1, 2, ... until a run has no nth call: every call on the database, its log and the data
 * files that can fail, one at a time.
 */
import { join } from 'node:path'
import { type Chapter, makeScene, type Outcome, runScene, type Scene } from './syscalls-scene.js'

interface Call {
  /** It and its kin, by which other machines and libraries do the same. */
  readonly kin: string
  /** Calls that fail throughout, in strace's words. */
  readonly always?: string
}

const CALLS: Readonly<Record<string, Call>> = {
  pwrite64: { kin: 'pwrite64,pwritev,pwritev2' },
  fdatasync: { kin: 'fdatasync' },
  fsync: { kin: 'fsync' },
  ftruncate: { kin: 'ftruncate,fallocate' },
  // Files get their names by a second link, of which the first is then deleted.
  link: { kin: 'link,linkat' },
  // Only where a volume has no links.
  rename: { kin: 'rename,renameat,renameat2', always: 'link,linkat:error=EPERM' },
  unlink: { kin: 'unlink,unlinkat' },
  mkdir: { kin: 'mkdir,mkdirat' },
}

const FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: 'error=ENOSPC',
  EIO: 'error=EIO',
  // Before the call is made.
  KILL: 'signal=KILL',
}

const CHAPTERS: readonly Chapter[] = ['birth', 'life']
/** More calls of one kind by one thread are a loop. */
const MOST = 2000
/** None is the so manyeth. */
const NEVER = 60_000

export interface Chosen {
  readonly call: string
  readonly chapter: Chapter
  /** Null: each until there is none. */
  readonly n: number | null
}

/** What `call`, `chapter:call` and `chapter:call:n` mean, with commas between them; RangeError for anything else. */
export function chosen(text: string | undefined): Chosen[] | null {
  if (text === undefined) return null
  return text.split(',').flatMap((each) => {
    const [, where, call = '', n] = /^(?:(birth|life):)?(\w+)(?::(\d+))?$/.exec(each) ?? []
    if (!(call in CALLS))
      throw new RangeError(`"${each}" is no call; there are ${Object.keys(CALLS).join(', ')}`)
    const chapters = CHAPTERS.filter((chapter) => where === undefined || chapter === where)
    return chapters.map((chapter) => ({ call, chapter, n: n === undefined ? null : Number(n) }))
  })
}

export interface SyscallsInit {
  /** A new folder; short, for sockets lie below it. */
  readonly dir: string
  /** Runs at the same time. */
  readonly jobs: number
  /** Only these calls; null: all of them. */
  readonly only: readonly Chosen[] | null
  /** Takes a line for each fault found. */
  readonly say?: (line: string) => void
}

export interface Row {
  readonly call: string
  readonly fault: string
  /** With a fault that came. */
  runs: number
  falseClaims: number
  notRecovered: number
  /** The daemon ended by itself: its manager starts it again. */
  ended: number
}

/** One call and fault of one chapter, n after n. */
interface Series {
  readonly row: Row
  readonly chapter: Chapter
  /** What comes next; empty when there is no more. */
  readonly ns: Iterator<number, undefined>
  /** How many were taken of it. */
  given: number
  over: boolean
  /** Runs under way: what comes after the calls of a run without a fault waits for them, as the last is soon seen. */
  running: number
}

/** How often a thread makes each call where nothing fails, the most of all threads. */
type Counts = Readonly<Record<Chapter, Readonly<Record<string, number>>>>

/** Rows by call and fault; those of a call that nobody makes have 0 runs. */
export async function syscallRuns(init: SyscallsInit): Promise<Row[]> {
  const rows = Object.keys(CALLS).flatMap((call) =>
    Object.keys(FAULTS).map((fault): Row => ({
      call,
      fault,
      runs: 0,
      falseClaims: 0,
      notRecovered: 0,
      ended: 0,
    })),
  )
  const scene = await makeScene(join(init.dir, 'scene'))
  const queue = rows.flatMap((row) => CHAPTERS.map((chapter) => series(row, chapter, init)))
  try {
    const counts =
      init.only?.every(({ n }) => n !== null) !== true
        ? await countCalls(scene, init.dir)
        : { birth: {}, life: {} }
    const worker = async (id: number): Promise<void> => {
      for (let next = take(queue, counts); next !== null; next = take(queue, counts)) {
        next.series.running++
        await one({ ...next, scene, init, dir: join(init.dir, `r${String(id)}`) })
        next.series.running--
      }
    }
    await Promise.all(Array.from({ length: init.jobs }, (_, id) => worker(id)))
  } finally {
    scene.close()
  }
  return rows
}

function series(row: Row, chapter: Chapter, { only }: SyscallsInit): Series {
  const mine = only?.filter((each) => each.call === row.call && each.chapter === chapter)
  const each = mine === undefined || mine.some(({ n }) => n === null)
  const ns = each ? Array.from({ length: MOST }, (_, n) => n + 1) : mine.flatMap(({ n }) => n ?? [])
  return { row, chapter, ns: ns.values(), given: 0, over: false, running: 0 }
}

/** A worker that gets null has nothing to wait for: whoever runs the last of a series takes what comes after it. */
function take(queue: readonly Series[], counts: Counts): { series: Series; n: number } | null {
  for (const each of queue) {
    if (each.over || (each.running > 0 && each.given >= (counts[each.chapter][each.row.call] ?? 0))) continue
    const { value: n } = each.ns.next()
    each.given++
    if (n !== undefined) return { series: each, n }
    each.over = true
  }
  return null
}

/** One run of each chapter, in which the call that would fail never comes. */
async function countCalls(scene: Scene, dir: string): Promise<Counts> {
  const kin = Object.values(CALLS).map((call) => call.kin)
  const injection = { calls: kin.join(','), always: null, fault: 'error=EIO', n: NEVER }
  const counted = async (chapter: Chapter): Promise<Record<string, number>> => {
    const { calls } = await runScene({ scene, chapter, injection, dir: join(dir, 'count') })
    const most = (names: string): number => Math.max(...names.split(',').map((name) => calls.get(name) ?? 0))
    return Object.fromEntries(Object.entries(CALLS).map(([call, each]) => [call, most(each.kin)]))
  }
  return { birth: await counted('birth'), life: await counted('life') }
}

async function one(run: {
  readonly series: Series
  readonly n: number
  readonly scene: Scene
  readonly init: SyscallsInit
  readonly dir: string
}): Promise<void> {
  const { row, chapter } = run.series
  const { kin, always } = CALLS[row.call] ?? { kin: row.call }
  const injection = { calls: kin, always: always ?? null, fault: FAULTS[row.fault] ?? '', n: run.n }
  const outcome = await runScene({ scene: run.scene, chapter, injection, dir: run.dir })
  if (!outcome.injected) run.series.over = true
  else {
    row.runs++
    row.ended += outcome.ended && row.fault !== 'KILL' ? 1 : 0
  }
  // What goes wrong without a fault counts as well.
  row.falseClaims += outcome.claims.length > 0 ? 1 : 0
  row.notRecovered += outcome.recovery.length > 0 ? 1 : 0
  for (const sentence of sentences(outcome))
    run.init.say?.(`${chapter}, ${row.call} ${String(run.n)}, ${row.fault}: ${sentence}`)
}

function sentences({ claims, recovery }: Outcome): string[] {
  return [...claims.map((claim) => `false claim: ${claim}`), ...recovery]
}

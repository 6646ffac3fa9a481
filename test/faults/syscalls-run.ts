/**
 * The nth call fails, for n = 1, 2, ... until a run has no nth call: every call on the database, its log and the data
 * files that can fail, one at a time.
 */
import { join } from 'node:path'
import { type Chapter, makeScene, type Outcome, runScene, type Scene } from './syscalls-scene.js'

/** A call and its kin, by which other machines and libraries do the same. */
const CALLS: Readonly<Record<string, string>> = {
  pwrite64: 'pwrite64,pwritev,pwritev2',
  fdatasync: 'fdatasync',
  fsync: 'fsync',
  ftruncate: 'ftruncate,fallocate',
  rename: 'rename,renameat,renameat2,link,linkat',
  unlink: 'unlink,unlinkat',
  mkdir: 'mkdir,mkdirat',
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

export interface SyscallsInit {
  /** A new folder; short, for sockets lie below it. */
  readonly dir: string
  /** Runs at the same time. */
  readonly jobs: number
  /** Only these n of a call; null: each until there is none. */
  readonly only: readonly { readonly call: string; readonly chapter: Chapter; readonly n: number }[] | null
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
  over: boolean
}

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
    const worker = async (id: number): Promise<void> => {
      for (let next = take(queue); next !== null; next = take(queue))
        await one({ ...next, scene, init, dir: join(init.dir, `r${String(id)}`) })
    }
    await Promise.all(Array.from({ length: init.jobs }, (_, id) => worker(id)))
  } finally {
    scene.close()
  }
  return rows
}

function series(row: Row, chapter: Chapter, { only }: SyscallsInit): Series {
  const chosen =
    only === null
      ? Array.from({ length: MOST }, (_, n) => n + 1)
      : only.filter((each) => each.call === row.call && each.chapter === chapter).map(({ n }) => n)
  return { row, chapter, ns: chosen.values(), over: false }
}

function take(queue: readonly Series[]): { series: Series; n: number } | null {
  for (const each of queue) {
    if (each.over) continue
    const { value: n } = each.ns.next()
    if (n !== undefined) return { series: each, n }
    each.over = true
  }
  return null
}

async function one(run: {
  readonly series: Series
  readonly n: number
  readonly scene: Scene
  readonly init: SyscallsInit
  readonly dir: string
}): Promise<void> {
  const { row, chapter } = run.series
  const injection = { calls: CALLS[row.call] ?? row.call, fault: FAULTS[row.fault] ?? '', n: run.n }
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

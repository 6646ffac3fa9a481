/**
 * Proof of an order: what each commit of the store claims lay on the disk, synced, before that commit was written;
 * and what was deleted was claimed no more. The write-ahead log is cut after each of its commits and opened: that is
 * what a power cut would have left. The system calls tell when each claimed byte was written, when its file and the
 * folders above it were synced, and when the commit came.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import type { MadeTorrent } from '../make-torrent.js'
import type { SystemCall } from '../strace.js'
import { piecesOf } from './claims.js'
import { type DiskCalls, diskCalls, entriesAbove } from './disk-calls.js'

const WAL_HEADER = 32
const FRAME_HEADER = 24

export interface Commit {
  /** Of the frame that ends it, in the log. */
  readonly offset: number
  /** Recorded pieces. */
  readonly claimed: ReadonlySet<number>
  /** Files that it says are open for writing no more. */
  readonly closed: ReadonlySet<number>
  /** The torrent is in the list. */
  readonly listed: boolean
}

export interface OrderProof {
  /** Writes of payload. */
  readonly writes: number
  /** Commits that claimed more than the one before. */
  readonly commits: number
  /** Pieces that were claimed at some time. */
  readonly claimed: number
  /** Files and folders made, files given their names, files deleted. */
  readonly made: number
  readonly renamed: number
  readonly deleted: number
  /** One sentence each. */
  readonly violations: readonly string[]
}

export interface OrderInit {
  readonly home: string
  readonly torrent: MadeTorrent
  /** The torrent's download folder. */
  readonly dir: string
}

/** A commit whose place in the trace is known. */
interface Placed extends Commit {
  /** Where its last frame began to be written. */
  readonly at: number
  /** Where the log was synced after that; Infinity: it never was. */
  readonly durable: number
}

/** The store of a quiet daemon with one torrent; `calls` since before that torrent was added. */
export function proveOrder(
  init: OrderInit & { readonly scratch: string },
  calls: readonly SystemCall[],
): OrderProof {
  return judgeOrder(init, commitsOf(init.home, init.scratch), calls)
}

/** The same with commits that are known already, in order. */
export function judgeOrder(
  init: OrderInit,
  commits: readonly Commit[],
  calls: readonly SystemCall[],
): OrderProof {
  const disk = diskCalls(calls, init.dir)
  const violations: string[] = []
  const placed = place(init.home, commits, calls, violations)
  const known = new Set<number>()
  let rounds = 0
  for (const commit of placed) {
    const fresh = [...commit.claimed].filter((piece) => !known.has(piece))
    if (fresh.length > 0) rounds++
    for (const piece of fresh) {
      known.add(piece)
      for (const span of spansOf(init.torrent, piece)) {
        const fault = faultOf(disk, init.dir, span, commit.at)
        if (fault !== null) violations.push(`piece ${String(piece)}, ${span.path}: ${fault}`)
      }
    }
    violations.push(...nameFaults(init, disk, commit))
  }
  violations.push(...deletionFaults(init, disk, placed))
  return {
    writes: disk.writes.length,
    commits: rounds,
    claimed: known.size,
    made: disk.made.length,
    renamed: disk.renames.length,
    deleted: disk.unlinks.length,
    violations,
  }
}

function place(
  home: string,
  commits: readonly Commit[],
  calls: readonly SystemCall[],
  violations: string[],
): Placed[] {
  const wal = `<${join(home, 'torrentino.db-wal')}>`
  const ofLog = calls.filter((call) => call.args.includes(wal))
  return commits.flatMap((commit) => {
    const wrote = ofLog.filter((call) => call.name === 'pwrite64' && lastNumber(call.args) === commit.offset)
    const first = wrote[0]
    if (first === undefined || wrote.length > 1) {
      // Written before the trace, or the log was begun anew: then nothing can be told of it.
      if (commit.claimed.size > 0) violations.push(`commit at ${String(commit.offset)}: not seen once`)
      return []
    }
    const sync = ofLog.find(
      ({ name, result, begun }) => /^f(data)?sync$/.test(name) && result === 0 && begun > first.done,
    )
    return [{ ...commit, at: first.begun, durable: sync?.done ?? Infinity }]
  })
}

function lastNumber(args: string): number {
  return Number(/, (\d+)\)/.exec(args)?.[1])
}

interface Span {
  readonly path: string
  readonly from: number
  readonly to: number
}

function spansOf(torrent: MadeTorrent, piece: number): Span[] {
  const begin = piece * torrent.pieceLength
  const end = Math.min(begin + torrent.pieceLength, torrent.totalBytes)
  const spans: Span[] = []
  let at = 0
  for (const { path, length } of torrent.files) {
    const from = Math.max(begin, at) - at
    const to = Math.min(end, at + length) - at
    if (to > from) spans.push({ path, from, to })
    at += length
  }
  return spans
}

/** What is wrong with a claim on these bytes that was written at `commit`. */
function faultOf(disk: DiskCalls, dir: string, span: Span, commit: number): string | null {
  const { writes, sizes, syncs } = disk
  const mine = writes.filter(({ path, from, to }) => path === span.path && from < span.to && to > span.from)
  const bytes = mine.reduce((sum, { from, to }) => sum + Math.min(to, span.to) - Math.max(from, span.from), 0)
  if (bytes !== span.to - span.from) return `${String(bytes)} of ${String(span.to - span.from)} bytes written`
  const resized = sizes.filter(({ path, begun }) => path === span.path && begun < commit)
  const changed = Math.max(...mine.map((call) => call.done), ...resized.map((call) => call.done))
  if (!(changed < commit)) return 'claimed before it was written'
  const synced = syncs.some(({ path, begun, done }) => path === span.path && begun > changed && done < commit)
  if (!synced) return 'claimed before it was synced'
  return entryFault(disk, entriesAbove(dir, span.path), commit)
}

/** What was made on the way to a file, and whose folder was not synced before the commit. */
function entryFault(disk: DiskCalls, entries: readonly string[], commit: number): string | null {
  for (const made of disk.made) {
    if (!entries.includes(made.path) || !(made.done < commit)) continue
    if (!folderSynced(disk, made.path, made.done, commit))
      return `claimed before the folder of ${made.path} was synced`
  }
  return null
}

function folderSynced(disk: DiskCalls, path: string, after: number, before: number): boolean {
  const folder = dirname(path)
  return disk.folderSyncs.some(({ path: of, begun, done }) => of === folder && begun > after && done < before)
}

/** A commit that takes the mark off a file says that its name will last. */
function nameFaults({ torrent, dir }: OrderInit, disk: DiskCalls, commit: Placed): string[] {
  return [...commit.closed].flatMap((index) => {
    const path = join(dir, torrent.files[index]?.path ?? '')
    const rename = disk.renames.findLast((call) => call.path === path && call.begun < commit.at)
    if (rename === undefined) return []
    if (rename.done < commit.at && folderSynced(disk, path, rename.done, commit.at)) return []
    return [`${path}: said to have its name before the folder was synced`]
  })
}

/** Nothing is deleted while a durable record claims it, or one that might yet become so; and it is gone for good. */
function deletionFaults({ torrent, dir }: OrderInit, disk: DiskCalls, commits: readonly Placed[]): string[] {
  return disk.unlinks.flatMap(({ path, begun }) => {
    const relative = path.slice(dir.length + 1).replace(/\.part$/, '')
    const claims = ({ claimed }: Commit): boolean =>
      [...claimed].some((piece) => spansOf(torrent, piece).some((span) => span.path === relative))
    const last = commits.findLast(({ durable }) => durable < begun)
    const later = commits.filter(({ durable }) => !(durable < begun))
    const still = (last !== undefined && claims(last)) || later.some(claims)
    if (still) return [`${path}: deleted while a record claimed it`]
    const forgot = commits.find((commit) => !commit.listed && commit.at > begun)
    if (forgot === undefined || lasts(disk, path, begun, forgot.at)) return []
    return [`${path}: said to be gone before the folder was synced`]
  })
}

/** The nearest folder above that is still there was synced after the deletion. */
function lasts(disk: DiskCalls, path: string, after: number, before: number): boolean {
  let gone = path
  const removed = (folder: string): boolean =>
    disk.rmdirs.some((call) => call.path === folder && call.begun > after && call.done < before)
  while (removed(dirname(gone))) gone = dirname(gone)
  return folderSynced(disk, gone, after, before)
}

/** What each commit of the log claims, in order. */
function commitsOf(home: string, scratch: string): Commit[] {
  const wal = readFileSync(join(home, 'torrentino.db-wal'))
  mkdirSync(scratch)
  const pageSize = wal.readUInt32BE(8)
  const commits: Commit[] = []
  const frame = FRAME_HEADER + pageSize
  for (let offset = WAL_HEADER; offset + frame <= wal.length; offset += frame) {
    const ofThisLog = wal.compare(wal, 16, 24, offset + 8, offset + 16) === 0
    if (!ofThisLog) break
    if (wal.readUInt32BE(offset + 4) === 0) continue
    const copy = join(scratch, `${String(offset)}.db`)
    copyFileSync(join(home, 'torrentino.db'), copy)
    writeFileSync(`${copy}-wal`, wal.subarray(0, offset + frame))
    commits.push({ offset, ...claimOf(copy) })
  }
  return commits
}

function claimOf(file: string): Omit<Commit, 'offset'> {
  const db = new Database(file)
  try {
    const table = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'have'").get() as {
      n: number
    }
    if (table.n === 0) return { claimed: new Set(), closed: new Set(), listed: false }
    const bits = db.prepare('SELECT bits FROM have ORDER BY chunk').all() as { bits: Buffer }[]
    const whole = Buffer.concat(bits.map((row) => row.bits))
    const rows = db.prepare('SELECT idx FROM file_stat WHERE writing = 0').all() as { idx: number }[]
    const { n } = db.prepare('SELECT count(*) AS n FROM torrent').get() as { n: number }
    const closed = new Set(rows.map(({ idx }) => idx))
    return { claimed: piecesOf(whole, whole.length * 8), closed, listed: n > 0 }
  } finally {
    db.close()
  }
}

/**
 * Proof of an order: what each commit of the store claims lay on the disk, synced, before that commit was written.
 * The write-ahead log is cut after each of its commits and opened: that is what a power cut would have left. The
 * system calls tell when each claimed byte was written, when its file was synced, and when the commit came.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { MadeTorrent } from './make-torrent.js'
import type { SystemCall } from './strace.js'

const WAL_HEADER = 32
const FRAME_HEADER = 24

interface Commit {
  /** Of the frame that ends it, in the log. */
  readonly offset: number
  /** All chunks in a row. */
  readonly bits: Buffer
}

export interface Proof {
  /** Writes of payload. */
  readonly writes: number
  /** Commits that claimed more than the one before. */
  readonly rounds: number
  /** Pieces that the last commit claims. */
  readonly claimed: number
  readonly violations: readonly string[]
}

/** The store of a quiet daemon with one torrent; `calls` since before that torrent was added. */
export function proveOrder(
  init: {
    readonly home: string
    readonly torrent: MadeTorrent
    readonly dir: string
    readonly scratch: string
  },
  calls: readonly SystemCall[],
): Proof {
  const { torrent, dir } = init
  const data = dataCalls(calls, dir)
  const wal = join(init.home, 'torrentino.db-wal')
  const walWrites = calls.filter((call) => call.name === 'pwrite64' && call.args.includes(`<${wal}>`))
  const violations: string[] = []
  const known = new Set<number>()
  let rounds = 0
  for (const commit of commitsOf(init.home, init.scratch)) {
    const wrote = walWrites.filter((call) => offsetOf(call) === commit.offset)
    const first = wrote[0]
    if (first === undefined || wrote.length > 1) {
      // Written before the trace, or the log was begun anew: then nothing can be told of it.
      if (commit.bits.some((byte) => byte !== 0))
        violations.push(`commit at ${String(commit.offset)}: not seen once`)
      continue
    }
    const fresh = piecesOf(commit.bits, torrent.pieceCount).filter((piece) => !known.has(piece))
    if (fresh.length > 0) rounds++
    for (const piece of fresh) {
      known.add(piece)
      for (const span of spansOf(torrent, piece)) {
        const fault = faultOf(data, span, first.begun)
        if (fault !== null) violations.push(`piece ${String(piece)}, ${span.path}: ${fault}`)
      }
    }
  }
  return { writes: data.writes.length, rounds, claimed: known.size, violations }
}

interface DataCalls {
  readonly writes: readonly (SystemCall & {
    readonly path: string
    readonly from: number
    readonly to: number
  })[]
  readonly syncs: readonly (SystemCall & { readonly path: string })[]
}

function dataCalls(calls: readonly SystemCall[], dir: string): DataCalls {
  const withPath = calls.flatMap((call) => {
    const path = /^\d+<([^>]*)>/.exec(call.args)?.[1]
    return path?.startsWith(`${dir}/`) === true
      ? [{ ...call, path: path.slice(dir.length + 1).replace(/\.part$/, '') }]
      : []
  })
  return {
    writes: withPath
      .filter((call) => /^p?writev?(64|2)?$/.test(call.name))
      .map((call) => {
        const from = offsetOf(call)
        return { ...call, from, to: from + call.result }
      }),
    syncs: withPath.filter((call) => /^f(data)?sync$/.test(call.name) && call.result === 0),
  }
}

/** The last argument of pwrite64. */
function offsetOf(call: SystemCall): number {
  return Number(/, (\d+)\)/.exec(call.args)?.[1])
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

function faultOf({ writes, syncs }: DataCalls, span: Span, commit: number): string | null {
  const mine = writes.filter(({ path, from, to }) => path === span.path && from < span.to && to > span.from)
  const bytes = mine.reduce((sum, { from, to }) => sum + Math.min(to, span.to) - Math.max(from, span.from), 0)
  if (bytes !== span.to - span.from) return `${String(bytes)} of ${String(span.to - span.from)} bytes written`
  const written = Math.max(...mine.map((call) => call.done))
  if (!(written < commit)) return 'claimed before it was written'
  const synced = syncs.some(({ path, begun, done }) => path === span.path && begun > written && done < commit)
  return synced ? null : 'claimed before it was synced'
}

function piecesOf(bits: Buffer, count: number): number[] {
  const has = (piece: number): boolean => ((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
  return Array.from({ length: count }, (_, piece) => piece).filter(has)
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
    commits.push({ offset, bits: claimOf(copy) })
  }
  return commits
}

function claimOf(file: string): Buffer {
  const db = new Database(file)
  try {
    const table = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'have'").get() as {
      n: number
    }
    if (table.n === 0) return Buffer.alloc(0)
    const rows = db.prepare('SELECT bits FROM have ORDER BY chunk').all() as { bits: Buffer }[]
    return Buffer.concat(rows.map((row) => row.bits))
  } finally {
    db.close()
  }
}

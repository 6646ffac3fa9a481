/** What the database of a home claims, read from a copy of it, and whether the files bear it out. */
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { MadeTorrent } from '../make-torrent.js'

export interface Claim {
  readonly id: number
  readonly infoHash: string
  readonly dir: string
  readonly desired: string
  /** Recorded pieces. */
  readonly pieces: ReadonlySet<number>
}

interface Row {
  readonly id: number
  readonly hash_v1: string
  readonly dir: string
  readonly desired: string
  readonly piece_count: number
}

/** Every torrent of a home whose daemon is dead, as its database has it with its write-ahead log. */
export function readClaims(home: string): Claim[] {
  const scratch = mkdtempSync(join(tmpdir(), 'tor-claims-'))
  try {
    const copy = join(scratch, 'copy.db')
    if (!existsSync(join(home, 'torrentino.db'))) return []
    copyFileSync(join(home, 'torrentino.db'), copy)
    const log = join(home, 'torrentino.db-wal')
    if (existsSync(log)) copyFileSync(log, `${copy}-wal`)
    return readCopy(copy)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function readCopy(file: string): Claim[] {
  const db = new Database(file)
  try {
    const [integrity] = db.pragma('integrity_check') as { integrity_check: string }[]
    if (integrity?.integrity_check !== 'ok') throw new Error(`the database is not whole: ${file}`)
    const made = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'have'").get() as {
      n: number
    }
    if (made.n === 0) return []
    const rows = db
      .prepare('SELECT id, hash_v1, dir, desired, piece_count FROM torrent ORDER BY id')
      .all() as Row[]
    const bits = db.prepare('SELECT bits FROM have WHERE torrent_id = ? ORDER BY chunk')
    return rows.map(({ id, hash_v1: infoHash, dir, desired, piece_count: count }) => {
      const whole = Buffer.concat((bits.all(id) as { bits: Buffer }[]).map((row) => row.bits))
      return { id, infoHash, dir, desired, pieces: piecesOf(whole, count) }
    })
  } finally {
    db.close()
  }
}

/** The pieces whose bits are set (BEP 3). */
export function piecesOf(bits: Uint8Array, count: number): Set<number> {
  const pieces = new Set<number>()
  for (let piece = 0; piece < count; piece++) {
    if (((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0) pieces.add(piece)
  }
  return pieces
}

export function pieceSize(torrent: MadeTorrent, piece: number): number {
  return Math.min(torrent.pieceLength, torrent.totalBytes - piece * torrent.pieceLength)
}

export function bytesOf(torrent: MadeTorrent, pieces: Iterable<number>): number {
  let sum = 0
  for (const piece of pieces) sum += pieceSize(torrent, piece)
  return sum
}

/**
 * The pieces that lie below `dir` byte for byte as they should: the same as that they hash, without trusting a hash.
 * `suffixes` is what a file may have behind its name, the first that is there counts.
 */
export function piecesOnDisk(
  torrent: MadeTorrent,
  payload: Buffer,
  dir: string,
  suffixes: readonly string[] = ['.part', ''],
): Set<number> {
  const found = Buffer.alloc(payload.length)
  const missing: { from: number; to: number }[] = []
  let at = 0
  for (const { path, length } of torrent.files) {
    const name = suffixes.map((suffix) => join(dir, path + suffix)).find((each) => existsSync(each))
    const read = name === undefined || length === 0 ? 0 : readInto(name, found.subarray(at, at + length))
    if (read < length) missing.push({ from: at + read, to: at + length })
    at += length
  }
  const good = new Set<number>()
  for (let piece = 0; piece < torrent.pieceCount; piece++) {
    const from = piece * torrent.pieceLength
    const to = from + pieceSize(torrent, piece)
    if (missing.some((hole) => hole.from < to && hole.to > from)) continue
    if (found.subarray(from, to).equals(payload.subarray(from, to))) good.add(piece)
  }
  return good
}

function readInto(file: string, target: Buffer): number {
  const fd = openSync(file, 'r')
  try {
    let at = 0
    while (at < target.length) {
      const read = readSync(fd, target, at, target.length - at, at)
      if (read === 0) break
      at += read
    }
    return at
  } finally {
    closeSync(fd)
  }
}

/** What comes in .torrent files, and what the database says of them. */
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { assemble, bitfieldBytes, type Chunk, CHUNK_BYTES } from '../../../daemon/db/chunks.js'
import type { FileFound } from '../../../daemon/ports/disk.js'
import type { FileStatRow } from '../../../daemon/ports/store.js'
import { Content } from '../../../daemon/swarm/content.js'
import { planSurvey } from '../../../daemon/swarm/survey.js'
import { BencodeError, type BNode, decode, encode, type Encodable } from '../../../shared/torrent/bencode.js'
import { Bitfield } from '../../../shared/torrent/bitfield.js'
import { inspectView } from '../../../shared/torrent/inspect.js'
import { Layout } from '../../../shared/torrent/layout.js'
import { type Metainfo, MetainfoError, parseInfo, parseMetainfo } from '../../../shared/torrent/metainfo.js'
import { foldPath, PathError, safeComponent, safePath, uniquePaths } from '../../../shared/torrent/paths.js'
import { bencoded, names, torrents } from '../seeds.js'
import type { Target } from '../target.js'

/** What `run` answers, or null where it threw an error of this kind. */
function unless<T>(kind: abstract new (...args: never[]) => Error, run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (error instanceof kind) return null
    throw error
  }
}

function valueOf(node: BNode, source: Uint8Array): Encodable {
  if (node.kind === 'int') return node.value
  if (node.kind === 'bytes') return source.subarray(node.from, node.to)
  if (node.kind === 'list') return node.items.map((item) => valueOf(item, source))
  const entries = [...node.entries].map(
    ([key, item]) => [new Uint8Array(Buffer.from(key, 'latin1')), valueOf(item, source)] as const,
  )
  return new Map(entries)
}

/** Nodes; each has a token of its own in the source, so there are never more than bytes. */
function count(node: BNode): number {
  if (node.kind === 'list') return node.items.reduce((sum, item) => sum + count(item), 1)
  if (node.kind === 'dict')
    return Array.from(node.entries).reduce((sum, [, item]) => sum + count(item) + 1, 1)
  return 1
}

const bencode: Target = {
  name: 'bencode',
  seeds: bencoded,
  check: (bytes) => {
    const node = unless(BencodeError, () => decode(bytes, { trailing: 'allow' }))
    const whole = unless(BencodeError, () => decode(bytes))
    assert.equal(whole !== null, node?.end === bytes.length)
    if (node === null) return
    assert.ok(node.end <= bytes.length && count(node) <= bytes.length)
    if (node.kind !== 'list' && node.kind !== 'dict') return
    const again = encode(valueOf(node, bytes))
    assert.equal(Buffer.compare(again, bytes.subarray(0, node.end)) === 0, node.canonical)
  },
}

/** What must hold of anything that was accepted. */
function checkMetainfo(meta: Metainfo, most: number): void {
  const paths = meta.files.filter((file) => !file.pad).map((file) => file.path)
  for (const path of paths) assert.equal(posix.resolve('/root', path), `/root/${path}`)
  assert.equal(new Set(paths.map(foldPath)).size, paths.length)
  assert.ok(meta.files.every((file) => Number.isSafeInteger(file.length) && file.length >= 0))
  assert.ok(meta.contentSize > 0 && Number.isSafeInteger(meta.totalSize))
  const view = JSON.stringify(inspectView(meta))
  assert.ok(view.length < 4096 + 40 * most, `the view has ${String(view.length)} characters`)
  if (meta.kind === 'v2') return
  const layout = new Layout(meta.files, meta.pieceLength)
  assert.deepEqual(
    [layout.totalSize, layout.contentSize, layout.pieceCount, meta.digests.length],
    [meta.totalSize, meta.contentSize, meta.pieceCount, meta.pieceCount * 20],
  )
}

const metainfo: Target = {
  name: 'metainfo',
  seeds: torrents,
  check: (bytes) => {
    const meta = unless(MetainfoError, () => parseMetainfo(bytes))
    const alone = unless(MetainfoError, () => parseInfo(bytes))
    for (const each of [meta, alone]) if (each !== null) checkMetainfo(each, bytes.length)
    if (meta === null) return
    // What the store gives back, and peers: the same hashes and files from the info dictionary alone.
    const info = unless(MetainfoError, () => parseInfo(bytes.subarray(meta.infoStart, meta.infoEnd)))
    assert.deepEqual([info?.hashes, info?.files], [meta.hashes, meta.files])
  },
}

const paths: Target = {
  name: 'paths',
  seeds: names,
  check: (bytes) => {
    // A line is a path, its parts end in a slash.
    const lines = bytes.toString('latin1').split('\n')
    const raw = lines.map((line) => line.split('/'))
    for (const part of raw.flat()) {
      const name = safeComponent(part)
      if (name === null) continue
      assert.ok(Buffer.byteLength(name) <= 250 && !/[/\\\0-\x1f]/.test(name), name)
      assert.ok(!/\p{Surrogate}/u.test(name), name)
      assert.equal(safeComponent(Buffer.from(name).toString('latin1')), name)
    }
    const safe = unless(PathError, () => raw.map(safePath))
    const unique = safe === null ? null : unless(PathError, () => uniquePaths(safe))
    if (unique === null) return
    const folded = unique.map((path) => foldPath(path ?? ''))
    assert.equal(new Set(folded).size, raw.length)
    for (const path of unique) assert.equal(posix.resolve('/root', path ?? ''), `/root/${path ?? ''}`)
  },
}

const PIECES = 20_000

/** Rows of `have`: a number of the chunk, a length, and so many bytes. */
function readChunks(bytes: Buffer): Chunk[] {
  const rows: Chunk[] = []
  for (let at = 0; at + 8 <= bytes.length && rows.length < 64;) {
    const length = bytes.readUInt32BE(at + 4)
    rows.push({ chunk: bytes.readInt32BE(at), bits: bytes.subarray(at + 8, at + 8 + length) })
    at += 8 + length
  }
  return rows
}

function chunkRow(chunk: number, length: number): Buffer {
  const head = Buffer.alloc(8 + length, 0xff)
  head.writeUInt32BE(chunk)
  head.writeUInt32BE(length, 4)
  return head
}

const have: Target = {
  name: 'have rows',
  seeds: [Buffer.concat([chunkRow(0, CHUNK_BYTES), chunkRow(1, 452)]), chunkRow(1, 452)],
  check: (bytes) => {
    const bits = assemble(PIECES, readChunks(bytes))
    assert.ok(bits === null || bits.length === bitfieldBytes(PIECES))
  },
}

const FILES = [1, 0, 70_000, 16_384, 5].map((length, index) => ({
  path: String(index),
  length,
  pad: index === 3,
}))

/** Rows of `file_stat` and what lies on the disk, eight numbers each. */
const stats: Target = {
  name: 'file_stat rows',
  seeds: [Buffer.from([0, 1, 0, 0, 1, 1, 0, 0, 2, 9, 9, 9, 9, 9, 9, 1, 1, 0, 0, 0, 0, 0, 0, 1])],
  check: (bytes) => {
    const facts: FileStatRow[] = []
    const found: FileFound[] = []
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const [file = 0, size = 0, mtime = 0, ino = 0, writing = 0, name = 0, there = 0, now = 0] =
        bytes.subarray(at, at + 8)
      const row = {
        file,
        size: size - 8,
        mtimeNs: String(mtime),
        ino: String(ino),
        writing: writing % 2 === 1,
      }
      facts.push(row)
      if (file >= FILES.length) continue
      const where = (['missing', 'part', 'final'] as const)[name % 3] ?? 'missing'
      found.push({ file, name: where, size: there, mtimeNs: String(now), ino: String(ino) })
    }
    const layout = new Layout(FILES, 16_384)
    const recorded = new Bitfield(layout.pieceCount)
    for (let piece = 0; piece < layout.pieceCount; piece += 1)
      if ((bytes[piece] ?? 0) % 2 === 1) recorded.set(piece)
    const content = new Content({
      layout,
      files: FILES,
      recorded,
      facts,
      wishes: [...bytes.subarray(0, 4)].map((file, at) => ({ file, priority: at })),
    })
    const plan = planSurvey(content, found, bytes.length % 2 === 0)
    for (const piece of [...plan.check, ...plan.sniff]) assert.ok(piece >= 0 && piece < layout.pieceCount)
    assert.ok(content.doneBytes >= 0 && content.doneBytes <= content.wantedBytes)
  },
}

export const torrentTargets: readonly Target[] = [bencode, metainfo, paths, have, stats]

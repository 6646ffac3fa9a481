/**
 * Torrents for tests: deterministic payloads written to a folder, and the v1 `.torrent` (BEP 3) over them.
 * The encoder is apart from the one in shared/ so that a mistake there cannot hide itself.
 */
import { createCipheriv, createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

export interface PayloadFile {
  /** With '/' between components, below the torrent's folder; the torrent's own name where it is one file. */
  readonly path: string
  /** Bytes; 0 is allowed. */
  readonly length: number
}

export interface TorrentInit {
  readonly name: string
  /** A number makes a single-file torrent of that many bytes. */
  readonly content: number | readonly PayloadFile[]
  /** Bytes, a power of two; 32 KiB where left out. */
  readonly pieceLength?: number
  /** Tiers of announce URLs (BEP 12); the first is `announce` too. */
  readonly trackers?: readonly (readonly string[])[]
  /** Another seed gives other bytes under the same name; the name where left out. */
  readonly seed?: string
  /** BEP 27. */
  readonly private?: boolean
}

export interface MadeTorrent {
  readonly name: string
  /** Path of the `.torrent`. */
  readonly file: string
  /** The folder that holds the payload: what a seeding client takes as its download folder. */
  readonly dir: string
  /** SHA-1 of the info dictionary, 40 hex digits. */
  readonly infoHash: string
  readonly totalBytes: number
  readonly pieceLength: number
  readonly pieceCount: number
  /** Path below `dir` and the SHA-256 of the content, in the torrent's order. */
  readonly files: readonly { readonly path: string; readonly length: number; readonly sha256: string }[]
}

type Bencodable =
  number | string | Uint8Array | readonly Bencodable[] | { readonly [key: string]: Bencodable }

function bencode(value: Bencodable): Buffer {
  if (typeof value === 'number') return Buffer.from(`i${value}e`)
  if (typeof value === 'string') return bencode(Buffer.from(value))
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.from(`${value.length}:`), value])
  if (Array.isArray(value)) {
    return Buffer.concat([Buffer.from('l'), ...(value as Bencodable[]).map(bencode), Buffer.from('e')])
  }
  const entries = Object.entries(value as Record<string, Bencodable>)
  entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const parts = entries.flatMap(([key, item]) => [bencode(key), bencode(item)])
  return Buffer.concat([Buffer.from('d'), ...parts, Buffer.from('e')])
}

/** Bytes that look random and are the same on every run: AES-CTR keyed by the seed. */
export function pseudoRandom(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

function pieceHashes(whole: Buffer, pieceLength: number): Buffer {
  const digests: Buffer[] = []
  for (let at = 0; at < whole.length; at += pieceLength) {
    digests.push(
      createHash('sha1')
        .update(whole.subarray(at, at + pieceLength))
        .digest(),
    )
  }
  return Buffer.concat(digests)
}

/** Writes payload and `.torrent` below `folder` and describes both. */
export function makeTorrent(folder: string, init: TorrentInit): MadeTorrent {
  const single = typeof init.content === 'number'
  const listed: readonly PayloadFile[] =
    typeof init.content === 'number' ? [{ path: init.name, length: init.content }] : init.content
  const pieceLength = init.pieceLength ?? 32_768
  const dir = join(folder, 'payload')
  const contents = listed.map((file) => pseudoRandom(`${init.seed ?? init.name}/${file.path}`, file.length))
  const files = listed.map((file, index) => {
    const content = contents[index] ?? Buffer.alloc(0)
    const path = single ? file.path : `${init.name}/${file.path}`
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), content)
    return { path, length: file.length, sha256: createHash('sha256').update(content).digest('hex') }
  })
  const whole = Buffer.concat(contents)
  const pieces = pieceHashes(whole, pieceLength)
  const info = bencode({
    name: init.name,
    'piece length': pieceLength,
    pieces,
    ...(init.private === true ? { private: 1 } : {}),
    ...(single
      ? { length: whole.length }
      : { files: listed.map((file) => ({ length: file.length, path: file.path.split('/') })) }),
  })
  const file = join(folder, `${init.name}.torrent`)
  writeFileSync(file, torrentBytes(info, init.trackers ?? []))
  return {
    name: init.name,
    file,
    dir,
    infoHash: createHash('sha1').update(info).digest('hex'),
    totalBytes: whole.length,
    pieceLength,
    pieceCount: pieces.length / 20,
    files,
  }
}

/** The info dictionary goes in as the bytes that were hashed; its key sorts last here. */
function torrentBytes(info: Buffer, tiers: readonly (readonly string[])[]): Buffer {
  const first = tiers[0]?.[0]
  const head: Record<string, Bencodable> =
    first === undefined ? {} : { announce: first, 'announce-list': tiers.map((tier) => [...tier]) }
  return Buffer.concat([bencode(head).subarray(0, -1), bencode('info'), info, Buffer.from('e')])
}

/** Every file of the torrent that has bytes lies below `dir` with the right ones: Transmission makes no empty files. */
export function expectContent(torrent: MadeTorrent, dir: string): void {
  for (const file of torrent.files.filter((each) => each.length > 0)) {
    const digest = createHash('sha256')
      .update(readFileSync(join(dir, file.path)))
      .digest('hex')
    expect(digest, file.path).toBe(file.sha256)
  }
}

/** As `expectContent`, and no other files lie there. */
export function expectSameFiles(torrent: MadeTorrent, dir: string): void {
  const single = torrent.files.length === 1 && torrent.files[0]?.path === torrent.name
  const found = single
    ? readdirSync(dir).filter((name) => name.startsWith(torrent.name))
    : readdirSync(join(dir, torrent.name), { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
  expect(found.sort()).toEqual(torrent.files.map((file) => file.path).sort())
  expectContent(torrent, dir)
}

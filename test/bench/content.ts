/** Payloads and .torrent files of the benchmark, written in bounded pieces: they are larger than a buffer may be. */
import { createCipheriv, createHash, type Hash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { encode } from '../../shared/torrent/bencode.js'

const CHUNK = 8 * 1024 * 1024

export interface FileInit {
  /** Below the torrent's folder; '/' between the parts. */
  readonly path: string
  readonly length: number
}

export interface ContentInit {
  readonly name: string
  /** One file of that many bytes, or a folder of files. */
  readonly files: number | readonly FileInit[]
}

/** Bytes on a disk that torrents are made of. */
export interface Content {
  readonly name: string
  /** The folder that holds them: a seeding client's download folder. */
  readonly dir: string
  readonly single: boolean
  /** Paths below `dir`, in the torrent's order. */
  readonly files: readonly FileInit[]
  readonly total: number
  /** SHA-256 of all files in order, one after another, hex. */
  readonly sha256: string
}

export interface BenchTorrent {
  readonly content: Content
  /** Path of the .torrent. */
  readonly file: string
  /** 40 hex digits. */
  readonly infoHash: string
  readonly pieceLength: number
  readonly pieces: number
}

/** Random-looking bytes, the same on every run. */
class Noise {
  readonly #cipher
  readonly #zeros = Buffer.alloc(CHUNK)

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest().subarray(0, 16)
    this.#cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  }

  next(length: number): Buffer {
    return this.#cipher.update(this.#zeros.subarray(0, length))
  }
}

export function makeContent(dir: string, init: ContentInit): Content {
  const { name } = init
  const single = typeof init.files === 'number'
  const listed = typeof init.files === 'number' ? [{ path: '', length: init.files }] : init.files
  const files = listed.map((file) => ({
    path: single ? name : `${name}/${file.path}`,
    length: file.length,
  }))
  const noise = new Noise(name)
  const digest = createHash('sha256')
  for (const file of files) {
    const path = join(dir, file.path)
    mkdirSync(dirname(path), { recursive: true })
    const fd = openSync(path, 'w')
    for (let at = 0; at < file.length; at += CHUNK) {
      const bytes = noise.next(Math.min(CHUNK, file.length - at))
      digest.update(bytes)
      writeSync(fd, bytes)
    }
    closeSync(fd)
  }
  const total = files.reduce((sum, file) => sum + file.length, 0)
  return { name, dir, single, files, total, sha256: digest.digest('hex') }
}

function eachChunk(content: Content, dir: string, use: (bytes: Buffer) => void): void {
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (const file of content.files) {
    const fd = openSync(join(dir, file.path), 'r')
    try {
      for (;;) {
        const length = readSync(fd, buffer)
        if (length === 0) break
        use(buffer.subarray(0, length))
      }
    } finally {
      closeSync(fd)
    }
  }
}

/** SHA-256 of the files as they lie in `dir`, hex. Throws where one is missing. */
export function digestOf(content: Content, dir: string): string {
  const digest = createHash('sha256')
  eachChunk(content, dir, (bytes) => digest.update(bytes))
  return digest.digest('hex')
}

function piecesOf(content: Content, pieceLength: number): Buffer {
  const digests: Buffer[] = []
  let hash: Hash = createHash('sha1')
  let room = pieceLength
  eachChunk(content, content.dir, (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + room)
      hash.update(part)
      at += part.length
      room -= part.length
      if (room > 0) continue
      digests.push(hash.digest())
      hash = createHash('sha1')
      room = pieceLength
    }
  })
  if (room < pieceLength) digests.push(hash.digest())
  return Buffer.concat(digests)
}

/** Writes the v1 .torrent (BEP 3) over the content to `file`. */
export function makeTorrent(
  content: Content,
  init: { readonly file: string; readonly pieceLength: number; readonly announce: string },
): BenchTorrent {
  const pieces = piecesOf(content, init.pieceLength)
  const below = (path: string): string[] => path.split('/').slice(1)
  const info = {
    name: content.name,
    'piece length': init.pieceLength,
    pieces,
    ...(content.single
      ? { length: content.total }
      : { files: content.files.map(({ path, length }) => ({ length, path: below(path) })) }),
  }
  mkdirSync(dirname(init.file), { recursive: true })
  writeFileSync(init.file, encode({ announce: init.announce, info }))
  const infoHash = createHash('sha1').update(encode(info)).digest('hex')
  const { pieceLength, file } = init
  return { content, file, infoHash, pieceLength, pieces: pieces.length / 20 }
}

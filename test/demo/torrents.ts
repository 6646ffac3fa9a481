/** The two torrents of the demo: a book that comes with its .torrent, and bytes that are made here. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { closeSync, copyFileSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encode } from '../../shared/torrent/bencode.js'
import { parseMetainfo } from '../../shared/torrent/metainfo.js'

const MIB = 2 ** 20

export interface DemoTorrent {
  /** Name of the .torrent, below the demo's folder. */
  readonly file: string
  /** Name of its one file, in any download folder. */
  readonly content: string
  /** Bytes. */
  readonly length: number
  /** SHA-1 of the info dictionary, 40 hex digits. */
  readonly infoHash: string
}

interface Init {
  /** Where the .torrent goes. */
  readonly folder: string
  /** Where the content goes. */
  readonly seeds: string
  readonly announce: string
}

/** A book out of webtorrent-fixtures: its info dictionary stays byte for byte, and so does its info hash. */
export function bookTorrent(init: Init): DemoTorrent {
  const fixtures = join(dirname(fileURLToPath(import.meta.resolve('webtorrent-fixtures'))), 'fixtures')
  const original = readFileSync(join(fixtures, 'leaves.torrent'))
  const { name, infoStart, infoEnd } = parseMetainfo(original)
  copyFileSync(join(fixtures, name), join(init.seeds, name))
  return write(init, 'book.torrent', original.subarray(infoStart, infoEnd))
}

/** Bytes that nobody has seen before and no disk can shorten: AES-CTR under a key drawn now. */
export function randomTorrent(init: Init, mebibytes: number, name = 'big.bin'): DemoTorrent {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), Buffer.alloc(16))
  const zeros = Buffer.alloc(MIB)
  const digests: Buffer[] = []
  const out = openSync(join(init.seeds, name), 'wx')
  try {
    for (let piece = 0; piece < mebibytes; piece += 1) {
      const bytes = cipher.update(zeros)
      writeSync(out, bytes)
      digests.push(createHash('sha1').update(bytes).digest())
    }
  } finally {
    closeSync(out)
  }
  const info = { length: mebibytes * MIB, name, 'piece length': MIB, pieces: Buffer.concat(digests) }
  return write(init, `${name.replace(/\.\w+$/, '')}.torrent`, encode(info))
}

/** The info dictionary goes in as the bytes that were hashed; the key sorts last. */
function write(init: Init, file: string, info: Uint8Array): DemoTorrent {
  const head = encode({ announce: init.announce, 'created by': 'the demo of Torrentino' }).subarray(0, -1)
  const whole = Buffer.concat([head, Buffer.from('4:info'), info, Buffer.from('e')])
  writeFileSync(join(init.folder, file), whole)
  const { name, totalSize, hashes } = parseMetainfo(whole)
  return { file, content: name, length: totalSize, infoHash: hashes.v1 ?? '' }
}

/** Null where both files hold the same bytes, else the offset of the first difference. */
export function firstDifference(one: string, other: string): number | null {
  const files = [openSync(one, 'r'), openSync(other, 'r')] as const
  const [left, right] = [Buffer.alloc(MIB), Buffer.alloc(MIB)]
  try {
    for (let at = 0; ;) {
      const [got, had] = [readSync(files[0], left, 0, MIB, at), readSync(files[1], right, 0, MIB, at)]
      const both = Math.min(got, had)
      if (!left.subarray(0, both).equals(right.subarray(0, both))) {
        return at + left.findIndex((byte, index) => byte !== right[index])
      }
      if (got !== had) return at + both
      if (got === 0) return null
      at += got
    }
  } finally {
    for (const file of files) closeSync(file)
  }
}

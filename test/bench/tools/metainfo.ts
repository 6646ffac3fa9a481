/**
 * What a load generator has to know of a `.torrent` (BEP 3): its own reading, so that a mistake of the daemon's does
 * not hide here.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface ContentFile {
  /** With '/' between components, below the download folder; the root folder's name comes first. */
  readonly path: string
  readonly length: number
  /** Where its first byte is in the torrent's content. */
  readonly offset: number
  /** A pad (BEP 47): zeros, and no file. */
  readonly pad: boolean
}

export interface Metainfo {
  /** SHA-1 of the info dictionary. */
  readonly infoHash: Buffer
  /** Bytes. */
  readonly pieceLength: number
  readonly pieceCount: number
  /** Bytes, pads included. */
  readonly totalBytes: number
  /** SHA-1 of each piece, one after the other. */
  readonly digests: Buffer
  readonly files: readonly ContentFile[]
}

type Value = number | Buffer | Value[] | Dictionary
interface Dictionary {
  readonly [key: string]: Value
}

/** Reads one bencoded document; `spans` gets the range of each value of the outermost dictionary. */
function decode(bytes: Buffer, spans: Map<string, readonly [number, number]>): Value {
  let at = 0
  const until = (end: string): number => {
    const stop = bytes.indexOf(end, at)
    if (stop < 0) throw new Error('bencode: it ends too early')
    const number = Number(bytes.toString('latin1', at, stop))
    at = stop + 1
    if (!Number.isSafeInteger(number)) throw new Error(`bencode: no number at ${at}`)
    return number
  }
  const text = (): Buffer => {
    const length = until(':')
    const from = at
    at += length
    if (length < 0 || at > bytes.length) throw new Error('bencode: a string ends too late')
    return bytes.subarray(from, at)
  }
  const value = (depth: number): Value => {
    const head = String.fromCharCode(bytes[at] ?? 0)
    if (head === 'i') {
      at += 1
      return until('e')
    }
    if (head !== 'l' && head !== 'd') return text()
    at += 1
    const list: Value[] = []
    const entries: [string, Value][] = []
    while (bytes[at] !== 0x65) {
      if (head === 'l') {
        list.push(value(depth + 1))
        continue
      }
      const key = text().toString('latin1')
      const from = at
      entries.push([key, value(depth + 1)])
      if (depth === 0) spans.set(key, [from, at])
    }
    at += 1
    return head === 'l' ? list : Object.fromEntries(entries)
  }
  return value(0)
}

function dictionary(value: Value | undefined): Dictionary {
  if (typeof value !== 'object' || Buffer.isBuffer(value) || Array.isArray(value))
    throw new Error('no dictionary')
  return value
}
function string(value: Value | undefined): string {
  if (!Buffer.isBuffer(value)) throw new Error('no string')
  return value.toString('utf8')
}
function integer(value: Value | undefined): number {
  if (typeof value !== 'number') throw new Error('no number')
  return value
}

export function readMetainfo(bytes: Buffer): Metainfo {
  const spans = new Map<string, readonly [number, number]>()
  const info = dictionary(dictionary(decode(bytes, spans))['info'])
  const span = spans.get('info')
  const digests = info['pieces']
  if (span === undefined || !Buffer.isBuffer(digests)) throw new Error('no v1 torrent')
  const name = string(info['name'])
  const files: ContentFile[] = []
  let offset = 0
  const add = (path: string, length: number, pad: boolean): void => {
    files.push({ path, length, offset, pad })
    offset += length
  }
  if (Array.isArray(info['files'])) {
    for (const entry of info['files']) {
      const file = dictionary(entry)
      if (!Array.isArray(file['path'])) throw new Error('a file without a path')
      const pad = file['attr'] !== undefined && string(file['attr']).includes('p')
      add([name, ...file['path'].map(string)].join('/'), integer(file['length']), pad)
    }
  } else {
    add(name, integer(info['length']), false)
  }
  return {
    infoHash: createHash('sha1').update(bytes.subarray(span[0], span[1])).digest(),
    pieceLength: integer(info['piece length']),
    pieceCount: digests.length / 20,
    totalBytes: offset,
    digests,
    files,
  }
}

export function loadMetainfo(path: string): Metainfo {
  return readMetainfo(readFileSync(path))
}

export function pieceBytes(meta: Metainfo, piece: number): number {
  return Math.min(meta.pieceLength, meta.totalBytes - piece * meta.pieceLength)
}

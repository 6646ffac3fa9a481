/** A .torrent file as the rest of the program knows it: v1 (BEP 3), v2 (BEP 52), or both. */
import { createHash } from 'node:crypto'
import type { Bytes, Hashes, InfoHashV1, InfoHashV2, Millis } from '../units.js'
import {
  asBytes,
  asDict,
  asInt,
  asLatin1,
  asText,
  BencodeError,
  decode,
  dictGet,
  type BDict,
  type BNode,
} from './bencode.js'
import { MetainfoError } from './metainfo-error.js'
import { preferUtf8, readFileList, readFileTree, type RawFile } from './metainfo-files.js'
import { readTrackers, readWebSeeds } from './metainfo-urls.js'
import { PathError, type RawName, safeComponent, safePath, uniquePaths } from './paths.js'
import { checkPieceLayers } from './piece-layers.js'

export { MetainfoError } from './metainfo-error.js'

/** A larger .torrent file is refused. */
export const MAX_METAINFO_SIZE = 10_000_000
const MAX_PIECES = 2 ** 21
const MAX_PIECE_LENGTH = 536_854_528
const MIN_V2_PIECE_LENGTH = 16_384
const SHA1 = 20

export interface MetainfoFile {
  /** Safe, '/'-joined, with the root folder of a torrent of several files; unique but among pads. */
  readonly path: string
  readonly length: Bytes
  /** Zeros between files that are never written (BEP 47). */
  readonly pad: boolean
  readonly executable?: boolean
  /** Was a symbolic link: an empty file, no link is made of it. */
  readonly link?: boolean
}

export interface Metainfo {
  /** A hybrid has both hashes, and its `files` and `digests` are those of its v1 part. */
  readonly kind: 'v1' | 'hybrid' | 'v2'
  readonly hashes: Hashes
  /** Safe as a file name: the file's, or that of the root folder. */
  readonly name: string
  readonly pieceLength: Bytes
  readonly pieceCount: number
  /** 20 bytes a piece; empty where kind is 'v2'. A copy: the source may go. */
  readonly digests: Uint8Array
  /** With pads. */
  readonly totalSize: Bytes
  /** Without pads. */
  readonly contentSize: Bytes
  /** BEP 27. */
  readonly private: boolean
  readonly files: readonly MetainfoFile[]
  /** The files lie in a folder called `name`. */
  readonly multiFile: boolean
  /** Tiers (BEP 12) of http, https and udp URLs. */
  readonly trackers: readonly (readonly string[])[]
  /** BEP 19. */
  readonly webSeeds: readonly string[]
  readonly comment: string | null
  readonly createdBy: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: Millis | null
  /** The raw info dictionary is source[infoStart, infoEnd). */
  readonly infoStart: number
  readonly infoEnd: number
}

/** Reads a whole .torrent file. Throws MetainfoError and nothing else. */
export function parseMetainfo(bytes: Uint8Array): Metainfo {
  const root = decodeDict(bytes)
  const info = asDict(dictGet(root, 'info'))
  if (info === undefined)
    throw new MetainfoError('no-info', 'This is not a torrent: it has no info dictionary.')
  return guarded(() => assemble(root, info, bytes))
}

/** Reads an info dictionary alone, as peers (BEP 9) and the store have it: no trackers, no piece layers. */
export function parseInfo(bytes: Uint8Array): Metainfo {
  const info = decodeDict(bytes)
  return guarded(() => assemble(null, info, bytes))
}

function decodeDict(bytes: Uint8Array): BDict {
  if (bytes.length > MAX_METAINFO_SIZE) {
    throw new MetainfoError(
      'too-large',
      `This is not a torrent: it is larger than ${String(MAX_METAINFO_SIZE)} bytes.`,
    )
  }
  try {
    // Some makers end the file with a newline: what follows the dictionary says nothing.
    const node = decode(bytes, { limits: { maxSize: MAX_METAINFO_SIZE }, trailing: 'allow' })
    if (node.kind === 'dict') return node
  } catch (error) {
    if (!(error instanceof BencodeError)) throw error
    throw new MetainfoError('not-bencode', `This is not a torrent, or it is damaged: ${error.message}.`)
  }
  throw new MetainfoError('not-bencode', 'This is not a torrent: it does not hold a dictionary.')
}

function guarded(read: () => Metainfo): Metainfo {
  try {
    return read()
  } catch (error) {
    if (error instanceof PathError) throw new MetainfoError('path', error.message)
    throw error
  }
}

/** What is read of the info dictionary before its two versions part. */
interface Head {
  readonly info: BDict
  readonly source: Uint8Array
  readonly rawName: RawName
  readonly name: string
  readonly kind: Metainfo['kind']
  readonly hashes: Hashes
  readonly pieceLength: number
}

function assemble(root: BDict | null, info: BDict, source: Uint8Array): Metainfo {
  const head = readHead(info, source)
  const tree = head.kind === 'v1' ? [] : readFileTree(info, source)
  const raw = head.kind === 'v2' ? tree : readFileList(info, head.rawName, source)
  const multiFile = head.kind === 'v2' ? !isSingle(tree, head.rawName) : info.entries.has('files')
  const sizes = measure(raw)
  if (head.kind === 'hybrid') checkHybrid(raw, tree, head.pieceLength)
  const pieceCount = countPieces(head, raw, sizes.totalSize)
  const digests = head.kind === 'v2' ? new Uint8Array(0) : readDigests(head, pieceCount)
  if (root !== null && head.kind !== 'v1') checkPieceLayers(root, tree, head.pieceLength, source)
  return {
    kind: head.kind,
    hashes: head.hashes,
    name: head.name,
    pieceLength: head.pieceLength,
    pieceCount,
    digests,
    ...sizes,
    private: (asInt(dictGet(info, 'private')) ?? 0) !== 0,
    files: nameFiles(raw, multiFile, head.name),
    multiFile,
    trackers: root === null ? [] : readTrackers(root, source),
    webSeeds: root === null ? [] : readWebSeeds(root, source, multiFile),
    ...readNotes(root, source),
    infoStart: info.start,
    infoEnd: info.end,
  }
}

function readHead(info: BDict, source: Uint8Array): Head {
  const kind = kindOf(info)
  if (kind !== 'v1' && !info.canonical) {
    throw new MetainfoError(
      'not-canonical',
      'The info dictionary of this v2 torrent is not in its canonical form.',
    )
  }
  const hashes = hashInfo(source.subarray(info.start, info.end), kind)
  const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  const rawName = preferUtf8(info, 'name', (node) => asLatin1(node, text))
  if (rawName === undefined) throw new MetainfoError('name', 'The torrent has no name.')
  const name = (rawName.length === 0 ? null : safeComponent(rawName)) ?? hashes.v1 ?? hashes.v2 ?? '_'
  return { info, source, rawName, name, kind, hashes, pieceLength: readPieceLength(info, kind) }
}

function kindOf(info: BDict): Metainfo['kind'] {
  const version = asInt(dictGet(info, 'meta version')) ?? 1
  if (version > 2) {
    throw new MetainfoError(
      'version',
      `The torrent is of version ${String(version)}, which is not known here.`,
    )
  }
  if (version < 2) return 'v1'
  const old = ['pieces', 'files', 'length'].some((key) => info.entries.has(key))
  return old ? 'hybrid' : 'v2'
}

function hashInfo(raw: Uint8Array, kind: Metainfo['kind']): Hashes {
  const v1 = kind === 'v2' ? {} : { v1: createHash('sha1').update(raw).digest('hex') as InfoHashV1 }
  const v2 = kind === 'v1' ? {} : { v2: createHash('sha256').update(raw).digest('hex') as InfoHashV2 }
  return { ...v1, ...v2 }
}

function readPieceLength(info: BDict, kind: Metainfo['kind']): number {
  const length = asInt(dictGet(info, 'piece length'))
  if (length === undefined || length < 1 || length > MAX_PIECE_LENGTH) {
    throw new MetainfoError('piece-length', 'The torrent has no valid piece length.')
  }
  if (kind !== 'v1' && (length < MIN_V2_PIECE_LENGTH || (length & (length - 1)) !== 0)) {
    throw new MetainfoError(
      'piece-length',
      'The piece length of this v2 torrent is not a power of two from 16 KiB up.',
    )
  }
  return length
}

function measure(files: readonly RawFile[]): { totalSize: number; contentSize: number } {
  let totalSize = 0
  let contentSize = 0
  for (const file of files) {
    totalSize += file.length
    if (!file.pad) contentSize += file.length
    if (!Number.isSafeInteger(totalSize))
      throw new MetainfoError('length', 'The torrent is impossibly large.')
  }
  if (contentSize === 0)
    throw new MetainfoError('empty', 'The torrent has no content: all its files are empty.')
  return { totalSize, contentSize }
}

function countPieces(head: Head, files: readonly RawFile[], totalSize: number): number {
  const { kind, pieceLength } = head
  let count = Math.ceil(totalSize / pieceLength)
  // A v2 piece ends with its file (BEP 52).
  if (kind === 'v2') count = files.reduce((sum, file) => sum + Math.ceil(file.length / pieceLength), 0)
  if (count > MAX_PIECES) throw new MetainfoError('too-many-pieces', 'The torrent has too many pieces.')
  return count
}

function readDigests(head: Head, pieceCount: number): Uint8Array {
  const pieces = asBytes(dictGet(head.info, 'pieces'), head.source)
  if (pieces === undefined) throw new MetainfoError('pieces', 'The torrent has no piece hashes.')
  if (pieces.length !== pieceCount * SHA1) {
    const has = String(pieces.length / SHA1)
    throw new MetainfoError(
      'piece-count',
      `The torrent needs ${String(pieceCount)} piece hashes and has ${has}.`,
    )
  }
  return pieces.slice()
}

/** BEP 52: the two file lists of a hybrid name the same files, and each begins with a piece. */
function checkHybrid(list: readonly RawFile[], tree: readonly RawFile[], pieceLength: number): void {
  const offsets = new Map<RawFile, number>()
  let at = 0
  for (const file of list) {
    offsets.set(file, at)
    at += file.length
  }
  const bearing = (file: RawFile): boolean => !file.pad && file.length > 0
  const old = list.filter(bearing)
  const now = tree.filter(bearing)
  const same = (file: RawFile, index: number): boolean => {
    const other = now[index]
    if (other?.length !== file.length || (offsets.get(file) ?? 0) % pieceLength !== 0) return false
    return safePath(file.path ?? []).join('/') === safePath(other.path ?? []).join('/')
  }
  if (old.length !== now.length || !old.every(same)) {
    throw new MetainfoError('hybrid', 'The two file lists of this hybrid torrent contradict each other.')
  }
}

function isSingle(tree: readonly RawFile[], rawName: RawName): boolean {
  const only = tree[0]
  return tree.length === 1 && only?.path?.length === 1 && only.path[0] === rawName
}

function nameFiles(raw: readonly RawFile[], multiFile: boolean, name: string): MetainfoFile[] {
  const paths = raw.map((file) => {
    if (!multiFile) return [name]
    return [name, ...(file.path === null ? ['.pad', String(file.length)] : safePath(file.path))]
  })
  const unique = uniquePaths(paths.map((path, index) => (raw[index]?.pad === true ? null : path)))
  return raw.map((file, index) => ({
    path: unique[index] ?? paths[index]?.join('/') ?? name,
    length: file.length,
    pad: file.pad,
    ...(file.executable ? { executable: true } : {}),
    ...(file.link ? { link: true } : {}),
  }))
}

/** What only a reader cares for: a wrong type is as good as none. */
function readNotes(
  root: BNode | null,
  source: Uint8Array,
): Pick<Metainfo, 'comment' | 'createdBy' | 'createdAt'> {
  if (root === null) return { comment: null, createdBy: null, createdAt: null }
  const text = (key: string): string | null => {
    const found = preferUtf8(root, key, (node) => asText(node, source))
    return found === undefined || found === '' ? null : found
  }
  const seconds = asInt(dictGet(root, 'creation date')) ?? 0
  const dated = seconds > 0 && seconds * 1000 <= 8.64e15
  return { comment: text('comment'), createdBy: text('created by'), createdAt: dated ? seconds * 1000 : null }
}

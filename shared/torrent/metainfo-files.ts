/** The file list of the info dictionary: BEP 3 with the attributes of BEP 47, and the file tree of BEP 52. */
import { asBytes, asDict, asInt, asLatin1, asList, dictGet, type BDict, type BNode } from './bencode.js'
import { MetainfoError } from './metainfo-error.js'
import { MAX_PATH_DEPTH, type RawName } from './paths.js'

/** A file as the torrent has it, its path not yet fit for a disk. */
export interface RawFile {
  /** Without the root folder; null where a pad has none (BEP 47). */
  readonly path: readonly RawName[] | null
  readonly length: number
  readonly pad: boolean
  /** A symbolic link: no bytes of its own, and no link is ever made of it. */
  readonly link: boolean
  readonly executable: boolean
  /** Merkle root (BEP 52): of files of the file tree that are not empty. */
  readonly root: Uint8Array | null
}

/** Files of more bytes have more 16 KiB leaves than a tree is built of. */
const MAX_TREE_FILE = 2 ** 44
/** BitComet's pads, older than BEP 47: zeros under a name of this form. */
const OLD_PAD = '_____padding_file_'

/** Name or path in its UTF-8 variant, where there is one of the right type. */
export function preferUtf8<T>(
  dict: BNode | undefined,
  key: string,
  read: (node: BNode | undefined) => T | undefined,
): T | undefined {
  return read(dictGet(dict, `${key}.utf-8`)) ?? read(dictGet(dict, key))
}

/** The files of `files`, or the one of `length`. */
export function readFileList(info: BDict, name: RawName, source: Uint8Array): RawFile[] {
  const list = asList(dictGet(info, 'files'))
  if (list !== undefined) {
    if (list.length === 0) throw new MetainfoError('files', 'The torrent has no files.')
    const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    return list.map((entry) => readFile(entry, text))
  }
  if (info.entries.has('files')) throw new MetainfoError('files', 'The list of files is not a list.')
  if (!info.entries.has('length')) throw new MetainfoError('files', 'The torrent has no files.')
  return [{ ...attributes(info, source), path: [name], length: readLength(info), link: false, root: null }]
}

function readFile(entry: BNode, source: Buffer): RawFile {
  if (entry.kind !== 'dict') throw new MetainfoError('files', 'An entry of the list of files is not a file.')
  const marks = attributes(entry, source)
  const { link, executable } = marks
  const length = link ? 0 : readLength(entry)
  if (link) checkLink(entry)
  const list = preferUtf8(entry, 'path', asList) ?? []
  if (list.length === 0 && !marks.pad) throw new MetainfoError('path', 'A file of the torrent has no name.')
  const path = list.map((part) => readComponent(part, source))
  const pad = marks.pad || path.at(-1)?.startsWith(OLD_PAD) === true
  return { path: path.length === 0 ? null : path, length, pad, link, executable, root: null }
}

type Marks = Pick<RawFile, 'pad' | 'link' | 'executable'>
const NO_MARKS: Marks = { pad: false, link: false, executable: false }

function attributes(entry: BDict, source: Uint8Array): Marks {
  const attr = asBytes(dictGet(entry, 'attr'), source)
  if (attr === undefined) return NO_MARKS
  const has = (letter: string): boolean => attr.includes(letter.charCodeAt(0))
  return { pad: has('p'), link: has('l'), executable: has('x') }
}

/** A link is never made, but a target that is no path says that the torrent is broken. */
function checkLink(entry: BDict): void {
  const target = asList(dictGet(entry, 'symlink path')) ?? []
  if (target.some((part) => part.kind !== 'bytes')) {
    throw new MetainfoError('path', 'A link in the torrent leads to something that is not a path.')
  }
}

function readComponent(part: BNode, source: Buffer): RawName {
  const name = asLatin1(part, source)
  if (name === undefined)
    throw new MetainfoError('path', 'A file of the torrent has a path that is not text.')
  return name
}

function readLength(entry: BDict): number {
  const length = asInt(dictGet(entry, 'length'))
  if (length === undefined || length < 0) {
    throw new MetainfoError('length', 'A file of the torrent has no valid length.')
  }
  return length
}

/** The files of `file tree` in its order (BEP 52). */
export function readFileTree(info: BDict, source: Uint8Array): RawFile[] {
  const tree = asDict(dictGet(info, 'file tree'))
  if (tree === undefined) throw new MetainfoError('tree', 'The torrent has no file tree.')
  if (tree.entries.has('')) throw new MetainfoError('tree', 'The root of the file tree is a file.')
  const files: RawFile[] = []
  walk(tree, [], files, source)
  if (files.length === 0) throw new MetainfoError('files', 'The torrent has no files.')
  return files
}

/** Recursion is as deep as the decoder lets dictionaries nest. */
function walk(folder: BDict, path: readonly RawName[], files: RawFile[], source: Uint8Array): void {
  if (path.length >= MAX_PATH_DEPTH) throw new MetainfoError('path', 'The file tree is too deep.')
  for (const [key, node] of folder.entries) {
    const here = [...path, key]
    if (node.kind !== 'dict')
      throw new MetainfoError('tree', 'An entry of the file tree is not a folder or file.')
    const leaf = node.entries.get('')
    if (leaf === undefined) walk(node, here, files, source)
    else if (node.entries.size > 1)
      throw new MetainfoError('tree', 'A file of the file tree has files below it.')
    else files.push(readLeaf(leaf, here, source))
  }
}

function readLeaf(leaf: BNode, path: readonly RawName[], source: Uint8Array): RawFile {
  if (leaf.kind !== 'dict') throw new MetainfoError('tree', 'A file of the file tree has no description.')
  const marks = attributes(leaf, source)
  if (marks.pad) throw new MetainfoError('tree', 'The file tree has a padding file.')
  const link = marks.link && asList(dictGet(leaf, 'symlink path')) !== undefined
  if (link) {
    checkLink(leaf)
    return { ...marks, path, length: 0, root: null }
  }
  const length = readLength(leaf)
  if (length >= MAX_TREE_FILE) throw new MetainfoError('length', 'A file of the torrent is too large.')
  return { ...marks, link: false, path, length, root: length === 0 ? null : readRoot(leaf, source) }
}

function readRoot(leaf: BDict, source: Uint8Array): Uint8Array {
  const root = asBytes(dictGet(leaf, 'pieces root'), source)
  if (root?.length !== 32 || root.every((byte) => byte === 0)) {
    throw new MetainfoError('tree', 'A file of the torrent has no valid hash.')
  }
  return root
}

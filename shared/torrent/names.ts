/**
 * The names that a person gives a torrent and its files, in place of those it came with. They say where the files lie;
 * hashes and pieces know nothing of them.
 */
import type { FileIndex } from '../units.js'
import { type Metainfo, type MetainfoFile, parseMetainfo } from './metainfo.js'
import { foldPath, MAX_PATH_DEPTH, PathError, safeComponent, uniquePaths } from './paths.js'

export interface GivenPath {
  readonly file: FileIndex
  /** '/'-joined, below the folder of all files. */
  readonly path: string
}

export interface GivenNames {
  /** Of the file, or of the folder of all files; null: as it came. */
  readonly root: string | null
  /** Of a torrent of several files; sparse. */
  readonly paths: readonly GivenPath[]
}

/** With what the torrent is called. */
export interface CalledNames extends GivenNames {
  readonly name: string
}

export const NO_NAMES: GivenNames = { root: null, paths: [] }

/** What is to have another name: the torrent with its file or folder, or one of several files. */
export type Renaming = { readonly root: string } | GivenPath

/** What our own files and folders begin with. */
const OURS = '.torrentino'

/** A name cannot be given; the message is a sentence for the user. */
export class NameError extends Error {
  override readonly name = 'NameError'
}

/** As the store has it: the .torrent as it came, and its given names. Throws MetainfoError. */
export function storedMetainfo(stored: {
  readonly torrent: Uint8Array
  readonly names: GivenNames
}): Metainfo {
  return withNames(parseMetainfo(stored.torrent), stored.names)
}

/** Where the files lie under these names. Names that no file can have, as an edited database brings in, count as none. */
export function withNames(meta: Metainfo, names: GivenNames): Metainfo {
  if (names.root === null && names.paths.length === 0) return meta
  const paths = pathsOf(meta, names)
  if (!areGood(paths)) return meta
  const files = meta.files.map((file, index): MetainfoFile => {
    const path = paths[index] ?? null
    return path === null ? file : { ...file, path: path.join('/') }
  })
  return { ...meta, name: names.root ?? meta.name, files }
}

/**
 * What is given when this renaming is done too; null: that is what it is called already. `meta` as it came. Throws
 * NameError for a name that no file system takes, or that another file of the torrent has.
 */
export function renaming(meta: Metainfo, names: GivenNames, what: Renaming): GivenNames | null {
  const next = 'root' in what ? { ...names, root: goodName(what.root) } : withPath(meta, names, what)
  const before = pathsOf(meta, names)
  const after = pathsOf(meta, next)
  const isSame = after.every((path, index) => path?.join('/') === before[index]?.join('/'))
  if (isSame && (next.root ?? meta.name) === (names.root ?? meta.name)) return null
  if (!areGood(after)) throw new NameError('Another file of this torrent has that name.')
  return next
}

function withPath(meta: Metainfo, names: GivenNames, { file, path }: GivenPath): GivenNames {
  const was = meta.files[file]
  if (was === undefined || was.pad) throw new NameError(`This torrent has no file ${String(file + 1)}.`)
  if (!meta.multiFile) return { ...names, root: goodName(path) }
  const parts = path.split('/')
  if (parts.length >= MAX_PATH_DEPTH) throw new NameError('That is too many folders deep.')
  const others = names.paths.filter((given) => given.file !== file)
  const whole = parts.map(goodName).join('/')
  const asItCame = whole === was.path.split('/').slice(1).join('/')
  const paths = asItCame ? others : [...others, { file, path: whole }]
  return { ...names, paths: paths.sort((a, b) => a.file - b.file) }
}

/** Throws NameError, with a name that would do where there is one. */
function goodName(name: string): string {
  if (foldPath(name).startsWith(OURS))
    throw new NameError(`What begins with ${OURS} is Torrentino's own; choose another name.`)
  if (name.trim() === '') throw new NameError(`${JSON.stringify(name)} cannot be the name of a file.`)
  const safe = safeName(name)
  if (safe === name) return name
  const instead = safe === null ? '' : `; ${JSON.stringify(safe)} can`
  throw new NameError(`${JSON.stringify(name)} cannot be the name of a file${instead}.`)
}

/** As the jail makes it. */
function safeName(name: string): string | null {
  return safeComponent(Buffer.from(name).toString('latin1'))
}

/** By file, in its components; null: a pad. */
function pathsOf(meta: Metainfo, { root, paths }: GivenNames): (readonly string[] | null)[] {
  const given = new Map(paths.map(({ file, path }) => [file, path]))
  return meta.files.map(({ path, pad }, index) => {
    if (pad) return null
    const parts = path.split('/')
    if (!meta.multiFile) return root === null ? parts : [root]
    const below = given.get(index)?.split('/') ?? parts.slice(1)
    return [root ?? parts[0] ?? meta.name, ...below]
  })
}

/** Each is a path of the jail, and no two are one file on any disk. */
function areGood(paths: readonly (readonly string[] | null)[]): boolean {
  try {
    if (paths.some((path) => path?.some((part) => safeName(part) !== part) === true)) return false
    return uniquePaths(paths).every((path, index) => path === (paths[index]?.join('/') ?? null))
  } catch (error) {
    if (error instanceof PathError) return false
    throw error
  }
}

/** What a file may say that anybody can edit; null: nothing of that kind. */
export function goodNames(value: unknown): CalledNames | null {
  const { name, root, paths } = (value ?? {}) as Partial<Record<keyof GivenNames | 'name', unknown>>
  if (typeof name !== 'string' || (root !== null && typeof root !== 'string') || !Array.isArray(paths))
    return null
  return paths.every(isPath) ? { name, root, paths } : null
}

function isPath(value: unknown): value is GivenPath {
  const { file, path } = (value ?? {}) as Partial<GivenPath>
  return Number.isSafeInteger(file) && Number(file) >= 0 && typeof path === 'string'
}

/**
 * The jail: what a torrent says its files are called becomes names that stay under the root, on any file
 * system, whatever the bytes were. Names that would be one file on a disk that folds case (APFS) are told apart.
 */

/** Components a path may have. */
export const MAX_PATH_DEPTH = 100
/** A component longer than this is cut; an extension is kept beyond it. */
const MAX_COMPONENT = 240
/** What a cut component may have with its extension: 255 less the `.part` of an unfinished file. */
const MAX_CUT = 250
/** An extension of more bytes, dot counted, is not one. */
const MAX_EXTENSION = 9
/** A torrent that needs more renames was made to hurt. */
const MAX_RENAMES = 500
/** What unfinished files end in. */
export const PART_SUFFIX = '.part'

/** Bytes of which nothing is known, one character a byte (latin1): a torrent has many names, and a view of each is dear. */
export type RawName = string

/** The paths of a torrent cannot be used; the message is a sentence for the user. */
export class PathError extends Error {
  override readonly name = 'PathError'
}

/**
 * A path under the root out of raw components: at least one, none empty, '.' or '..', none with a separator.
 * Throws PathError where it is too deep.
 */
export function safePath(components: readonly RawName[]): string[] {
  if (components.length > MAX_PATH_DEPTH) {
    throw new PathError(`A file lies more than ${String(MAX_PATH_DEPTH)} folders deep.`)
  }
  const safe: string[] = []
  for (const component of components) {
    const name = safeComponent(component)
    if (name !== null) safe.push(name)
  }
  return safe.length === 0 ? ['_'] : safe
}

/** One component as a file name, or null where nothing is left of it ('.', '..', separators only). */
export function safeComponent(component: RawName): string | null {
  if (component.length === 0) return '_'
  const name = cut(clean(component))
  return name === '' || name === '.' || name === '..' ? null : name
}

/** Printable ASCII without separators: most names, and nothing in them to clean. */
const PLAIN = /^[ -.0-[\]-~]*$/
const ASCII = /^[ -~]*$/

/** Drops separators and invisible characters, replaces what is not text by '_'. */
function clean(raw: RawName): string {
  if (PLAIN.test(raw)) return raw
  const component = Buffer.from(raw, 'latin1')
  let name = ''
  for (let at = 0; at < component.length;) {
    const { codePoint, length } = readUtf8(component, at)
    at += length
    if (codePoint < 0 || isControl(codePoint)) name += '_'
    else if (!isDropped(codePoint)) name += String.fromCodePoint(codePoint)
  }
  return name
}

/**
 * The UTF-8 sequence at `at`; codePoint -1 where it is none. A bad sequence is as long as its lead byte
 * promises and continuation bytes follow, so that an overlong '.' comes out as one '_'.
 */
export function readUtf8(bytes: Uint8Array, at: number): { codePoint: number; length: number } {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return { codePoint: lead, length: 1 }
  const promised = sequenceLength(lead)
  let codePoint = lead & (0x7f >>> promised)
  let length = 1
  while (length < promised) {
    const next = bytes[at + length]
    if (next === undefined || (next & 0xc0) !== 0x80) break
    codePoint = codePoint * 64 + (next & 0x3f)
    length += 1
  }
  const complete = promised >= 2 && promised <= 4 && length === promised
  return { codePoint: complete && isScalar(codePoint, promised) ? codePoint : -1, length }
}

function sequenceLength(lead: number): number {
  if (lead < 0xc0) return 1
  if (lead < 0xe0) return 2
  if (lead < 0xf0) return 3
  if (lead < 0xf8) return 4
  if (lead < 0xfc) return 5
  return lead < 0xfe ? 6 : 1
}

/** Neither overlong, nor a surrogate, nor past the end of Unicode. */
function isScalar(codePoint: number, length: number): boolean {
  const least = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000
  return codePoint >= least && codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff)
}

function isControl(codePoint: number): boolean {
  if (codePoint < 0x20 || (codePoint >= 0x7f && codePoint <= 0x9f)) return true
  return codePoint === 0x2028 || codePoint === 0x2029
}

/** Separators of any system, bidirectional marks, zero-width characters: they hide what a name is. */
function isDropped(codePoint: number): boolean {
  if (codePoint === 0x2f || codePoint === 0x5c) return true
  if (codePoint < 0x600) return false
  return (
    codePoint === 0x61c ||
    codePoint === 0xfeff ||
    (codePoint >= 0x200b && codePoint <= 0x200f) ||
    (codePoint >= 0x202a && codePoint <= 0x202e) ||
    (codePoint >= 0x2060 && codePoint <= 0x206f)
  )
}

/** Shortens a long name at a character, and keeps its extension. */
function cut(name: string): string {
  if (Buffer.byteLength(name) <= MAX_COMPONENT) return name
  const [stem, extension] = splitExtension(name)
  const least = headOf(stem, MAX_COMPONENT, true)
  if (Buffer.byteLength(least + extension) <= MAX_CUT) return least + extension
  return headOf(stem, MAX_CUT - Buffer.byteLength(extension), false) + extension
}

/** The first characters of `text`: up to the one that reaches `size` bytes, or to the last that fits them. */
function headOf(text: string, size: number, reach: boolean): string {
  let head = ''
  let used = 0
  for (const character of text) {
    const next = used + Buffer.byteLength(character)
    if (used >= size || (next > size && !reach)) break
    head += character
    used = next
  }
  return head
}

/** A short extension with its dot, or ''. */
function splitExtension(name: string): [stem: string, extension: string] {
  const dot = name.lastIndexOf('.')
  if (dot <= 0) return [name, '']
  const extension = name.slice(dot)
  return Buffer.byteLength(extension) > MAX_EXTENSION ? [name, ''] : [name.slice(0, dot), extension]
}

/** What two names share that are one file on a disk that folds case and normalises (APFS, HFS+). */
export function foldPath(path: string): string {
  return ASCII.test(path) ? path.toLowerCase() : path.normalize('NFC').toLowerCase().normalize('NFC')
}

/**
 * The paths, '/'-joined, with later ones renamed (`x.1.ext`) where two would be one file, where a file would
 * lie where a folder is, or where one is another's unfinished `.part`. Null entries (pads) stay null: they are
 * never written. Throws PathError where too many would need it.
 */
export function uniquePaths(paths: readonly (readonly string[] | null)[]): (string | null)[] {
  const folders = new Set<string>()
  let before: readonly string[] = []
  for (const path of paths) {
    if (path === null) continue
    if (!liesBeside(path, before)) addFolders(path, folders)
    before = path
  }
  const namer = new Namer(new Set(Array.from(folders, foldPath)))
  return paths.map((path) => (path === null ? null : namer.name(path)))
}

/** Both lie in one folder, as files that follow each other mostly do. */
function liesBeside(path: readonly string[], other: readonly string[]): boolean {
  if (path.length !== other.length) return false
  for (let depth = path.length - 2; depth >= 0; depth -= 1) if (path[depth] !== other[depth]) return false
  return true
}

/** The folders of a path. Those already known have known parents. */
function addFolders(path: readonly string[], folders: Set<string>): void {
  for (let depth = path.length - 1; depth > 0; depth -= 1) {
    const folder = path.slice(0, depth).join('/')
    if (folders.has(folder)) return
    folders.add(folder)
  }
}

class Namer {
  /** Renames so far; at most MAX_RENAMES. */
  private renames = 0
  /** The last number given to a name, so that a thousand equal ones are not tried from 1 each. */
  private readonly numbers = new Map<string, number>()

  /** Folded paths of the files so far. */
  private readonly files = new Set<string>()

  /** A file or folder so far is called like an unfinished one: mostly none is, and no name need be tried with the suffix. */
  private parts = false

  constructor(
    /** Folded paths of all folders. */
    private readonly folders: ReadonlySet<string>,
  ) {
    for (const folder of folders) if (folder.endsWith(PART_SUFFIX)) this.parts = true
  }

  name(path: readonly string[]): string {
    const wanted = path.join('/')
    if (this.claim(wanted)) return wanted
    this.renames += 1
    if (this.renames > MAX_RENAMES) throw new PathError('Too many of its files have the same name.')
    const folded = foldPath(wanted)
    for (let number = (this.numbers.get(folded) ?? 0) + 1; ; number += 1) {
      if (number > 2 * MAX_RENAMES) throw new PathError('Too many of its files have the same name.')
      const other = [...path.slice(0, -1), numbered(path.at(-1) ?? '_', number)].join('/')
      if (!this.claim(other)) continue
      this.numbers.set(folded, number)
      return other
    }
  }

  private claim(path: string): boolean {
    const file = foldPath(path)
    const isPart = file.endsWith(PART_SUFFIX)
    if (this.isTaken(file) || (this.parts && this.isTaken(file + PART_SUFFIX))) return false
    if (isPart && this.files.has(file.slice(0, -PART_SUFFIX.length))) return false
    this.files.add(file)
    this.parts ||= isPart
    return true
  }

  private isTaken(path: string): boolean {
    return this.files.has(path) || this.folders.has(path)
  }
}

function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf('.')
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  const suffix = `.${String(number)}${extension}`
  const room = MAX_CUT - Buffer.byteLength(suffix)
  return room > 0
    ? headOf(stem, room, false) + suffix
    : headOf(name, MAX_CUT - 8, false) + `.${String(number)}`
}

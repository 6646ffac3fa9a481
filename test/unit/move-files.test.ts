/** The lane's side of a move, on real files: what is refused before anything is touched, and what a copy compares. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Descriptors, Files } from '../../daemon/disk/files.js'
import { passingPieces, readPart, writePart } from '../../daemon/disk/move-copy.js'
import { cleanFiles, linkFiles, nameTemps, undoFiles } from '../../daemon/disk/move-files.js'
import { lookAtAll, orFault, placeOf, siteOf } from '../../daemon/disk/move-site.js'
import type { FileFound } from '../../daemon/ports/disk.js'

const PIECE = 16
const TEMP = '.torrentino-move-1-'
const inert = (): void => undefined

let dir = ''
let from: Files
let to: Files
const A = Buffer.from('the first file of it, of 37 bytes now')
const B = Buffer.from('second')
const FILES = [
  { path: 'T/a', length: A.length, pad: false },
  { path: '.pad/11', length: 11, pad: true },
  { path: 'T/sub/b', length: B.length, pad: false },
]

function digests(): Uint8Array {
  const whole = Buffer.concat([A, Buffer.alloc(11), B])
  const pieces = Array.from({ length: Math.ceil(whole.length / PIECE) }, (_, piece) =>
    createHash('sha1')
      .update(whole.subarray(piece * PIECE, (piece + 1) * PIECE))
      .digest(),
  )
  return Buffer.concat(pieces)
}

function filesIn(place: string, key: number): Files {
  const ask = { key, dir: place, files: FILES, pieceLength: PIECE, digests: digests() }
  return new Files(ask, new Descriptors())
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tt-move-files-'))
  mkdirSync(join(dir, 'from/T/sub'), { recursive: true })
  writeFileSync(join(dir, 'from/T/a'), A)
  writeFileSync(join(dir, 'from/T/sub/b'), B)
  from = filesIn(join(dir, 'from'), 1)
  to = filesIn(join(dir, 'to'), 2)
})

afterEach(() => {
  from.closeAll()
  to.closeAll()
  rmSync(dir, { recursive: true })
})

function site(place: Files = to, fresh = true): ReturnType<typeof siteOf> | { code: string } {
  return orFault(() => siteOf(place, { to: 2, from: placeOf(from, 'T'), temp: TEMP, fresh, renames: null }))
}

const found = (): FileFound[] => lookAtAll(from).filter(({ name }) => name !== 'missing')

/** Every path below a folder. */
const tree = (name: string): string[] =>
  existsSync(join(dir, name)) ? readdirSync(join(dir, name), { recursive: true }).map(String).sort() : []

describe('a new place', () => {
  it('that is not there yet is on the volume of the folder above, and is not made', () => {
    expect(site()).toMatchObject({ same: false, oneVolume: true, begun: false })
    expect(existsSync(join(dir, 'to'))).toBe(false)
  })

  it('that is the old one under another name is the same', () => {
    symlinkSync(join(dir, 'from'), join(dir, 'link'))
    expect(site(filesIn(join(dir, 'link'), 3))).toMatchObject({ same: true })
  })

  it.each(['from/T', 'from/T/sub', 'from/T/new/deep'])('in the own folder is refused: %s', (place) => {
    expect(site(filesIn(join(dir, place), 3))).toMatchObject({ code: 'INSIDE' })
  })

  it('in the own folder is refused by way of a link, too', () => {
    symlinkSync(join(dir, 'from/T'), join(dir, 'link'))
    expect(site(filesIn(join(dir, 'link/x'), 3))).toMatchObject({ code: 'INSIDE' })
  })

  it.each(['T/a', 'T/a.part', 'T/sub/b'])('with another file is refused: %s', (path) => {
    mkdirSync(join(dir, 'to/T/sub'), { recursive: true })
    writeFileSync(join(dir, 'to', path), A)
    expect(site()).toMatchObject({ code: 'EEXIST', path: join(dir, 'to', path) })
    expect(site(to, false)).toMatchObject({ begun: true })
  })

  it('with a link in the way is refused', () => {
    mkdirSync(join(dir, 'to/T'), { recursive: true })
    symlinkSync(dir, join(dir, 'to/T/sub'))
    expect(site()).toMatchObject({ code: 'ELOOP', path: join(dir, 'to/T/sub') })
  })

  it('with a file where a folder would be is refused', () => {
    mkdirSync(join(dir, 'to'), { recursive: true })
    writeFileSync(join(dir, 'to/T'), '')
    expect(site()).toMatchObject({ code: 'ENOTDIR' })
    expect(site(filesIn(join(dir, 'to/T'), 3))).toMatchObject({ code: 'ENOTDIR' })
  })
})

describe('second names', () => {
  const ask = { key: 1, to: 2, how: 'link' } as const

  it('are given, again after a kill, and taken back', () => {
    mkdirSync(join(dir, 'to'))
    const before = tree('from')
    const files = found()
    expect(linkFiles(from, to, { ...ask, files: files.slice(0, 1) }, inert).fault).toBeNull()
    const carried = linkFiles(from, to, { ...ask, files }, inert)
    expect(carried).toEqual({ files, fault: null })
    expect(tree('to')).toEqual(before)
    const undone = undoFiles(null, to, { key: 1, to: 2, found: lookAtAll(from), step: 'link', temp: TEMP })
    expect(undone).toBeNull()
    expect(tree('to')).toEqual([])
    expect(tree('from')).toEqual(before)
  })

  it('never replace a file that came in the last moment, and leave it when they are taken back', () => {
    mkdirSync(join(dir, 'to/T/sub'), { recursive: true })
    writeFileSync(join(dir, 'to/T/sub/b'), 'mine')
    expect(linkFiles(from, to, { ...ask, files: found() }, inert).fault).toMatchObject({ code: 'EEXIST' })
    undoFiles(null, to, { key: 1, to: 2, found: lookAtAll(from), step: 'link', temp: TEMP })
    expect(tree('to')).toEqual(['T', 'T/sub', 'T/sub/b'])
    expect(readFileSync(join(dir, 'to/T/sub/b'), 'utf8')).toBe('mine')
  })

  it('where there are none files are renamed, and come back', () => {
    mkdirSync(join(dir, 'to'))
    const before = tree('from')
    const files = found()
    const carried = linkFiles(from, to, { ...ask, how: 'rename', files }, inert)
    expect(carried).toEqual({ files, fault: null })
    expect(tree('from')).toEqual(['T', 'T/sub'])
    mkdirSync(join(dir, 'from/T/sub'), { recursive: true })
    undoFiles(from, to, { key: 1, to: 2, found: lookAtAll(from), step: 'rename', temp: TEMP })
    expect([tree('from'), tree('to')]).toEqual([before, []])
  })

  it('make the old ones go, but not what is no longer what was moved', () => {
    mkdirSync(join(dir, 'to'))
    linkFiles(from, to, { ...ask, files: found() }, inert)
    rmSync(join(dir, 'from/T/a'))
    writeFileSync(join(dir, 'from/T/a'), 'another')
    expect(cleanFiles(from, lookAtAll(to), inert)).toEqual({ kept: 1, fault: null })
    expect(tree('from')).toEqual(['T', 'T/a'])
  })

  it('whose place cannot be seen make nothing go', () => {
    const before = tree('from')
    expect(cleanFiles(from, lookAtAll(to), inert).fault).toMatchObject({ code: 'ENOENT' })
    expect(tree('from')).toEqual(before)
  })
})

describe('copies', () => {
  const memory = new SharedArrayBuffer(64)
  const all = Buffer.from([0b11110000])

  function copy(recorded: Uint8Array | null): { code: string } | null {
    const pieces = passingPieces(from, recorded)
    for (const file of found()) {
      const part = { file: file.file, offset: 0, length: file.size, memory }
      const unread = readPart(from, pieces, { ...part, key: 1 })
      if (unread !== null) return unread
      const unwritten = writePart(to, { ...part, to: 2, temp: TEMP, end: file }, inert)
      if (unwritten !== null) return unwritten
    }
    return null
  }

  it('have the bytes and the time of the file, and a name only in the end', () => {
    mkdirSync(join(dir, 'to'))
    utimesSync(join(dir, 'from/T/a'), 1_600_000_000, 1_600_000_000)
    expect(copy(all)).toBeNull()
    expect(tree('to')).toEqual(['T', `T/${TEMP}0`, 'T/sub', `T/sub/${TEMP}2`])
    const named = nameTemps(to, { to: 2, files: found(), temp: TEMP }, inert)
    expect(named).toMatchObject({
      fault: null,
      files: [{ size: A.length, mtimeNs: '1600000000000000000' }, {}],
    })
    expect(nameTemps(to, { to: 2, files: found(), temp: TEMP }, inert).fault).toBeNull()
    expect(readFileSync(join(dir, 'to/T/a'))).toEqual(A)
    expect(cleanFiles(from, lookAtAll(to), inert)).toEqual({ kept: 0, fault: null })
    expect(tree('from')).toEqual([])
  })

  it.each([
    ['T/a', 3],
    ['T/a', A.length - 1],
    ['T/sub/b', 0],
  ])('of a recorded piece that does not read as recorded are refused: %s at %i', (path, at) => {
    mkdirSync(join(dir, 'to'))
    const bytes = readFileSync(join(dir, 'from', path))
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(join(dir, 'from', path), bytes)
    expect(copy(all)).toMatchObject({ code: 'EBADMSG' })
    expect(copy(null)).toBeNull()
  })

  it('of a file that was changed since are not named', () => {
    mkdirSync(join(dir, 'to'))
    copy(all)
    utimesSync(join(dir, 'from/T/a'), 1_600_000_000, 1_600_000_000)
    const named = nameTemps(to, { to: 2, files: found(), temp: TEMP }, inert)
    expect(named.fault).toMatchObject({ code: 'ESTALE' })
    undoFiles(null, to, { key: 1, to: 2, found: lookAtAll(from), step: 'name', temp: TEMP })
    expect(tree('to')).toEqual([])
  })
})

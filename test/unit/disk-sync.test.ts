import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadParts } from '../../daemon/disk/content.js'
import { refuse } from '../../daemon/disk/fault.js'
import { Descriptors, Files, knownOf } from '../../daemon/disk/files.js'
import type { Made } from '../../daemon/disk/jobs.js'
import { MadeFiles } from '../../daemon/disk/made.js'
import { partSuffix } from '../../daemon/disk/names.js'
import { finishFiles, removeFiles, surveyFiles, syncFiles } from '../../daemon/disk/settle.js'
import { Dirty } from '../../daemon/disk/sync.js'
import { KitTorrent } from '../support/storage-kit.js'

describe('what a round of sync covers', () => {
  it('is what was written before it; what comes later belongs to the next', () => {
    const dirty = new Dirty()
    expect(dirty.begin()).toBeNull()
    dirty.addFile(1)
    dirty.addFile(1)
    dirty.addFolders(['/d'])
    expect(dirty.begin()).toEqual({ files: [1], folders: ['/d'] })
    dirty.addFile(2)
    expect(dirty.begin()).toEqual({ files: [2], folders: [] })
    expect(dirty.begin()).toBeNull()
  })

  it('comes back whole after a failure', () => {
    const dirty = new Dirty()
    dirty.addFile(1)
    const round = dirty.begin()
    dirty.addFile(2)
    if (round !== null) dirty.failed(round)
    expect(dirty.begin()?.files).toEqual([2, 1])
  })
})

describe('files that a lane makes', () => {
  it('are asked for once a turn, and known to be lost when they come back as another file', async () => {
    const asked: number[][] = []
    const answers: ((made: Made) => void)[] = []
    const again: number[][] = []
    const files = new MadeFiles({
      make: (wanted, done) => {
        asked.push([...wanted])
        answers.push(done)
      },
      onMade: (_, before) => again.push([...before]),
    })
    const made = (ino: string): Made => ({ made: [{ file: 4, ino }], failed: [], folders: [] })
    files.want(4)
    files.want(4)
    await Promise.resolve()
    expect(asked).toEqual([[4]])
    expect(files.isReady(4)).toBe(false)
    answers[0]?.(made('10'))
    expect([files.isReady(4), files.inoOf(4)]).toEqual([true, '10'])
    for (const ino of ['10', '11']) {
      files.invalidate(4)
      files.want(4)
      await Promise.resolve()
      answers.at(-1)?.(made(ino))
    }
    expect(asked).toHaveLength(3)
    expect(again).toEqual([[], [4], [4]])
    expect(files.takeLost()).toEqual([4])
    expect(files.takeLost()).toEqual([])
  })
})

describe('on real files', () => {
  it('a check of doubtful pieces writes back what it read, whole pieces over several chunks', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-taint-'))
    const torrent = new KitTorrent({ dir, files: [{ path: 'a', length: 3_000_000 }], pieceLength: 3_000_000 })
    writeFileSync(join(dir, 'a.part'), torrent.bytes)
    const files = new Files({ key: 1, ...torrent.spec }, new Descriptors())
    const before = files.look(0)
    const parts = [{ piece: 0, offset: 0, length: 3_000_000, last: true, at: 0 }]
    const memory = new SharedArrayBuffer(3_000_000)
    const check = (rewrite: boolean): unknown => loadParts(files, { key: 1, parts, memory, rewrite })
    expect(check(false)).toEqual({ absent: [], rewritten: [], fault: null })
    expect(Buffer.from(memory).equals(torrent.bytes)).toBe(true)
    expect(files.look(0)).toEqual(before)
    expect(check(true)).toEqual({ absent: [], rewritten: [0], fault: null })
    expect(files.look(0).mtimeNs).not.toBe(before.mtimeNs)
    expect(readFileSync(join(dir, 'a.part')).equals(torrent.bytes)).toBe(true)
    files.closeAll()
    rmSync(dir, { recursive: true })
  })

  it('a job looks at a folder once, and the next one looks again', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-folders-'))
    const some = { files: ['f/a', 'f/b'].map((path) => ({ path, length: 9 })), pieceLength: 16_384 }
    const files = new Files({ key: 1, ...new KitTorrent({ dir, ...some }).spec }, new Descriptors())
    files.inOneJob(() => {
      expect(files.look(0).name).toBe('missing')
      expect(files.ensureFolder(join(dir, 'f'))).toBe(true)
      expect(files.ensureFolder(join(dir, 'f'))).toBe(false)
      rmSync(join(dir, 'f'), { recursive: true })
      symlinkSync(dir, join(dir, 'f'))
      expect(() => files.checkFolders(1)).not.toThrow()
    })
    expect(() => files.checkFolders(1)).toThrow('ELOOP')
    expect(() => files.inOneJob(() => files.ensureFolder(join(dir, 'f')))).toThrow('ELOOP')
    expect(files.look(1).name).toBe('missing')
    rmSync(dir, { recursive: true })
  })

  it('another volume under the path of the folder is refused: nothing is made there, and nothing is found', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-other-'))
    const torrent = new KitTorrent({ dir, files: [{ path: 'f/a', length: 9 }], pieceLength: 16_384 })
    const files = new Files({ key: 1, ...torrent.spec }, new Descriptors())
    mkdirSync(join(dir, 'f'))
    writeFileSync(join(dir, 'f/a'), torrent.bytes)
    files.bind(String(statSync(dir).dev))
    expect(surveyFiles(files, false)).toMatchObject([{ name: 'final' }])
    files.bind('1')
    expect(surveyFiles(files, false)).toMatchObject([{ name: 'missing' }])
    expect(finishFiles(files, [0]).fault).toMatchObject({ code: 'ENODEV' })
    expect(removeFiles(files)).toMatchObject({ code: 'ENODEV' })
    expect(readFileSync(join(dir, 'f/a')).equals(torrent.bytes)).toBe(true)
    rmSync(dir, { recursive: true })
  })

  it('are seen alike by a look with all digits and by one without, whatever their time is', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-times-'))
    const path = join(dir, 'a')
    writeFileSync(path, 'x')
    for (const at of [Date.now() - 0.3, 1_700_000_000_123, 4_102_444_800_001, 0, 1, -1, -1500, -86_400_001]) {
      utimesSync(path, new Date(at), new Date(at))
      expect(statSync(path)).toMatchObject(knownOf(statSync(path, { bigint: true })))
    }
    // Nanoseconds, as a write leaves them.
    for (let write = 0; write < 200; write++) {
      writeFileSync(path, 'y')
      expect(statSync(path)).toMatchObject(knownOf(statSync(path, { bigint: true })))
    }
    rmSync(dir, { recursive: true })
  })

  it('are finished where a kill left both names, and not where a stranger has the second one', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-finish-'))
    const two = ['a', 'b'].map((path) => ({ path, length: 9 }))
    const torrent = new KitTorrent({ dir, files: two, pieceLength: 16_384 })
    const files = new Files({ key: 1, ...torrent.spec }, new Descriptors())
    for (const name of ['a.part', 'b.part', 'b']) writeFileSync(join(dir, name), 'nine byte')
    linkSync(join(dir, 'a.part'), join(dir, 'a'))
    expect(finishFiles(files, [0])).toMatchObject({ files: [{ name: 'final', size: 9 }], fault: null })
    expect(finishFiles(files, [0])).toMatchObject({ files: [{ name: 'final', size: 9 }], fault: null })
    expect(finishFiles(files, [1]).fault).toMatchObject({ code: 'EEXIST', operation: 'rename' })
    expect(readdirSync(dir).sort()).toEqual(['a', 'b', 'b.part'])
    rmSync(dir, { recursive: true })
  })

  it('where no descriptor is left, all that a thread keeps are closed before it tries again', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-full-'))
    const descriptors = new Descriptors()
    const open = (name: string): number => openSync(join(dir, name), 'w')
    for (const file of [0, 1, 2]) descriptors.get(1, file, 'read', () => open(`f${String(file)}`))
    const sizes: number[] = []
    const opened = descriptors.opening(() => {
      sizes.push(descriptors.size)
      return descriptors.size > 0 ? refuse('EMFILE', 'open', 'x') : open('x')
    })
    closeSync(opened)
    expect(sizes).toEqual([3, 0])
    expect(() => descriptors.opening(() => refuse('EMFILE', 'open', 'x'))).toThrow('EMFILE')
    rmSync(dir, { recursive: true })
  })

  it('a sync of a file that is not the one we made is a fault', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-stale-'))
    const torrent = new KitTorrent({ dir, files: [{ path: 'a', length: 9 }], pieceLength: 16_384 })
    writeFileSync(join(dir, 'a.part'), torrent.bytes)
    const files = new Files({ key: 1, ...torrent.spec }, new Descriptors())
    const sync = (ino: string): unknown =>
      syncFiles(files, { key: 1, files: [{ file: 0, ino }], folders: [] }).fault
    expect(sync(files.look(0).ino)).toBeNull()
    expect(sync('1')).toMatchObject({ code: 'ESTALE', operation: 'sync' })
    files.closeAll()
    rmSync(dir, { recursive: true })
  })
})

describe('files that are removed', () => {
  it('go under both names where a file has two, and what a stranger put at the name stays', () => {
    const dir = mkdtempSync(join(tmpdir(), 'torrentino-remove-'))
    const two = ['a', 'b'].map((path) => ({ path, length: 9 }))
    const files = new Files(
      { key: 1, ...new KitTorrent({ dir, files: two, pieceLength: 16_384 }).spec },
      new Descriptors(),
    )
    for (const name of ['a.part', 'b.part', 'b']) writeFileSync(join(dir, name), name)
    linkSync(join(dir, 'a.part'), join(dir, 'a'))
    expect(removeFiles(files)).toBeNull()
    expect(readdirSync(dir)).toEqual(['b'])
    rmSync(dir, { recursive: true })
  })
})

describe('the name of an unfinished file', () => {
  it('is never that of another file or folder of the torrent', () => {
    expect(partSuffix(['a', 'b/c'])).toBe('.part')
    expect(partSuffix(['a.part', 'b'])).toBe('.part')
    expect(partSuffix(['a', 'A.Part'])).toBe('.1.part')
    expect(partSuffix(['a', 'a.part/x', 'a.1.part'])).toBe('.2.part')
  })
})

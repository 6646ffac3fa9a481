import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Assembler } from '../../daemon/disk/assembler.js'
import { Descriptors } from '../../daemon/disk/files.js'
import type { ExtentAsk, Outcome } from '../../daemon/disk/jobs.js'
import { EXTENT_SIZE } from '../../shared/units.js'
import { KitTorrent } from '../support/storage-kit.js'

const KEY = 1

/** SHA-1 of each 16 KiB, in a row. */
function digests(bytes: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 16_384)
    blocks.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + 16_384))
        .digest(),
    )
  return Buffer.concat(blocks)
}

describe('the assembler of a worker', () => {
  let dir: string
  let torrent: KitTorrent
  let assembler: Assembler
  /** Every ticket that was given, and every one that came back. */
  let given: number[]
  let back: number[]

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'torrentino-assembler-'))
    torrent = new KitTorrent({
      dir,
      files: [
        { path: 'a', length: 700_000 },
        { path: 'p', length: 86_432, pad: true },
        { path: 'd/b', length: 1_000_000 },
      ],
      pieceLength: 4 * EXTENT_SIZE,
    })
    mkdirSync(join(dir, 'd'))
    for (const file of ['a.part', 'd/b.part']) writeFileSync(join(dir, file), '')
    truncateSync(join(dir, 'a.part'), 700_000)
    truncateSync(join(dir, 'd/b.part'), 1_000_000)
    assembler = new Assembler(new Descriptors())
    assembler.handlers.open({ key: KEY, ...torrent.spec })
    given = []
    back = []
  })

  afterEach(() => {
    back.push(...assembler.handlers.close({ key: KEY }).freed)
    expect([...back].sort((a, b) => a - b)).toEqual(given)
    rmSync(dir, { recursive: true })
  })

  function extent(run: number, piece: number, number: number, more: Partial<ExtentAsk> = {}): Outcome {
    const length = torrent.layout.extentSize(piece, number)
    const memory = new SharedArrayBuffer(length)
    new Uint8Array(memory).set(
      torrent.piece(piece).subarray(number * EXTENT_SIZE, number * EXTENT_SIZE + length),
    )
    const ticket = given.length + 1
    given.push(ticket)
    const ask = { key: KEY, run, piece, extent: number, length, memory, offset: 0, ticket }
    const outcome = assembler.handlers.extent({ ...ask, first: false, tight: false, suspect: false, ...more })
    back.push(...outcome.freed)
    return outcome
  }

  function content(): Buffer {
    const pad = Buffer.alloc(86_432)
    return Buffer.concat([readFileSync(join(dir, 'a.part')), pad, readFileSync(join(dir, 'd/b.part'))])
  }

  it('lets go of a slot at once in order, and keeps one out of order until its turn', () => {
    expect(extent(1, 0, 0, { first: true })).toEqual({ freed: [1], ends: [] })
    expect(extent(1, 0, 2)).toEqual({ freed: [], ends: [] })
    expect(extent(1, 0, 3)).toEqual({ freed: [], ends: [] })
    expect(extent(1, 0, 1)).toEqual({
      freed: [4, 2, 3],
      ends: [{ run: 1, good: true, fault: null, blocks: null }],
    })
  })

  it('under pressure lets go of all that waits and reads it back when its turn comes', () => {
    extent(1, 0, 3, { first: true })
    extent(2, 1, 1, { first: true })
    const pressed = assembler.handlers.tight({ tight: true })
    expect(pressed).toEqual({ freed: [1, 2], ends: [] })
    back.push(...pressed.freed)
    expect(extent(1, 0, 2, { tight: true }).freed).toEqual([3])
    expect(extent(1, 0, 0, { tight: true }).ends).toEqual([])
    expect(extent(1, 0, 1, { tight: true }).ends).toEqual([{ run: 1, good: true, fault: null, blocks: null }])
    extent(2, 1, 2)
    expect(extent(2, 1, 0).ends).toEqual([{ run: 2, good: true, fault: null, blocks: null }])
    expect(content().equals(torrent.bytes)).toBe(true)
  })

  it('hashes what really was read back: a change on the disk in between is seen', () => {
    extent(1, 0, 1, { first: true, tight: true })
    writeFileSync(join(dir, 'a.part'), Buffer.alloc(700_000, 1))
    for (const number of [0, 2]) extent(1, 0, number, { tight: true })
    expect(extent(1, 0, 3, { tight: true }).ends).toMatchObject([{ run: 1, good: false, fault: null }])
  })

  it('tells the blocks of a bad piece apart, and those of the same piece when it is right', () => {
    const whole = torrent.piece(1)
    const bad = Buffer.from(whole)
    bad.fill(0, 20 * 16_384, 20 * 16_384 + 1)
    const one = new SharedArrayBuffer(torrent.layout.extentSize(1, 1))
    new Uint8Array(one).set(bad.subarray(EXTENT_SIZE, EXTENT_SIZE + one.byteLength))
    extent(1, 1, 0, { first: true })
    extent(1, 1, 1, { memory: one })
    const ends = [...extent(1, 1, 2).ends]
    extent(2, 1, 0, { first: true, suspect: true })
    for (const number of [1, 2]) ends.push(...extent(2, 1, number, { suspect: true }).ends)
    expect(ends.map(({ good }) => good)).toEqual([false, true])
    expect(ends[0]?.blocks).toEqual(digests(bad))
    expect(ends[1]?.blocks).toEqual(digests(whole))
  })

  it('lets go of late extents of a run that has ended', () => {
    extent(1, 0, 2, { first: true })
    const outcome = assembler.handlers.forget({ run: 1 })
    expect(outcome.freed).toEqual([1])
    back.push(...outcome.freed)
    expect(extent(1, 0, 0)).toEqual({ freed: [2], ends: [] })
    expect(extent(9, 0, 0, { first: true }).freed).toEqual([3])
  })

  it('ends a run at a refused call, with all its slots', () => {
    rmSync(join(dir, 'd/b.part'))
    extent(1, 1, 2, { first: true })
    const { freed, ends } = extent(1, 1, 0)
    expect(freed.sort()).toEqual([1, 2])
    expect(ends).toEqual([
      {
        run: 1,
        good: false,
        fault: { code: 'ENOENT', operation: 'open', path: join(dir, 'd/b.part') },
        blocks: null,
      },
    ])
    expect(extent(1, 1, 1).freed).toEqual([3])
  })

  it('answers nothing for a storage that is closed but frees the slot', () => {
    extent(1, 0, 3, { first: true })
    back.push(...assembler.handlers.close({ key: KEY }).freed)
    expect(extent(1, 0, 0)).toEqual({ freed: [2], ends: [] })
  })
})

/**
 * The planner of moves over a model of two folders: stopped between any two calls, what it decides afterwards leaves
 * every file whole at exactly one place, and no file of anybody else is touched.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { carried, changedSince, chunksOf, cleanOf, tempPrefix, undoOf } from '../../daemon/disk/move-plan.js'
import type { Seen } from '../../daemon/disk/move-plan.js'
import type { FileFound, MoveStep } from '../../daemon/ports/disk.js'

type Place = Map<number, Seen>

interface World {
  /** Ours at the old place, by file, and whatever lies at the new one. */
  readonly from: Place
  readonly to: Place
  readonly temp: Place
  /** Inodes of other people's files. */
  readonly strangers: ReadonlySet<string>
}

const FILES = 6
const TIME = 1_700_000_000_123_456_789n

function seen(ino: string, size: number): Seen {
  return { ino, size, mtimeNs: String(TIME) }
}

function foundAt(place: Place): FileFound[] {
  return Array.from({ length: FILES }, (_, file) => {
    const there = place.get(file)
    if (there === undefined) return { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
    return { file, name: 'final', ...there }
  })
}

/** The calls of a step, each one of which may be the last before a kill. */
function callsOf(step: MoveStep, world: World): (() => void)[] {
  const { from, to, temp } = world
  const free = (file: number): boolean => !to.has(file)
  return carried(foundAt(from)).flatMap(({ file, ino, size, mtimeNs }) => {
    const one = { ino, size, mtimeNs }
    if (step === 'link') return free(file) ? [() => to.set(file, one)] : []
    if (step === 'rename')
      return free(file)
        ? [
            () => {
              to.set(file, one)
              from.delete(file)
            },
          ]
        : []
    const copy = { ino: `copy ${String(file)}`, size, mtimeNs: String(BigInt(mtimeNs) + 900n) }
    if (step === 'copy') return [() => temp.set(file, { ...copy, size: 1 }), () => temp.set(file, copy)]
    temp.set(file, copy)
    return free(file) ? [() => to.set(file, copy), () => temp.delete(file)] : []
  })
}

function undo(step: MoveStep, { from, to, temp }: World): void {
  for (let file = 0; file < FILES; file += 1) {
    const sides = { from: from.get(file) ?? null, to: to.get(file) ?? null, temp: temp.get(file) ?? null }
    for (const what of undoOf(step, sides)) {
      if (what === 'dropTo') to.delete(file)
      else if (what === 'dropTemp') temp.delete(file)
      else {
        from.set(file, to.get(file) ?? seen('', 0))
        to.delete(file)
      }
    }
  }
}

const step = fc.constantFrom<MoveStep>('link', 'rename', 'copy', 'name')
const place = fc.uniqueArray(fc.nat(FILES - 1))

function worldOf(ours: readonly number[], others: readonly number[], how: MoveStep): World {
  const from = new Map(ours.map((file) => [file, seen(`ours ${String(file)}`, 100 + file)]))
  // A rename cannot tell its own work from a stranger's file where ours is missing: it begins with free names.
  const strangers = how === 'rename' ? others.filter((file) => from.has(file)) : others
  const to = new Map(strangers.map((file) => [file, seen(`other ${String(file)}`, 7)]))
  return { from, to, temp: new Map(), strangers: new Set([...to.values()].map(({ ino }) => ino)) }
}

describe('a move that is taken back', () => {
  it('after any number of calls leaves everything as it was', () => {
    fc.assert(
      fc.property(step, place, place, fc.nat(20), (how, ours, others, stop) => {
        const world = worldOf(ours, others, how)
        const before = { from: new Map(world.from), to: new Map(world.to) }
        for (const call of callsOf(how, world).slice(0, stop)) call()
        undo(how, world)
        expect(new Map([...world.from].sort())).toEqual(new Map([...before.from].sort()))
        expect(world.to).toEqual(before.to)
        expect(world.temp.size).toBe(0)
      }),
      { numRuns: 2000 },
    )
  })

  it('twice is taken back once', () => {
    fc.assert(
      fc.property(step, place, fc.nat(20), (how, ours, stop) => {
        const world = worldOf(ours, [], how)
        for (const call of callsOf(how, world).slice(0, stop)) call()
        undo(how, world)
        const once = new Map(world.from)
        undo(how, world)
        expect(world.from).toEqual(once)
      }),
    )
  })
})

describe('cleaning up after a move', () => {
  it('never leaves a file nowhere, and never takes one that is not what was moved', () => {
    const found = fc.record({
      name: fc.constantFrom('final' as const, 'part' as const, 'missing' as const),
      size: fc.nat(2),
      seconds: fc.integer({ min: 0, max: 6 }),
    })
    fc.assert(
      fc.property(found, found, (old, young) => {
        const file = (one: typeof old, ino: string): FileFound => ({
          file: 0,
          name: one.name,
          size: one.size,
          mtimeNs: String(TIME + BigInt(one.seconds) * 1_000_000_000n),
          ino,
        })
        const verdict = cleanOf(file(old, '1'), file(young, '2'))
        if (verdict !== 'drop') return
        expect(young.name).toBe(old.name)
        expect(old.name).not.toBe('missing')
        expect(young.size).toBe(old.size)
        expect(Math.abs(young.seconds - old.seconds)).toBeLessThanOrEqual(2)
      }),
    )
  })
})

describe('parts of a file', () => {
  it('lie end to end and are all of it', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 300 }), (size, chunk) => {
        const chunks = chunksOf(size, chunk)
        expect(chunks.length).toBeGreaterThan(0)
        let at = 0
        for (const { offset, length } of chunks) {
          expect(offset).toBe(at)
          expect(length).toBeLessThanOrEqual(chunk)
          at += length
        }
        expect(at).toBe(size)
      }),
    )
  })
})

describe('names and changes', () => {
  it('no temporary name is one of the torrent', () => {
    const path = fc.constantFrom(
      '.torrentino-move-7-',
      '.Torrentino-Move-7-0/x',
      'a/.torrentino-move-7--1',
      'b',
    )
    fc.assert(
      fc.property(fc.uniqueArray(path), (paths) => {
        const prefix = tempPrefix(
          paths.map((each) => ({ path: each, length: 1, pad: false })),
          7,
        )
        for (const part of paths.flatMap((each) => each.toLowerCase().split('/')))
          expect(part.startsWith(prefix)).toBe(false)
      }),
    )
  })

  it('tell the first file that somebody changed', () => {
    const before = foundAt(new Map([0, 1, 2].map((file) => [file, seen(String(file), 5)])))
    expect(changedSince(before, before)).toBeNull()
    const after = before.map((found) => (found.file === 2 ? { ...found, mtimeNs: '1' } : found))
    expect(changedSince(before, after)).toBe(2)
    expect(changedSince(carried(before), foundAt(new Map()))).toBe(0)
  })
})

/** Any layout, any order of extents, corrupt copies in between: the disk ends up equal to the source. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EXTENT_SIZE } from '../../shared/units.js'
import { type DiskWorld, fakeWorld, isBuilt, realWorld } from '../support/disk-worlds.js'
import { allFree, hand, KitTorrent, read, Recorder, verify } from '../support/storage-kit.js'

const files = fc
  .array(
    fc.record({
      length: fc.oneof(
        fc.constant(0),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 700_000 }),
      ),
      pad: fc.boolean(),
      deep: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .filter((list) => list.some(({ length }) => length > 0))
const pieceLength = fc.constantFrom(16_384, 65_536, EXTENT_SIZE, EXTENT_SIZE + 16_384, 3 * EXTENT_SIZE)

for (const [name, world, runs] of [
  ['in memory', fakeWorld, 40],
  ['real', realWorld, 25],
] as const) {
  describe.skipIf(world === realWorld && !isBuilt)(`the disk, ${name}`, () => {
    it('equals the source after any order of writes', { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(
          files,
          pieceLength,
          fc.integer(),
          fc.infiniteStream(fc.nat()),
          async (list, size, seed, dice) => {
            const here: DiskWorld = world()
            const named = list.map(({ length, pad, deep }, i) => ({
              path: `${'d/'.repeat(deep)}f${String(i)}`,
              length,
              pad: pad && length > 0,
            }))
            const torrent = new KitTorrent({ dir: here.dir, files: named, pieceLength: size, seed })
            const events = new Recorder()
            const storage = here.disk.open(torrent.spec, events)
            expect(await storage.prepare(named.map((_, i) => i))).toBeNull()

            const roll = (): number => Number(dice.next().value)
            const submissions = shuffled(
              torrent.pieces.flatMap((piece) => torrent.extents(piece).map((extent) => ({ piece, extent }))),
              roll,
            )
            // One piece comes with a wrong byte first.
            const spoilt = roll() % torrent.layout.pieceCount
            const wrong = Buffer.from(torrent.piece(spoilt))
            wrong[roll() % wrong.length] = ((wrong[0] ?? 0) + 1 + (roll() % 255)) & 0xff
            const isWrong = !wrong.equals(torrent.piece(spoilt))
            for (const { piece, extent } of submissions) {
              while (here.disk.slab.available === 0) await oneFree(here)
              hand(here.disk, storage, piece, extent, piece === spoilt ? wrong : torrent.piece(piece))
            }
            await events.until(torrent.layout.pieceCount)
            expect(events.seen.filter((event) => event.startsWith('bad'))).toEqual(
              isWrong ? [`bad ${String(spoilt)}`] : [],
            )
            for (const extent of torrent.extents(spoilt))
              hand(here.disk, storage, spoilt, extent, torrent.piece(spoilt))
            await events.until(torrent.layout.pieceCount + 1)

            const round = await storage.sync()
            expect(round.fault).toBeNull()
            const piece = roll() % torrent.layout.pieceCount
            const run = { piece, offset: 0, lengths: [Math.min(16_384, torrent.layout.pieceSize(piece))] }
            const { frame } = await read(storage, run)
            expect(frame?.bytes.equals(torrent.frame(run))).toBe(true)
            frame?.release()
            expect((await storage.finish(named.map((_, i) => i))).fault).toBeNull()
            for (const [i, file] of named.entries()) {
              if (file.pad) expect(here.exists(file.path)).toBe(false)
              else expect(here.content(file.path)?.equals(torrent.file(i))).toBe(true)
            }
            expect((await verify(storage, torrent.pieces)).bad).toEqual([])
            expect(await storage.remove()).toBeNull()
            for (const file of named) expect(here.exists(file.path.split('/')[0] ?? '')).toBe(false)
            await storage.close()
            await allFree(here.disk)
            await here.stop()
          },
        ),
        { numRuns: runs },
      )
    })
  })
}

function oneFree(world: DiskWorld): Promise<void> {
  return new Promise((resolve) => {
    world.disk.slab.onFree(resolve)
  })
}

function shuffled<T>(items: readonly T[], roll: () => number): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = roll() % (i + 1)
    const [a, b] = [result[i], result[j]]
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a]
  }
  return result
}

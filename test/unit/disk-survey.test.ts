import { afterAll, describe, expect, it } from 'vitest'
import { EXTENT_SIZE } from '../../shared/units.js'
import { isBuilt, realWorld } from '../support/disk-worlds.js'
import { KitTorrent, Recorder } from '../support/storage-kit.js'

describe.skipIf(!isBuilt)('files of a piece that comes soon', () => {
  it('are made before its first extent', async () => {
    const world = realWorld()
    const files = ['a', 'b', 'c'].map((path) => ({ path, length: EXTENT_SIZE }))
    const torrent = new KitTorrent({ dir: world.dir, files, pieceLength: 2 * EXTENT_SIZE })
    const storage = world.disk.open(torrent.spec, new Recorder())
    storage.makeReady(0)
    await Promise.resolve()
    const found = await storage.survey()
    expect(found.map(({ name, size }) => [name, size])).toEqual([
      ['part', EXTENT_SIZE],
      ['part', EXTENT_SIZE],
      ['missing', 0],
    ])
    await storage.close()
    storage.makeReady(1)
    await world.stop()
    expect(world.exists('c.part')).toBe(false)
  })
})

describe.skipIf(!isBuilt)('a survey', () => {
  const world = realWorld()
  afterAll(() => world.stop())

  it('tells facts that stay, though pieces were given up while they were written', async () => {
    const torrent = new KitTorrent({
      dir: world.dir,
      files: [{ path: 'a', length: 16 * EXTENT_SIZE }],
      pieceLength: 4 * EXTENT_SIZE,
    })
    for (let round = 0; round < 20; round++) {
      const events = new Recorder()
      const storage = world.disk.open(torrent.spec, events)
      for (const piece of torrent.pieces) {
        // The first is awaited: until then the others would wait for their file.
        if (piece === 1) await events.until(1)
        for (const extent of torrent.extents(piece)) {
          const slot = world.disk.slab.take()
          if (slot === null) throw new Error('no slot is free')
          torrent.piece(piece).copy(slot.view, 0, extent * EXTENT_SIZE)
          storage.submit(slot, piece, extent, EXTENT_SIZE)
        }
      }
      for (const piece of torrent.pieces) storage.forget(piece)
      const [found] = await storage.survey()
      await storage.close()
      if (found !== undefined && found.name !== 'missing') expect(found).toMatchObject(world.facts('a.part'))
    }
    expect(world.disk.slab.available).toBe(world.disk.slab.capacity)
  })
})

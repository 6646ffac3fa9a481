import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../../daemon/ports/disk.js'
import { type DiskWorld, fakeWorld, isBuilt, realWorld } from '../support/disk-worlds.js'
import {
  allFree,
  hand,
  handAll,
  handPiece,
  type KitFile,
  KitTorrent,
  read,
  Recorder,
  verify,
} from '../support/storage-kit.js'

const KIB = 1024

for (const [name, makeWorld] of [
  ['in memory', fakeWorld],
  ['real', realWorld],
] as const) {
  describe.skipIf(makeWorld === realWorld && !isBuilt)(`the disk port, ${name}`, () => {
    let world: DiskWorld
    let events: Recorder

    beforeEach(() => {
      world = makeWorld()
      events = new Recorder()
    })

    afterEach(async () => {
      await allFree(world.disk)
      await world.stop()
    })

    function start(
      files: readonly KitFile[],
      pieceLength: number,
    ): { torrent: KitTorrent; storage: Storage } {
      const torrent = new KitTorrent({ dir: world.dir, files, pieceLength })
      return { torrent, storage: world.disk.open(torrent.spec, events) }
    }

    it('takes extents in order: the piece is good and lies in the .part file at full length', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 2000 * KIB }], 1024 * KIB)
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(1)).toEqual(['good 0'])
      const there = world.content('a.part')
      expect(there?.length).toBe(2000 * KIB)
      expect(there?.subarray(0, 1024 * KIB).equals(torrent.piece(0))).toBe(true)
      expect(there?.subarray(1024 * KIB).every((byte) => byte === 0)).toBe(true)
      expect(world.exists('a')).toBe(false)
    })

    it('takes extents in any order and the short last piece', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 2000 * KIB + 77 }], 1024 * KIB)
      for (const piece of [1, 0]) {
        for (const extent of [3, 1, 2, 0]) hand(world.disk, storage, piece, extent, torrent.piece(piece))
      }
      expect([...(await events.until(2))].sort()).toEqual(['good 0', 'good 1'])
      expect(world.content('a.part')?.equals(torrent.bytes)).toBe(true)
    })

    it('writes pieces over file edges, leaves pads out and makes empty files in prepare', async () => {
      const files = [
        { path: 'set/one', length: 10_000 },
        { path: '.pad/6384', length: 6384, pad: true },
        { path: 'set/deep/two', length: 40_000 },
        { path: 'set/empty', length: 0 },
        { path: 'set/three', length: 1 },
        { path: 'last', length: 100_000 },
      ]
      const { torrent, storage } = start(files, 16 * KIB)
      expect(await storage.prepare(files.map((_, i) => i))).toBeNull()
      expect(world.content('set/empty')?.length).toBe(0)
      expect(world.exists('set/one')).toBe(false)
      await handAll(world.disk, storage, torrent, events, [...torrent.pieces].reverse())
      expect(events.seen.every((event) => event.startsWith('good'))).toBe(true)
      for (const i of [0, 2, 4, 5]) {
        expect(world.content(`${files[i]?.path ?? ''}.part`)?.equals(torrent.file(i))).toBe(true)
      }
      expect(world.exists('.pad')).toBe(false)
    })

    it('refuses to make an empty file where somebody has content', async () => {
      const { storage } = start(
        [
          { path: 'a', length: 10 },
          { path: 'e', length: 0 },
        ],
        16 * KIB,
      )
      world.put('e', Buffer.from('mine'))
      expect((await storage.prepare([0, 1]))?.code).toBe('EEXIST')
      expect(world.content('e')?.toString()).toBe('mine')
    })

    it('says that a piece is bad, forgets it, and takes it again', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 600 * KIB }], 600 * KIB)
      const wrong = Buffer.from(torrent.piece(0))
      wrong[300 * KIB] = (wrong[300 * KIB] ?? 0) ^ 1
      for (const extent of [2, 0, 1]) hand(world.disk, storage, 0, extent, wrong)
      expect(await events.until(1)).toEqual(['bad 0'])
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(2)).toEqual(['bad 0', 'good 0'])
      // Which block it was is seen by comparing; of a piece that is good at once nothing is told.
      const [bad, good] = events.blocks.map((blocks) => Buffer.from(blocks ?? []).toString('hex'))
      const differ = Array.from({ length: 38 }, (_, i) => i * 40).filter(
        (at) => bad?.slice(at, at + 40) !== good?.slice(at, at + 40),
      )
      expect([bad?.length, good?.length, differ]).toEqual([38 * 40, 38 * 40, [18 * 40]])
      handPiece(world.disk, storage, torrent, 0)
      await events.until(3)
      expect(events.blocks[2]).toBeNull()
    })

    it('forgets a piece that will not be completed and frees its slots', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 1024 * KIB }], 1024 * KIB)
      for (const extent of [0, 2, 3]) hand(world.disk, storage, 0, extent, torrent.piece(0))
      storage.forget(0)
      await allFree(world.disk)
      expect(events.seen).toEqual([])
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(1)).toEqual(['good 0'])
    })

    it('reads runs as frames over file edges and pads, and shares what is asked twice', async () => {
      const files = [
        { path: 'a', length: 30_000 },
        { path: 'p', length: 2768, pad: true },
        { path: 'b', length: 70_000 },
      ]
      const { torrent, storage } = start(files, 64 * KIB)
      await handAll(world.disk, storage, torrent, events)
      const run = { piece: 0, offset: 16 * KIB, lengths: [16 * KIB, 16 * KIB, 5] }
      const both = await Promise.all([read(storage, run), read(storage, run)])
      for (const { frame, fault } of both) {
        expect(fault).toBeNull()
        expect(frame?.bytes.equals(torrent.frame(run))).toBe(true)
        frame?.release()
        expect(() => frame?.release()).toThrow()
      }
      const last = { piece: 1, offset: 0, lengths: [torrent.layout.pieceSize(1)] }
      const { frame } = await read(storage, last)
      expect(frame?.bytes.equals(torrent.frame(last))).toBe(true)
      frame?.release()
    })

    it('never answers a read of a missing or short file with bytes', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 100_000 }], 32 * KIB)
      const run = { piece: 1, offset: 0, lengths: [16 * KIB] }
      expect((await read(storage, run)).fault?.code).toBe('ENOENT')
      world.put('a', torrent.bytes.subarray(0, 40_000))
      const short = await read(storage, run)
      expect(short.frame).toBeNull()
      expect(short.fault?.operation).toBe('read')
    })

    it('notices in a read that the file was deleted meanwhile', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 10_000 }], 32 * KIB)
      world.put('a', torrent.bytes)
      const run = { piece: 0, offset: 0, lengths: [10_000] }
      const first = await read(storage, run)
      expect(first.fault).toBeNull()
      first.frame?.release()
      world.drop('a')
      expect((await read(storage, run)).fault?.code).toBe('ENOENT')
    })

    it('does not serve a finished file that was changed since it was looked at', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 40_000 }], 32 * KIB)
      world.put('a', torrent.bytes)
      await storage.survey()
      const run = { piece: 0, offset: 0, lengths: [16 * KIB] }
      const first = await read(storage, run)
      first.frame?.release()
      expect(first.fault).toBeNull()
      world.put('a', Buffer.concat([torrent.bytes, Buffer.from('more')]))
      expect((await read(storage, run)).fault?.code).toBe('ESTALE')
      world.put('a', torrent.bytes)
      await storage.survey()
      expect((await verify(storage, [0, 1])).good).toEqual([0, 1])
      const last = await read(storage, run)
      expect(last.frame?.bytes.equals(torrent.frame(run))).toBe(true)
      last.frame?.release()
      handPiece(world.disk, storage, torrent, 1)
      await events.until(1)
      const ours = await read(storage, run)
      expect(ours.fault).toBeNull()
      ours.frame?.release()
    })

    it('checks pieces: whole, changed, short, missing', async () => {
      const files = [
        { path: 'whole', length: 64 * KIB },
        { path: 'changed', length: 64 * KIB },
        { path: 'short', length: 64 * KIB },
        { path: 'missing', length: 64 * KIB },
      ]
      const { torrent, storage } = start(files, 32 * KIB)
      world.put('whole.part', torrent.file(0))
      const changed = Buffer.from(torrent.file(1))
      changed[50 * KIB] = (changed[50 * KIB] ?? 0) + 1
      world.put('changed', changed)
      world.put('short', torrent.file(2).subarray(0, 40 * KIB))
      expect(await verify(storage, torrent.pieces)).toEqual({
        good: [0, 1, 2, 4],
        bad: [3, 5, 6, 7],
        fault: null,
      })
      expect(await storage.sniff(torrent.pieces)).toEqual([0, 1, 2, 3, 4])
      expect((await storage.survey()).map(({ name, size }) => [name, size])).toEqual([
        ['part', 64 * KIB],
        ['final', 64 * KIB],
        ['final', 40 * KIB],
        ['missing', 0],
      ])
    })

    it('checks several torrents at once, and pieces longer than what is read at once', async () => {
      const long = start([{ path: 'long', length: 11_000_000 }], 8 << 20)
      const short = start([{ path: 'short', length: 600_000 }], 16 * KIB)
      world.put('long', long.torrent.bytes)
      const changed = Buffer.from(short.torrent.bytes)
      changed[20 * KIB] = (changed[20 * KIB] ?? 0) + 1
      world.put('short', changed)
      const found = await Promise.all([
        verify(long.storage, [0, 1]),
        verify(short.storage, short.torrent.pieces),
        verify(long.storage, [1]),
      ])
      expect(found.map(({ bad, fault }) => ({ bad, fault }))).toEqual([
        { bad: [], fault: null },
        { bad: [1], fault: null },
        { bad: [], fault: null },
      ])
      expect(found.map(({ good }) => good.length)).toEqual([2, short.torrent.pieces.length - 1, 1])
    })

    it('closes a torrent in the middle of a check', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 11_000_000 }], 1 << 20)
      world.put('a', torrent.bytes)
      const told: unknown[] = []
      await new Promise<void>((resolve) => {
        storage.verify(
          torrent.pieces,
          (piece) => {
            told.push(piece)
            void storage.close().then(resolve)
          },
          (fault) => told.push(fault),
        )
      })
      // Which piece comes first is up to the threads; after the close there is no second, and no end.
      expect(told).toEqual([expect.any(Number)])
    })

    it('checks pieces with pads in them, and ends early when it is told to', async () => {
      const files = [
        { path: 'a', length: 1000 },
        { path: 'p', length: 15_384, pad: true },
        { path: 'b', length: 16_384 },
      ]
      const { torrent, storage } = start(files, 16 * KIB)
      world.put('a', torrent.file(0))
      expect(await verify(storage, [1, 0])).toEqual({ good: [0], bad: [1], fault: null })
      const told: number[] = []
      await new Promise<void>((resolve) => {
        const job = storage.verify(
          [0, 1],
          (piece) => told.push(piece),
          () => {
            resolve()
          },
        )
        job.cancel()
      })
      expect(told).toEqual([])
    })

    it('makes the final file a .part again when it is written to', async () => {
      const { torrent, storage } = start([{ path: 'd/a', length: 64 * KIB }], 32 * KIB)
      const old = Buffer.from(torrent.bytes)
      old.fill(0, 40 * KIB)
      world.put('d/a', old)
      handPiece(world.disk, storage, torrent, 1)
      expect(await events.until(1)).toEqual(['good 1'])
      expect(world.exists('d/a')).toBe(false)
      expect(world.content('d/a.part')?.equals(torrent.bytes)).toBe(true)
    })

    it('does not cut a longer file of somebody else', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 10_000 }], 32 * KIB)
      world.put('a', Buffer.alloc(10_001, 1))
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(1)).toEqual(['failed 0 EEXIST'])
      expect(world.content('a')?.length).toBe(10_001)
    })

    it('keeps apart a torrent that has both foo and foo.part', async () => {
      const files = [
        { path: 'foo', length: 50_000 },
        { path: 'foo.part', length: 50_000 },
        { path: 'foo.1.PART/x', length: 50_000 },
      ]
      const { torrent, storage } = start(files, 32 * KIB)
      await handAll(world.disk, storage, torrent, events)
      expect((await storage.finish([1])).fault).toBeNull()
      expect((await verify(storage, torrent.pieces)).bad).toEqual([])
      expect((await storage.finish([0, 2])).fault).toBeNull()
      files.forEach(({ path }, i) => {
        expect(world.content(path)?.equals(torrent.file(i))).toBe(true)
      })
    })

    it('syncs each written file once and answers the facts that stat has', async () => {
      const files = [
        { path: 'x/a', length: 40_000 },
        { path: 'x/b', length: 40_000 },
      ]
      const { torrent, storage } = start(files, 16 * KIB)
      expect(await storage.sync()).toEqual({ files: [], fault: null })
      await handAll(world.disk, storage, torrent, events, [0, 1])
      const round = await storage.sync()
      expect(round.fault).toBeNull()
      expect(round.files).toEqual([{ file: 0, name: 'part', ...world.facts('x/a.part') }])
      expect(await storage.sync()).toEqual({ files: [], fault: null })
      await handAll(world.disk, storage, torrent, events, [2])
      expect((await storage.sync()).files.map(({ file }) => file).sort()).toEqual([0, 1])
    })

    it('says in a sync that the file went away under us', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 64 * KIB }], 32 * KIB)
      await handAll(world.disk, storage, torrent, events, [0])
      world.drop('a.part')
      expect((await storage.sync()).fault).not.toBeNull()
    })

    it('finishes: the file has its name, can be read, and is finished the second time too', async () => {
      const { torrent, storage } = start(
        [
          { path: 'd/a', length: 50_000 },
          { path: 'b', length: 9 },
        ],
        32 * KIB,
      )
      await handAll(world.disk, storage, torrent, events)
      await storage.sync()
      const { files, fault } = await storage.finish([0])
      expect(fault).toBeNull()
      expect(files).toEqual([{ file: 0, name: 'final', ...world.facts('d/a') }])
      expect(world.exists('d/a.part')).toBe(false)
      expect(world.content('d/a')?.equals(torrent.file(0))).toBe(true)
      const run = { piece: 0, offset: 0, lengths: [16 * KIB] }
      const { frame } = await read(storage, run)
      expect(frame?.bytes.equals(torrent.frame(run))).toBe(true)
      frame?.release()
      expect((await storage.finish([0])).fault).toBeNull()
      handPiece(world.disk, storage, torrent, 0)
      await events.until(3)
      expect(world.exists('d/a.part')).toBe(true)
    })

    it("does not finish over somebody else's file", async () => {
      const { torrent, storage } = start([{ path: 'a', length: 1000 }], 32 * KIB)
      await handAll(world.disk, storage, torrent, events)
      world.put('a', Buffer.from('mine'))
      expect((await storage.finish([0])).fault?.code).toBe('EEXIST')
      expect(world.content('a')?.toString()).toBe('mine')
      expect((await verify(storage, [0])).good).toEqual([0])
      expect(await storage.remove()).toBeNull()
      expect(world.content('a')?.toString()).toBe('mine')
      expect(world.exists('a.part')).toBe(false)
    })

    it('refuses a symbolic link in the way: nothing lands outside', async () => {
      const { torrent, storage } = start(
        [
          { path: 'd/a', length: 1000 },
          { path: 'b', length: 40_000 },
        ],
        32 * KIB,
      )
      world.link('d')
      expect((await storage.prepare([0]))?.code).toBe('ELOOP')
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(1)).toEqual(['failed 0 ELOOP'])
      handPiece(world.disk, storage, torrent, 1)
      expect(await events.until(2)).toEqual(['failed 0 ELOOP', 'good 1'])
      expect((await storage.finish([0])).fault).not.toBeNull()
      expect((await read(storage, { piece: 0, offset: 0, lengths: [1000] })).frame).toBeNull()
      expect(await storage.remove()).toBeNull()
      expect(world.outside()).toEqual([])
    })

    it('refuses a symbolic link in the place of the file', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 1000 }], 32 * KIB)
      world.link('a.part')
      handPiece(world.disk, storage, torrent, 0)
      expect((await events.until(1))[0]).toMatch(/^failed 0 E/)
      expect(world.outside()).toEqual([])
    })

    it('writes nothing when the download folder is gone', async () => {
      const torrent = new KitTorrent({
        dir: `${world.dir}/gone`,
        files: [{ path: 'a/b', length: 9 }],
        pieceLength: 16,
      })
      const storage = world.disk.open(torrent.spec, events)
      handPiece(world.disk, storage, torrent, 0)
      expect(await events.until(1)).toEqual(['failed 0 ENOENT'])
      expect((await storage.prepare([0]))?.code).toBe('ENOENT')
      expect(world.exists('gone')).toBe(false)
    })

    it('removes its own files and the folders left empty, and nothing else', async () => {
      const files = [
        { path: 't/a', length: 100 },
        { path: 't/x/y/b', length: 40_000 },
        { path: 't/z/c', length: 40_000 },
        { path: 't/z/empty', length: 0 },
      ]
      const { torrent, storage } = start(files, 16 * KIB)
      await storage.prepare([0, 1, 2, 3])
      await handAll(world.disk, storage, torrent, events)
      await storage.finish([1])
      world.put('t/z/mine', Buffer.from('mine'))
      expect(await storage.planRemoval()).toEqual({
        files: [
          { path: 't/a.part', bytes: 100, linked: false },
          { path: 't/x/y/b', bytes: 40_000, linked: false },
          { path: 't/z/c.part', bytes: 40_000, linked: false },
          { path: 't/z/empty', bytes: 0, linked: false },
        ],
        strangers: ['t/z/mine'],
        more: 0,
      })
      expect(await storage.remove()).toBeNull()
      for (const gone of ['t/a.part', 't/x', 't/z/c.part', 't/z/empty'])
        expect(world.exists(gone)).toBe(false)
      expect(world.content('t/z/mine')?.toString()).toBe('mine')
      world.drop('t/z/mine')
      expect(await storage.remove()).toBeNull()
      expect(world.exists('t')).toBe(false)
      expect(world.exists('')).toBe(true)
    })

    it('makes folders in a folder, and deletes those that are empty', async () => {
      const names = ['.trash', '7']
      expect(await world.disk.makeBelow(world.dir, names)).toBeNull()
      expect(await world.disk.makeBelow(world.dir, ['.trash', '8'])).toBeNull()
      expect(await world.disk.dropBelow(world.dir, names)).toBeNull()
      expect([world.exists('.trash/7'), world.exists('.trash/8')]).toEqual([false, true])
      world.put('.trash/8/kept', Buffer.from('kept'))
      expect(await world.disk.dropBelow(world.dir, ['.trash', '8'])).toBeNull()
      expect(world.exists('.trash/8/kept')).toBe(true)
      world.link('elsewhere')
      expect((await world.disk.makeBelow(world.dir, ['elsewhere', '7']))?.code).toBe('ELOOP')
      world.put('file', Buffer.from('file'))
      expect((await world.disk.makeBelow(world.dir, ['file', '7']))?.code).toBe('ENOTDIR')
      expect((await world.disk.makeBelow(`${world.dir}/gone`, names))?.code).toBe('ENOENT')
      expect(world.outside()).toEqual([])
    })

    it('plans a removal: a strange folder is named as a whole, and what is missing is not', async () => {
      const files = [
        { path: 't/a', length: 100 },
        { path: 't/x/b', length: 40_000 },
      ]
      const { torrent, storage } = start(files, 16 * KIB)
      await storage.prepare([0])
      handPiece(world.disk, storage, torrent, 0)
      await events.until(1)
      world.drop('t/x/b.part')
      world.put('t/theirs/deep/mine', Buffer.from('mine'))
      expect(await storage.planRemoval()).toEqual({
        files: [{ path: 't/a.part', bytes: 100, linked: false }],
        strangers: ['t/theirs/'],
        more: 0,
      })
    })

    it('closes in the middle of work: no event comes, every slot comes back', async () => {
      const { torrent, storage } = start([{ path: 'a', length: 4096 * KIB }], 1024 * KIB)
      handPiece(world.disk, storage, torrent, 0)
      for (const extent of [3, 1]) hand(world.disk, storage, 1, extent, torrent.piece(1))
      let told = 0
      storage.verify(
        [0, 1],
        () => (told += 1),
        () => (told += 1),
      )
      storage.read({ piece: 0, offset: 0, lengths: [100] }, () => (told += 1))
      await storage.close()
      await allFree(world.disk)
      hand(world.disk, storage, 2, 0, torrent.piece(2))
      await allFree(world.disk)
      expect(events.seen).toEqual([])
      expect(told).toBe(0)
      const again = world.disk.open(torrent.spec, events)
      await handAll(world.disk, again, torrent, events)
      expect(events.seen).toEqual(['good 0', 'good 1', 'good 2', 'good 3'])
      expect((await verify(again, torrent.pieces)).good).toEqual([0, 1, 2, 3])
    })

    it('makes a download folder with its parents and tells its space', async () => {
      const made = await world.disk.prepareDir(`${world.dir}/new/one`)
      expect('volume' in made ? made.volume : '').toMatch(/^\d+$/)
      expect(world.exists('new/one')).toBe(true)
      expect(await world.disk.space(`${world.dir}/new/one`)).toMatchObject({
        volume: 'volume' in made ? made.volume : '',
      })
      expect(await world.disk.space(`${world.dir}/none`)).toMatchObject({ code: 'ENOENT' })
    })

    it('keeps going when more waits out of order than the slab holds', async () => {
      await world.stop()
      world = makeWorld === realWorld ? realWorld(8, 1) : fakeWorld(64)
      const { torrent, storage } = start([{ path: 'a', length: 4096 * KIB }], 4096 * KIB)
      for (let extent = 15; extent >= 0; extent -= 1) {
        while (world.disk.slab.available === 0)
          await new Promise<void>((free) => {
            world.disk.slab.onFree(free)
          })
        hand(world.disk, storage, 0, extent, torrent.piece(0))
      }
      expect(await events.until(1)).toEqual(['good 0'])
      expect(world.content('a.part')?.equals(torrent.bytes)).toBe(true)
    })
  })
}

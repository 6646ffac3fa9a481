/** What only the fake has: nothing happens by itself, and faults are put in by the test. */
import { describe, expect, it } from 'vitest'
import { FakeDisk } from '../support/fake-disk.js'
import { allFree, handPiece, KitTorrent, Recorder, verify } from '../support/storage-kit.js'

function kit(): {
  disk: FakeDisk
  torrent: KitTorrent
  events: Recorder
  storage: ReturnType<FakeDisk['open']>
} {
  const disk = new FakeDisk({ slots: 8 })
  disk.fs.mkdirs('/d')
  const torrent = new KitTorrent({ dir: '/d', files: [{ path: 'a', length: 70_000 }], pieceLength: 32_768 })
  const events = new Recorder()
  return { disk, torrent, events, storage: disk.open(torrent.spec, events) }
}

describe('the fake disk', () => {
  it('does nothing before flush', () => {
    const { disk, torrent, events, storage } = kit()
    handPiece(disk, storage, torrent, 0)
    expect(events.seen).toEqual([])
    expect(disk.slab.available).toBe(7)
    expect(disk.flush()).toBe(1)
    expect(events.seen).toEqual(['good 0'])
    expect(disk.slab.available).toBe(8)
  })

  it('fails a write as often as it is told, and frees the slot', async () => {
    const { disk, torrent, events, storage } = kit()
    disk.fail({ operation: 'write', code: 'ENOSPC', times: 1 })
    for (const piece of [0, 1]) handPiece(disk, storage, torrent, piece)
    disk.flush()
    expect(events.seen).toEqual(['failed 0 ENOSPC', 'good 1'])
    await allFree(disk)
  })

  it('fails a sync until it is healed, and keeps what was dirty', async () => {
    const { disk, torrent, storage } = kit()
    handPiece(disk, storage, torrent, 0)
    disk.fail({ operation: 'sync', code: 'EIO', path: 'a.part' })
    const failed = storage.sync()
    await disk.settle()
    expect((await failed).fault?.code).toBe('EIO')
    disk.heal()
    const good = storage.sync()
    await disk.settle()
    expect((await good).files.map(({ file }) => file)).toEqual([0])
  })

  it('holds one kind of call back and lets the others pass', async () => {
    const { disk, torrent, events, storage } = kit()
    disk.hold('write')
    handPiece(disk, storage, torrent, 0)
    const checked = verify(storage, [0])
    await disk.settle()
    expect((await checked).bad).toEqual([0])
    expect(events.seen).toEqual([])
    disk.letGo('write')
    disk.flush()
    expect(events.seen).toEqual(['good 0'])
  })
})

import { PeerUpload } from '../../daemon/swarm/peer-upload.js'
import { describe, expect, it } from 'vitest'
import { Reader } from '../../daemon/disk/reader.js'
import type { LaneReads } from '../../daemon/disk/read-queue.js'
import type { Peer } from '../../daemon/swarm/peer.js'
import { BLOCK, turn, UploadKit } from '../support/upload-kit.js'

const KIB = 1024
const MIB = 1024 * KIB

describe('runs', () => {
  it('are the requests of one extent that came in any order, read together and written in the order of the file', async () => {
    const kit = new UploadKit()
    const { peer, got } = kit.peer({ fast: false, eager: true })
    for (const block of [9, 1, 0, 20, 2, 8, 10]) kit.uploader.request(peer, 3, block * BLOCK, BLOCK)
    expect(kit.jobs).toEqual([])
    kit.uploader.pump(peer)
    expect(kit.jobs.map(({ run }) => [run.piece, run.offset, run.lengths.length, run.shared])).toEqual([
      [3, 0, 16, true],
      [3, 20 * BLOCK, 1, false],
    ])
    await kit.flow()
    const sent = got().subarray(5)
    const order = [0, 1, 2, 8, 9, 10, 20]
    expect(sent.length).toBe(order.length * (BLOCK + 13))
    expect(order.map((_, at) => sent[at * (BLOCK + 13) + 13])).toEqual(order)
    expect(kit.pinned).toBe(0)
    expect(peer.upload.unsent).toBe(0)
  })

  it('end where the piece ends', () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    for (let block = 16; block < 31; block++) kit.uploader.request(peer, 49, block * BLOCK, BLOCK)
    kit.uploader.request(peer, 49, 31 * BLOCK, BLOCK - 100)
    kit.uploader.pump(peer)
    expect(kit.jobs.map(({ run }) => [run.offset, run.lengths.at(-1)])).toEqual([[16 * BLOCK, BLOCK - 100]])
    expect(peer.upload.unsent).toBe(16 * BLOCK - 100)
  })

  it('say what will be asked for next by a peer that goes through a file', () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    const ahead: (number | undefined)[] = []
    for (const [piece, block] of [
      [3, 0],
      [3, 16],
      [4, 0],
      [7, 16],
    ] as const) {
      for (let at = block; at < block + 16; at++) kit.uploader.request(peer, piece, at * BLOCK, BLOCK)
      kit.uploader.pump(peer)
      ahead.push(kit.jobs[0]?.run.ahead)
      kit.uploader.drop(peer)
    }
    expect(ahead).toEqual([0, 0, 256 * KIB, 0])
  })

  it('that are not whole blocks are read as they were asked for', async () => {
    const kit = new UploadKit()
    const { peer, got } = kit.peer({ fast: false, eager: true })
    for (const [begin, length] of [
      [5, 10],
      [15, 20],
      [100, BLOCK],
    ] as const)
      kit.uploader.request(peer, 0, begin, length)
    kit.uploader.pump(peer)
    expect(kit.jobs.map(({ run }) => [run.offset, run.lengths, run.shared])).toEqual([
      [5, [10, 20], false],
      [100, [BLOCK], false],
    ])
    await kit.flow()
    expect(got().length).toBe(5 + 30 + BLOCK + 3 * 13)
    expect(kit.pinned).toBe(0)
  })

  it('of blocks asked for twice are sent twice', async () => {
    const kit = new UploadKit()
    const { peer, got } = kit.peer({ fast: false, eager: true })
    kit.ask(peer, 0, 16)
    kit.ask(peer, 0, 16)
    await kit.flow()
    expect(got().length).toBe(5 + 32 * (BLOCK + 13))
  })
})

describe('the window', () => {
  it('is 128 KiB for a peer not known yet, and grows to 2 MiB for one that takes', async () => {
    const kit = new UploadKit()
    const { peer } = kit.peer()
    kit.ask(peer, 0, 1600)
    expect(peer.upload.unsent).toBe(128 * KIB)
    expect(kit.jobs.map(({ run }) => [run.lengths.length, run.patient])).toEqual([
      [4, true],
      [4, true],
    ])
    let most = 0
    for (let i = 0; i < 200 && peer.upload.queue.length > 0; i++) {
      kit.clock.advance(1)
      while (kit.jobs.length > 0) kit.read()
      await turn()
      most = Math.max(most, peer.upload.unsent)
    }
    expect(most).toBeGreaterThanOrEqual(2 * MIB - 256 * KIB)
    expect(most).toBeLessThan(2 * MIB + 256 * KIB)
    // Told once: there is room for one more.
    expect(kit.eager).toBe(1)
  })

  it('is what a slow peer takes in half a second, so that 200 of them hold little', async () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ rate: 200 * KIB, window: 32 * KIB })
    kit.ask(peer, 0, 1000)
    await kit.run(3000)
    expect(kit.eager).toBe(0)
    expect(peer.upload.unsent).toBeLessThanOrEqual(192 * KIB)
    expect(peer.uploaded).toBeGreaterThan(500 * KIB)
    const { peer: slower } = kit.peer({ rate: 20 * KIB, window: 32 * KIB })
    kit.ask(slower, 0, 1000)
    await kit.run(16_000)
    expect(slower.upload.unsent).toBeLessThanOrEqual(80 * KIB)
    // It goes on at its own rate, in frames that it takes one at a time.
    const before = slower.uploaded
    await kit.run(5000)
    expect(slower.uploaded - before).toBeGreaterThan(80 * KIB)
    expect(slower.amChoking).toBe(false)
  })

  it('keeps what is read for a peer that reads nothing, and chokes it after 10 s', async () => {
    const kit = new UploadKit()
    const { peer, far } = kit.peer({ window: 32 * KIB })
    far.pause()
    kit.ask(peer, 0, 1000)
    await kit.flow()
    const held = peer.upload.unsent
    expect(held).toBeLessThanOrEqual(256 * KIB)
    kit.clock.advance(10_000)
    kit.uploader.tick(peer, kit.clock.now())
    expect(peer.amChoking).toBe(false)
    kit.clock.advance(1)
    kit.uploader.tick(peer, kit.clock.now())
    expect(peer.amChoking).toBe(true)
    expect(peer.upload.stalled).toBe(true)
    expect(peer.upload.queue.length).toBe(0)
    expect(peer.upload.unsent).toBe(held)
    // It reads on: a slot is not lost on it any more.
    far.resume()
    await kit.flow()
    kit.uploader.tick(peer, kit.clock.now())
    expect(peer.upload.stalled).toBe(false)
    expect([peer.upload.unsent, kit.pinned]).toEqual([0, 0])
  })

  it('ends one that reads nothing while others wait for its memory', async () => {
    const kit = new UploadKit()
    const { peer, far } = kit.peer({ window: 32 * KIB })
    far.pause()
    kit.ask(peer, 0, 100)
    await kit.flow()
    kit.short = true
    kit.clock.advance(10_001)
    kit.uploader.tick(peer, kit.clock.now())
    expect(far.over).toBe(true)
    expect(peer.closed).toBe(true)
  })
})

describe('two hundred peers', () => {
  /** Peers of these rates, each at a place of its own, on a real reader whose lane answers at once. */
  const swarm = (
    rates: readonly number[],
  ): { kit: UploadKit; reader: Reader; peers: Peer[]; most: () => number } => {
    const lane: LaneReads = {
      readRuns: (_, done) => {
        queueMicrotask(() => {
          done(null)
        })
      },
    }
    const reader = new Reader(
      { most: 16 * MIB },
      { now: () => kit.clock.now(), turn: (fn) => void setImmediate(fn) },
    )
    let most = 0
    const kit: UploadKit = new UploadKit({
      read: (run, done) => {
        const cancel = reader.read(1, lane, run, done)
        most = Math.max(most, reader.bytes)
        return cancel
      },
    })
    const peers = rates.map((rate) => kit.peer({ rate, window: 64 * KIB, deaf: true }).peer)
    return { kit, reader, peers, most: () => most }
  }
  const go = async (kit: UploadKit, peers: readonly Peer[], millis: number): Promise<void> => {
    for (let at = 0; at < millis; at += 500) {
      peers.forEach((peer, index) => {
        if (peer.upload.queue.length < 500) kit.ask(peer, (index * 8 + at) % 500, 1000)
      })
      await kit.run(500)
    }
  }

  it('get the same, and hold no more than 16 MiB together', async () => {
    const { kit, peers, most } = swarm(Array<number>(200).fill(300 * KIB))
    await go(kit, peers, 5000)
    const each = peers.map(({ uploaded }) => uploaded)
    expect(Math.min(...each) / Math.max(...each)).toBeGreaterThan(0.5)
    expect(Math.min(...each)).toBeGreaterThan(4 * 200 * KIB)
    expect(most()).toBeLessThanOrEqual(16 * MIB)
    expect(peers.some(({ closed, amChoking }) => closed || amChoking)).toBe(false)
  })

  it('that are slow leave a fast one its memory', async () => {
    const { kit, peers, most } = swarm([20 * MIB, ...Array<number>(199).fill(10 * KIB)])
    await go(kit, peers, 5000)
    expect(peers[0]?.uploaded).toBeGreaterThan(0.8 * 5 * 20 * MIB)
    expect(most()).toBeLessThanOrEqual(16 * MIB)
  })
})

describe('uploading', () => {
  it('releases a frame that comes after the peer has gone, and tells of no fault', async () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    kit.ask(peer, 0, 1)
    peer.close('test')
    kit.read()
    await turn()
    expect([kit.pinned, peer.upload.unsent]).toEqual([0, 0])
    expect(kit.sent).toEqual([])
    expect(kit.faults).toEqual([])
  })

  it('does not read for a peer that has gone', () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    kit.ask(peer, 0, 40)
    peer.close('test')
    kit.uploader.left(peer)
    expect(kit.jobs).toEqual([])
    expect([peer.upload.unsent, peer.upload.queue.length]).toEqual([0, 0])
  })

  it('tells a failed read and refuses what was asked', async () => {
    const kit = new UploadKit()
    const { peer, got } = kit.peer({ eager: true })
    for (const block of [0, 1, 2, 5]) kit.uploader.request(peer, 0, block * BLOCK, BLOCK)
    kit.uploader.pump(peer)
    kit.jobs.shift()?.done(null, { code: 'EIO', operation: 'read', path: '/x' })
    await turn()
    expect(kit.faults).toEqual(['EIO'])
    expect(peer.upload.unsent).toBe(0)
    // A reject (BEP 6) of 17 bytes for each that was asked, not for what would have been read with it.
    expect(got().length).toBe(5 + 4 * 17)
  })

  it.each([
    ['no byte', 0, 0, 0],
    ['above 128 KiB', 0, 0, 131_073],
    ['past the end', 0, 31 * BLOCK, BLOCK + 1],
    ['a piece not had', 60, 0, BLOCK],
    ['no such piece', 4_000_000_000, 0, BLOCK],
    ['a begin near 2^32', 0, 4_294_967_295, BLOCK],
  ])('refuses %s', (_, piece, begin, length) => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    kit.uploader.request(peer, piece, begin, length)
    kit.uploader.pump(peer)
    expect(kit.jobs).toEqual([])
    expect(peer.upload.queue.length).toBe(0)
  })

  it('takes a waiting request back, and forgets all at a choke, what is being read too', async () => {
    const kit = new UploadKit()
    const { peer, got } = kit.peer({ eager: true })
    kit.ask(peer, 0, 100)
    expect(peer.upload.queue.length).toBe(84)
    kit.uploader.cancel(peer, 3, 3 * BLOCK, BLOCK)
    kit.uploader.cancel(peer, 3, 3 * BLOCK, BLOCK)
    expect(peer.upload.queue.length).toBe(83)
    kit.uploader.drop(peer)
    expect(kit.jobs).toEqual([])
    expect([peer.upload.queue.length, peer.upload.unsent]).toEqual([0, 0])
    await turn()
    expect(got().length).toBe(5 + 100 * 17)
  })
})

describe('the limit', () => {
  it.each([1, 10, 100])(
    'of %i MiB/s is kept within 3 percent over 10 s, by one peer and by eight',
    async (rate) => {
      for (const peers of [1, 8]) {
        const kit = new UploadKit({ rate: rate * MIB })
        const all = Array.from({ length: peers }, () => kit.peer({ deaf: true }).peer)
        for (let at = 0; at < 10_000; at += 50) {
          for (const peer of all) if (peer.upload.queue.length < 400) kit.ask(peer, 0, 1600)
          await kit.run(50)
        }
        const sent = all.reduce((sum, peer) => sum + peer.uploaded, 0)
        expect(sent / (10 * rate * MIB)).toBeGreaterThan(0.97)
        expect(sent / (10 * rate * MIB)).toBeLessThan(1.03)
        const each = all.map((peer) => peer.uploaded)
        expect(Math.min(...each) / Math.max(...each)).toBeGreaterThan(0.5)
      }
    },
  )

  it('is given back for what was read for nothing', async () => {
    const kit = new UploadKit({ rate: 2.56 * MIB })
    const { peer } = kit.peer({ eager: true })
    kit.ask(peer, 0, 16)
    expect(peer.upload.unsent).toBe(16 * BLOCK)
    kit.uploader.drop(peer)
    kit.ask(peer, 0, 16)
    expect(peer.upload.unsent).toBe(16 * BLOCK)
    await kit.flow()
  })

  it('is not given what was read while there was none', async () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    for (let block = 0; block < 16; block++) kit.uploader.request(peer, 0, block * BLOCK, BLOCK)
    kit.uploader.pump(peer)
    expect(peer.upload.unsent).toBe(16 * BLOCK)
    kit.limiter.setRate(2.56 * MIB)
    kit.uploader.drop(peer)
    kit.ask(peer, 0, 16)
    // A unit goes though the bucket is empty; what was read for nothing does not fill it.
    expect(peer.upload.unsent).toBeLessThanOrEqual(BLOCK)
    await kit.flow()
  })

  it('holds for requests that are not whole blocks', async () => {
    const kit = new UploadKit({ rate: 100_000 })
    const { peer } = kit.peer({ eager: true })
    for (let at = 0; at < 10_000; at += 100) {
      for (let i = 0; i < 10; i++) kit.uploader.request(peer, 0, 7 + i * 1000, 1000)
      kit.uploader.pump(peer)
      await kit.run(100)
    }
    expect(peer.uploaded / 1_000_000).toBeGreaterThan(0.97)
    expect(peer.uploaded / 1_000_000).toBeLessThan(1.03)
  })
})

it('has 32 reads under way for one peer at most, however little each of them brings', async () => {
  const kit = new UploadKit()
  const { peer } = kit.peer({ eager: true })
  for (let i = 0; i < 100; i++) kit.uploader.request(peer, i % 50, 7, 1)
  kit.uploader.pump(peer)
  expect(kit.jobs).toHaveLength(32)
  for (let i = 0; i < 100; i++) {
    kit.read()
    await turn()
    expect(kit.jobs.length).toBeLessThanOrEqual(32)
  }
  expect(peer.upload.queue.length + kit.jobs.length).toBe(0)
})

describe('refusals', () => {
  const ask = (kit: UploadKit, peer: Peer, count: number): void => {
    for (let i = 0; i < count; i++) kit.uploader.request(peer, 0, 0, BLOCK)
  }

  it('end a peer that asks 301 times while choked', () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    kit.clock.advance(60_000)
    peer.setChoking(true)
    kit.clock.advance(60_000)
    ask(kit, peer, 300)
    expect(peer.closed).toBe(false)
    ask(kit, peer, 1)
    expect(peer.closed).toBe(true)
  })

  it('do not count against what was on its way when the choke was sent', () => {
    const kit = new UploadKit()
    const { peer } = kit.peer({ eager: true })
    for (let round = 0; round < 3; round++) {
      peer.setChoking(false)
      peer.setChoking(true)
      ask(kit, peer, 400)
      kit.clock.advance(60_000)
    }
    expect(peer.closed).toBe(false)
    ask(kit, peer, 301)
    expect(peer.closed).toBe(true)
  })
})

it('takes nobody for eager that asks for a few blocks at a time, however soon the kernel takes them', () => {
  const upload = new PeerUpload()
  for (let i = 0; i < 1000; i++) upload.took(i, 16_384, 0, 32_768)
  expect(upload.eager).toBe(false)
  for (let i = 0; i < 1000; i++) upload.took(i, 16_384, 0, 524_288)
  expect(upload.eager).toBe(true)
})

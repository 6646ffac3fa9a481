import { describe, expect, it } from 'vitest'
import { Peer, type PeerOwner } from '../../daemon/swarm/peer.js'
import { takeRun, Uploader } from '../../daemon/swarm/upload.js'
import { Limiter } from '../../daemon/base/limiter.js'
import type { DiskFault, Frame, ReadRun } from '../../daemon/ports/disk.js'
import { FakeClock } from '../support/fake-clock.js'
import { fakeLine } from '../support/fake-transport.js'
import { hostAddress } from '../support/raw-peer.js'

const BLOCK = 16_384
const nothing = (): void => undefined
const owner: PeerOwner = {
  piecesKnown: nothing,
  pieceGained: nothing,
  interestChanged: nothing,
  choked: nothing,
  unchoked: nothing,
  requested: nothing,
  cancelled: nothing,
  blockStart: () => null,
  blockEnd: nothing,
  rejected: nothing,
  listensOn: nothing,
  closed: nothing,
}

interface Job {
  readonly run: ReadRun
  readonly done: (frame: Frame | null, fault: DiskFault | null) => void
}

function room(): {
  clock: FakeClock
  peer: Peer
  uploader: Uploader
  jobs: Job[]
  faults: string[]
  sent: number[]
  /** Answers the oldest read; the frame's bytes are as long as a real one's. */
  read: () => { released: boolean }
} {
  const clock = new FakeClock()
  const { out, into } = fakeLine(hostAddress('10.0.0.1'), hostAddress('10.0.0.2'))
  into.start({ data: nothing, closed: nothing })
  const peer = new Peer(
    {
      handle: 1,
      transport: out,
      peerId: Buffer.alloc(20, 1),
      pieceCount: 100,
      fast: true,
      extensions: false,
      source: 'tracker',
      now: 0,
    },
    { owner, now: () => clock.now() },
  )
  const jobs: Job[] = []
  const faults: string[] = []
  const sent: number[] = []
  const uploader = new Uploader({
    storage: {
      read: (run: ReadRun, done: Job['done']) => void jobs.push({ run, done }),
    } as unknown as ConstructorParameters<typeof Uploader>[0]['storage'],
    upLimit: new Limiter({ rate: null }, { clock }),
    has: (piece) => piece < 50,
    pieceSize: () => 32 * BLOCK,
    readFailed: (_, fault) => void faults.push(fault.code),
    uploaded: (_, bytes) => void sent.push(bytes),
  })
  const read = (): { released: boolean } => {
    const job = jobs.shift()
    if (job === undefined) throw new Error('nothing is read')
    const state = { released: false }
    const bytes = Buffer.alloc(job.run.lengths.reduce((sum, length) => sum + length + 13, 0))
    job.done({ bytes, release: () => void (state.released = true) }, null)
    return state
  }
  return { clock, peer, uploader, jobs, faults, sent, read }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('runs', () => {
  it('are the contiguous requests at the head, up to 256 KiB', () => {
    const at = (
      piece: number,
      block: number,
      length = BLOCK,
    ): { piece: number; begin: number; length: number } => ({
      piece,
      begin: block * BLOCK,
      length,
    })
    const queue = [at(1, 0), at(1, 1), at(1, 3), at(2, 4)]
    expect(takeRun(queue)).toEqual([at(1, 0), at(1, 1)])
    expect(takeRun(queue)).toEqual([at(1, 3)])
    expect(takeRun(queue)).toEqual([at(2, 4)])
    expect(takeRun(queue)).toEqual([])
    const long = Array.from({ length: 20 }, (_, block) => at(0, block))
    expect(takeRun(long).length).toBe(16)
  })
})

describe('uploading', () => {
  it('reads for one peer no more than its window holds, and goes on as frames are taken', async () => {
    const { peer, uploader, jobs, sent, read } = room()
    peer.setChoking(false)
    for (let block = 0; block < 128; block++)
      uploader.request(peer, Math.floor(block / 32), (block % 32) * BLOCK, BLOCK)
    // A lone request goes at once; what follows is read in runs while the window has room.
    const waiting = (): number => jobs.reduce((sum, { run }) => sum + run.lengths.length, 0) * BLOCK
    expect(waiting()).toBe(1024 * 1024)
    expect(peer.uploads.length).toBe(64)
    const frame = read()
    await turn()
    expect(frame.released).toBe(true)
    expect(sent.length).toBe(1)
    while (jobs.length > 0) {
      read()
      await turn()
    }
    expect(peer.uploadWindow).toBe(0)
    expect(sent.reduce((a, b) => a + b, 0)).toBe(128 * BLOCK)
  })

  it('releases a frame that comes after the peer has gone, and tells of no fault', () => {
    const { peer, uploader, read, sent } = room()
    peer.setChoking(false)
    uploader.request(peer, 0, 0, BLOCK)
    peer.close('test')
    expect(read().released).toBe(true)
    expect(peer.uploadWindow).toBe(0)
    expect(sent).toEqual([])
  })

  it('tells a failed read and refuses what was asked', () => {
    const { peer, uploader, jobs, faults } = room()
    peer.setChoking(false)
    uploader.request(peer, 0, 0, BLOCK)
    jobs[0]?.done(null, { code: 'EIO', operation: 'read', path: '/x' })
    expect(faults).toEqual(['EIO'])
    expect(peer.uploadWindow).toBe(0)
  })

  it.each([
    ['no byte', 0, 0, 0],
    ['above 128 KiB', 0, 0, 131_073],
    ['past the end', 0, 31 * BLOCK, BLOCK + 1],
    ['a piece not had', 60, 0, BLOCK],
    ['no such piece', 4_000_000_000, 0, BLOCK],
    ['a begin near 2^32', 0, 4_294_967_295, BLOCK],
  ])('refuses %s', (_, piece, begin, length) => {
    const { peer, uploader, jobs } = room()
    peer.setChoking(false)
    uploader.request(peer, piece, begin, length)
    expect(jobs).toEqual([])
    expect(peer.uploads).toEqual([])
  })

  it('takes a waiting request back, and forgets all at a choke', () => {
    const { peer, uploader, jobs } = room()
    peer.setChoking(false)
    for (let block = 0; block < 100; block++)
      uploader.request(peer, Math.floor(block / 32), (block % 32) * BLOCK, BLOCK)
    const before = peer.uploads.length
    uploader.cancel(peer, 3, 3 * BLOCK, BLOCK)
    expect(peer.uploads.length).toBe(before - 1)
    uploader.drop(peer)
    expect(peer.uploads).toEqual([])
    expect(jobs.length).toBeGreaterThan(0)
  })
})

describe('refusals', () => {
  const ask = (uploader: Uploader, peer: Peer, count: number): void => {
    for (let i = 0; i < count; i++) uploader.request(peer, 0, 0, BLOCK)
  }

  it('end a peer that asks 301 times while choked', () => {
    const { peer, uploader } = room()
    ask(uploader, peer, 300)
    expect(peer.closed).toBe(false)
    ask(uploader, peer, 1)
    expect(peer.closed).toBe(true)
  })

  it('do not count against what was on its way when the choke was sent', () => {
    const { clock, peer, uploader } = room()
    for (let round = 0; round < 3; round++) {
      peer.setChoking(false)
      peer.setChoking(true)
      ask(uploader, peer, 400)
      clock.advance(60_000)
    }
    expect(peer.closed).toBe(false)
    ask(uploader, peer, 301)
    expect(peer.closed).toBe(true)
  })
})

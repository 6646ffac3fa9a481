/** An uploader whose reads are answered by the test, and peers on fake lines. */
import { Limiter } from '../../daemon/base/limiter.js'
import type { DiskFault, Frame, ReadRun, Storage } from '../../daemon/ports/disk.js'
import { Peer, type PeerOwner } from '../../daemon/swarm/peer.js'
import { Uploader } from '../../daemon/swarm/upload.js'
import { FakeClock } from './fake-clock.js'
import { fakeLine, type FakeEnd } from './fake-transport.js'
import { hostAddress } from './raw-peer.js'

export const BLOCK = 16_384
const nothing = (): void => undefined
export const owner: PeerOwner = {
  metadata: () => undefined,
  piecesKnown: nothing,
  pieceGained: nothing,
  gained: nothing,
  interestChanged: nothing,
  choked: nothing,
  unchoked: nothing,
  requested: nothing,
  cancelled: nothing,
  blockStart: () => null,
  blockEnd: nothing,
  rejected: nothing,
  introduced: nothing,
  exchanged: nothing,
  dhtPort: nothing,
  parsed: nothing,
  closed: nothing,
  broke: nothing,
}

export interface ReadJob {
  readonly run: ReadRun
  readonly done: (frame: Frame | null, fault: DiskFault | null) => void
}

export class UploadKit {
  readonly clock = new FakeClock()
  /** Reads that were neither answered nor taken back. */
  readonly jobs: ReadJob[] = []
  readonly faults: string[] = []
  /** How often a peer began to take all at once. */
  eager = 0
  /** Payload by peer, in the order it was taken. */
  readonly sent: number[] = []
  /** Frames given and not released. */
  pinned = 0
  short = false
  readonly limiter: Limiter
  readonly uploader: Uploader
  private handles = 0

  /** `read` answers in place of the test. Pieces have 32 blocks and the last of the 50 that are had is 100 bytes shorter. */
  constructor(init: { readonly rate?: number; readonly read?: Storage['read'] } = {}) {
    this.limiter = new Limiter({ rate: init.rate ?? null }, { clock: this.clock })
    const storage = {
      read: (run: ReadRun, done: ReadJob['done']) => {
        if (init.read !== undefined) return init.read(run, done)
        const job = { run, done }
        this.jobs.push(job)
        return () => void this.jobs.splice(this.jobs.indexOf(job), 1)
      },
    }
    Object.defineProperty(storage, 'short', { get: () => this.short })
    this.uploader = new Uploader({
      storage: storage as unknown as Storage,
      upLimit: this.limiter,
      now: () => this.clock.now(),
      has: (piece) => piece < 50,
      pieceSize: (piece) => 32 * BLOCK - (piece === 49 ? 100 : 0),
      readFailed: (_, fault) => void this.faults.push(fault.code),
      eager: () => void (this.eager += 1),
      uploaded: (peer, bytes) => {
        peer.uploaded += bytes
        this.sent.push(bytes)
      },
    })
  }

  /** A peer that is unchoked; `rate`: bytes a second that its line carries; `deaf`: what comes is not kept; `eager`: it has
   * taken all at once so far. */
  peer(
    init: {
      readonly rate?: number
      readonly window?: number
      readonly fast?: boolean
      readonly deaf?: boolean
      readonly eager?: boolean
    } = {},
  ): {
    peer: Peer
    far: FakeEnd
    got: () => Buffer
  } {
    const here = hostAddress('10.0.0.1')
    const line = init.window === undefined ? {} : { window: init.window }
    const { out, into } = fakeLine(here, hostAddress('10.0.0.2'), line)
    if (init.rate !== undefined) out.limit(init.rate, this.clock)
    const chunks: Buffer[] = []
    const data = init.deaf === true ? nothing : (view: Buffer): void => void chunks.push(Buffer.from(view))
    into.start({ data, closed: nothing })
    const peer = new Peer(
      {
        handle: (this.handles += 1),
        transport: out,
        peerId: Buffer.alloc(20, 1),
        pieceCount: 100,
        fast: init.fast ?? true,
        extensions: false,
        source: 'tracker',
        now: this.clock.now(),
      },
      { owner, now: () => this.clock.now() },
    )
    peer.setChoking(false)
    if (init.eager === true) this.warm(peer)
    return { peer, far: into, got: () => Buffer.concat(chunks) }
  }

  private warm(peer: Peer): void {
    peer.upload.took(this.clock.now(), 2 * 1024 * 1024, 0, 2 * 1024 * 1024)
    // It rests until nothing is left of its rate.
    this.clock.advance(3000)
  }

  /** Asks for blocks counted through all pieces, as one batch. */
  ask(peer: Peer, first: number, count: number): void {
    for (let block = first; block < first + count; block++) {
      this.uploader.request(peer, Math.floor(block / 32), (block % 32) * BLOCK, BLOCK)
    }
    this.uploader.pump(peer)
  }

  /** Answers the oldest read; each block of the frame is filled with its number in the piece. */
  read(): void {
    const job = this.jobs.shift()
    if (job === undefined) throw new Error('nothing is read')
    const parts = job.run.lengths.map((length, index) => {
      const part = Buffer.alloc(13 + length, job.run.offset / BLOCK + index)
      part.writeUInt32BE(9 + length, 0)
      part[4] = 7
      return part
    })
    this.pinned += 1
    job.done({ bytes: Buffer.concat(parts), release: () => void (this.pinned -= 1) }, null)
  }

  /** Answers reads until nothing is asked any more and nothing moves. */
  async flow(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      for (; this.jobs.length > 0; quiet = 0) this.read()
      await turn()
    }
  }

  /** Moves the clock in small steps; reads are answered at once. */
  async run(millis: number): Promise<void> {
    for (let left = millis; left > 0; left -= 10) {
      this.clock.advance(Math.min(10, left))
      await this.flow()
    }
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

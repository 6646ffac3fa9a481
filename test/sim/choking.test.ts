/** Whom a download gives to, through real torrents on a virtual clock. */
import { expect, it } from 'vitest'
import * as raw from '../support/raw-peer.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

/** A peer that wants pieces, gives at a rate, and notes when it was unchoked. */
class Trader {
  readonly since: number
  /** Milliseconds unchoked so far, the stretch under way left out. */
  private sum = 0
  private from: number | null = null
  /** First unchoke, after it came. */
  first: number | null = null

  constructor(
    private readonly swarm: Swarm,
    readonly peer: raw.RawPeer,
    gives: boolean,
  ) {
    this.since = swarm.clock.now()
    peer.on(({ id, payload }) => {
      const now = swarm.clock.now()
      if (id === 1) {
        this.from = now
        this.first ??= now - this.since
      }
      if (id === 0 && this.from !== null) {
        this.sum += now - this.from
        this.from = null
      }
      if (id !== 6 || !gives) return
      const asked = {
        piece: payload.readUInt32BE(0),
        begin: payload.readUInt32BE(4),
        length: payload.readUInt32BE(8),
      }
      peer.send(peer.block(asked))
    })
    // All but the first piece: one that has everything wants nothing.
    const bits = Buffer.alloc(12, 0xff)
    bits[0] = 0x7f
    bits[11] = 0xf0
    peer.send(raw.bitfield(bits), raw.INTERESTED, ...(gives ? [raw.UNCHOKE] : []))
  }

  get unchoked(): boolean {
    return this.from !== null
  }
  /** Part of the time since it came. */
  get share(): number {
    const now = this.swarm.clock.now()
    return (this.sum + (this.from === null ? 0 : now - this.from)) / (now - this.since)
  }
}

it.each([1, 2, 3, 4, 5])(
  'seed %d: the two best givers within two rounds, a free rider by lot alone, a newcomer within 90 s',
  async (seed) => {
    const swarm = new Swarm({ step: 500, seed })
    const source = makeSource({ files: 24_000_000, pieceLength: 262_144 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const trader = (host: string, rate: number): Trader => {
      if (rate > 0) swarm.network.limit(host, rate, swarm.clock)
      return new Trader(swarm, raw.rawPeer(swarm, node, source, host), rate > 0)
    }
    // Twelve that give a little, and one that gives nothing, were there first: every slot is taken.
    const crowd = Array.from({ length: 12 }, (_, i) => trader(`10.1.0.${String(i + 1)}`, 2000))
    const rider = trader('10.1.1.1', 0)
    await swarm.run(30_000)
    expect([...crowd, rider].filter((each) => each.unchoked).length).toBe(8)
    const best = [trader('10.1.2.1', 12_000), trader('10.1.2.2', 9000)]
    await swarm.run(20_000)
    expect(best.map((each) => each.unchoked)).toEqual([true, true])
    const newcomers: Trader[] = []
    for (let i = 1; i <= 4; i++) {
      newcomers.push(trader(`10.1.3.${String(i)}`, 0))
      await swarm.run(100_000)
    }
    for (const { first } of newcomers) {
      expect(first).not.toBeNull()
      expect(first).toBeLessThanOrEqual(90_000)
    }
    expect(best.every((each) => each.share > 0.95)).toBe(true)
    expect(rider.share).toBeGreaterThan(0)
    expect(rider.share).toBeLessThanOrEqual(0.25)
  },
)

it('gives the slot of a peer that wants nothing any more to one that waits, at once', async () => {
  const swarm = new Swarm({ step: 500 })
  const source = makeSource({ files: 24_000_000, pieceLength: 262_144 })
  const node = swarm.node()
  await node.add(source)
  await swarm.settle()
  const peers = Array.from({ length: 9 }, (_, i) =>
    raw.rawPeer(swarm, node, source, `10.1.0.${String(i + 1)}`),
  )
  const traders = peers.map((peer) => new Trader(swarm, peer, false))
  await swarm.run(100)
  expect(traders.map((each) => each.unchoked)).toEqual([...Array<boolean>(8).fill(true), false])
  peers[3]?.send(raw.NOT_INTERESTED)
  await swarm.run(100)
  expect(traders[8]?.unchoked).toBe(true)
})

/** The port for peers: taken, and free again. */
import net from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PeerPort } from '../../daemon/io/listen.js'
import { FakeClock } from '../support/fake-clock.js'

const MINUTE = 60_000
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

async function squatter(): Promise<{ port: number; free: () => Promise<void> }> {
  const server = net.createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  ends.push(() => server.close())
  const { port } = server.address() as net.AddressInfo
  return {
    port,
    free: () =>
      new Promise((done) =>
        server.close(() => {
          done()
        }),
      ),
  }
}

function portAt(port: number): { clock: FakeClock; peers: PeerPort; moved: () => number } {
  const clock = new FakeClock()
  let moves = 0
  const ports = {
    clock,
    full: () => false,
    accept: () => undefined,
    moved: () => {
      moves++
    },
  }
  const peers = new PeerPort({ host: '127.0.0.1', port }, ports)
  ends.push(() => {
    peers.close()
  })
  return { clock, peers, moved: () => moves }
}

describe('a port that is taken', () => {
  it('is asked for again every five minutes, and taken when it is free', async () => {
    const { port, free } = await squatter()
    const { clock, peers, moved } = portAt(port)
    await peers.open()
    expect(peers.port).toBeGreaterThan(port)
    expect(peers.error).toMatch(/^Port \d+ is taken; this run listens on \d+ until it is free\.$/)
    expect(clock.untilNext).toBe(5 * MINUTE)
    clock.advance(5 * MINUTE)
    await vi.waitFor(() => {
      expect(clock.pending).toBe(1)
    })
    expect([peers.port > port, moved()]).toEqual([true, 0])
    await free()
    clock.advance(5 * MINUTE)
    await vi.waitFor(() => {
      expect(peers.port).toBe(port)
    })
    expect([peers.error, moved(), clock.pending]).toEqual([null, 1, 0])
  })

  it('is taken at once when the network changes', async () => {
    const { port, free } = await squatter()
    const { peers, moved } = portAt(port)
    await peers.open()
    await free()
    await peers.again()
    expect([peers.port, peers.error, moved()]).toEqual([port, null, 1])
    await peers.again()
    expect(moved()).toBe(1)
  })

  it('costs no timer where we have it, and none after the end', async () => {
    const { port, free } = await squatter()
    await free()
    const { clock, peers } = portAt(port)
    await peers.open()
    expect([peers.port, clock.pending]).toEqual([port, 0])
    const other = portAt(port)
    await other.peers.open()
    expect(other.clock.pending).toBe(1)
    other.peers.close()
    expect(other.clock.pending).toBe(0)
  })
})

it('an address that is not ours is said, and tried again', async () => {
  const clock = new FakeClock()
  const ports = { clock, full: () => false, accept: () => undefined, moved: () => undefined }
  const peers = new PeerPort({ host: '192.0.2.1', port: 20_000 }, ports)
  await peers.open()
  expect(peers.port).toBe(0)
  expect(peers.error).toBe(
    'Peers cannot reach us: no port at 20000 could be opened (EADDRNOTAVAIL); it is tried again every few minutes.',
  )
  expect(clock.untilNext).toBe(5 * MINUTE)
  peers.close()
})

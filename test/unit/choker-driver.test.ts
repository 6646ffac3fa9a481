import { expect, it } from 'vitest'
import { ChokerDriver } from '../../daemon/swarm/choker-driver.js'
import { Peer } from '../../daemon/swarm/peer.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { fakeLine } from '../support/fake-transport.js'
import { hostAddress } from '../support/raw-peer.js'
import { owner } from '../support/upload-kit.js'

it('fills the free slots, and looks at each peer a few times only where there is none', () => {
  const clock = new FakeClock()
  let looks = 0
  const peers = Array.from({ length: 300 }, (_, n) => {
    const { out } = fakeLine(hostAddress('10.0.0.1'), hostAddress('10.0.0.2'))
    const init = { handle: n + 1, transport: out, peerId: Buffer.alloc(20), pieceCount: 10 }
    const peer = new Peer(
      { ...init, fast: true, extensions: false, source: 'incoming', now: 0 },
      { owner, now: () => clock.now() },
    )
    Object.defineProperty(peer, 'peerInterested', {
      get: () => {
        looks++
        return true
      },
    })
    return peer
  })
  const driver = new ChokerDriver(
    { pieceLength: 65_536 },
    {
      clock,
      random: new FakeRandom(),
      seeding: () => true,
      uploadRate: () => 0,
      dropRequests: () => undefined,
    },
  )
  driver.fillSlots(peers)
  expect(peers.filter((peer) => !peer.amChoking)).toHaveLength(8)
  looks = 0
  driver.fillSlots(peers)
  expect(looks).toBeLessThan(5 * peers.length)
  expect(peers.filter((peer) => !peer.amChoking)).toHaveLength(8)
})

import { expect, it } from 'vitest'
import { ChokerDriver } from '../../daemon/swarm/choker-driver.js'
import { Peer } from '../../daemon/swarm/peer.js'
import { UnchokeShare } from '../../daemon/swarm/unchoke-share.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { fakeLine } from '../support/fake-transport.js'
import { hostAddress } from '../support/raw-peer.js'
import { owner } from '../support/upload-kit.js'

/** So many peers that want what we have; `looked` is told of each question whether one does. */
function crowd(count: number, looked: () => void): { driver: ChokerDriver; peers: Peer[] } {
  const clock = new FakeClock()
  const peers = Array.from({ length: count }, (_, n) => {
    const { out } = fakeLine(hostAddress('10.0.0.1'), hostAddress('10.0.0.2'))
    const init = { handle: n + 1, transport: out, peerId: Buffer.alloc(20), pieceCount: 10 }
    const peer = new Peer(
      { ...init, fast: true, extensions: false, source: 'incoming', now: 0 },
      { owner, now: () => clock.now() },
    )
    Object.defineProperty(peer, 'peerInterested', {
      get: () => {
        looked()
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
      limited: () => false,
      uploadRate: () => 0,
      seat: new UnchokeShare({ limit: () => null }).join(),
      dropRequests: () => undefined,
    },
  )
  return { driver, peers }
}

it('fills the free slots, and looks at each peer a few times only where there is none', () => {
  let looks = 0
  const { driver, peers } = crowd(300, () => looks++)
  driver.fillSlots(peers)
  expect(peers.filter((peer) => !peer.amChoking)).toHaveLength(8)
  looks = 0
  driver.fillSlots(peers)
  expect(looks).toBeLessThan(5 * peers.length)
  expect(peers.filter((peer) => !peer.amChoking)).toHaveLength(8)
})

it('unchokes more as those who are unchoked take all they get, up to 200', () => {
  const { driver, peers } = crowd(300, () => undefined)
  const unchoked = (): Peer[] => peers.filter((peer) => !peer.amChoking)
  driver.fillSlots(peers)
  const counts: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    counts.push(unchoked().length)
    for (const { upload } of unchoked()) upload.took(0, 1024 * 1024, 0, 1024 * 1024)
    driver.fillSlots(peers)
  }
  expect(counts).toEqual([8, 24, 56, 120, 200, 200])
})

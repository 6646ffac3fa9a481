import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Blame } from '../../daemon/swarm/blame.js'
import type { Peer } from '../../daemon/swarm/peer.js'
import { DownloadKit } from '../support/download-kit.js'

const digest = (text: string): Buffer => createHash('sha1').update(text).digest()
const row = (...texts: string[]): Buffer => Buffer.concat(texts.map(digest))

function scene(): { blame: Blame; banned: Peer[]; peers: Peer[] } {
  const banned: Peer[] = []
  const kit = new DownloadKit({ total: 1, pieceLength: 16_384 })
  const peers = [1, 2, 3, 4].map(() => kit.join({ rate: 0 }).peer)
  return { blame: new Blame({ ban: (peer) => banned.push(peer) }), banned, peers }
}

describe('Blame', () => {
  it('bans who sent a whole bad piece at once', () => {
    const { blame, banned, peers } = scene()
    const [a] = peers
    if (a === undefined) throw new Error()
    blame.bad(3, [a, a, a], null)
    expect(banned).toEqual([a])
    expect(blame.mayTake(3, peers[1] as Peer)).toBe(true)
    expect(blame.mayTake(3, peers[2] as Peer)).toBe(true)
  })

  it('bans whoever sent a block that differs from the right one, of all bad tries, once', () => {
    const { blame, banned, peers } = scene()
    const [a, b, c, d] = peers as [Peer, Peer, Peer, Peer]
    blame.bad(3, [a, b, b], row('1', 'x', '3'))
    blame.bad(3, [c, b, d], row('1', 'x', 'y'))
    blame.bad(4, [c, a, a], row('z', '2', '3'))
    expect(banned).toEqual([])
    blame.good(3, row('1', '2', '3'))
    expect(banned).toEqual([b, d])
    blame.good(3, row('1', '2', '3'))
    expect(banned).toEqual([b, d])
  })

  it('bans nobody where a sender is gone, or nothing is known of the blocks', () => {
    const { blame, banned, peers } = scene()
    const [a, b] = peers as [Peer, Peer]
    blame.bad(1, [null, a], row('x', '2'))
    blame.good(1, row('1', '2'))
    blame.bad(2, [a, b], null)
    blame.good(2, row('1', '2'))
    blame.bad(3, [a, b], row('x', '2'))
    blame.good(3, null)
    expect(banned).toEqual([])
  })

  it('leaves the next try to one peer alone, and to another when that one gives nothing', () => {
    const { blame, peers } = scene()
    const [a, b, c] = peers as [Peer, Peer, Peer]
    blame.bad(1, [a, b], row('x', 'y'))
    expect(blame.mayTake(2, c)).toBe(true)
    expect(blame.mayTake(1, c)).toBe(true)
    expect(blame.mayTake(1, a)).toBe(false)
    expect(blame.standBack(a)).toEqual([])
    expect(blame.standBack(c)).toEqual([1])
    expect(blame.mayTake(1, a)).toBe(true)
    expect(blame.mayTake(1, c)).toBe(false)
    blame.good(1, null)
    expect(blame.mayTake(1, c)).toBe(true)
  })

  it('remembers a bounded number of pieces and tries', () => {
    const { blame, banned, peers } = scene()
    const [a, b, c] = peers as [Peer, Peer, Peer]
    blame.bad(0, [a, b], row('x', '2'))
    for (let piece = 1; piece <= 64; piece++) blame.bad(piece, [c, b], row('x', '2'))
    blame.good(0, row('1', '2'))
    expect(banned).toEqual([])
    blame.good(64, row('1', '2'))
    expect(banned).toEqual([c])
  })
})

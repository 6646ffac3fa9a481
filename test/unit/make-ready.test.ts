import { describe, expect, it } from 'vitest'
import { DownloadKit } from '../support/download-kit.js'

const PIECE = 262_144

describe('the files of a piece', () => {
  it('are made while its first blocks are on their way', () => {
    const kit = new DownloadKit({ total: 2 * PIECE, pieceLength: PIECE })
    kit.join({ rate: 1e6 })
    expect(kit.received).toBe(0)
    expect(kit.readied).not.toEqual([])
    kit.clock.advance(5000)
    expect([...kit.readied].sort()).toEqual([0, 1])
    expect(kit.complete).toBe(true)
  })

  it('are not made before their marks are committed', () => {
    const kit = new DownloadKit({ total: 2 * PIECE, pieceLength: PIECE })
    kit.marked = false
    kit.join({ rate: 1e6 })
    kit.clock.advance(5000)
    expect(kit.received).toBeGreaterThan(0)
    expect(kit.readied).toEqual([])
    expect(kit.done).toEqual([])
    kit.marked = true
    kit.downloader.writable()
    expect([...kit.readied].sort()).toEqual([0, 1])
    kit.clock.advance(5000)
    expect(kit.complete).toBe(true)
  })
})

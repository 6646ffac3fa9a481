import { describe, expect, it } from 'vitest'
import { RpcError } from '../../shared/rpc/errors.js'
import { resolveRef } from '../../shared/rpc/refs.js'
import type { TorrentId } from '../../shared/units.js'

const known = [
  { id: 1 as TorrentId, infoHash: `1234ab${'0'.repeat(34)}`, infoHashV2: null },
  { id: 2 as TorrentId, infoHash: `12ff${'0'.repeat(36)}`, infoHashV2: `ee${'1'.repeat(62)}` },
]

function of(ref: number | string): number | string {
  try {
    return resolveRef(ref, known).id
  } catch (error) {
    return error instanceof RpcError ? error.errorName : String(error)
  }
}

describe('a word for a torrent', () => {
  it.each([
    [1, 1],
    [2, 2],
    ['1234ab', 1],
    ['123', 1],
    ['12F', 2],
    ['e', 2],
    [`ee${'1'.repeat(62)}`, 2],
    ['12', 'ambiguous'],
    ['', 'noSuchTorrent'],
    ['xyz', 'noSuchTorrent'],
    ['f', 'noSuchTorrent'],
  ])('%j is %j', (ref, answer) => {
    expect(of(ref)).toBe(answer)
  })

  it('takes a number for the beginning of a hash only where no torrent has it, and it is long', () => {
    expect(of(1234)).toBe(1)
    expect(of(12)).toBe('noSuchTorrent')
  })
})

/** Torrents to put into a store. */
import type { NewTorrent } from '../../daemon/ports/store.js'
import type { InfoHashV1 } from '../../shared/units.js'

/** A torrent whose hash and bytes follow from `n`; no real metainfo. */
export function newTorrent(n: number, change: Partial<NewTorrent> = {}): NewTorrent {
  const info = Buffer.from(`d4:name${String(n).length}:${n}e`)
  const head = Buffer.from('d8:announce3:x:/4:info')
  return {
    hashes: { v1: n.toString(16).padStart(40, '0') as InfoHashV1 },
    name: `torrent ${n}`,
    dir: '/data',
    volume: '2049',
    private: false,
    pieceLength: 262_144,
    pieceCount: 100,
    total: 26_214_400,
    wanted: 26_214_400,
    desired: 'running',
    addedAt: 1_700_000_000_000,
    info,
    infoStart: head.length,
    torrent: Buffer.concat([head, info, Buffer.from('e')]),
    trackers: [],
    wishes: [],
    ...change,
  }
}

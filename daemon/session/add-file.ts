/** From the bytes of a .torrent to the row of a torrent. */
import type { FileIndex, Millis } from '../../shared/units.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { type Metainfo, MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import type { NewTorrent, TrackerRow } from '../ports/store.js'
import { wantedBytes } from './choice.js'

/** Throws badTorrent, in a sentence, for what cannot be downloaded. */
export function readMetainfo(bytes: Uint8Array): Metainfo {
  try {
    const meta = parseMetainfo(bytes)
    if (meta.kind !== 'v2') return meta
  } catch (error) {
    if (error instanceof MetainfoError) throw rpcError('badTorrent', error.message)
    throw error
  }
  throw rpcError(
    'badTorrent',
    'This torrent is v2-only (BEP 52), which Torrentino can show with inspect but cannot download yet.',
  )
}

/** As it is recorded. */
export function fileRow(
  bytes: Uint8Array,
  meta: Metainfo,
  init: {
    readonly dir: string
    readonly volume: string
    /** Beside those of the file. */
    readonly trackers: readonly string[]
    readonly paused: boolean
    readonly unwanted: ReadonlySet<FileIndex>
    readonly addedAt: Millis
  },
): NewTorrent {
  const { dir, volume, unwanted, addedAt } = init
  return {
    hashes: meta.hashes,
    name: meta.name,
    dir,
    volume,
    private: meta.private,
    pieceLength: meta.pieceLength,
    pieceCount: meta.pieceCount,
    total: meta.contentSize,
    wanted: wantedBytes(meta, unwanted),
    desired: init.paused ? 'paused' : 'running',
    addedAt,
    info: bytes.subarray(meta.infoStart, meta.infoEnd),
    infoStart: meta.infoStart,
    torrent: bytes,
    trackers: trackerRows(meta, init.trackers),
    wishes: [...unwanted].map((file) => ({ file, priority: 0 })),
  }
}

function trackerRows(meta: Metainfo, extra: readonly string[]): TrackerRow[] {
  const rows: TrackerRow[] = []
  const seen = new Set<string>()
  const push = (tier: number, url: string, source: TrackerRow['source']): void => {
    if (seen.has(url)) return
    seen.add(url)
    rows.push({ tier, url, source })
  }
  meta.trackers.forEach((urls, tier) => {
    for (const url of urls) push(tier, url, 'metainfo')
  })
  extra.forEach((url, index) => {
    push(meta.trackers.length + index, url, 'user')
  })
  return rows
}

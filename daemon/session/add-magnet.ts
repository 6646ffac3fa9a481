/** From a magnet link to the row of a torrent, and from fetched metadata to the .torrent that they stand for. */
import type { Millis } from '../../shared/units.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { isMagnet, type Magnet, MagnetError, parseMagnet } from '../../shared/torrent/magnet.js'
import { torrentFile } from '../../shared/torrent/torrent-file.js'
import type { NewTorrent, TrackerRow } from '../ports/store.js'

/** Throws badTorrent, in a sentence, for what names nothing that can be downloaded. */
export function readMagnet(text: string): Magnet {
  try {
    const magnet = parseMagnet(text)
    if (magnet.hashes.v1 !== undefined) return magnet
  } catch (error) {
    if (error instanceof MagnetError) throw rpcError('badTorrent', error.message)
    throw error
  }
  throw rpcError('badTorrent', 'This magnet link is v2-only (BEP 52), which Torrentino cannot download yet.')
}

/** As it is recorded until the metadata are there: without pieces, its link in the place of the .torrent. */
export function magnetRow(
  text: string,
  magnet: Magnet,
  init: {
    readonly dir: string
    readonly volume: string
    /** Beside those of the link. */
    readonly trackers: readonly string[]
    readonly paused: boolean
    readonly addedAt: Millis
  },
): NewTorrent {
  const trackers = [...magnet.trackers, ...init.trackers].map((url, tier): TrackerRow => ({
    tier,
    url,
    source: tier < magnet.trackers.length ? 'metainfo' : 'user',
  }))
  return {
    hashes: magnet.hashes,
    name: magnet.name === '' ? (magnet.hashes.v1 ?? '') : magnet.name,
    dir: init.dir,
    volume: init.volume,
    private: false,
    pieceLength: 0,
    pieceCount: 0,
    total: 0,
    wanted: 0,
    desired: init.paused ? 'paused' : 'running',
    addedAt: init.addedAt,
    info: new Uint8Array(),
    infoStart: 0,
    torrent: Buffer.from(text),
    trackers,
    wishes: [],
  }
}

/** The link that was recorded in the place of a .torrent; null where it cannot be read back. */
export function linkIn(recorded: Uint8Array): Magnet | null {
  const text = Buffer.from(recorded).toString()
  return isMagnet(text) ? parseMagnet(text) : null
}

/** A .torrent with this info dictionary, the trackers as they are now, and the web seeds of the link. */
export function fileAround(
  info: Uint8Array,
  trackers: readonly TrackerRow[],
  link: Magnet | null,
): Uint8Array {
  const tiers = new Map<number, string[]>()
  for (const { tier, url } of trackers) tiers.set(tier, [...(tiers.get(tier) ?? []), url])
  return torrentFile(info, { trackers: [...tiers.values()], webSeeds: link?.webSeeds ?? [] })
}

/** What an add does to a torrent that is there already: a magnet link gets its files, and any torrent its trackers. */
import type { FileIndex } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Result } from '../../shared/rpc/contract.js'
import type { Magnet } from '../../shared/torrent/magnet.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Store, TorrentRow, TrackerRow } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import { readMetainfo } from './add-file.js'
import { fileAround, linkIn } from './add-magnet.js'
import { freeBytesOf, lookAtPlace, type Looked } from './add-place.js'
import { unwantedOf, wantedBytes } from './choice.js'
import type { Recordings } from './recordings.js'
import type { Session } from './session.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'

export interface KnownAdderPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly store: Store
  readonly session: Session
  readonly recordings: Recordings
}

export class KnownAdder {
  readonly #ports: KnownAdderPorts

  constructor(ports: KnownAdderPorts) {
    this.#ports = ports
  }

  /** The folder of a torrent that is only a magnet link so far. Throws badSelection. */
  async look(torrent: Torrent, meta: Metainfo, select: readonly FileIndex[] | undefined): Promise<Looked> {
    const unwanted = unwantedOf(meta, await this.#linkOf(torrent), select)
    return lookAtPlace(torrent.dir, { meta, unwanted }, this.#ports)
  }

  /** What the info dictionary of a torrent says. */
  metaOf(torrent: Torrent, info: Uint8Array): Metainfo {
    return readMetainfo(fileAround(info, torrent.record.trackers, null))
  }

  /**
   * A torrent that was only a magnet link gets its files. Throws what an added .torrent would be refused with. Where
   * its folder is another one than was looked at, that has to answer now.
   */
  async complete(
    torrent: Torrent,
    info: Uint8Array,
    before: Looked | null,
    select: readonly FileIndex[] | undefined,
  ): Promise<{ readonly row: TorrentRow; readonly meta: Metainfo }> {
    const { store, recordings } = this.#ports
    const link = await this.#linkOf(torrent)
    const row = torrent.record
    const file = fileAround(info, row.trackers, link)
    const meta = readMetainfo(file)
    await recordings.touched({ dir: row.dir, root: rootOf(meta), keys: swarmKeys(meta.hashes) })
    const unwanted = unwantedOf(meta, link, select)
    await refuseSharedPaths({ dir: row.dir, meta, self: torrent.id }, this.#ports)
    const looked =
      before?.dir === row.dir ? before : await lookAtPlace(row.dir, { meta, unwanted }, this.#ports)
    looked.space()
    const known = {
      name: meta.name,
      private: meta.private,
      pieceLength: meta.pieceLength,
      pieceCount: meta.pieceCount,
      total: meta.contentSize,
      wanted: wantedBytes(meta, unwanted),
    }
    await store.setMetainfo(torrent.id, {
      ...known,
      info: file.subarray(meta.infoStart, meta.infoEnd),
      infoStart: meta.infoStart,
      torrent: file,
      wishes: [...unwanted].map((index) => ({ file: index, priority: 0 })),
    })
    return { row: { ...row, ...known }, meta }
  }

  /** A known torrent only gains trackers. What is answered asks the disk, and nobody's turn waits for that. */
  async merge(torrent: Torrent, urls: readonly string[]): Promise<() => Promise<Result<'torrent.add'>>> {
    // A private torrent is announced to its own trackers and to no others (BEP 27).
    const offered = torrent.private ? [] : [...new Set(urls)].filter((url) => !torrent.announcesTo(url))
    const next = 1 + Math.max(-1, ...torrent.record.trackers.map(({ tier }) => tier))
    const added = offered.map((url, at): TrackerRow => ({ tier: next + at, url, source: 'user' }))
    if (added.length > 0) {
      await this.#ports.store.changeTrackers(torrent.id, added, [])
      torrent.changeTrackers(added, [])
      torrent.announceAgain()
    }
    return () => this.#answer(torrent, added.length)
  }

  async #answer(torrent: Torrent, addedTrackers: number): Promise<Result<'torrent.add'>> {
    const { id, hashes } = torrent
    const { name, dir, totalBytes, wantedBytes: wanted } = torrent.view()
    return {
      id,
      infoHash: hashes.v1 ?? null,
      infoHashV2: hashes.v2 ?? null,
      name,
      duplicate: true,
      fromTrash: false,
      dir,
      freeBytes: await freeBytesOf(dir, this.#ports),
      totalBytes,
      wantedBytes: wanted,
      addedTrackers,
    }
  }

  /** Null where it cannot be read back. */
  async #linkOf(torrent: Torrent): Promise<Magnet | null> {
    const { torrent: bytes } = await this.#ports.store.metainfo(torrent.id)
    return linkIn(bytes)
  }
}

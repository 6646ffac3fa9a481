/** The parts of a torrent that exist only while its data are in use, and how they hang together. */
import type { Bytes, Millis, PieceIndex, SwarmKey } from '../../shared/units.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import type { PeerAddress } from '../base/address.js'
import type { Limiter } from '../base/limiter.js'
import type { Log } from '../base/log.js'
import { RateMeter } from '../base/rate.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk, DiskFault, Storage } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store, TorrentLimits, TorrentRow } from '../ports/store.js'
import type { Candidates } from './candidates.js'
import { MetadataServer } from './metadata-server.js'
import { ChokerDriver } from './choker-driver.js'
import type { ConnectionBudget } from './connection-budget.js'
import { Connections } from './connections.js'
import { Content } from './content.js'
import type { DhtGate } from './dht-port.js'
import { Downloader } from './download.js'
import type { Peer } from './peer.js'
import { Recorder } from './recorder.js'
import type { SlotShare } from './slot-share.js'
import type { UnchokeSeat, UnchokeShare } from './unchoke-share.js'
import { Uploader } from './upload.js'

/** The disk itself is failing then. */
const MOST_UNREADABLE = 3

export interface LiveInit {
  readonly row: TorrentRow
  readonly key: SwarmKey
  readonly peerId: Uint8Array
  readonly version: string
  readonly maxPeers: number
  readonly meta: Metainfo
  /** What `Store.have` gave. */
  readonly have: Awaited<ReturnType<Store['have']>>
}

/** What the parts tell the torrent. */
export interface LiveListener {
  /** Something that is shown changed. */
  changed(): void
  recorded(): void
  downloaded(bytes: Bytes): void
  uploaded(bytes: Bytes): void
  wasted(bytes: Bytes): void
  /** The disk refused: the torrent cannot go on. */
  diskFault(fault: DiskFault): void
  /** A recorded piece could not be read, and is had no more. */
  pieceLost(): void
  /** The store fails with this code, or works again. */
  storeTrouble(code: string | null): void
  /** Nobody is connected any more. */
  empty(): void
  dial(address: PeerAddress): Cancel
  /** A fault of our own ended one connection. */
  peerBroke(): void
  /** A fault of our own that went further than one connection. */
  broke(error: unknown): void
}

export interface LivePorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
  readonly slots: SlotShare
  /** Its own. */
  readonly downLimit: Limiter
  readonly upLimit: Limiter
  readonly unchokes: UnchokeShare
  readonly store: Store
  readonly candidates: Candidates
  readonly budget: ConnectionBudget
  readonly listenPort: () => number
  readonly dht: DhtGate | null
  readonly pex: (() => boolean) | null
  readonly listener: LiveListener
}

export class Live {
  readonly meta: Metainfo
  readonly content: Content
  readonly storage: Storage
  readonly recorder: Recorder
  readonly downloader: Downloader
  readonly uploader: Uploader
  readonly connections: Connections
  /** Payload of the whole torrent, over 5 s: what a person watches. */
  readonly down = new RateMeter({ window: 5000 })
  readonly up = new RateMeter({ window: 5000 })
  readonly #ports: LivePorts
  /** Pieces that could not be read since the data were loaded. */
  #unreadable = 0
  /** Its part of the daemon's upload slots. */
  readonly #seat: UnchokeSeat

  constructor(init: LiveInit, ports: LivePorts) {
    this.#ports = ports
    const { clock, random, listener } = ports
    this.meta = init.meta
    const { files, pieceLength, digests, pieceCount } = this.meta
    const layout = new Layout(files, pieceLength)
    this.content = new Content({
      layout,
      files,
      recorded: (init.have.bits && Bitfield.fromWire(init.have.bits, pieceCount)) ?? new Bitfield(pieceCount),
      facts: init.have.files,
      wishes: init.have.wishes,
      order: init.row.order,
    })
    this.storage = ports.disk.open(
      { torrent: init.row.id, dir: init.row.dir, files, pieceLength, digests },
      {
        pieceGood: (piece, digests) => {
          this.downloader.pieceGood(piece, digests)
        },
        pieceBad: (piece, digests) => {
          this.downloader.pieceBad(piece, digests)
        },
        writeFailed: (piece, fault) => {
          this.downloader.writeFailed(piece)
          listener.diskFault(fault)
        },
      },
    )
    this.recorder = this.#makeRecorder(init)
    this.downloader = this.#makeDownloader()
    this.uploader = this.#makeUploader()
    this.#seat = ports.unchokes.join()
    const choker = new ChokerDriver(
      { pieceLength },
      {
        clock,
        random,
        seeding: () => this.content.complete,
        uploadRate: () => this.up.rate(clock.now()),
        limited: () => ports.upLimit.rate !== null,
        seat: this.#seat,
        dropRequests: (peer) => {
          this.uploader.drop(peer)
        },
      },
    )
    this.connections = new Connections(
      {
        torrent: init.row.id,
        key: init.key,
        peerId: init.peerId,
        version: init.version,
        maxPeers: init.maxPeers,
        metadataSize: this.meta.infoEnd - this.meta.infoStart,
      },
      {
        clock,
        log: ports.log,
        content: this.content,
        candidates: ports.candidates,
        downloader: this.downloader,
        uploader: this.uploader,
        choker,
        metadata: this.#makeMetadataServer(init),
        budget: ports.budget,
        received: (peer, bytes, kept) => {
          this.#received(peer, bytes, kept)
        },
        dial: (address) => listener.dial(address),
        listenPort: ports.listenPort,
        dht: ports.dht,
        pex: ports.pex,
        changed: () => {
          listener.changed()
        },
        empty: () => {
          listener.empty()
        },
        peerBroke: () => {
          listener.peerBroke()
        },
        broke: (error) => {
          listener.broke(error)
        },
      },
    )
  }

  /** Ends connections, commits what is verified, closes files; then calls `done`. */
  close(reason: string, done: () => void): void {
    this.connections.close(reason)
    this.#seat.leave()
    this.downloader.close()
    this.recorder.close(() => {
      this.storage.close().then(done, done)
    })
  }

  /** A bad spot of the disk costs its piece, many of them the torrent's run; a changed file is believed no more. */
  #readFailed(piece: PieceIndex, fault: DiskFault): void {
    const { listener } = this.#ports
    if (fault.code === 'EIO') {
      const had = this.content.have.get(piece)
      this.recorder.takeBack(piece)
      this.downloader.lost([piece])
      if (had) this.#unreadable += 1
      if (this.#unreadable < MOST_UNREADABLE) return listener.pieceLost()
    }
    if (fault.code === 'ESTALE') {
      for (const file of this.content.layout.filesOf(piece)) this.recorder.distrust(file)
    }
    listener.diskFault(fault)
  }

  /** Its files are deleted and nothing of it is recorded: it gives back what torrents share. */
  release(): void {
    this.connections.close('removed')
    this.#seat.leave()
    this.downloader.close()
  }

  /** After a fault of our own: ends every part, whatever the others say to it, and records nothing. */
  abandon(failed: (error: unknown) => void): void {
    const steps = [
      () => {
        this.recorder.abandon()
      },
      () => {
        this.connections.close('bug')
      },
      () => {
        this.downloader.close()
      },
      () => {
        this.#seat.leave()
      },
      () => {
        this.storage.close().catch(failed)
      },
    ]
    for (const step of steps) {
      try {
        step()
      } catch (error) {
        failed(error)
      }
    }
  }

  #received(peer: Peer, bytes: Bytes, kept: Bytes): void {
    const now = this.#ports.clock.now()
    peer.downloaded += bytes
    this.down.add(now, bytes)
    this.#ports.listener.downloaded(bytes)
    if (kept === 0) return
    // What is thrown away earns no upload in return.
    peer.lastBlock = peer.lastReceived = now
    peer.down.add(now, kept)
  }

  #makeRecorder(init: LiveInit): Recorder {
    const { clock, store, listener } = this.#ports
    const { id, checked, completedAt } = init.row
    return new Recorder(
      { torrent: id, content: this.content, checked, completedAt },
      {
        clock,
        store,
        storage: this.storage,
        listener: {
          recorded: () => {
            listener.recorded()
          },
          voided: (pieces, fault) => {
            this.downloader.lost(pieces)
            listener.diskFault(fault)
          },
          storeTrouble: (code) => {
            listener.storeTrouble(code)
          },
          finishFailed: (fault) => {
            listener.diskFault(fault)
          },
          marked: () => {
            this.downloader.writable()
          },
        },
      },
    )
  }

  /** Other limits of its own, at once. */
  limit({ down, up }: TorrentLimits): void {
    this.#ports.downLimit.setRate(down)
    this.#ports.upLimit.setRate(up)
  }

  #makeDownloader(): Downloader {
    const { clock, random, slots, downLimit, listener } = this.#ports
    return new Downloader(
      { content: this.content },
      {
        clock,
        random,
        slots: slots.join(() => {
          this.downloader.refill()
        }),
        storage: this.storage,
        downLimit,
        recorder: this.recorder,
        peer: (handle) => this.connections.byHandle(handle),
        peers: () => this.connections.all(),
        verified: (piece, needed) => {
          this.connections.verified(piece, needed)
        },
        needsChanged: () => {
          this.connections.needsChanged()
        },
        ban: (peer) => {
          this.connections.banned(peer)
        },
        received: (peer, bytes, kept) => {
          peer.fresh += bytes
          if (kept) peer.freshKept += bytes
        },
        wasted: (bytes) => {
          listener.wasted(bytes)
        },
      },
    )
  }

  #makeMetadataServer(init: LiveInit): MetadataServer {
    const { clock, store, log } = this.#ports
    return new MetadataServer(
      { size: this.meta.infoEnd - this.meta.infoStart },
      {
        now: () => clock.now(),
        read: (done) => {
          store.metainfo(init.row.id).then(
            ({ torrent, infoStart, infoEnd }) => {
              done(torrent.subarray(infoStart, infoEnd))
            },
            (error: unknown) => {
              log.warn({ error: String(error) }, 'the metadata could not be read for a peer')
              done(null)
            },
          )
        },
      },
    )
  }

  #makeUploader(): Uploader {
    const { clock, upLimit, listener } = this.#ports
    return new Uploader({
      storage: this.storage,
      upLimit,
      now: () => clock.now(),
      has: (piece) => this.content.have.get(piece),
      pieceSize: (piece) => this.content.layout.pieceSize(piece),
      readFailed: (piece, fault) => {
        this.#readFailed(piece, fault)
      },
      eager: () => {
        this.connections.fillSlots()
      },
      uploaded: (peer, bytes) => {
        const now: Millis = clock.now()
        peer.uploaded += bytes
        peer.lastBlock = now
        peer.up.add(now, bytes)
        this.up.add(now, bytes)
        listener.uploaded(bytes)
      },
    })
  }
}

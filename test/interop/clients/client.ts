/** What every BitTorrent client of the lab can do, ours among them. */
import type { MadeTorrent } from '../../support/make-torrent.js'

export interface Transfer {
  /** 0..1: bytes the client has verified, over all. */
  readonly progress: number
  /** All of it is there and it is being offered. */
  readonly seeding: boolean
  /** Payload bytes since it was added. */
  readonly downloaded: number
  readonly uploaded: number
  /** What the client complains of, or ''. */
  readonly error: string
}

/** Payload bytes with one connected peer, as the client counts them. */
export interface PeerBytes {
  readonly host: string
  readonly downloaded: number
  readonly uploaded: number
}

export interface AddInit {
  /** Download folder. Where the payload lies in it already the client verifies it and seeds. */
  readonly dir: string
  /** Bytes a second this torrent may send. */
  readonly uploadLimit?: number
  /** Added by this link, without the file. */
  readonly magnet?: string
}

export interface Client {
  readonly name: ClientName
  readonly version: string
  readonly address: string
  add(torrent: MadeTorrent, init: AddInit): Promise<void>
  transfer(torrent: MadeTorrent): Promise<Transfer>
  /** Null where the client keeps no totals of a peer. */
  peers(torrent: MadeTorrent): Promise<PeerBytes[] | null>
  stop(): Promise<void>
}

export type ClientName = 'torrentino' | 'libtorrent' | 'transmission' | 'aria2' | 'qbittorrent'

/** The last octet of the address each client has in every lab. */
export const SEATS = {
  tracker: 1,
  transmission: 2,
  qbittorrent: 3,
  aria2: 4,
  libtorrent: 5,
  torrentino: 6,
  seed: 7,
} as const

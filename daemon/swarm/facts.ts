/** How the peers of a torrent stand to what it lacks: what the question "why is it stuck" is answered from. */
import type { Waits } from '../ports/disk.js'
import type { PieceIndex } from '../../shared/units.js'
import type { TrackerView, TorrentView } from '../../shared/views.js'
import type { TorrentState } from './lifecycle.js'
import type { Live } from './live.js'

export interface SwarmFacts {
  readonly connected: number
  /** Addresses that are known, of those connected too. */
  readonly known: number
  /** Of these, tried without success at their last time. */
  readonly failed: number
  /** Connected peers that have a piece which we lack. */
  readonly useful: number
  /** Of these, let us ask for it. */
  readonly unchoking: number
  /** Connected peers that lack a piece which we have. */
  readonly takers: number
  /** Wanted pieces that nobody connected has, the first few of them. */
  readonly missing: readonly PieceIndex[]
  /** How many these are in all. */
  readonly missingCount: number
  /** Wanted pieces that are not verified. */
  readonly lacking: number
}

/** One torrent as it stands, for an explanation. */
export interface TorrentFacts {
  readonly view: TorrentView
  readonly state: TorrentState
  /** What held it back at an earlier start, in a sentence, or null. */
  readonly held: string | null
  /** The code that the store fails with, or null. */
  readonly storeTrouble: string | null
  /** Of its folder. */
  readonly disk: Waits
  readonly trackers: readonly TrackerView[]
  readonly swarm: SwarmFacts
}

/** Pieces that are named. */
const MOST_NAMED = 5

/** Looks at every piece and peer: for a person's question, not for the swarm's work. */
export function swarmFacts(
  live: Live,
  known: { readonly size: number; readonly failed: number },
): SwarmFacts {
  const { content, connections } = live
  const peers = [...connections.all()]
  const useful = peers.filter((peer) => peer.interesting > 0)
  const missing: PieceIndex[] = []
  let missingCount = 0
  let lacking = 0
  for (let piece = 0; piece < content.layout.pieceCount; piece++) {
    if (content.have.get(piece) || !content.isWanted(piece)) continue
    lacking++
    if (useful.some((peer) => peer.bits.get(piece))) continue
    missingCount++
    if (missing.length < MOST_NAMED) missing.push(piece)
  }
  return {
    connected: peers.length,
    known: known.size,
    failed: known.failed,
    useful: useful.length,
    unchoking: useful.filter((peer) => !peer.peerChoking).length,
    takers: peers.filter((peer) => peer.peerInterested).length,
    missing,
    missingCount,
    lacking,
  }
}

/** Of a torrent whose data are not in use. */
export function bareFacts(
  connected: number,
  known: { readonly size: number; readonly failed: number },
): SwarmFacts {
  return {
    connected,
    known: known.size,
    failed: known.failed,
    useful: 0,
    unchoking: 0,
    takers: 0,
    missing: [],
    missingCount: 0,
    lacking: 0,
  }
}

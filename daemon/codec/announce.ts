/** What is said to a tracker and what it answers, whatever the protocol (BEP 3, 15). */
import type { Bytes, Millis, SwarmKey } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'

export type AnnounceEvent = 'started' | 'completed' | 'stopped'

export interface AnnounceRequest {
  readonly swarmKey: SwarmKey
  /** 20 bytes. */
  readonly peerId: Uint8Array
  /** Where we listen. */
  readonly port: number
  /** Payload bytes since `started`. */
  readonly uploaded: Bytes
  readonly downloaded: Bytes
  readonly left: Bytes
  /** Null: one of the regular announces. */
  readonly event: AnnounceEvent | null
  /** Peers we would like. */
  readonly numwant: number
  /** 32 bits that prove who we are when our address changes; the same for IPv4 and IPv6 (BEP 7). */
  readonly key: number
  /** How far we speak to peers in secret (MSE); not there: not at all. */
  readonly crypto?: 'supported' | 'required'
  /** What this tracker gave us to send back, raw. */
  readonly trackerId: Uint8Array | null
}

/** Times and counts are null where the tracker does not tell, or tells what cannot be meant. */
export interface AnnounceAnswer {
  /** Not clamped: below 0 is null. */
  readonly interval: Millis | null
  readonly minInterval: Millis | null
  readonly seeds: number | null
  readonly leechers: number | null
  /** How often the content was downloaded whole. */
  readonly downloads: number | null
  readonly peers: readonly PeerAddress[]
  /** One line for the user. */
  readonly warning: string | null
  readonly trackerId: Uint8Array | null
}

/**
 * Why an announce failed. 'refused': the tracker answered that it will not; 'bad-answer': what came is no answer;
 * 'unreachable': nothing came; 'offline': the question did not leave this machine, as its name could not be looked up
 * or no way leads there.
 */
export interface AnnounceFault {
  readonly kind: 'refused' | 'bad-answer' | 'unreachable' | 'offline'
  /** One sentence for the user. */
  readonly message: string
  /** BEP 31: when the tracker wants to be asked again; null where it does not tell. */
  readonly retryIn: Millis | 'never' | null
}

export interface Failed {
  readonly ok: false
  readonly fault: AnnounceFault
}

export type AnnounceResult = { readonly ok: true; readonly answer: AnnounceAnswer } | Failed

/** What a tracker counts of a swarm; null where it does not tell, or tells what cannot be meant. */
export type ScrapeCounts = Pick<AnnounceAnswer, 'seeds' | 'leechers' | 'downloads'>

/** A swarm that the tracker does not know is not in `counts`. `again`: it wants to be asked no sooner than after this. */
export type ScrapeResult =
  | { readonly ok: true; readonly counts: ReadonlyMap<SwarmKey, ScrapeCounts>; readonly again: Millis | null }
  | Failed

const MOST_COUNT = 100_000_000

/** No swarm has more: what claims to is not believed. */
export function plausible(count: number): number | null {
  return count >= 0 && count <= MOST_COUNT ? count : null
}

/** Peers of one answer that are looked at: trackers send 200 at most, a hostile one would send a million. */
export const MOST_PEERS = 2_000

/** Text of a tracker as one line of at most 200 characters. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}

export function fault(
  kind: AnnounceFault['kind'],
  message: string,
  retryIn: Millis | 'never' | null = null,
): Failed {
  return { ok: false, fault: { kind, message, retryIn } }
}

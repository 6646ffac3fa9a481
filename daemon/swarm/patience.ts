/** When a peer is given up. */
import type { Millis } from '../../shared/units.js'
import type { Peer } from './peer.js'

const GIVE_UP_AFTER: Millis = 180_000
/** After a long sleep, a peer that lives is heard within this. */
const SHOW_WITHIN: Millis = 30_000
/** Neither side has wanted anything of the other for so long. */
const USELESS_AFTER: Millis = 600_000
/** What we wrote was not taken for so long: its frames hold memory that others could use. */
const TAKES_NOTHING_AFTER: Millis = 120_000

/** Nothing went in or out for so long, though there was something to send. */
const STUCK_AFTER: Millis = 10_000
/** Who downloads asks on and on; what it is sent may all lie in the kernel, which does not say that nothing arrives. */
const ASKS_WITHIN: Millis = 30_000

/** It may be dead: enough to prefer another connection of the same peer, too little to end this one. */
export function isStuck(peer: Peer, now: Millis): boolean {
  const quiet = now - peer.lastHeard
  if (peer.transport.unsent > 0 && Math.min(quiet, now - peer.lastTaken) > STUCK_AFTER) return true
  return peer.peerInterested && !peer.amChoking && quiet > ASKS_WITHIN
}

/** Why the connection is to end, or null. */
export function reasonToEnd(peer: Peer, now: Millis): string | null {
  if (now - peer.lastHeard > GIVE_UP_AFTER) return 'silent'
  if (isUseless(peer, now)) return 'useless'
  const takesNothing = peer.transport.unsent > 0 && now - peer.lastTaken > TAKES_NOTHING_AFTER
  return peer.isClogged || takesNothing ? 'reads-nothing' : null
}

/** Nothing ran for so long: who would have been given up meanwhile has a moment to show that it is still there. */
export function forgiveSilence(peer: Peer, gap: Millis, now: Millis): void {
  if (gap > GIVE_UP_AFTER) peer.lastHeard = Math.min(peer.lastHeard, now - GIVE_UP_AFTER + SHOW_WITHIN)
}

function isUseless(peer: Peer, now: Millis): boolean {
  if (peer.amInterested || peer.peerInterested) return false
  return now - Math.max(peer.lastBlock, peer.connectedAt) > USELESS_AFTER
}

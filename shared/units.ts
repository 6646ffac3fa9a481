/**
 * The units that cross rooms. Identities are branded: they come from one place and are never computed.
 * Quantities are flavoured: a plain number passes in, a quantity of another flavour does not.
 */
declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }
type Flavour<Name extends string> = number & { readonly [brand]?: Name }

/** Row id of a torrent in the store: small, stable, never reused. */
export type TorrentId = Brand<number, 'TorrentId'>
/** SHA-1 of the raw `info` bytes (BEP 3), 40 lower-case hex digits. */
export type InfoHashV1 = Brand<string, 'InfoHashV1'>
/** SHA-256 of the raw `info` bytes (BEP 52), 64 lower-case hex digits. */
export type InfoHashV2 = Brand<string, 'InfoHashV2'>
/** The 20 bytes peers and trackers know a swarm by, as 40 hex digits: v1, or v2 cut (BEP 52). */
export type SwarmKey = Brand<string, 'SwarmKey'>

/** 0-based index of a piece in a torrent. */
export type PieceIndex = Flavour<'PieceIndex'>
/** 0-based index of a file in the metainfo, pad files counted. */
export type FileIndex = Flavour<'FileIndex'>
/** A count of bytes, or a position in bytes. */
export type Bytes = Flavour<'Bytes'>
/** Milliseconds: a duration, or a point on the clock that the name of the value tells. */
export type Millis = Flavour<'Millis'>
/** Bytes a second. */
export type Rate = Flavour<'Rate'>

/** What peers request and send: 16 KiB (BEP 3), shorter only at the end of a piece. */
export const BLOCK_SIZE = 16_384
/** What the slab holds and a worker hashes and writes at once: 16 blocks of one piece. */
export const EXTENT_SIZE = 262_144

/** The info hashes of a torrent; at least one is there. */
export interface Hashes {
  readonly v1?: InfoHashV1
  readonly v2?: InfoHashV2
}

/** The swarm keys under which a torrent is announced and found: one, or two for a hybrid. */
export function swarmKeys(hashes: Hashes): SwarmKey[] {
  const keys: SwarmKey[] = []
  if (hashes.v1 !== undefined) keys.push(hashes.v1 as string as SwarmKey)
  if (hashes.v2 !== undefined) keys.push(hashes.v2.slice(0, 40) as SwarmKey)
  return keys
}

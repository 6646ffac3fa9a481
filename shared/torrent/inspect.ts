/** What `inspect` tells of a .torrent file: plain data, fit for JSON. */
import type { Bytes, Millis } from '../units.js'
import type { Metainfo } from './metainfo.js'
import { redactTracker, redactWebSeed } from './redact.js'

export interface InspectFile {
  readonly path: string
  readonly length: Bytes
  readonly pad: boolean
}

export interface InspectView {
  /** Where it was read from, or null. */
  readonly source: string | null
  readonly name: string
  readonly infoHash: string | null
  readonly infoHashV2: string | null
  readonly kind: Metainfo['kind']
  readonly pieceLength: Bytes
  readonly pieceCount: number
  /** With pads. */
  readonly totalSize: Bytes
  /** Without pads. */
  readonly contentSize: Bytes
  readonly private: boolean
  readonly createdBy: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: Millis | null
  readonly comment: string | null
  /** By tier; passkeys are redacted. */
  readonly trackers: readonly (readonly string[])[]
  readonly webSeeds: readonly string[]
  readonly files: readonly InspectFile[]
}

export function inspectView(meta: Metainfo, source?: string): InspectView {
  return {
    source: source ?? null,
    name: meta.name,
    infoHash: meta.hashes.v1 ?? null,
    infoHashV2: meta.hashes.v2 ?? null,
    kind: meta.kind,
    pieceLength: meta.pieceLength,
    pieceCount: meta.pieceCount,
    totalSize: meta.totalSize,
    contentSize: meta.contentSize,
    private: meta.private,
    createdBy: meta.createdBy,
    createdAt: meta.createdAt,
    comment: meta.comment,
    trackers: meta.trackers.map((tier) => tier.map(redactTracker)),
    webSeeds: meta.webSeeds.map(redactWebSeed),
    files: meta.files.map(({ path, length, pad }) => ({ path, length, pad })),
  }
}

/** Where a torrent's files lie: whether that is there, and how much room it has. */
import type { Bytes } from '../../shared/units.js'
import type { SpaceView } from '../ports/disk.js'
import type { Fault } from './lifecycle.js'

export interface Place {
  /** `accept`: what is there now is taken for what was there before; the user said so. */
  look(dir: string, accept?: boolean): Promise<SpaceView | Fault>
  /** What removed torrents still hold of the folder; not there: nothing. */
  trashIn?(dir: string): Bytes
}

/** What is missing for so many bytes, so that the reserve stays free; null: there is room. */
export function shortOf(dir: string, space: SpaceView, wanted: Bytes): Fault | null {
  const missing = wanted + space.reserve - space.freeBytes
  return wanted > 0 && missing > 0 ? { kind: 'space', dir, missing } : null
}

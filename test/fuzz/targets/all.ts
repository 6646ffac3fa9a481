/** Every parser of what comes from outside. */
import type { Target } from '../target.js'
import { localTargets } from './local.js'
import { strangerTargets } from './strangers.js'
import { torrentTargets } from './torrent.js'
import { trackerTargets } from './tracker.js'
import { wireTargets } from './wire.js'

export const TARGETS: readonly Target[] = [
  ...torrentTargets,
  ...wireTargets,
  ...trackerTargets,
  ...strangerTargets,
  ...localTargets,
]

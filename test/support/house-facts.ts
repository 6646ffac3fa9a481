/** A daemon with nothing wrong, for explanations. */
import type { HouseFacts } from '../../daemon/session/why.js'

export function houseFacts(change: Partial<HouseFacts> = {}): HouseFacts {
  return {
    pausedBy: null,
    queue: { download: null, seed: null },
    wall: 1_000_000,
    limits: { down: null, up: null },
    rates: { down: 0, up: 0 },
    slowestWrite: 0,
    database: null,
    listen: { port: 6881, error: null },
    reached: true,
    uptime: 3_600_000,
    dht: true,
    localDenied: false,
    ...change,
  }
}

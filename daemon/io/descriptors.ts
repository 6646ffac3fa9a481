/**
 * How many sockets for peers the process may have: what the system allows it, less what everything else needs. Read
 * once, at the start. Node has raised the limit to what it may be by then.
 */
import { readFileSync } from 'node:fs'

/** Threads with their wake-up pipes, database, log, socket of the RPC: what an idle daemon has open. */
const OWN = 48
/** Clients of the RPC, trackers, data files: as many again as that, where there are so many. */
const FOR_OTHERS = 96
/** However few there are. */
const LEAST = 4

/** Sockets for peers out of so many descriptors; null: nobody knows how many there are. */
export function socketsWithin(descriptors: number | null): number {
  if (descriptors === null) return Infinity
  const left = descriptors - OWN
  return Math.max(LEAST, left - Math.min(FOR_OTHERS, Math.floor(left / 2)))
}

/** Null where the system does not tell (macOS allows enough: the agent sets the limit). */
export function descriptorLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}

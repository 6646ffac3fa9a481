/**
 * Faults put in from outside, to see in a real daemon that they are borne. TORRENTINO_FAULT names a phase of the main
 * loop, what happens there, and at which of its entries: `timer:stall:3` busy for 300 ms, `disk:hang:2` for ever, `peer:throw:3` an exception
 * where it is contained, `timer:crash:3` one where it is not, `timer:crash:3+` again and again from there on. Without
 * it nothing here is called.
 */
import type { Millis } from '../../shared/units.js'
import type { Phase } from '../base/watch.js'

const STALL = 300

type FaultPoint = (phase: Phase, torrent: number) => void

/** Null where no fault is asked for. Entries that are for no torrent are passed over. */
export function faultPointFrom(wanted: string | undefined): FaultPoint | null {
  const [, where, what, number, more] = /^(\w+):(stall|hang|throw|crash):(\d+)(\+?)$/.exec(wanted ?? '') ?? []
  if (where === undefined || what === undefined) return null
  let entries = 0
  return (phase, torrent) => {
    if (phase !== where || torrent === 0) return
    entries++
    if (more === '+' ? entries < Number(number) : entries !== Number(number)) return
    if (what === 'stall') return spin(STALL)
    if (what === 'hang') return spin(Infinity)
    if (what === 'throw') throw new Error('a fault put in')
    queueMicrotask(() => {
      throw new Error('a fault put in')
    })
  }
}

function spin(duration: Millis): void {
  const end = performance.now() + duration
  while (performance.now() < end);
}

/** The watch over the main loop of this process. */
import type { Millis } from '../../shared/units.js'
import { LOOK_EVERY } from '../base/lookout.js'
import type { Log } from '../base/log.js'
import { Watch } from '../base/watch.js'
import { faultPointFrom } from './fault-point.js'

/** Milliseconds between two looks at whether a turn of the main loop ends; tests want less of them. */
export function lookEvery(wanted: string | undefined): Millis {
  return /^\d+$/.test(wanted ?? '') ? Number(wanted) : LOOK_EVERY
}

export function createWatch(
  init: { readonly env: Readonly<Record<string, string | undefined>> },
  ports: { readonly log: Log },
): Watch {
  return new Watch(
    { faultPoint: faultPointFrom(init.env['TORRENTINO_FAULT']) },
    {
      now: () => performance.now(),
      turn: (fn) => void setImmediate(fn),
      stalled: ({ duration, phase, torrent }) => {
        const whose = torrent === 0 ? {} : { torrent }
        ports.log.warn({ ms: Math.round(duration), phase, ...whose }, 'the main loop was held up')
      },
    },
  )
}

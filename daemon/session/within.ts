/** For what may never be answered: a volume that is gone can hold the thread that asks it for ever. */
import type { Millis } from '../../shared/units.js'
import { type RpcError, rpcError } from '../../shared/rpc/errors.js'
import type { Clock } from '../ports/clock.js'

/** Longer than a disk that slept needs to answer. */
export const ANSWERS_WITHIN: Millis = 20_000
/** Longer than a slow disk needs to look at every file of a torrent. */
export const SURVEYS_WITHIN: Millis = 180_000

/** Null where nothing came in time; what comes later is dropped. */
export function within<T>(clock: Clock, limit: Millis, asked: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limit, () => {
      resolve(null)
    })
    asked.then(resolve, reject).finally(cancel)
  })
}

/** How often who waits looks whether there are answers at all. */
const LOOKS: Millis = 1000

/** Null once it is known that the thread which is asked does not answer; what comes later is dropped. */
export async function unlessSilent<T>(
  clock: Clock,
  silent: () => boolean,
  asked: Promise<T>,
): Promise<{ readonly value: T } | null> {
  const answer = asked.then((value) => ({ value }))
  for (;;) {
    const here = await within(clock, LOOKS, answer)
    if (here !== null || silent()) return here
  }
}

/** For a person who waits for that folder; `instead` says how to take another one. */
export function silent(dir: string, instead: string): RpcError {
  const sentence = `${dir} does not answer; see whether its volume is well, or ${instead}.`
  return rpcError('badFolder', sentence, { dir, reason: 'ETIMEDOUT' })
}

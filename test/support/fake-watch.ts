/** A watch over a loop that takes no time. */
import { Watch } from '../../daemon/base/watch.js'

export function fakeWatch(): Watch {
  return new Watch({}, { now: () => 0, turn: (fn) => void setImmediate(fn), stalled: () => undefined })
}

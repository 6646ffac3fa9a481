import type { Millis } from '../../shared/units.js'
import type { Dialer } from '../swarm/transport.js'
import type { SocketDialer } from './dialer.js'
import { dialled } from './tcp.js'

const TIMEOUT: Millis = 15_000

/** Peer connections through the one dialer, read into the shared buffer. */
export function peerDialer(dialer: SocketDialer): Dialer {
  return {
    dial: (address, done) => {
      const { options, wrap } = dialled()
      return dialer.dial(address, { timeout: TIMEOUT, socket: options }, (socket, reason) => {
        done(socket === null ? null : wrap(socket, address), reason)
      })
    },
  }
}

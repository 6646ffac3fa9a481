/** Everything that talks to strangers but the peers themselves, wired together over one scope and local address. */
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { TrackerTransport } from '../tracker/transport.js'
import { SocketDialer } from './dialer.js'
import type { NetInit } from './dialer.js'
import { Http } from './http.js'
import type { HttpInit } from './http.js'
import { Resolver } from './resolver.js'
import type { Lookup } from './resolver.js'
import { NetTrackers } from './tracker-transport.js'
import { UdpAnnouncer } from './udp-announce.js'
import type { UdpInit } from './udp-announce.js'
import { Datagrams } from './udp.js'

export interface NetworkInit extends NetInit {
  readonly http: HttpInit
  readonly udp?: UdpInit
  /** Instead of the system's. */
  readonly lookup?: Lookup
}

export interface Network {
  readonly dialer: SocketDialer
  readonly resolver: Resolver
  readonly http: Http
  readonly trackers: TrackerTransport
  /** Closes the UDP sockets. */
  close(): void
}

export function createNetwork(
  init: NetworkInit,
  ports: { readonly clock: Clock; readonly random: Random },
): Network {
  const { clock, random } = ports
  const dialer = new SocketDialer(init, { clock })
  const resolver = new Resolver(init.lookup === undefined ? {} : { lookup: init.lookup }, { clock })
  const http = new Http(init.http, { clock, dialer, resolver })
  const datagrams = new Datagrams(init, (packet, from) => {
    udp.received(packet, from)
  })
  const udp = new UdpAnnouncer(init.udp ?? {}, { clock, random, send: datagrams.send.bind(datagrams) })
  const trackers = new NetTrackers({ clock, http, resolver, udp, allows: dialer.allows.bind(dialer) })
  return {
    dialer,
    resolver,
    http,
    trackers,
    close: () => {
      datagrams.close()
    },
  }
}

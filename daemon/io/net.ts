/** Everything that talks to strangers, wired together over one scope and local address. */
import { networkInterfaces } from 'node:os'
import type { PeerAddress } from '../base/address.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { Dialer } from '../swarm/transport.js'
import type { ScrapeTransport, TrackerTransport } from '../tracker/transport.js'
import { SocketDialer } from './dialer.js'
import type { NetInit } from './dialer.js'
import { Http } from './http.js'
import type { HttpInit } from './http.js'
import { PeerPort } from './listen.js'
import type { PeerPortInit, PeerPortPorts } from './listen.js'
import { LocalDenial } from './local-denial.js'
import { peerDialer } from './peer-dialer.js'
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
  /** The running one's, where it is left out. */
  readonly platform?: string
}

export interface Network {
  readonly dialer: SocketDialer
  readonly resolver: Resolver
  readonly http: Http
  readonly trackers: TrackerTransport & ScrapeTransport
  /** Connections to peers, through the one dialer. */
  readonly peers: Dialer
  allows(address: PeerAddress): boolean
  /** The system keeps us from the local network; see there. */
  localDenied(): boolean
  /** Our port for peers; it is not open yet. */
  listen(init: PeerPortInit, ports: Omit<PeerPortPorts, 'clock'>): PeerPort
  /** What was known of names is asked anew. */
  changed(): void
  /** Closes the UDP sockets. */
  close(): void
}

export function createNetwork(
  init: NetworkInit,
  ports: { readonly clock: Clock; readonly random: Random },
): Network {
  const { clock, random } = ports
  const local = new LocalDenial({ platform: init.platform ?? process.platform })
  const dialer = new SocketDialer(init, { clock, ended: local.ended.bind(local) })
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
    peers: peerDialer(dialer),
    allows: dialer.allows.bind(dialer),
    localDenied: () => local.denied,
    listen: (port, ports) => new PeerPort(port, { ...ports, clock }),
    changed: () => {
      resolver.forget()
    },
    close: () => {
      datagrams.close()
    },
  }
}

/** Our addresses in one line: another one tells that the network changed. */
export function networkAddresses(): string {
  const all = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).map(({ address }) => `${name} ${address}`),
  )
  return all.sort().join(', ')
}

/** The UDP sockets of the DHT: one a family, on one port; what is out of scope neither comes in nor goes out. */
import dgram from 'node:dgram'
import { inScope, makeAddress } from '../base/address.js'
import type { PeerAddress } from '../base/address.js'
import type { DhtNetwork, DhtSockets } from '../ports/dht-network.js'
import { localHostFor } from './dialer.js'
import type { NetInit } from './dialer.js'
import type { Resolver } from './resolver.js'

export function createDhtNetwork(init: NetInit, ports: { readonly resolver: Resolver }): DhtNetwork {
  return {
    open: (port, receive) => open(init, port, receive),
    resolve: async (host) => {
      // A name is asked of servers on the internet, whoever it stands for.
      const literal = makeAddress(host, 1) !== null
      if (!literal && init.scope !== 'internet') return []
      return (await ports.resolver.resolve(host)).addresses
    },
    allows: (address) => inScope(address, init.scope),
  }
}

async function open(
  init: NetInit,
  port: number,
  receive: (packet: Buffer, from: PeerAddress) => void,
): Promise<DhtSockets> {
  const sockets = new Map<4 | 6, dgram.Socket>()
  let reason = ''
  for (const family of [4, 6] as const) {
    const local = localHostFor(init.localHosts, family)
    if (local === null) continue
    const socket =
      family === 4 ? dgram.createSocket('udp4') : dgram.createSocket({ type: 'udp6', ipv6Only: true })
    const failed = await bind(socket, port, local)
    if (failed !== null) {
      reason ||= failed
      continue
    }
    sockets.set(family, socket)
    socket.on('message', (packet, remote) => {
      const from = makeAddress(remote.address, remote.port)
      if (from !== null && inScope(from, init.scope)) receive(packet, from)
    })
  }
  const [first] = sockets.values()
  return {
    families: [...sockets.keys()],
    port: first?.address().port ?? 0,
    error: reason === '' ? null : reason,
    send: (packet, to) => {
      if (!inScope(to, init.scope)) return
      // A packet that the system does not take is one that was lost.
      sockets.get(to.family)?.send(packet, to.port, to.host, () => undefined)
    },
    close: () => {
      for (const socket of sockets.values()) socket.close()
      sockets.clear()
    },
  }
}

/** Null: it stands; else the system's code. */
function bind(socket: dgram.Socket, port: number, address: string | undefined): Promise<string | null> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code ?? 'EIO')
    })
    socket.bind({ port, ...(address === undefined ? {} : { address }) }, () => {
      socket.removeAllListeners('error')
      socket.on('error', () => undefined)
      // An open socket is no reason for the process to go on.
      socket.unref()
      resolve(null)
    })
  })
}

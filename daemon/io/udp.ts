/** Datagrams over IPv4 and IPv6: a socket for each family, opened when it is first needed. */
import dgram from 'node:dgram'
import { inScope, makeAddress } from '../base/address.js'
import type { PeerAddress } from '../base/address.js'
import { localHostFor } from './dialer.js'
import type { NetInit } from './dialer.js'

/** `packet` may be kept by whoever gets it. */
export type DatagramListener = (packet: Buffer, from: PeerAddress) => void

export class Datagrams {
  private readonly init: NetInit
  private readonly listener: DatagramListener
  /** The open sockets; one that failed is dropped and opened again by the next send. */
  private readonly sockets = new Map<4 | 6, dgram.Socket>()
  private closed = false
  /** Who is to be told where a socket fails before it has sent: binding fails after `send` returned. */
  private readonly unsent = new Map<dgram.Socket, Set<(reason: string) => void>>()

  constructor(init: NetInit, listener: DatagramListener) {
    this.init = init
    this.listener = listener
  }

  /**
   * Sends one packet. `failed` is called later where the system tells that it will not: 'out-of-scope',
   * 'no-local-address', or the system's code. Never throws.
   */
  send(packet: Uint8Array, to: PeerAddress, failed: (reason: string) => void): void {
    const local = localHostFor(this.init.localHosts, to.family)
    const validPort = Number.isInteger(to.port) && to.port > 0 && to.port <= 65_535
    if (this.closed || !validPort || !inScope(to, this.init.scope)) {
      queueMicrotask(() => {
        failed('out-of-scope')
      })
      return
    }
    if (local === null) {
      queueMicrotask(() => {
        failed('no-local-address')
      })
      return
    }
    const socket = this.socket(to.family, local)
    const unsent = this.unsent.get(socket)
    unsent?.add(failed)
    socket.send(packet, to.port, to.host, (error) => {
      const told = unsent?.delete(failed) === false
      if (error !== null && !told) failed((error as NodeJS.ErrnoException).code ?? 'EIO')
    })
  }

  close(): void {
    this.closed = true
    for (const socket of this.sockets.values()) this.drop(socket, null)
    this.sockets.clear()
  }

  private drop(socket: dgram.Socket, reason: string | null): void {
    const unsent = [...(this.unsent.get(socket) ?? [])]
    this.unsent.get(socket)?.clear()
    this.unsent.delete(socket)
    socket.close()
    if (reason !== null) for (const failed of unsent) failed(reason)
  }

  private socket(family: 4 | 6, local: string | undefined): dgram.Socket {
    const open = this.sockets.get(family)
    if (open !== undefined) return open
    const socket =
      family === 4 ? dgram.createSocket('udp4') : dgram.createSocket({ type: 'udp6', ipv6Only: true })
    this.sockets.set(family, socket)
    this.unsent.set(socket, new Set())
    socket.on('message', (packet, remote) => {
      const from = makeAddress(remote.address, remote.port)
      if (from !== null) this.listener(packet, from)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.sockets.get(family) !== socket) return
      this.sockets.delete(family)
      this.drop(socket, error.code ?? 'EIO')
    })
    socket.bind({ port: 0, ...(local === undefined ? {} : { address: local }) })
    // An open socket is no reason for the process to go on.
    socket.unref()
    return socket
  }
}

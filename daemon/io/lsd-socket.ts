/** The multicast sockets of local discovery (BEP 14): a member of both groups on every link. No failure is a fault. */
import dgram from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { classOf, inScope, type PeerAddress } from '../base/address.js'
import { ipBytes, parseIp } from '../base/ip.js'
import { LSD_GROUPS, LSD_PORT } from '../codec/lsd.js'
import type { LsdNetwork, LsdSockets } from '../ports/lsd-network.js'
import type { NetInit } from './dialer.js'

type Family = 4 | 6
type Receive = (packet: Buffer, from: PeerAddress) => void

/** The system lets one socket be a member on 20 links. */
const MOST_LINKS = 16

interface Link {
  readonly name: string
  readonly family: Family
  /** How the system is told of it: by address for IPv4, by name for IPv6. */
  readonly at: string
  readonly linkLocal: boolean
  /** Where we were told which address to use: that one; else the system chooses. */
  readonly from: string | undefined
  /** The addresses next to it. */
  readonly subnet: Subnet
}

interface Subnet {
  readonly bytes: Uint8Array
  readonly prefix: number
}

export function createLsdNetwork(init: NetInit): LsdNetwork {
  return { allowed: init.scope !== 'loopback', open: (receive) => open(init, receive) }
}

async function open(init: NetInit, receive: Receive): Promise<LsdSockets> {
  const links = linksOf(init.localHosts)
  const subnets = links.map(({ subnet }) => subnet)
  const sockets = new Map<Family, dgram.Socket>()
  const heard: Receive = (packet, from) => {
    if (inScope(from, init.scope) && isNear(from.host, subnets)) receive(packet, from)
  }
  for (const family of [4, 6] as const) {
    const socket = await listen(linksFor(links, family), family, heard)
    if (socket !== null) sockets.set(family, socket)
  }
  return {
    families: [...sockets.keys()],
    send: (packet, family) => {
      for (const link of linksFor(links, family)) sendOn(link, packet)
    },
    close: () => {
      for (const socket of sockets.values()) socket.close()
      sockets.clear()
    },
  }
}

/** Every address of every link that is up and leads out of this machine. */
function linksOf(localHosts: readonly string[]): Link[] {
  const own = localHosts.map((host) => parseIp(host)?.host)
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).flatMap((each): Link[] => {
      const ip = parseIp(each.address)
      const bytes = ipBytes(each.address)
      if (each.internal || ip === null || bytes === null) return []
      if (own.length > 0 && !own.includes(ip.host)) return []
      const { family, host } = ip
      const linkLocal = /^(?:169\.254|fe80:)/.test(host)
      const at = family === 4 ? host : `::%${name}`
      const from = own.length === 0 ? undefined : host
      const prefix = Number(each.cidr?.split('/')[1] ?? bytes.length * 8)
      return [{ name, family, at, linkLocal, from, subnet: { bytes, prefix } }]
    }),
  )
}

/** Each link once, those with an address that leads farther first. */
function linksFor(links: readonly Link[], family: Family): Link[] {
  const mine = links.filter((link) => link.family === family)
  mine.sort((a, b) => Number(a.linkLocal) - Number(b.linkLocal))
  return [...new Map(mine.toReversed().map((link) => [link.name, link])).values()]
    .reverse()
    .slice(0, MOST_LINKS)
}

/** On this machine, in a private range, or next to us. */
function isNear(host: string, subnets: readonly Subnet[]): boolean {
  const bytes = classOf(host) === 'internet' ? ipBytes(host) : null
  return bytes === null ? classOf(host) !== 'never' : subnets.some((subnet) => contains(subnet, bytes))
}

function contains({ bytes, prefix }: Subnet, other: Uint8Array): boolean {
  if (bytes.length !== other.length) return false
  for (let bit = 0; bit < prefix; bit += 8) {
    const mask = 0xff & (0xff00 >> Math.min(8, prefix - bit))
    if ((((bytes[bit >> 3] ?? 0) ^ (other[bit >> 3] ?? 0)) & mask) !== 0) return false
  }
  return true
}

/** Null: it cannot be, and nothing is said about it. */
function listen(links: readonly Link[], family: Family, heard: Receive): Promise<dgram.Socket | null> {
  if (links.length === 0) return Promise.resolve(null)
  // Other clients of this machine listen at the same port.
  const socket = dgram.createSocket({ type: `udp${family}`, reuseAddr: true, ipv6Only: family === 6 })
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close()
      resolve(null)
    })
    socket.bind({ port: LSD_PORT }, () => {
      socket.removeAllListeners('error')
      socket.on('error', () => undefined)
      socket.on('message', (packet, remote) => {
        const from = senderOf(remote)
        if (from !== null) heard(packet, from)
      })
      // An open socket is no reason for the process to go on.
      socket.unref()
      const joined = links.filter(({ at }) => attempt(() => socket.addMembership(LSD_GROUPS[family], at)))
      if (joined.length === 0) socket.close()
      resolve(joined.length === 0 ? null : socket)
    })
  })
}

/** A link-local address is one only together with its link. */
function senderOf({ address, port }: dgram.RemoteInfo): PeerAddress | null {
  const ip = parseIp(address)
  if (ip === null) return null
  const [, zone] = /^fe80:.*(%[\w.-]+)$/i.exec(address) ?? []
  return { ...ip, host: ip.host + (zone ?? ''), port }
}

/** A socket for one datagram: which link a shared one uses would be another's by the time it sends. */
function sendOn(link: Link, packet: Buffer): void {
  const socket = dgram.createSocket({ type: `udp${link.family}`, ipv6Only: link.family === 6 })
  let open = true
  const end = (): void => {
    if (open) socket.close()
    open = false
  }
  socket.on('error', end)
  socket.unref()
  socket.bind({ port: 0, ...(link.from === undefined ? {} : { address: link.from }) }, () => {
    const ready = attempt(() => {
      socket.setMulticastInterface(link.at)
      socket.setMulticastTTL(1)
    })
    if (ready) socket.send(packet, LSD_PORT, LSD_GROUPS[link.family], end)
    else end()
  })
}

function attempt(step: () => void): boolean {
  try {
    step()
    return true
  } catch {
    return false
  }
}

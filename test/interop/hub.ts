/**
 * Runs inside the lab's first network namespace, started by namespace.ts and fed by lines of JSON. It lays a
 * bridge, opens a namespace for each host beside it, and carries control connections: a Unix socket is reached
 * from any namespace, a TCP port is not. It ends with its standard input, and the lab with it.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createConnection, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { HubAnswer, HubRequest } from './namespace.js'

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function layBridge(): void {
  ip('link', 'set', 'lo', 'up')
  ip('link', 'add', 'br0', 'type', 'bridge')
  ip('addr', 'add', '10.77.0.254/24', 'dev', 'br0')
  ip('addr', 'add', 'fd77::fe/64', 'dev', 'br0', 'nodad')
  // Multicast goes to every host.
  ip('link', 'set', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
  ip('link', 'set', 'br0', 'up')
}

/** Answers the pid of the process that holds the host's namespace open. */
async function openHost(address: string, label: string): Promise<number> {
  const holder = spawn('unshare', ['-n', '--', 'sh', '-c', 'echo open; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const pid = holder.pid
  if (pid === undefined) throw new Error('unshare did not start')
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve())
    holder.once('exit', (code) => reject(new Error(`the namespace of ${address} ended with ${code}`)))
  })
  ip('link', 'add', label, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid))
  ip('link', 'set', label, 'master', 'br0', 'up')
  // One address only: each client would announce and dial a second one.
  const own = address.includes(':')
    ? 'ip addr add "$0/64" dev eth0 nodad && ip addr del 127.0.0.1/8 dev lo'
    : // Some clients leave the choice of the link of a group to the routes.
      'ip addr add "$0/24" dev eth0 && ip route add 239.0.0.0/8 dev eth0'
  const inside = `ip link set lo up && ip link set eth0 addrgenmode none up && ${own}`
  execFileSync('nsenter', ['-t', String(pid), '-n', '--', 'sh', '-c', inside, address])
  return pid
}

function forward(socket: string, address: string, port: number): Promise<void> {
  const server = createServer((near) => {
    const far = createConnection({ host: address, port })
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, () => resolve())
  })
}

async function answer(request: HubRequest): Promise<HubAnswer> {
  try {
    if (request.op === 'host')
      return { id: request.id, pid: await openHost(request.address, `v${request.id}`) }
    await forward(request.socket, request.address, request.port)
    return { id: request.id }
  } catch (error) {
    return { id: request.id, error: String(error) }
  }
}

layBridge()
process.stdout.write('{"id":0}\n')
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  void answer(JSON.parse(line) as HubRequest).then((reply) => {
    process.stdout.write(`${JSON.stringify(reply)}\n`)
  })
})
lines.on('close', () => process.exit(0))

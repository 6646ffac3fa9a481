import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { MadeTorrent } from '../../support/make-torrent.js'
import type { Host } from '../namespace.js'
import type { AddInit, Client, PeerBytes, Transfer } from './client.js'

// Debian's own interpreter: another python3 earlier on the PATH does not see its libtorrent.
const PYTHON = '/usr/bin/python3'
const DRIVER = fileURLToPath(new URL('./libtorrent_driver.py', import.meta.url))

export function libtorrentInstalled(): boolean {
  return spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0
}

interface Reply {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

export interface LibtorrentClient extends Client {
  /** How many pieces a connected peer had at this look or an earlier one. */
  piecesOut(torrent: MadeTorrent): Promise<number>
  /** From now on a piece is offered to one peer only, until somebody else has it (BEP 16). */
  superSeed(torrent: MadeTorrent): Promise<void>
  /** From now on it dials nobody for what it seeds. */
  waitToBeDialled(): Promise<void>
}

/**
 * libtorrent through its Python binding, with a driver script of ours. `dht`: HOST:PORT where its DHT begins; '': it has
 * none. `lsd`: it speaks to the local network. `secret`: it refuses plain handshakes and takes RC4 where it may choose.
 */
export async function startLibtorrent(
  host: Host,
  dht = '',
  lsd = false,
  secret = false,
): Promise<LibtorrentClient> {
  const program = host.spawn(PYTHON, [
    '-u',
    DRIVER,
    host.address,
    dht,
    lsd ? 'lsd' : '',
    secret ? 'secret' : '',
  ])
  const waiting = new Map<number, (reply: Reply) => void>()
  let asked = 0

  if (program.child.stdout !== null) {
    createInterface({ input: program.child.stdout }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply
      waiting.get(reply.id)?.(reply)
      waiting.delete(reply.id)
    })
  }
  void program.gone.then(() => {
    for (const [id, settle] of waiting) settle({ id, error: `the driver ended: ${program.output}` })
  })

  function call(verb: string, args: object = {}): Promise<unknown> {
    program.assertRuns()
    const id = ++asked
    return new Promise((resolve, reject) => {
      waiting.set(id, (reply) => {
        if (reply.error === undefined) resolve(reply.result)
        else reject(new Error(`libtorrent ${verb}: ${reply.error}`))
      })
      program.child.stdin?.write(`${JSON.stringify({ id, verb, ...args })}\n`)
    })
  }

  const version = String(await call('version'))
  return {
    name: 'libtorrent',
    version,
    address: host.address,
    add: async (torrent: MadeTorrent, options: AddInit) => {
      await call('add', { file: torrent.file, hash: torrent.infoHash, ...options })
    },
    transfer: async (torrent) => (await call('transfer', { hash: torrent.infoHash })) as Transfer,
    peers: async (torrent) => (await call('peers', { hash: torrent.infoHash })) as PeerBytes[],
    piecesOut: async (torrent: MadeTorrent) => Number(await call('piecesOut', { hash: torrent.infoHash })),
    superSeed: async (torrent) => {
      await call('superSeed', { hash: torrent.infoHash })
    },
    waitToBeDialled: async () => {
      await call('waitToBeDialled')
    },
    stop: () => program.stop(),
  }
}

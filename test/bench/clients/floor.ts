/** The least that a Node program can pay for a download: told beside the clients, and none of them. */
import { fileURLToPath } from 'node:url'
import { addressOf, portOf, SEATS } from '../world.js'
import { type Client, type ClientKind, launch, type Seat } from './client.js'
import { Driven } from './driven.js'

const DRIVER = fileURLToPath(new URL('./floor_driver.ts', import.meta.url))
const SETTINGS = [
  'one peer, blocks in order, one copy, one thread that hashes and writes; nothing else',
  'it is told where the seeder is',
]

export function floor(): ClientKind {
  const info = { id: 'floor', title: 'floor of Node.js', version: process.version, absent: null } as const
  return { info: { ...info, settings: SETTINGS }, start }
}

async function start(seat: Seat): Promise<Client> {
  const peer = `${addressOf(SEATS.seeder)}:${String(portOf(SEATS.seeder))}`
  const program = launch(seat, process.execPath, ['--import', import.meta.resolve('tsx'), DRIVER, peer])
  return Driven.start(program, true)
}

/** Torrents with a slow seed each, for daemons that are killed and cut off: everything on loopback. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode } from '../../../shared/torrent/bencode.js'
import { httpTracker, reply } from '../fake-tracker.js'
import { type MadeTorrent, makeTorrent, type PayloadFile } from '../make-torrent.js'
import { type SlowSeeder, slowSeeder } from '../slow-seeder.js'

const KIB = 1024
const MIB = 1024 * KIB

/** What a torrent is made of, and how fast it comes. */
interface Shape {
  readonly name: string
  readonly content: number | readonly PayloadFile[]
  readonly pieceLength: number
  /** Bytes a second. */
  readonly rate: number
}

export interface ProofTorrent {
  readonly made: MadeTorrent
  /** All files end to end. */
  readonly payload: Buffer
  /** As `torrent.add` takes it. */
  readonly metainfo: string
  readonly seeder: SlowSeeder
  readonly rate: number
}

export interface ProofWorld {
  readonly torrents: readonly ProofTorrent[]
  /** Bytes a second of all seeds together. */
  readonly rate: number
  hurry(): void
  close(): void
}

/** A large file, an album whose pieces reach over its files, a tree of small files, and a note: 53 MiB. */
const SHAPES: readonly Shape[] = [
  { name: 'big.bin', content: 40 * MIB, pieceLength: 256 * KIB, rate: 6 * MIB },
  { name: 'album', content: album(), pieceLength: 64 * KIB, rate: 3 * MIB },
  { name: 'many', content: tree(), pieceLength: 32 * KIB, rate: MIB / 2 },
  { name: 'note.txt', content: 150_001, pieceLength: 16 * KIB, rate: MIB / 4 },
]

function album(): PayloadFile[] {
  return Array.from({ length: 7 }, (_, n) => ({
    path: `track ${String(n)}.flac`,
    length: 1_501_003 + n * 977,
  }))
}

function tree(): PayloadFile[] {
  return Array.from({ length: 250 }, (_, n) => ({
    path: `d${String(n % 4)}/e${String(n % 2)}/${String(n)}`,
    length: (n * 7919) % 12_000,
  }))
}

export async function makeProofWorld(folder: string): Promise<ProofWorld> {
  const trackers: { close(): void }[] = []
  const torrents: ProofTorrent[] = []
  for (const shape of SHAPES) {
    let port = 0
    const tracker = await httpTracker((socket) => {
      const peers = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
      reply(socket, Buffer.from(encode({ interval: 1800, peers })))
    })
    trackers.push(tracker)
    const announce = [[`http://127.0.0.1:${String(tracker.port)}/announce`]]
    const made = makeTorrent(join(folder, shape.name), { ...shape, trackers: announce })
    const seeder = await slowSeeder({ torrent: made, rate: shape.rate })
    port = seeder.port
    const payload = Buffer.concat(made.files.map(({ path }) => readFileSync(join(made.dir, path))))
    const metainfo = readFileSync(made.file).toString('base64')
    torrents.push({ made, payload, metainfo, seeder, rate: shape.rate })
  }
  return {
    torrents,
    rate: torrents.reduce((sum, { rate }) => sum + rate, 0),
    hurry: () => {
      for (const { seeder } of torrents) seeder.rate = 200 * MIB
    },
    close: () => {
      for (const { seeder } of torrents) seeder.close()
      for (const tracker of trackers) tracker.close()
    },
  }
}

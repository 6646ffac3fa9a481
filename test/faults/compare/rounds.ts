/**
 * kill -9 of one client, round after round: a new home, a torrent that comes at a limited rate, a kill at a random
 * moment, a second start without a seed; then its own interface is asked what it claims. The page cache outlives the
 * process, so this says nothing of fsync.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../../shared/torrent/bencode.js'
import type { Seat } from '../../bench/clients/client.js'
import { FakeRandom } from '../../support/fake-random.js'
import { httpTracker, reply } from '../../support/fake-tracker.js'
import { makeTorrent } from '../../support/make-torrent.js'
import { bytesOf, piecesOnDisk } from '../../support/proof/claims.js'
import { slowSeeder } from '../../support/slow-seeder.js'
import type { Claimed, Kind, Running } from './clients.js'

const MIB = 1024 * 1024
const SIZE = 64 * MIB
/** Bytes a second. */
const RATE = 6 * MIB
const PIECE = 256 * 1024
/** Last octets of addresses. */
const SEEDER = 9
const FIRST_CLIENT = 20
/** The kill comes so many milliseconds after the first piece, between these two. */
const SOONEST = 5
const LATEST = 8000
/** Milliseconds until the first piece; until what it claims is the same twice, 500 ms apart; until it is listed again. */
const FIRST_PIECE = 40_000
const SETTLED = 30_000
const LISTED = 5000

export interface Sum {
  readonly kind: Kind
  rounds: number
  /** Pieces claimed after the second start, and those of them that the files do not bear out. */
  claimed: number
  wrong: number
  /** MiB in each round that were claimed before the kill and not after the next start. */
  readonly lost: number[]
  /** Rounds in which the torrent was not there any more, and was added again by hand. */
  vanished: number
  /** Milliseconds of each second start until it answered. */
  readonly starts: number[]
}

/** `place` tells clients that run at the same time apart. */
export async function compareRounds(init: {
  readonly kind: Kind
  readonly place: number
  readonly rounds: number
  readonly seed: number
  readonly dir: string
  readonly say: (line: string) => void
}): Promise<Sum> {
  const { kind, rounds } = init
  const random = new FakeRandom(init.seed)
  const sum: Sum = { kind, rounds: 0, claimed: 0, wrong: 0, lost: [], vanished: 0, starts: [] }
  for (let round = 0; round < rounds; round++) {
    const dir = join(init.dir, `${kind.name}-${String(round)}`)
    const moment = SOONEST + random.int(LATEST - SOONEST)
    try {
      await oneRound({ sum, dir, place: init.place, moment, round, say: init.say })
      sum.rounds++
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  return sum
}

interface Round {
  readonly sum: Sum
  readonly dir: string
  readonly place: number
  readonly moment: number
  readonly round: number
  readonly say: (line: string) => void
}

async function oneRound({ sum, dir, place, moment, round, say }: Round): Promise<void> {
  const { kind } = sum
  const [home, down] = [join(dir, 'home'), join(dir, 'down')]
  for (const folder of [home, down]) mkdirSync(folder, { recursive: true })
  const source = await makeSource(dir, kind.name)
  const { torrent, payload, seeder } = source
  const seat: Seat = {
    address: `10.77.0.${String(FIRST_CLIENT + place)}`,
    port: 21_000 + place,
    control: 22_000 + place,
    home,
    cpus: null,
    crowd: false,
    under: [],
  }
  let client = await kind.start(seat)
  try {
    await client.add(torrent, down)
    await untilClaims(client, (claims) => (claims?.pieces.size ?? 0) > 0, FIRST_PIECE)
    await delay(moment)
    const before = (await client.claims(torrent))?.pieces ?? new Set<number>()
    await client.kill()
    seeder.rate = 0
    const begun = performance.now()
    client = await kind.start(seat)
    sum.starts.push(performance.now() - begun)
    if (!(await untilClaims(client, (claims) => claims !== null, LISTED))) {
      sum.vanished++
      await client.add(torrent, down)
    }
    const after = await settled(client)
    const good = piecesOnDisk(torrent, payload, down, kind.suffixes)
    const wrong = [...after].filter((piece) => !good.has(piece)).length
    const lost = [...before].filter((piece) => !after.has(piece))
    sum.claimed += after.size
    sum.wrong += wrong
    sum.lost.push(bytesOf(torrent, lost) / MIB)
    say(
      `${kind.name} ${String(round + 1)}: ${String(before.size)} claimed before, ${String(after.size)} after, ` +
        `${String(wrong)} wrong, ${String(good.size)} on the disk`,
    )
  } finally {
    await client.kill()
    source.close()
  }

  async function untilClaims(
    asked: Running,
    is: (claims: Claimed) => boolean,
    within: number,
  ): Promise<boolean> {
    const end = performance.now() + within
    while (performance.now() < end) {
      if (is(await asked.claims(torrent))) return true
      await delay(50)
    }
    return false
  }

  async function settled(asked: Running): Promise<ReadonlySet<number>> {
    const end = performance.now() + SETTLED
    let last = -1
    for (let same = 0; performance.now() < end;) {
      await delay(500)
      const claims = await asked.claims(torrent)
      if (claims === null || claims.checking) continue
      same = claims.pieces.size === last ? same + 1 : 0
      last = claims.pieces.size
      // Two seconds without a change: some look at their files only a while after the start.
      if (same >= 4) return claims.pieces
    }
    return (await asked.claims(torrent))?.pieces ?? new Set()
  }
}

async function makeSource(dir: string, name: string) {
  let port = 0
  const tracker = await httpTracker((socket) => {
    const peers = Buffer.from([10, 77, 0, SEEDER, port >> 8, port & 255])
    reply(socket, Buffer.from(encode({ interval: 1800, peers })))
  })
  const trackers = [[`http://127.0.0.1:${String(tracker.port)}/announce`]]
  const shape = { name: `${name}.bin`, content: SIZE, pieceLength: PIECE, trackers }
  const torrent = makeTorrent(join(dir, 'made'), shape)
  const seeder = await slowSeeder({ torrent, rate: RATE, host: `10.77.0.${String(SEEDER)}` })
  port = seeder.port
  const payload = readFileSync(join(torrent.dir, `${name}.bin`))
  const close = (): void => {
    seeder.close()
    tracker.close()
  }
  return { torrent, payload, seeder, close }
}

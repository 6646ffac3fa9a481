/**
 * One download and one removal under strace: a new folder tree in a download folder that is not there yet, files that
 * share pieces, more than one sync round, names given, everything deleted again.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../shared/torrent/bencode.js'
import { Daemon, makeHome } from '../support/daemon.js'
import { httpTracker, reply } from '../support/fake-tracker.js'
import { expectSameFiles, makeTorrent } from '../support/make-torrent.js'
import { type OrderProof, proveOrder } from '../support/proof/order.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { attach, FILE_CALLS } from '../support/strace.js'

const MIB = 1024 * 1024
/** Slow enough for more than one round, which come 3 s apart. */
const RATE = 2.5 * MIB
/** Milliseconds for commits that follow what is shown. */
const QUIET = 500

const CONTENT = [
  { path: 'first.bin', length: 3 * MIB + 1 },
  { path: 'a/second.bin', length: 3 * MIB + 2 },
  { path: 'a/b/third.bin', length: 3 * MIB + 3 },
  ...Array.from({ length: 20 }, (_, n) => ({ path: `a/b/c${String(n % 2)}/${String(n)}`, length: 5000 + n })),
  { path: 'last.bin', length: MIB + 4 },
]

/** `dir` is a new folder; short, for a socket lies in it. */
export async function orderRun(dir: string): Promise<{ proof: OrderProof; pieceCount: number }> {
  let port = 0
  const tracker = await httpTracker((socket) => {
    const peers = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
    reply(socket, Buffer.from(encode({ interval: 1800, peers })))
  })
  const trackers = [[`http://127.0.0.1:${String(tracker.port)}/announce`]]
  mkdirSync(dir, { recursive: true })
  const torrent = makeTorrent(join(dir, 'made'), { name: 'ordered', content: CONTENT, trackers })
  const seeder = await slowSeeder({ torrent, rate: RATE })
  port = seeder.port
  const daemon = await Daemon.start({ home: makeHome(join(dir, 'home')) })
  try {
    const down = join(dir, 'down/new')
    const trace = await attach(daemon.pid, join(dir, 'trace'), FILE_CALLS)
    const metainfo = readFileSync(torrent.file).toString('base64')
    const { id } = await daemon.call('torrent.add', { metainfo, dir: down })
    await daemon.seeds(id, 60_000)
    // The names come after the last round.
    await delay(QUIET)
    expectSameFiles(torrent, down)
    await daemon.call('torrent.remove', { ids: [id], data: true, now: true })
    await delay(QUIET)
    const calls = await trace.stop()
    const scratch = join(dir, 'scratch')
    const proof = proveOrder({ home: daemon.home, torrent, dir: down, scratch }, calls)
    return { proof, pieceCount: torrent.pieceCount }
  } finally {
    await daemon.stop()
    seeder.close()
    tracker.close()
  }
}

/** A disk that takes half a second for each write and each sync: whoever asks the daemon something waits for none of it. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Method, Params } from '../../shared/rpc/contract.js'
import { makeTorrent } from '../support/make-torrent.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, useStage } from '../support/stage.js'
import { canTrace } from '../support/strace.js'

const MIB = 1024 * 1024
/** Milliseconds that an answer may take, and how many of a hundred may take longer: other programs run on this machine. */
const SOON = 100
const LATE = 3
const ROUNDS = 6

const stage = useStage()

it.skipIf(!canTrace)(
  'while a disk is slow every question is answered within 100 ms',
  async () => {
    const made = { name: 'slow.bin', content: 24 * MIB, pieceLength: 65_536 }
    const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate: 2 * MIB })
    stage.after(() => {
      seeder.close()
    })
    const trackers = [await stage.trackerOf(seeder.port)]
    const dir = stage.folder('down')
    const inject = 'inject=pwrite64,pwritev,pwritev2,fdatasync,fsync:delay_enter=500000'
    const quiet = [
      '-o',
      '/dev/null',
      '-e',
      'signal=none',
      '-e',
      'trace=pwrite64,pwritev,pwritev2,fdatasync,fsync',
    ]
    const under = ['strace', '-D', '-f', '-qq', '-P', join(dir, 'slow.bin.part'), ...quiet, '-e', inject]
    const daemon = await stage.daemon('home', { under })
    const metainfo = metainfoOf(makeTorrent(stage.folder('made'), made))
    const { id } = await daemon.call('torrent.add', { metainfo, dir, trackers })
    await daemon.until(id, ({ doneBytes }) => doneBytes > 0)
    const questions: { [M in Method]?: Params<M> } = {
      'session.status': {},
      'torrent.list': {},
      'torrent.get': { id },
      'torrent.files': { id },
      'torrent.pieces': { id },
      'torrent.peers': { id },
      'torrent.trackers': { id },
      'torrent.why': { id },
      'torrent.export': { id },
      'torrent.limit': { ids: [id], down: 2 * MIB },
      'torrent.label': { ids: [id], add: ['slow'] },
      'queue.list': {},
      'job.list': {},
      'trash.list': {},
      'events.since': { seq: 0 },
      'config.list': {},
      'config.get': { key: 'listen.port' },
      'dht.status': {},
    }
    const took: { method: string; ms: number }[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [method, params] of Object.entries(questions)) {
        const begun = performance.now()
        await daemon.call(method as Method, params)
        took.push({ method, ms: performance.now() - begun })
      }
    }
    const { progress, state } = await daemon.torrent(id)
    expect(state).toBe('downloading')
    expect(progress).toBeLessThan(1)
    expect((await daemon.call('session.status', {})).latency.write.slowest).toBeGreaterThanOrEqual(500)
    const late = took.filter(({ ms }) => ms > SOON)
    expect(late.length, JSON.stringify(late)).toBeLessThanOrEqual((took.length * LATE) / 100)
    // None waits for the disk: were it so, a question of every round would be late.
    for (const method of Object.keys(questions))
      expect(late.filter((each) => each.method === method).length, method).toBeLessThan(ROUNDS / 2)
  },
  60_000,
)

/** A cold volume: each read of one file takes 8 ms, fifty leechers want it, and another torrent must not feel it. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { ClientId } from '../results.js'
import { figuresOf } from '../stage.js'
import { SEATS, type World } from '../world.js'
import { MIB, scaled, scenario, type Scale, type Scenario } from './scenario.js'

const DELAY_MICROS = 8000
const CALLS = 'read,readv,pread64,preadv,preadv2'

/** Tried: 64 MiB of checking alone took more than two minutes. */
const SMALL_READS =
  'checks in small reads on its only thread: with the delay that takes minutes before it seeds'

const WITHOUT: Partial<Record<ClientId, string>> = {
  aria2: SMALL_READS,
  transmission: SMALL_READS,
  libtorrent: 'reads through a memory map: there is no call to delay',
  'libtorrent-tuned': 'reads through a memory map: there is no call to delay',
  qbittorrent: 'reads through a memory map: there is no call to delay',
  rtorrent: 'reads through a memory map: there is no call to delay',
}

export function cold(scale: Scale): Scenario {
  const coldSize = scaled(256, scale)
  const size = scaled(512, scale)
  const rate = 100 * MIB
  const leechers = 50
  const names = {
    cold: `cold-${coldSize / MIB}`,
    first: `warm-${size / MIB}-a`,
    second: `warm-${size / MIB}-b`,
  }
  const canTrace = spawnSync('strace', ['-f', '--seccomp-bpf', '-o', '/dev/null', 'true']).status === 0
  return scenario({
    info: {
      id: 'cold',
      group: 'cold',
      title: 'a cold volume with 50 leechers beside a download on another volume',
      about:
        'strace delays every read of the cold file by 8 ms. A torrent comes at 100 MiB/s onto another volume, first alone, then while 50 leechers ask for the cold file; what it keeps is the first time over the second.',
      by: 'kept',
      best: 'most',
      parameters: { coldSize, size, rate, leechers, delay: DELAY_MICROS / 1e6, pinned: false },
      extras: { kept: 'kept of its rate', cold: 'cold file, MiB/s' },
    },
    rounds: 3,
    pinned: false,
    timeout: 120,
    quick: false,
    writes: 2 * size,
    contents: Object.values(names),
    without: (client) => (canTrace ? (WITHOUT[client] ?? null) : 'strace cannot trace here'),
    prepare: (world: World) => ({
      slow: world.torrent(world.content({ name: names.cold, files: coldSize }, 'other'), MIB),
      first: world.torrent(world.content({ name: names.first, files: size }), MIB),
      second: world.torrent(world.content({ name: names.second, files: size }), MIB),
    }),
    run: async (stage, { slow, first, second }) => {
      await stage.tracker([SEATS.seeder])
      const seeder = await stage.seeder([first, second], [{ seat: SEATS.seeder, rate }])
      const file = join(slow.content.dir, names.cold)
      const inject = `inject=${CALLS}:delay_enter=${DELAY_MICROS}`
      const filter = ['-e', `trace=${CALLS}`, '-e', inject, '-e', 'signal=none', '-P', file]
      const under = ['strace', '-D', '-f', '--seccomp-bpf', '-q', ...filter, '-o', '/dev/null']
      const client = await stage.client({ under, crowd: true })
      await stage.seed(client, [slow])
      const dir = stage.folder('down')
      const alone = await stage.download([{ client, torrent: first, dir }])
      const sink = await stage.sink([slow], { connections: leechers, addresses: leechers })
      await stage.flowing()
      const beside = await stage.download([{ client, torrent: second, dir }])
      const sunk = await sink.end()
      const took = ({ begun, ended }: typeof alone): number => ended - begun
      const extra = {
        kept: took(alone) / took(beside),
        cold: sunk.seconds > 0 ? sunk.total / MIB / sunk.seconds : 0,
      }
      const figures = await figuresOf(beside, size, { client, torrent: second, extra })
      await seeder.end()
      await stage.stop()
      stage.verify(second, dir)
      return { ...figures, wireOverhead: null }
    },
  })
}

/** Without a download: the check of data that are there, and ten torrents that nobody asks for. */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { stirringOf } from '../meter.js'
import { GIB } from '../results.js'
import { figuresOf } from '../stage.js'
import type { World } from '../world.js'
import { MIB, scaled, scenario, type Scale, type Scenario } from './scenario.js'

export function recheck(scale: Scale): Scenario {
  const size = scaled(4096, scale)
  const name = `check-${size / MIB}`
  return scenario({
    info: {
      id: 'recheck',
      group: 'recheck',
      title: 'checks a torrent whose data are there, cached',
      about: 'From the add call to seeding, all cores free. Torrentino has a worker for each core but one.',
      by: 'wall',
      best: 'least',
      parameters: { size, pieceLength: MIB, pinned: false },
      extras: { perWorker: 'GiB/s over cores less one' },
    },
    rounds: 3,
    pinned: false,
    timeout: 120,
    quick: true,
    writes: 0,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
    run: async (stage, torrent) => {
      await stage.tracker([])
      const client = await stage.client()
      const watched = await stage.check(client, torrent)
      const rate = size / GIB / ((watched.ended - watched.begun) / 1000)
      const workers = Math.min(4, Math.max(1, availableParallelism() - 1))
      return figuresOf(watched, size, { client, torrent, extra: { perWorker: rate / workers } })
    },
  })
}

export function idle(scale: Scale): Scenario {
  const seconds = Math.max(5, Math.round(600 * scale.factor))
  const each = 16 * MIB
  const names = Array.from({ length: 10 }, (_, at) => `idle-${at}`)
  return scenario({
    info: {
      id: 'idle',
      group: 'idle',
      title: `ten seeding torrents, idle for ${seconds} s`,
      about:
        'Nobody is connected and nobody asks the client anything. Wake-ups are the voluntary context switches of all its threads.',
      by: 'cpuShare',
      best: 'least',
      parameters: { torrents: names.length, each, seconds, pinned: false },
      extras: { cpuShare: 'CPU share', wakeups: 'wake-ups a second', written: 'bytes written' },
    },
    rounds: 1,
    pinned: false,
    timeout: seconds + 120,
    quick: false,
    onlyByName: true,
    writes: 0,
    contents: names,
    prepare: (world: World) => names.map((name) => world.torrent(world.content({ name, files: each }), MIB)),
    run: async (stage, torrents) => {
      await stage.tracker([])
      const client = await stage.client()
      await stage.seed(client, torrents)
      // What follows a start is over by then: records, announces.
      await sleep(Math.min(30, seconds) * 1000)
      const before = stirringOf(client.pid)
      const watched = await stage.watch([client], async () => {
        await sleep(seconds * 1000)
        return performance.now()
      })
      const after = stirringOf(client.pid)
      const span = (watched.ended - watched.begun) / 1000
      return figuresOf(watched, 0, {
        extra: {
          cpuShare: watched.cost.cpu / span,
          wakeups: (after.wakeups - before.wakeups) / span,
          written: after.written - before.written,
        },
      })
    },
  })
}

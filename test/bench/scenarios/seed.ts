/** The client as a seeder: one leecher, two hundred, and while it downloads itself. */
import { torrentino } from '../clients/torrentino.js'
import { GIB } from '../results.js'
import { figuresOf } from '../stage.js'
import { SEATS, type World } from '../world.js'
import { MIB, scaled, scenario, type Scale, type Scenario } from './scenario.js'

export function seeds(scale: Scale): Scenario[] {
  const size = scaled(1024, scale)
  const name = `big-${size / MIB}`
  const common = {
    rounds: 5,
    pinned: true,
    timeout: 120,
    writes: 0,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
  }
  const info = {
    group: 'seed',
    by: 'wall',
    best: 'least',
    parameters: { size, pieceLength: MIB, pinned: true },
    extras: {},
  } as const
  return [
    scenario({
      ...common,
      quick: true,
      info: {
        ...info,
        id: 'seed',
        title: 'as seeder to a leecher that throws everything away',
        about:
          'Wall is from the first request of the leecher to its last block; CPU is the seeder under test.',
      },
      run: async (stage, torrent) => {
        await stage.tracker([])
        const client = await stage.client()
        await stage.seed(client, [torrent])
        let wall = 0
        const watched = await stage.watch([client], async () => {
          const sink = await stage.sink([torrent], { connections: 1, once: true })
          const report = await sink.report()
          const at = performance.now()
          if (report.total < size) throw new Error(`the leecher got ${report.total} of ${size} bytes`)
          wall = report.seconds
          return at
        })
        return figuresOf(watched, size, { client, torrent, wall })
      },
    }),
    scenario({
      ...common,
      rounds: 3,
      quick: false,
      writes: size,
      info: {
        ...info,
        id: 'seed-own',
        title: 'as seeder to Torrentino',
        about:
          'Torrentino downloads from the client under test. Wall is from the add call to complete; CPU is the seeder under test.',
      },
      run: async (stage, torrent) => {
        await stage.tracker([SEATS.client])
        const client = await stage.client()
        await stage.seed(client, [torrent])
        const leecher = await stage.client(
          { seat: SEATS.client + 1, cpus: stage.world.cores.peers },
          torrentino(),
        )
        const dir = stage.folder('down')
        const ended = leecher.completed(torrent)
        const watched = await stage.watch([client], async () => {
          await leecher.add(torrent, dir)
          return ended
        })
        const figures = await figuresOf(watched, size, { client, torrent })
        await stage.stop()
        stage.verify(torrent, dir)
        return figures
      },
    }),
  ]
}

/** Two hundred leechers on one hot file. */
export function crowd(scale: Scale): Scenario {
  const size = scaled(1024, scale)
  const name = `big-${size / MIB}`
  const connections = scale.quick ? 50 : 200
  const seconds = scale.quick ? 2 : 5
  return scenario({
    info: {
      id: 'crowd',
      group: 'crowd',
      title: `${connections} leechers on one hot file`,
      about:
        'Leechers that throw everything away ask one seeder for the same torrent, each from another place on. Fairness is the least of them over the most.',
      by: 'perCpu',
      best: 'most',
      parameters: { size, pieceLength: MIB, pinned: true, connections, seconds },
      extras: { perCpu: 'GiB per CPU-second', fairness: 'fairness' },
    },
    rounds: 5,
    pinned: true,
    timeout: 90,
    quick: true,
    writes: 0,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
    run: async (stage, torrent) => {
      await stage.tracker([])
      const client = await stage.client({ crowd: true })
      await stage.seed(client, [torrent])
      let total = 0
      let wall = 0
      let fairness = 0
      const watched = await stage.watch([client], async () => {
        const sink = await stage.sink([torrent], { connections, addresses: 50, seconds })
        const report = await sink.report()
        const at = performance.now()
        total = report.total
        fairness = report.fairness
        wall = report.seconds
        return at
      })
      if (total === 0) throw new Error('the leechers got nothing')
      const perCpu = total / GIB / watched.cost.cpu
      return figuresOf(watched, total, { client, torrent, wall, extra: { perCpu, fairness } })
    },
  })
}

/** Down and up at once. */
export function duplex(scale: Scale): Scenario {
  const size = scaled(1024, scale)
  const other = scaled(512, scale)
  const name = `big-${size / MIB}`
  const second = `up-${other / MIB}`
  return scenario({
    info: {
      id: 'duplex',
      group: 'duplex',
      title: 'downloads one torrent while it seeds another to eight',
      about:
        'Down from a perfect seeder, up to eight leechers that throw everything away, until the download is complete. The payload is both.',
      by: 'wall',
      best: 'least',
      parameters: { size, other, pieceLength: MIB, pinned: false, leechers: 8 },
      extras: { down: 'down, MiB/s', up: 'up, MiB/s' },
    },
    rounds: 3,
    pinned: false,
    timeout: 180,
    quick: false,
    writes: size,
    contents: [name, second],
    prepare: (world: World) => ({
      torrent: world.torrent(world.content({ name, files: size }), MIB),
      seeded: world.torrent(world.content({ name: second, files: other }), MIB),
    }),
    run: async (stage, { torrent, seeded }) => {
      await stage.tracker([SEATS.seeder])
      const seeder = await stage.seeder([torrent])
      const client = await stage.client()
      await stage.seed(client, [seeded])
      const dir = stage.folder('down')
      const sink = await stage.sink([seeded], { connections: 8, addresses: 8 })
      const watched = await stage.download([{ client, torrent, dir }])
      const sunk = await sink.end()
      const wall = (watched.ended - watched.begun) / 1000
      const up = sunk.total / sunk.seconds
      const extra = { down: size / MIB / wall, up: up / MIB }
      const payload = size + Math.round(up * wall)
      const figures = await figuresOf(watched, payload, {
        client,
        torrent,
        seeder: await seeder.end(),
        extra,
      })
      await stage.stop()
      stage.verify(torrent, dir)
      return { ...figures, wireOverhead: null }
    },
  })
}

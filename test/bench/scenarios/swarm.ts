/** Several peers at once: a mesh behind a limited seed, many slow peers, many torrents. */
import { figuresOf } from '../stage.js'
import { SEATS, type World } from '../world.js'
import { MIB, scaled, scenario, type Scale, type Scenario } from './scenario.js'

/** One limited seed, leechers that are all the same client. */
export function mesh(scale: Scale): Scenario {
  const size = scaled(512, scale)
  const name = `mesh-${size / MIB}`
  const rate = 200 * MIB
  const leechers = 6
  const seats = Array.from({ length: leechers }, (_, at) => SEATS.client + at)
  return scenario({
    info: {
      id: 'mesh',
      group: 'mesh',
      title: 'one seed of 200 MiB/s, six leechers of the same client',
      about:
        'Wall is the last finish. The payload is that of all six, and so are CPU and memory. The seed ratio is what the seed sent over the size.',
      by: 'wall',
      best: 'least',
      parameters: { size, pieceLength: MIB, pinned: false, rate, leechers },
      extras: { mean: 'mean finish, s', last: 'last finish, s', ratio: 'seed upload ratio' },
    },
    rounds: 5,
    pinned: false,
    timeout: 120,
    quick: false,
    writes: 6 * size,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
    run: async (stage, torrent) => {
      await stage.tracker([SEATS.seeder, ...seats])
      const seeder = await stage.seeder([torrent], [{ seat: SEATS.seeder, rate }])
      const clients = await Promise.all(seats.map((seat) => stage.client({ seat })))
      const what = clients.map((client) => ({ client, torrent, dir: stage.folder('down') }))
      const watched = await stage.download(what)
      const report = await seeder.end()
      const mean = watched.finishes.reduce((sum, each) => sum + each, 0) / leechers
      const extra = { mean, last: Math.max(...watched.finishes), ratio: report.payload / size }
      const [client] = clients
      const figures = await figuresOf(watched, leechers * size, {
        ...(client === undefined ? {} : { client }),
        seeder: report,
        extra,
      })
      const totals = await Promise.all(clients.map((each) => each.totals(torrent)))
      await stage.stop()
      for (const { dir } of what) stage.verify(torrent, dir)
      const wasted = totals.every((each) => each.wasted !== null)
        ? totals.reduce((sum, each) => sum + (each.wasted ?? 0), 0)
        : null
      return { ...figures, wasted }
    },
  })
}

/** Forty slow peers beside a fast one. */
export function slowPeers(scale: Scale): Scenario {
  const seconds = scale.quick ? 3 : 5
  const rate = 100 * MIB
  const slowRate = 20 * 1024
  const peers = 40
  const size = (seconds + 3) * rate
  const name = `slow-${size / MIB}`
  return scenario({
    info: {
      id: 'slow-peers',
      group: 'slow-peers',
      title: '40 peers of 20 KiB/s and one of 100 MiB/s',
      about: `${seconds} s of a download from its first data on. What the fast peer could send, from its first request to its last block.`,
      by: 'fastRate',
      best: 'most',
      parameters: { size, seconds, pieceLength: MIB, pinned: true, rate, slowRate, peers },
      extras: { fastRate: 'from the fast peer, MiB/s' },
    },
    rounds: 5,
    pinned: true,
    timeout: 60,
    quick: false,
    writes: size,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
    run: async (stage, torrent) => {
      const slowSeats = Array.from({ length: peers }, (_, at) => SEATS.seeder + 1 + at)
      await stage.tracker([SEATS.seeder, ...slowSeats])
      const fast = await stage.seeder([torrent], [{ seat: SEATS.seeder, rate }])
      const others = await stage.seeder(
        [torrent],
        slowSeats.map((seat) => ({ seat, rate: slowRate })),
      )
      const client = await stage.client()
      const watched = await stage.download([{ client, torrent, dir: stage.folder('down') }], seconds * 1000)
      const report = await fast.end()
      const rest = await others.end()
      const span = ((report.lastBlockAt ?? 0) - (report.firstRequestAt ?? 0)) / 1000
      const extra = { fastRate: span > 0 ? report.payload / MIB / span : 0 }
      return figuresOf(watched, report.payload + rest.payload, { client, torrent, seeder: report, extra })
    },
  })
}

/** Fifty torrents at once. */
export function fifty(scale: Scale): Scenario {
  const count = 50
  const each = scaled(16, scale)
  const names = Array.from({ length: count }, (_, at) => `many-${each / MIB}-${at}`)
  return scenario({
    info: {
      id: 'fifty',
      group: 'fifty',
      title: `${count} torrents at once`,
      about: 'All are added at once and come from one perfect seeder. Wall is to the last complete one.',
      by: 'wall',
      best: 'least',
      parameters: { each, count, pieceLength: MIB / 4, pinned: true },
      extras: { mean: 'mean finish, s' },
    },
    rounds: 3,
    pinned: true,
    timeout: 120,
    quick: false,
    writes: count * each,
    contents: names,
    prepare: (world: World) =>
      names.map((name) => world.torrent(world.content({ name, files: each }), MIB / 4)),
    run: async (stage, torrents) => {
      await stage.tracker([SEATS.seeder])
      const seeder = await stage.seeder(torrents)
      const client = await stage.client()
      const dir = stage.folder('down')
      const watched = await stage.download(torrents.map((torrent) => ({ client, torrent, dir })))
      const totals = await Promise.all(torrents.map((torrent) => client.totals(torrent)))
      const mean = watched.finishes.reduce((sum, one) => sum + one, 0) / count
      const figures = await figuresOf(watched, count * each, {
        client,
        seeder: await seeder.end(),
        extra: { mean },
      })
      await stage.stop()
      for (const torrent of torrents) stage.verify(torrent, dir)
      const wasted = totals.every((one) => one.wasted !== null)
        ? totals.reduce((sum, one) => sum + (one.wasted ?? 0), 0)
        : null
      return { ...figures, wasted }
    },
  })
}

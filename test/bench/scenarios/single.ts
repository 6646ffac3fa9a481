/** One seeder, one leecher: the client downloads from the perfect seeder. */
import type { BenchTorrent } from '../content.js'
import { figuresOf, Tide, type Stage } from '../stage.js'
import { SEATS, type Volumes, type World } from '../world.js'
import { MIB, scaled, scenario, type Scale, type Scenario } from './scenario.js'

interface Variant {
  readonly id: string
  readonly title: string
  readonly mib: number
  readonly pieceLength: number
  readonly pinned: boolean
  readonly volume: keyof Volumes
  readonly rounds: number
  readonly quick: boolean
}

const VARIANTS: readonly Variant[] = [
  {
    id: 'single',
    title: 'one seeder, one leecher, each on a core of its own',
    mib: 2048,
    pieceLength: MIB,
    pinned: true,
    volume: 'memory',
    rounds: 5,
    quick: true,
  },
  {
    id: 'single-free',
    title: 'the same, both cores free for both',
    mib: 2048,
    pieceLength: MIB,
    pinned: false,
    volume: 'memory',
    rounds: 5,
    quick: false,
  },
  {
    id: 'single-16m',
    title: 'pieces of 16 MiB, pinned',
    mib: 512,
    pieceLength: 16 * MIB,
    pinned: true,
    volume: 'memory',
    rounds: 3,
    quick: false,
  },
  {
    id: 'single-256k',
    title: 'pieces of 256 KiB, pinned',
    mib: 512,
    pieceLength: MIB / 4,
    pinned: true,
    volume: 'memory',
    rounds: 3,
    quick: false,
  },
  {
    id: 'single-disk',
    title: 'onto the disk, pinned: ours syncs what it calls done, others need not',
    mib: 512,
    pieceLength: MIB,
    pinned: true,
    volume: 'disk',
    rounds: 3,
    quick: false,
  },
]

export async function downloadOnce(
  stage: Stage,
  torrent: BenchTorrent,
  volume: keyof Volumes,
): ReturnType<typeof figuresOf> {
  await stage.tracker([SEATS.seeder])
  const seeder = await stage.seeder([torrent])
  const client = await stage.client()
  const dir = stage.folder('down', volume)
  const watched = await stage.download([{ client, torrent, dir }])
  const figures = await figuresOf(watched, torrent.content.total, {
    client,
    torrent,
    seeder: await seeder.end(),
  })
  await stage.stop()
  stage.verify(torrent, dir)
  return figures
}

export function singles(scale: Scale): Scenario[] {
  return VARIANTS.map((variant) => {
    const size = scaled(variant.mib, scale)
    const name = `big-${size / MIB}`
    const { pieceLength, pinned, volume, rounds, quick } = variant
    return scenario({
      info: {
        id: variant.id,
        group: 'single',
        title: variant.title,
        about:
          'A perfect seeder serves one file from the page cache; the client downloads it. Wall is from the add call to complete.',
        by: 'wall',
        best: 'least',
        parameters: { size, pieceLength, pinned, volume },
        extras: {},
      },
      rounds,
      pinned,
      timeout: 60 + size / (16 * MIB),
      quick,
      writes: volume === 'memory' ? size : 0,
      contents: [name],
      prepare: (world: World) => world.torrent(world.content({ name, files: size }), pieceLength),
      run: (stage, torrent) => downloadOnce(stage, torrent, volume),
    })
  })
}

/** Eight seeders of which one is slow. */
export function eight(scale: Scale): Scenario {
  const size = scaled(1024, scale)
  const name = `big-${size / MIB}`
  const seats = Array.from({ length: 8 }, (_, at) => SEATS.seeder + at)
  return scenario({
    info: {
      id: 'eight',
      group: 'eight',
      title: 'eight seeders, one of them at 1 MiB/s',
      about:
        'Seven seeders as fast as the machine and one limited to 1 MiB/s. The tail is the time of the last 1 % of the bytes on the wire over the whole time.',
      by: 'wall',
      best: 'least',
      parameters: { size, pieceLength: MIB, pinned: true, slow: MIB },
      extras: { tail: 'last 1 % of the time' },
    },
    rounds: 5,
    pinned: true,
    timeout: 120,
    quick: false,
    writes: size,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), MIB),
    run: async (stage, torrent) => {
      await stage.tracker(seats)
      const seeder = await stage.seeder(
        [torrent],
        seats.map((seat, at) => (at === 0 ? { seat, rate: MIB } : { seat })),
      )
      const client = await stage.client()
      const dir = stage.folder('down')
      const tide = new Tide()
      const watched = await stage.download([{ client, torrent, dir }])
      const tail = (watched.ended - tide.end(0.99)) / (watched.ended - watched.begun)
      const report = await seeder.end()
      const extra = { tail }
      const figures = await figuresOf(watched, size, { client, torrent, seeder: report, extra })
      await stage.stop()
      stage.verify(torrent, dir)
      return figures
    },
  })
}

/** Twenty thousand small files. */
export function small(scale: Scale): Scenario {
  const count = Math.max(50, Math.round(20_000 * scale.factor))
  const name = `small-${count}`
  const files = Array.from({ length: count }, (_, at) => ({
    path: `${String(at % 100).padStart(2, '0')}/${at}.bin`,
    // Any odd number does; the same on every run.
    length: 16_384 + ((at * 7919) % 49_153),
  }))
  return scenario({
    info: {
      id: 'small',
      group: 'small',
      title: `${count} files of 16 to 64 KiB`,
      about: 'One torrent of many small files in 100 folders from a perfect seeder, pinned.',
      by: 'wall',
      best: 'least',
      parameters: { count, pieceLength: MIB, pinned: true },
      extras: {},
    },
    rounds: 5,
    pinned: true,
    timeout: 180,
    quick: false,
    writes: count * 40_960,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files }), MIB),
    run: (stage, torrent) => downloadOnce(stage, torrent, 'memory'),
  })
}

/** A torrent of one piece: from the add call to the first verified piece, for every client in the same way. */
export function start(): Scenario {
  const size = MIB / 4
  const name = 'one-piece'
  return scenario({
    info: {
      id: 'start',
      group: 'start',
      title: 'from the add call to the first verified piece',
      about: 'The torrent has a single piece of 256 KiB, so that complete means the first piece verified.',
      by: 'wall',
      best: 'least',
      parameters: { size, pieceLength: size, pinned: true },
      extras: {},
    },
    rounds: 5,
    pinned: true,
    timeout: 60,
    quick: true,
    writes: 0,
    contents: [name],
    prepare: (world: World) => world.torrent(world.content({ name, files: size }), size),
    run: (stage, torrent) => downloadOnce(stage, torrent, 'memory'),
  })
}

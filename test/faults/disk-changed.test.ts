/** Files that somebody changes while a daemon seeds them: what is sent is right, or it is not sent. */
import {
  appendFileSync,
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Daemon } from '../support/daemon.js'
import { FakeRandom } from '../support/fake-random.js'
import { type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'
import { TcpLeecher } from '../support/tcp-leecher.js'

const stage = useStage()
const MIB = 1024 * 1024
const SIZE = 3 * MIB
/** Kernels stamp a file's times with the tick of their clock, 10 ms at most: two writes within one look like one. */
const TICK = 15

interface Seeding {
  readonly daemon: Daemon
  readonly id: number
  readonly torrent: MadeTorrent
  readonly path: string
  readonly whole: Buffer
  readonly leecher: TcpLeecher
}

async function seeding(daemon: Daemon, folder: string, random: FakeRandom): Promise<Seeding> {
  // Pieces of another length make another torrent of the same file.
  const pieceLength = folder === 'b' ? 32_768 : folder === 'c' ? 131_072 : 65_536
  const torrent = makeTorrent(stage.folder(folder), { name: 'f.bin', content: SIZE, pieceLength })
  const { id, infoHash } = await daemon.call('torrent.add', {
    metainfo: metainfoOf(torrent),
    dir: torrent.dir,
  })
  await daemon.seeds(id)
  const path = join(torrent.dir, 'f.bin')
  const whole = readFileSync(path)
  const { port } = (await daemon.call('session.status', {})).listen
  const leecher = new TcpLeecher({
    port,
    infoHash: infoHash ?? '',
    whole,
    pieceLength,
    random: () => random.float(),
  })
  stage.after(() => {
    leecher.end()
  })
  return { daemon, id, torrent, path, whole, leecher }
}

async function until(what: () => boolean, why: string): Promise<void> {
  for (let n = 0; n < 1500; n++) {
    if (what()) return
    await delay(20)
  }
  throw new Error(`not within 30 s: ${why}`)
}

/** Overwrites in place, with other bytes for sure. */
function scribble(path: string, whole: Buffer, at: number, length: number): void {
  const bytes = Buffer.from(whole.subarray(at, at + length).map((byte) => byte ^ 0xff))
  const fd = openSync(path, 'r+')
  writeSync(fd, bytes, 0, bytes.length, at)
  closeSync(fd)
}

const MUTATIONS: Readonly<Record<string, (at: Seeding, random: FakeRandom) => void>> = {
  overwritten: ({ path, whole }, random) => {
    scribble(path, whole, random.int(SIZE - 70_000), 1 + random.int(70_000))
  },
  'overwritten, its times put back': ({ path, whole }, random) => {
    const { atimeMs, mtimeMs } = statSync(path)
    scribble(path, whole, random.int(SIZE - 70_000), 1 + random.int(70_000))
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000)
  },
  cut: ({ path }, random) => {
    truncateSync(path, random.int(SIZE))
  },
  'cut and made long again': ({ path }, random) => {
    truncateSync(path, random.int(SIZE))
    truncateSync(path, SIZE)
  },
  longer: ({ path }) => {
    appendFileSync(path, 'more')
  },
  deleted: ({ path }) => {
    rmSync(path)
  },
  'replaced by a rename': ({ path, whole }) => {
    writeFileSync(`${path}.new`, Buffer.from(whole.map((byte) => byte ^ 0x55)))
    renameSync(`${path}.new`, path)
  },
}

/** Every mutation once, in an order of its own, each healed by the user's hand. */
async function changeAndHeal(all: Seeding, random: FakeRandom, first: number): Promise<void> {
  const { daemon, id, path, whole, leecher } = all
  const names = Object.keys(MUTATIONS)
  for (let n = 0; n < names.length; n++) {
    const name = names[(first + n) % names.length] ?? ''
    const before = leecher.good
    await until(() => leecher.good > before + 20, `${name}: blocks come`)
    await delay(TICK + random.int(30))
    MUTATIONS[name]?.(all, random)
    // Longer, and all of it still there: found good. Everything else is the user's to decide.
    if (name !== 'longer') {
      const told =
        /^A (finished file was changed by another program|file is missing or shorter than recorded) \(f\.bin\)/
      await daemon.until(id, ({ state, error }) => state === 'blocked' && told.test(error ?? ''))
    }
    const changed = name === 'deleted' ? null : readFileSync(path)
    await delay(200)
    // It is not written over.
    if (changed !== null) expect(readFileSync(path).equals(changed)).toBe(true)
    writeFileSync(path, whole)
    // The first is left to itself: it looks again every few seconds.
    const healed = n === 0 ? daemon.seeds(id) : resumed(daemon, id)
    await healed
    expect([name, leecher.bad]).toEqual([name, 0])
  }
}

async function resumed(daemon: Daemon, id: number): Promise<void> {
  for (let n = 0; n < 200; n++) {
    await daemon.call('torrent.resume', { ids: [id] })
    await delay(100)
    if ((await daemon.torrent(id)).state === 'seeding') return
  }
  throw new Error(`it does not seed: ${JSON.stringify(await daemon.torrent(id))}`)
}

describe('a file under a seed', () => {
  it('is changed in every way, and no bad byte goes out', async () => {
    const random = new FakeRandom(11)
    const daemon = await stage.daemon('seed')
    const some = await Promise.all(['a', 'b', 'c'].map((name) => seeding(daemon, name, random)))
    await Promise.all(some.map((one, n) => changeAndHeal(one, new FakeRandom(n + 1), n * 2)))
    for (const { leecher } of some) expect([leecher.good > 7 * 20, leecher.bad]).toEqual([true, 0])
  }, 120_000)

  it('gets a second name without being hashed again', async () => {
    const daemon = await stage.daemon('seed')
    const { id, path, leecher } = await seeding(daemon, 'a', new FakeRandom(3))
    await until(() => leecher.good > 20, 'blocks come')
    const { connections } = leecher
    for (const change of [
      linkSync,
      (_: string, name: string) => {
        rmSync(name)
      },
    ]) {
      change(path, `${path}.too`)
      const before = leecher.good
      await until(() => leecher.good > before + 100, 'blocks come')
    }
    expect((await daemon.torrent(id)).state).toBe('seeding')
    expect([leecher.connections, leecher.bad]).toEqual([connections, 0])
  })
})

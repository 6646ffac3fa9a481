/** The main thread never waits for a disk: as the kernel saw it. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { expectContent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'
import { attach, canTrace, FILE_CALLS, readTrace, type SystemCall, traced } from '../support/strace.js'

const stage = useStage()
const MIB = 1024 * 1024

function under(calls: readonly SystemCall[], dir: string): SystemCall[] {
  return calls.filter((call) => call.args.includes(dir))
}

function told(calls: readonly SystemCall[]): string[] {
  return calls.map((call) => `${String(call.tid)} ${call.name}(${call.args}`)
}

describe.skipIf(!canTrace)('system calls', () => {
  it('keeps the main thread away from data, database and log, down and up', async () => {
    const { http } = await stage.tracker()
    const files = [1, 2, 3].map((n) => ({ path: `part ${String(n)}/f.bin`, length: 2 * MIB + n }))
    const torrent = makeTorrent(stage.folder('made'), { name: 'several', content: files, trackers: [[http]] })
    const config = '[log]\nlevel = "debug"\n'
    const seed = await stage.daemon('seed', { config })
    const leech = await stage.daemon('leech', { config })
    const metainfo = metainfoOf(torrent)
    const added = await seed.call('torrent.add', { metainfo, dir: torrent.dir })
    await seed.seeds(added.id)

    const traces = await Promise.all([
      attach(seed.pid, join(stage.dir, 'seed.trace'), FILE_CALLS),
      attach(leech.pid, join(stage.dir, 'leech.trace'), FILE_CALLS),
    ])
    const { id } = await leech.call('torrent.add', { metainfo, dir: stage.folder('down') })
    await leech.seeds(id)
    // The verbs that read or write something.
    await leech.call('config.set', { key: 'log.level', value: 'trace' })
    await leech.call('torrent.export', { id })
    await leech.call('torrent.verify', { ids: [id] })
    await leech.seeds(id)
    await leech.call('torrent.pause', { ids: 'all' })
    await leech.call('torrent.resume', { ids: 'all' })
    await leech.seeds(id)
    await seed.call('torrent.add', { metainfo, dir: torrent.dir })
    const [up = [], down = []] = await Promise.all(traces.map((trace) => trace.stop()))

    expectContent(torrent, join(stage.dir, 'down'))
    for (const [daemon, calls] of [
      [seed, up],
      [leech, down],
    ] as const) {
      const seen = under(calls, stage.dir)
      expect(told(seen.filter((call) => call.tid === daemon.pid))).toEqual([])
      // The others did it: the trace is not blind.
      expect(seen.some((call) => call.name.startsWith('pread') && call.args.includes('f.bin'))).toBe(true)
      expect(seen.some((call) => call.args.includes('torrentinod.log'))).toBe(true)
    }
    const wrote = under(down, stage.dir).map((call) => call.name)
    expect(wrote).toContain('fdatasync')
    expect(wrote.some((name) => name.startsWith('pwrite'))).toBe(true)
  })

  it.each(['stop', 'kill9'] as const)(
    'reads nothing of a complete torrent before the first peer asks: after %s',
    async (end) => {
      const { http } = await stage.tracker()
      const made = { name: 'whole.bin', content: 4 * MIB, trackers: [[http]] }
      const torrent = makeTorrent(stage.folder('made'), made)
      const metainfo = metainfoOf(torrent)
      const first = await stage.daemon('seed')
      await first.seeds((await first.call('torrent.add', { metainfo, dir: torrent.dir })).id)
      await first[end]()

      const file = join(stage.dir, 'start.trace')
      const seed = await stage.daemon('seed', { under: traced(file, FILE_CALLS) })
      const { id } = await seed.seeds(1)
      await delay(500)
      const leech = await stage.daemon('leech')
      const early = under(readTrace(file), join(torrent.dir, 'whole.bin'))
      // After a kill the files are looked at, from outside; after an end in order not even that.
      const looks = /^(l?stat|newfstatat|statx)$/
      expect(told(early.filter(({ name }) => end === 'stop' || !looks.test(name)))).toEqual([])
      expect(under(readTrace(file), seed.home).length).toBeGreaterThan(5)

      const got = await leech.call('torrent.add', { metainfo, dir: stage.folder('down') })
      await leech.seeds(got.id)
      expect((await seed.torrent(id)).uploaded).toBe(4 * MIB)
      const { length } = under(readTrace(file), join(torrent.dir, 'whole.bin'))
      expect(length).toBeGreaterThan(early.length)
    },
  )
})

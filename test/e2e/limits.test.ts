/** Limits of payload that are set while bytes move. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const MIB = 1024 * 1024
const stage = useStage()

it.each(['limits.down', 'limits.up', 'its own limit'] as const)(
  '%s holds from the moment it is set until it is lifted',
  async (key) => {
    const made = makeTorrent(stage.folder('seed-data'), {
      name: 'big.bin',
      content: 48 * MIB,
      pieceLength: 256 * 1024,
    })
    const { http } = await stage.tracker()
    const seed = await stage.daemon('seed')
    const leech = await stage.daemon('leech')
    const limited = key === 'limits.up' ? seed : leech
    const metainfo = metainfoOf(made.file)
    const { id: seeded } = await seed.call('torrent.add', { metainfo, dir: made.dir, trackers: [http] })
    await seed.until(seeded, ({ state }) => state === 'seeding')
    const limit = async (rate: number | null): Promise<void> => {
      if (key === 'its own limit') await leech.call('torrent.limit', { ids: [id], down: rate })
      else await limited.call('config.set', { key, value: String(rate ?? 'none') })
    }
    const added = { metainfo, dir: stage.folder('down'), trackers: [http], paused: true }
    const { id } = await leech.call('torrent.add', added)
    await limit(4 * MIB)
    await leech.call('torrent.resume', { ids: [id] })
    const bytes = async (): Promise<number> => (await leech.torrent(id)).downloaded
    await leech.until(id, ({ downloaded }) => downloaded > 0)
    // A bucket lets its burst go first.
    await delay(1000)
    const [begun, before] = [performance.now(), await bytes()]
    await delay(3000)
    const rate = ((await bytes()) - before) / (performance.now() - begun)
    expect(rate * 1000).toBeGreaterThan(3.4 * MIB)
    expect(rate * 1000).toBeLessThan(4.4 * MIB)

    await limit(null)
    const lifted = performance.now()
    await leech.seeds(id)
    // What is left would take more than six seconds under the limit.
    expect(performance.now() - lifted).toBeLessThan(5000)
  },
)

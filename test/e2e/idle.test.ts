/** A daemon that nobody asks for anything writes nothing and hardly wakes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'
import { attach, canTrace, FILE_CALLS } from '../support/strace.js'

const stage = useStage()
const WATCHED = 10_000

/** How often the main thread went to sleep. The others sleep too; V8 wakes its own now and then to clean up. */
function sleeps(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/status`, 'utf8')
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1])
}

describe.skipIf(!canTrace || process.platform !== 'linux')('an idle daemon', () => {
  it('touches no file in its home or its data, and hardly wakes', async () => {
    const { http } = await stage.tracker()
    const daemon = await stage.daemon('seed')
    for (const name of ['one.bin', 'two.bin']) {
      const torrent = makeTorrent(stage.folder('made'), { name, content: 300_000, trackers: [[http]] })
      const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })
      await daemon.seeds(id)
    }
    // Records of the checks, names, announces.
    await delay(1500)
    const trace = await attach(daemon.pid, join(stage.dir, 'idle.trace'), FILE_CALLS)
    await delay(WATCHED)
    const touched = (await trace.stop()).filter((call) => call.args.includes(stage.dir))
    expect(touched).toEqual([])
    // Second, since V8 cleans up once when the work is over, and the main thread waits for its helpers then.
    const before = sleeps(daemon.pid)
    await delay(WATCHED)
    expect(sleeps(daemon.pid) - before).toBeLessThan((2 * WATCHED) / 1000)
    expect((await daemon.call('session.status', {})).torrents.byState).toEqual({ seeding: 2 })
  })
})

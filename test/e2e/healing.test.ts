/** A daemon whose names cannot be looked up, and then can: its trackers are asked again soon, by themselves. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { TrackerView } from '../../shared/views.js'
import { answerText } from '../../ctl/render/trackers.js'
import type { Daemon } from '../support/daemon.js'
import { httpTracker, reply } from '../support/fake-tracker.js'
import { makeTorrent } from '../support/make-torrent.js'
import { canMount, withFile } from '../support/own-mounts.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()

async function trackerOf(
  daemon: Daemon,
  id: number,
  is: (view: TrackerView) => boolean,
): Promise<TrackerView> {
  for (let tries = 0; tries < 1200; tries++) {
    const [view] = (await daemon.call('torrent.trackers', { id })).trackers
    if (view !== undefined && is(view)) return view
    await new Promise((done) => setTimeout(done, 25))
  }
  throw new Error(`torrent ${String(id)} was not heard`)
}

it.skipIf(!canMount)(
  'a resolver that fails and then answers: the first word of one tracker is heard by all',
  async () => {
    const fake = await httpTracker((socket) => {
      reply(socket, 'd8:completei3e10:incompletei4e8:intervali1800e5:peers0:e')
    })
    stage.after(() => {
      fake.close()
    })
    const [hosts, resolver] = [join(stage.dir, 'hosts'), join(stage.dir, 'resolv.conf')]
    writeFileSync(hosts, '127.0.0.1 localhost\n', { mode: 0o644 })
    // Nobody answers there, and nothing leaves this machine.
    writeFileSync(resolver, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n', { mode: 0o644 })
    const under = [...withFile('/etc/hosts', hosts), ...withFile('/etc/resolv.conf', resolver)]
    const daemon = await stage.daemon('home', { under })
    const add = async (name: string, host: string): Promise<number> => {
      const trackers = [[`http://${host}:${String(fake.port)}/announce`]]
      const torrent = makeTorrent(stage.folder('made'), { name, content: 20_000, trackers })
      return (await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: torrent.dir })).id
    }
    const named = await add('named.bin', 'tracker.test')
    const lost = await trackerOf(daemon, named, ({ status }) => status === 'failing')
    expect(answerText(lost, Date.now())).toMatch(
      /^failed, \d+s ago: The tracker could not be asked: .*could not be looked up/,
    )
    expect(fake.seen).toHaveLength(0)
    // The same file: it is mounted where the daemon looks.
    writeFileSync(hosts, '127.0.0.1 localhost tracker.test\n')
    const other = await add('other.bin', '127.0.0.1')
    await trackerOf(daemon, other, ({ status }) => status === 'working')
    await trackerOf(daemon, named, ({ status }) => status === 'working')
    const log = readFileSync(join(daemon.home, 'logs/torrentinod.log'), 'utf8')
    expect(log).toMatch(
      /a tracker fails.*[^]*none did: those that were not reached are asked again[^]*a tracker answers again/,
    )
  },
  60_000,
)

/**
 * A machine whose address changes in the middle of a download, and one that stands still: nobody tells the connections,
 * and it goes on by itself. Addresses are looked at once a minute, so most of this is waiting.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { expectSameFiles, makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { lacking, titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker, TRACKER } from './clients/tracker.js'
import { type Host, type Lab, openLab } from './namespace.js'
import { poll } from './poll.js'

const without = lacking()
/** Bytes a second of each download, so that it has a middle. */
const RATE = '1MB'
/** Milliseconds within which it goes on: a minute until the change is seen, the announce, the call. */
const WITHIN = 120_000
const ELSEWHERE = '10.77.0.200'
const SECOND_SEED = 8
const SLEEPER = 9
/** Milliseconds; more than the half minute that is taken for sleep. */
const STOPPED = 33_000

describe.skipIf(without !== '')(titled('a network that changes', without), () => {
  let lab: Lab
  let mover: Torrentino
  let moverAt: Host
  let sleeper: Torrentino
  let moved: MadeTorrent
  let slept: MadeTorrent

  beforeAll(async () => {
    lab = await openLab()
    const made = (name: string): MadeTorrent =>
      makeTorrent(lab.folder('made'), {
        name,
        trackers: [[TRACKER.udp]],
        pieceLength: 131_072,
        content: 12_000_000,
      })
    ;[moved, slept] = [made('moved'), made('slept')]
    const tracker = await startTracker(await lab.host(SEATS.tracker), [moved, slept])
    const seed = async (seat: number, torrent: MadeTorrent): Promise<void> => {
      const client = await startTorrentino(await lab.host(seat))
      await client.run('config', 'set', 'limits.up', RATE)
      await client.add(torrent, { dir: torrent.dir })
    }
    moverAt = await lab.host(SEATS.torrentino)
    ;[mover, sleeper] = await Promise.all([
      startTorrentino(moverAt),
      lab.host(SLEEPER).then(startTorrentino),
      seed(SEATS.seed, moved),
      seed(SECOND_SEED, slept),
    ])
    // As people have it: the lab binds it to one address, which is to go.
    await mover.run('config', 'set', 'listen.host', '')
    await mover.stop()
    await mover.start()
    await tracker.seedsKnown([moved, slept], 30_000)
  }, 120_000)
  afterAll(() => lab.close(), 60_000)

  async function begun(client: Torrentino, torrent: MadeTorrent): Promise<string> {
    const dir = lab.folder(torrent.name)
    await client.add(torrent, { dir })
    await poll({ what: 'a fifth is there', timeout: 60_000 }, async () => {
      return (await client.view(torrent)).progress > 0.2
    })
    return dir
  }

  async function goesOn(client: Torrentino, torrent: MadeTorrent, dir: string): Promise<void> {
    await client.run('wait', torrent.infoHash, '--for', 'complete', '--timeout', `${WITHIN / 1000}s`)
    expectSameFiles(torrent, dir)
    expect(await client.view(torrent)).toMatchObject({ state: 'seeding', error: null })
  }

  it.concurrent(
    'an address that goes, with another one that comes, ends no download',
    async () => {
      const dir = await begun(mover, moved)
      const change = `ip addr del ${mover.address}/24 dev eth0 && ip addr add ${ELSEWHERE}/24 dev eth0`
      const run = moverAt.spawn('sh', ['-c', change])
      await run.gone
      expect([run.ended, run.output]).toEqual([0, ''])
      expect((await mover.view(moved)).progress).toBeLessThan(1)
      await goesOn(mover, moved, dir)
      expect(mover.diary()).toContain('the network is looked at anew')
    },
    240_000,
  )

  it.concurrent(
    'a whole daemon that stands still for half a minute goes on, and nobody takes it for one that hangs',
    async () => {
      const dir = await begun(sleeper, slept)
      const { pid } = JSON.parse(await sleeper.run('status', '--json')) as { pid: number }
      process.kill(pid, 'SIGSTOP')
      await delay(STOPPED)
      process.kill(pid, 'SIGCONT')
      await goesOn(sleeper, slept, dir)
      expect(JSON.parse(await sleeper.run('status', '--json'))).toMatchObject({ pid })
      const told = /"seconds":(\d+),[^\n]*"msg":"the network is looked at anew"/.exec(sleeper.diary())
      expect(Number(told?.[1])).toBeGreaterThanOrEqual(30)
      expect(sleeper.diary()).not.toContain('has stood')
    },
    240_000,
  )
})

/** Five clients finish what one seed has sent little more than once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectContent, expectSameFiles, makeTorrent } from '../support/make-torrent.js'
import { FOREIGN, lacking, startForeign, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startLibtorrent } from './clients/libtorrent.js'
import { startTorrentino } from './clients/torrentino.js'
import { startTracker, TRACKER } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { record, type Row } from './record.js'
import { runSwarm } from './swarm.js'

const without = lacking(...FOREIGN)
const COPIES = 1.2
/** Bytes a second. So slow, Transmission, which begins after 10 s or more, still gets pieces nobody else has. */
const SEED_RATE = 600_000
const MEMBER_RATE = 400_000

describe.skipIf(without !== '')(titled('a mixed swarm', without), () => {
  let lab: Lab
  const rows: Row[] = []

  beforeAll(async () => {
    lab = await openLab()
  }, 60_000)
  afterAll(async () => {
    await lab.close()
    await record('A swarm whose seed leaves', rows)
  }, 60_000)

  it('finishes everywhere after its seed has left, and we trade with each of the four', async () => {
    const torrent = makeTorrent(lab.folder('swarm'), {
      name: 'swarm',
      trackers: [[TRACKER.http]],
      pieceLength: 65_536,
      content: [
        { path: 'large.bin', length: 20_000_003 },
        { path: 'small.bin', length: 4_000_001 },
      ],
    })
    const tracker = await startTracker(await lab.host(SEATS.tracker), [torrent])
    const seed = await startLibtorrent(await lab.host(SEATS.seed))
    const ours = await startTorrentino(await lab.host(SEATS.torrentino))
    const others = await Promise.all(FOREIGN.map((name) => startForeign(lab, name)))
    const members: Client[] = [ours, ...others]
    await seed.add(torrent, { dir: torrent.dir, uploadLimit: SEED_RATE })
    await seed.superSeed(torrent)
    await tracker.seedsKnown([torrent], 20_000)
    const homes = new Map(members.map((member) => [member, lab.folder(`swarm-${member.name}`)]))
    await Promise.all(
      [...homes].map(([member, dir]) => member.add(torrent, { dir, uploadLimit: MEMBER_RATE })),
    )

    const outcome = await runSwarm({
      torrent,
      seed,
      members,
      watched: ours,
      copies: COPIES,
      timeout: 150_000,
    })

    for (const [member, dir] of homes) {
      if (member === ours) expectSameFiles(torrent, dir)
      else expectContent(torrent, dir)
    }
    // The looks are 0.3 s apart, and the seed was sending between them.
    expect(outcome.seedSent).toBeLessThan(COPIES * torrent.totalBytes + SEED_RATE)
    expect(outcome.lacked).toBeGreaterThan(0)
    for (const other of others) {
      const traded = outcome.ledger.with(other.address)
      expect(traded.downloaded, `from ${other.name}`).toBeGreaterThanOrEqual(torrent.pieceLength)
      expect(traded.uploaded, `to ${other.name}`).toBeGreaterThanOrEqual(torrent.pieceLength)
      const seconds = outcome.finished.get(other.address) ?? 0
      const content = `finished after ${seconds.toFixed(1)} s`
      rows.push(
        { client: other, direction: 'it to us', content, bytes: traded.downloaded, seconds },
        { client: other, direction: 'we to it', content, bytes: traded.uploaded, seconds },
      )
    }
  }, 240_000)
})

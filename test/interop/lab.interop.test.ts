/** The lab itself, without our daemon: what fails here is not our client's fault. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectContent } from '../support/make-torrent.js'
import { lacking, startForeign, titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { startTracker } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { fetchOne, makePairs, seedOne } from './transfers.js'

const without = lacking('libtorrent', 'aria2')

describe.skipIf(without !== '')(titled('the lab', without), () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await openLab()
  }, 60_000)
  afterAll(() => lab.close())

  it('carries libtorrent to aria2 by both kinds of tracker', async () => {
    const pairs = makePairs(lab, ['aria2'])
    const torrents = pairs.map((pair) => pair.torrent)
    const tracker = await startTracker(await lab.host(SEATS.tracker), torrents)
    const [seed, other] = await Promise.all([startForeign(lab, 'libtorrent'), startForeign(lab, 'aria2')])
    await Promise.all(
      torrents.map(async (torrent) => {
        await seedOne(seed, torrent, tracker)
        const dir = lab.folder('downloads')
        await fetchOne(other, torrent, dir)
        expectContent(torrent, dir)
      }),
    )
  }, 120_000)

  it('has no way out', async () => {
    const host = await lab.host(100)
    const script = `require('net').connect({host:'192.0.2.1',port:9}).on('error',e=>{console.log(e.code)})`
    const program = host.spawn(process.execPath, ['-e', script])
    await program.gone
    expect(program.output.trim()).toBe('ENETUNREACH')
  }, 20_000)
})

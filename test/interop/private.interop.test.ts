/**
 * BEP 27 with decoys: of a private torrent nobody hears but its tracker and whom that names. A torrent that is neither
 * private nor has a tracker of its own runs beside it, and shows that every decoy would have heard.
 */
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DhtView, PeerView, TrackerView } from '../../shared/views.js'
import { makeTorrent, type MadeTorrent } from '../support/make-torrent.js'
import { titled } from './clients/all.js'
import { SEATS } from './clients/client.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { DECOY, type Heard } from './decoy-places.js'
import { type Lab, labMissing, openLab, REPOSITORY } from './namespace.js'
import { poll } from './poll.js'

const without = labMissing() ?? ''
const AT = `10.77.0.${String(SEATS.tracker)}`
const OWN = `http://${AT}:${String(DECOY.tracker)}/announce`
const STRANGER = `http://${AT}:${String(DECOY.stranger)}/announce`

describe.skipIf(without !== '')(titled('a private torrent among decoys', without), () => {
  let lab: Lab
  let ours: Torrentino
  let secret: MadeTorrent
  let open: MadeTorrent
  const heard: Heard[] = []

  const of = (torrent: MadeTorrent, where?: Heard['where']): Heard[] =>
    heard.filter((each) => each.hash === torrent.infoHash && (where === undefined || each.where === where))
  const portsOf = (torrent: MadeTorrent): Set<number> =>
    new Set(of(torrent, 'peer').map(({ port }) => port ?? 0))

  beforeAll(async () => {
    lab = await openLab()
    const content = 300_000
    secret = makeTorrent(lab.folder('secret'), { name: 'secret', content, trackers: [[OWN]], private: true })
    open = makeTorrent(lab.folder('open'), { name: 'open', content })
    const host = await lab.host(SEATS.tracker)
    const script = fileURLToPath(new URL('./decoys.ts', import.meta.url))
    const tsx = join(REPOSITORY, 'node_modules/tsx/dist/loader.mjs')
    const args = ['--import', tsx, script, AT, secret.infoHash, open.infoHash]
    const decoys = host.spawn(process.execPath, args)
    if (decoys.child.stdout !== null) {
      createInterface({ input: decoys.child.stdout }).on('line', (line) =>
        heard.push(JSON.parse(line) as Heard),
      )
    }
    ours = await startTorrentino(await lab.host(SEATS.torrentino))
    for (const [key, value] of [
      ['dht.bootstrap', `${AT}:${String(DECOY.dht)}`],
      ['dht.enabled', 'true'],
      ['lsd.enabled', 'true'],
    ] as const) {
      await ours.run('config', 'set', key, value)
    }
    await poll({ what: 'the decoy is in our table', timeout: 60_000 }, async () => {
      decoys.assertRuns()
      const { families } = JSON.parse(await ours.run('dht', 'status', '--json')) as DhtView
      return (families[0]?.good ?? 0) > 0
    })
    // The private one first: whoever hears of the other had the time to hear of it.
    for (const torrent of [secret, open]) {
      await ours.add(torrent, { dir: lab.folder('down') })
      await ours.ctl('add', `magnet:?xt=urn:btih:${torrent.infoHash}&tr=${encodeURIComponent(STRANGER)}`)
    }
  }, 120_000)
  afterAll(() => lab.close(), 60_000)

  it('all decoys hear of the torrent that is not private', async () => {
    const wanted = [
      'dht',
      'lsd',
      'stranger',
      'peer',
      'extensions',
      DECOY.strangerPeer,
      DECOY.dhtPeer,
      DECOY.lsdPeer,
      DECOY.pexPeer,
    ]
    const missing = (): unknown[] => {
      const there = new Set<unknown>([...of(open).map(({ where }) => where), ...portsOf(open)])
      return wanted.filter((each) => !there.has(each))
    }
    const all = poll({ what: 'all hear', timeout: 60_000 }, () => Promise.resolve(missing().length === 0))
    await all.catch(() => undefined)
    expect(missing()).toEqual([])
    expect(of(open, 'peer').every(({ dht }) => dht === true)).toBe(true)
    expect(of(open, 'extensions').every(({ text }) => text?.includes('ut_pex'))).toBe(true)
  }, 90_000)

  it('of the private one its tracker hears, and the peer that it names, and nobody else', async () => {
    await poll({ what: 'its peer hears', timeout: 60_000 }, () =>
      Promise.resolve(of(secret, 'extensions').length > 0),
    )
    expect(new Set(of(secret).map(({ where }) => where))).toEqual(new Set(['tracker', 'peer', 'extensions']))
    expect(portsOf(secret)).toEqual(new Set([DECOY.trackerPeer]))
  }, 90_000)

  it('it offers its peers no exchange and no DHT', () => {
    for (const { text } of of(secret, 'extensions')) {
      expect(text).toContain('ut_metadata')
      expect(text).not.toContain('ut_pex')
    }
    expect(of(secret, 'peer').some(({ dht }) => dht === true)).toBe(false)
  })

  it('its peers come from its tracker alone, and it took no other one', async () => {
    const peers = JSON.parse(await ours.run('peers', secret.infoHash, '--json')) as PeerView[]
    for (const { source } of peers) expect(source).toBe('tracker')
    const trackers = JSON.parse(await ours.run('trackers', secret.infoHash, '--json')) as TrackerView[]
    expect(trackers.map(({ url }) => url)).toEqual([OWN])
  })
})

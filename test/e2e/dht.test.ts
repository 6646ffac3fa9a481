/** Whole daemons that find each other through the DHT alone, on the loopback interface. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { DhtView } from '../../shared/views.js'
import type { Daemon } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
/** On a bootstrap of the test's own; nothing else is known to it. */
const withDht = (bootstrap = ''): { config: string } => ({
  config: `[dht]\nenabled = true\nbootstrap = "${bootstrap}"\n`,
})

async function portOf(daemon: Daemon): Promise<number> {
  return (await daemon.call('dht.status', {})).port
}

async function until(daemon: Daemon, is: (view: DhtView) => boolean): Promise<DhtView> {
  for (let turn = 0; turn < 800; turn += 1) {
    const view = await daemon.call('dht.status', {})
    if (is(view)) return view
    await delay(25)
  }
  throw new Error(`not within 20 s: ${JSON.stringify(await daemon.call('dht.status', {}))}`)
}

const knows =
  (count: number) =>
  ({ families }: DhtView): boolean =>
    (families[0]?.good ?? 0) >= count

/** An open and a private torrent, and two daemons that are about to know each other. */
async function openAndSecret(): Promise<{
  made: MadeTorrent
  secret: MadeTorrent
  hub: Daemon
  bootstrap: string
  seed: Daemon
}> {
  const made = makeTorrent(stage.folder('seed-data'), { name: 'open.bin', content: 3_000_000 })
  const secret = makeTorrent(stage.folder('secret-data'), {
    name: 'secret.bin',
    content: 50_000,
    private: true,
  })
  const hub = await stage.daemon('hub', withDht())
  const bootstrap = `127.0.0.1:${String(await portOf(hub))}`
  const seed = await stage.daemon('seed', withDht(bootstrap))
  return { made, secret, hub, bootstrap, seed }
}

it('a torrent without trackers is found, told so, and a private one never is', async () => {
  const { made, secret, hub, bootstrap, seed } = await openAndSecret()
  const metainfo = metainfoOf(made)
  const { id: seeded } = await seed.call('torrent.add', { metainfo, dir: made.dir })
  const { id: hidden } = await seed.call('torrent.add', { metainfo: metainfoOf(secret), dir: secret.dir })
  await seed.seeds(seeded)
  await seed.seeds(hidden)
  const leech = await stage.daemon('leech', withDht(bootstrap))
  const dir = stage.folder('down')
  await seed.call('config.set', { key: 'limits.up', value: '1 MiB/s' })
  const { id } = await leech.call('torrent.add', { metainfo, dir })
  await leech.call('torrent.add', { metainfo: metainfoOf(secret), dir })
  const sources = new Set<string>()
  for (let turn = 0; turn < 2000 && (await leech.torrent(id)).state !== 'seeding'; turn += 1) {
    const { peers } = await leech.call('torrent.peers', { id })
    for (const peer of peers) sources.add(peer.source)
    await delay(10)
  }
  await leech.seeds(id)
  expectSameFiles(made, dir)
  expect([...sources]).toEqual(['dht'])

  const own = await leech.call('dht.lookup', { hash: made.infoHash })
  expect(own.peers.length).toBeGreaterThan(0)
  expect(own.searches[0]).toMatchObject({ family: 4 })
  const none = await hub.call('dht.lookup', { hash: secret.infoHash })
  expect(none.peers).toEqual([])
  expect((await leech.call('dht.status', {})).torrents).toBe(1)
  const kept = await Promise.all([hub, seed, leech].map((each) => each.call('dht.status', {})))
  for (const view of kept) expect(view.families[0]?.hashes ?? 0).toBeLessThanOrEqual(1)
}, 60_000)

it('a magnet link needs no tracker, and one that turns out to be private is not looked for any more', async () => {
  const { made, secret, bootstrap, seed } = await openAndSecret()
  for (const { file, dir } of [made, secret]) {
    const { id } = await seed.call('torrent.add', { metainfo: metainfoOf(file), dir })
    await seed.seeds(id)
  }
  const leech = await stage.daemon('leech', withDht(bootstrap))
  const dir = stage.folder('down')
  const { id } = await leech.call('torrent.add', { magnet: `magnet:?xt=urn:btih:${made.infoHash}`, dir })
  await leech.seeds(id, 40_000)
  expectSameFiles(made, dir)

  const { listen } = await seed.call('session.status', {})
  const peer = `127.0.0.1:${String(listen.port)}`
  const link = `magnet:?xt=urn:btih:${secret.infoHash}&x.pe=${peer}`
  const { id: hidden } = await leech.call('torrent.add', { magnet: link, dir })
  expect((await leech.call('dht.status', {})).torrents).toBe(2)
  await leech.seeds(hidden)
  expect((await leech.torrent(hidden)).private).toBe(true)
  expect((await leech.call('dht.status', {})).torrents).toBe(1)
}, 90_000)

it('settings work at once: where it begins, its port, on and off', async () => {
  const hub = await stage.daemon('hub', withDht())
  const other = await stage.daemon('other', withDht())
  await delay(300)
  expect((await other.call('dht.status', {})).families[0]?.nodes).toBe(0)
  const value = `127.0.0.1:${String(await portOf(hub))}`
  await other.call('config.set', { key: 'dht.bootstrap', value })
  await until(other, knows(1))
  await until(hub, knows(1))

  await other.call('config.set', { key: 'dht.enabled', value: 'false' })
  await until(other, ({ enabled }) => !enabled)
  await expect(other.call('dht.lookup', { hash: '0'.repeat(40) })).rejects.toThrow(/The DHT is off/)
  // Its nodes were kept: it needs no other way in.
  await other.call('config.set', { key: 'dht.bootstrap', value: '' })
  await other.call('config.set', { key: 'dht.enabled', value: 'true' })
  await until(other, knows(1))
  for (const wrong of ['nowhere', 'a:0', '[::1', '127.0.0.1:70000']) {
    await expect(other.call('config.set', { key: 'dht.bootstrap', value: wrong })).rejects.toThrow(
      /HOST:PORT/,
    )
  }
}, 60_000)

it('after a restart the nodes that were known are asked, whatever the settings say', async () => {
  const hub = await stage.daemon('hub', withDht())
  const value = `127.0.0.1:${String(await portOf(hub))}`
  const first = await stage.daemon('other', withDht(value))
  const { families } = await until(first, knows(1))
  await first.call('config.set', { key: 'dht.bootstrap', value: '' })
  await first.stop()
  const second = await stage.daemon('other')
  const again = await until(second, knows(1))
  expect(again.families[0]?.id).toBe(families[0]?.id)
}, 60_000)

it('peers tell each other of their nodes (PORT)', async () => {
  const made = makeTorrent(stage.folder('seed-data'), { name: 'told.bin', content: 1_000_000 })
  const { http } = await stage.tracker()
  const seed = await stage.daemon('seed', withDht())
  const leech = await stage.daemon('leech', withDht())
  const metainfo = metainfoOf(made)
  const { id: seeded } = await seed.call('torrent.add', { metainfo, dir: made.dir, trackers: [http] })
  await seed.seeds(seeded)
  const { id } = await leech.call('torrent.add', { metainfo, dir: stage.folder('down'), trackers: [http] })
  await leech.seeds(id)
  await Promise.all([until(seed, knows(1)), until(leech, knows(1))])
}, 60_000)

/** Faults of our own: one throws in each module in turn, and costs one peer or one torrent, and nothing else. */
import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Candidates } from '../../daemon/swarm/candidates.js'
import { ChokerDriver } from '../../daemon/swarm/choker-driver.js'
import { Connections } from '../../daemon/swarm/connections.js'
import { Content } from '../../daemon/swarm/content.js'
import { Downloader } from '../../daemon/swarm/download.js'
import { Live } from '../../daemon/swarm/live.js'
import { Peer } from '../../daemon/swarm/peer.js'
import { PeerUpload } from '../../daemon/swarm/peer-upload.js'
import { Picker } from '../../daemon/swarm/picker.js'
import { OpenPieces } from '../../daemon/swarm/pieces.js'
import { Readiness } from '../../daemon/swarm/readiness.js'
import { Recorder } from '../../daemon/swarm/recorder.js'
import { PieceMemory } from '../../daemon/swarm/slots.js'
import { Uploader } from '../../daemon/swarm/upload.js'
import { WireParser } from '../../daemon/codec/wire.js'
import { HandshakeParser } from '../../daemon/codec/handshake.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'

afterEach(() => {
  vi.restoreAllMocks()
})

interface Scene {
  readonly swarm: Swarm
  readonly leecher: Node
  readonly seed: Node
}

const MARK = 'a fault put in'

/** A method, and which of its calls throws. */
interface Point {
  readonly of: { readonly prototype: object }
  readonly method: string
  readonly call?: number
}

const points: readonly Point[] = [
  { of: HandshakeParser, method: 'push' },
  { of: WireParser, method: 'push', call: 3 },
  { of: Peer, method: 'pieceStart', call: 2 },
  { of: Peer, method: 'haveAll' },
  { of: Peer, method: 'sendFrame' },
  { of: Peer, method: 'tick' },
  { of: Connections, method: 'attach' },
  { of: Connections, method: 'parsed', call: 3 },
  { of: Connections, method: 'blockEnd', call: 5 },
  { of: Connections, method: 'verified' },
  { of: Connections, method: 'dialMore' },
  { of: Connections, method: 'closed' },
  { of: Candidates, method: 'next' },
  { of: ChokerDriver, method: 'tick' },
  { of: ChokerDriver, method: 'interestChanged' },
  { of: Downloader, method: 'tick' },
  { of: Downloader, method: 'fill', call: 4 },
  { of: Downloader, method: 'blockStart', call: 3 },
  { of: Downloader, method: 'pieceGood', call: 2 },
  { of: Downloader, method: 'left' },
  { of: Downloader, method: 'open' },
  { of: Picker, method: 'pick' },
  { of: OpenPieces, method: 'open' },
  { of: PieceMemory, method: 'open', call: 2 },
  { of: Uploader, method: 'request', call: 3 },
  { of: Uploader, method: 'pump', call: 3 },
  { of: Uploader, method: 'tick' },
  { of: PeerUpload, method: 'takeReads' },
  { of: Recorder, method: 'add' },
  { of: Recorder, method: 'mayWrite' },
  { of: Recorder, method: 'close' },
  { of: Recorder, method: 'recordCheck' },
  { of: Content, method: 'record', call: 3 },
  { of: Content, method: 'finishedBy' },
  { of: Live, method: 'close' },
]

/** From that call on it throws once. */
function arm({ of, method, call = 1 }: Point): () => number {
  const proto = of.prototype as Record<string, (...args: unknown[]) => unknown>
  const real = proto[method]
  if (real === undefined) throw new Error(`no ${method} there`)
  let calls = 0
  vi.spyOn(proto, method).mockImplementation(function (this: unknown, ...args: unknown[]) {
    if (++calls === call) throw new TypeError(MARK)
    return real.apply(this, args)
  })
  return () => calls - call + 1
}

async function scene(): Promise<Scene> {
  const swarm = new Swarm()
  return { swarm, leecher: swarm.node(), seed: swarm.node() }
}

describe('a fault in the middle of things', () => {
  it.each(
    points.map((point) => ({
      ...point,
      name: `${(point.of as unknown as { name: string }).name}.${point.method}`,
    })),
  )('$name ends one peer or blocks one torrent, and all is well again', async (point) => {
    const { swarm, leecher, seed } = await scene()
    const [one, other] = [
      makeSource({ name: 'one', files: 400_000 }),
      makeSource({ name: 'other', files: 300_000 }),
    ]
    for (const node of [leecher, seed]) swarm.network.limit(node.init.host, 200_000, swarm.clock)
    const fired = arm(point)
    for (const source of [one, other]) {
      await seed.add(source, { have: true })
      await leecher.add(source)
    }
    const meetAll = (): void => {
      for (const torrent of leecher.session.all())
        leecher.trackers.get(torrent.id)?.asks.found([seed.address])
    }
    const done = (): boolean => leecher.session.all().every((torrent) => torrent.state.kind === 'seeding')
    for (let minute = 0; minute < 6 && !(done() && minute > 3); minute++) {
      meetAll()
      await swarm.run(30_000)
      // Whatever the end of a run may be: pauses and starts pass through most of what can break.
      if (minute === 0) for (const torrent of leecher.session.all()) torrent.pause()
      await swarm.run(30_000)
      for (const torrent of leecher.session.all()) torrent.start()
    }
    await swarm.run(120_000)
    meetAll()
    await swarm.run(60_000)
    expect(fired(), 'the fault was put in').toBeGreaterThan(0)
    expect(leecher.session.all().map((torrent) => torrent.state.kind)).toEqual(['seeding', 'seeding'])
    expect([leecher.hasAll(one), leecher.hasAll(other)]).toEqual([true, true])
    expect(seed.session.all().map((torrent) => torrent.state.kind)).toEqual(['seeding', 'seeding'])
    const { faults: l } = leecher.watch.read()
    const { faults: s } = seed.watch.read()
    expect(l.peers + l.torrents + s.peers + s.torrents).toBeGreaterThan(0)
    const told = [...leecher.log.lines, ...seed.log.lines].filter(({ level }) => level === 'error')
    expect(told.some(({ fields }) => String(fields['error']).includes(MARK))).toBe(true)
  })

  it('Readiness.cancel, in a pause during a check, blocks one torrent, and all is well again', async () => {
    const { swarm, seed } = await scene()
    const torrent = await seed.add(makeSource({ name: 'one', files: 400_000 }), { have: true })
    await swarm.until(() => torrent.state.kind === 'seeding')
    seed.disk.hold('read')
    torrent.verify()
    await swarm.until(() => torrent.state.kind === 'checking')
    const fired = arm({ of: Readiness, method: 'cancel' })
    torrent.pause()
    seed.disk.letGo('read')
    await swarm.run(30_000)
    expect(fired(), 'the fault was put in').toBeGreaterThan(0)
    torrent.start()
    await swarm.until(() => torrent.state.kind === 'seeding')
    expect(seed.watch.read().faults).toEqual({ peers: 0, torrents: 1 })
  })
})

/** Collects what nothing holds. */
const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

it('a fault in the middle of a move leaves the torrent to the move, and it goes on after that', async () => {
  const swarm = new Swarm()
  const node = swarm.node()
  const source = makeSource({ files: 200_000 })
  const torrent = await node.add(source, { have: true })
  await swarm.run(1000)
  let ready = false
  torrent.relocate(7, () => (ready = true))
  await swarm.run(1000)
  expect(ready).toBe(true)
  torrent.fail(new Error(MARK))
  await swarm.run(600_000)
  expect(torrent.state).toMatchObject({ kind: 'moving', job: 7 })
  node.disk.fs.writeFile(`/new/${source.meta.files[0]?.path ?? ''}`, source.whole)
  torrent.settle({ dir: '/new', volume: '1', name: torrent.name }, () => undefined)
  await swarm.run(10_000)
  expect(torrent.view()).toMatchObject({ state: 'seeding', dir: '/new' })
})

it('a torrent at rest has nothing of its data', async () => {
  const swarm = new Swarm()
  const seed = swarm.node()
  const torrent = await seed.add(makeSource({ name: 'one', files: 400_000 }), { have: true })
  await swarm.until(() => torrent.state.kind === 'seeding')
  const data = await new Promise<WeakRef<Live>>((resolve) => {
    torrent.withLive((live) => {
      if (live !== null) resolve(new WeakRef(live))
    })
  })
  collect()
  expect(data.deref()).toBeInstanceOf(Live)
  await swarm.run(120_000)
  // The fake remembers what was opened.
  seed.disk.storages.length = 0
  collect()
  // A moment of its own: what was looked at in this turn is held to its end.
  await swarm.settle()
  collect()
  expect(data.deref()).toBeUndefined()
})

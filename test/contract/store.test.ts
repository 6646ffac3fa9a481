import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../daemon/db/store.js'
import {
  StoreFault,
  type EventRow,
  type HaveRound,
  type Store,
  type TrashRow,
} from '../../daemon/ports/store.js'
import type { InfoHashV1, InfoHashV2, TorrentId } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeStore } from '../support/fake-store.js'
import { newTorrent } from '../support/store-rows.js'

const WORKER = new URL('../../dist/daemon/db/thread.js', import.meta.url)
const V2 = 'ab'.repeat(32) as InfoHashV2
const NOBODY = 4711 as TorrentId

interface Subject {
  open(): Promise<Store>
  /** What a restart of the daemon sees. */
  reopen(store: Store): Promise<Store>
  end(): Promise<void>
}

function fakeSubject(): Subject {
  let last = new FakeStore()
  return {
    open: () => Promise.resolve(last),
    reopen: () => Promise.resolve((last = last.reopen())),
    end: () => Promise.resolve(),
  }
}

function realSubject(): Subject {
  const dir = mkdtempSync(join(tmpdir(), 'store-'))
  const bugs: Error[] = []
  const open = () =>
    openStore(
      {
        file: join(dir, 'state', 'torrentino.db'),
        lockFile: join(dir, 'state', 'lock'),
        workerUrl: WORKER,
        downloadDir: '/data',
        onBug: (error) => bugs.push(error),
        onDamaged: (fault) => bugs.push(fault),
      },
      { clock: new FakeClock() },
    )
  const opened: Store[] = []
  const keep = async () => {
    const store = await open()
    opened.push(store)
    return store
  }
  return {
    open: keep,
    reopen: async (store) => {
      await store.close()
      return keep()
    },
    end: async () => {
      for (const store of opened) await store.close()
      rmSync(dir, { recursive: true })
      expect(bugs).toEqual([])
    },
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    expect(error).toBeInstanceOf(StoreFault)
    return error instanceof StoreFault ? error.code : 'another error'
  }
}

function round(torrent: TorrentId, change: Partial<HaveRound> = {}): HaveRound {
  return { torrent, chunks: [], files: [], done: 0, completedAt: null, checked: false, ...change }
}

describe.each([
  { name: 'the fake store', make: fakeSubject, there: true },
  { name: 'the store in SQLite', make: realSubject, there: existsSync(WORKER) },
])('$name', ({ make, there }) => {
  let subject: Subject
  let store: Store

  beforeEach(async () => {
    expect(there, 'run `npx tsc -b` first').toBe(true)
    subject = make()
    store = await subject.open()
  })

  afterEach(async () => {
    await subject.end()
  })

  it('starts empty', async () => {
    expect(await store.torrents()).toEqual([])
    expect(await store.eventsSince(0, 10)).toEqual([])
    expect(await store.lastSeq()).toBe(0)
    expect(await store.getMeta('port')).toBeNull()
  })

  it('keeps labels, of several torrents at once or of none', async () => {
    const [one, two] = [await store.add(newTorrent(1)), await store.add(newTorrent(2))]
    await store.setLabels([
      { torrent: one, labels: ['a', 'b'] },
      { torrent: two, labels: ['c'] },
    ])
    await store.setLabels([{ torrent: two, labels: [] }])
    expect(
      await codeOf(
        store.setLabels([
          { torrent: one, labels: [] },
          { torrent: NOBODY, labels: [] },
        ]),
      ),
    ).toBe('NOT_FOUND')
    store = await subject.reopen(store)
    expect((await store.torrents()).map(({ labels }) => labels)).toEqual([['a', 'b'], []])
    await store.remove(one)
    expect((await store.torrents()).map(({ labels }) => labels)).toEqual([[]])
  })

  it('keeps what is in the trash as it was, until it comes back or goes', async () => {
    const id = await store.add(newTorrent(1, { desired: 'running' }))
    const other = await store.add(newTorrent(2, { desired: 'paused' }))
    const row: TrashRow = {
      ...{ torrent: id, at: 5000, until: 9000, data: true, dir: '/data', desired: 'running' },
      ...{ phase: 'going', caller: 'torrentinoctl' },
    }
    await store.setTrash(row)
    await store.setDesired([id], 'paused')
    expect(await store.trash()).toEqual([
      { ...row, name: 'torrent 1', hashes: newTorrent(1).hashes, done: 0 },
    ])
    expect(await store.torrents(id)).toMatchObject([{ id, desired: 'trashed' }])
    await store.setTrash({ ...row, phase: 'there' })
    store = await subject.reopen(store)
    expect(await store.trash()).toMatchObject([{ ...row, phase: 'there' }])
    await store.endTrash(id)
    await store.endTrash(other)
    expect(await store.trash()).toEqual([])
    expect((await store.torrents()).map(({ desired }) => desired)).toEqual(['running', 'paused'])
    await store.setTrash(row)
    await store.setDesired([id], 'removedWithData')
    expect(await store.torrents(id)).toMatchObject([{ desired: 'removedWithData' }])
    await store.remove(id)
    expect(await store.trash()).toEqual([])
    expect(await codeOf(store.setTrash({ ...row, torrent: NOBODY }))).toBe('NOT_FOUND')
  })

  it('takes the metainfo of a magnet link later, once, and knows whether it is the right one', async () => {
    const empty = { pieceLength: 0, pieceCount: 0, total: 0, wanted: 0, info: new Uint8Array(), infoStart: 0 }
    const link = Buffer.from('magnet:?xt=urn:btih:x')
    const info = Buffer.from('d6:lengthi1ee')
    const v1 = createHash('sha1').update(info).digest('hex') as InfoHashV1
    const id = await store.add(newTorrent(1, { ...empty, torrent: link, hashes: { v1 } }))
    expect(Buffer.from((await store.metainfo(id)).torrent)).toEqual(link)
    expect(await store.verifyInfo(id, info)).toBe(true)
    expect(await store.verifyInfo(id, Buffer.from('de'))).toBe(false)
    expect(await store.verifyInfo(NOBODY, info)).toBe(false)
    const torrent = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
    const known = {
      name: 'known',
      private: true,
      pieceLength: 16_384,
      pieceCount: 3,
      total: 40_000,
      wanted: 30_000,
      info,
      infoStart: 7,
      torrent,
      wishes: [{ file: 2, priority: 0 }],
    }
    expect(await codeOf(store.setMetainfo(id, { ...known, infoStart: 8 }))).toBe('INVALID')
    await store.setMetainfo(id, known)
    expect(await codeOf(store.setMetainfo(id, known))).toBe('INVALID')
    expect(await codeOf(store.setMetainfo(NOBODY, known))).toBe('NOT_FOUND')
    store = await subject.reopen(store)
    const { name, pieceCount, total, wanted } = known
    expect(await store.torrents()).toMatchObject([{ id, name, private: true, pieceCount, total, wanted }])
    expect(await store.metainfo(id)).toMatchObject({ infoStart: 7, infoEnd: 7 + info.length })
    expect((await store.have(id)).wishes).toEqual([{ file: 2, priority: 0 }])
  })

  it('gives back the whole row, after a restart too', async () => {
    const id = await store.add(
      newTorrent(1, {
        hashes: { v1: '0123456789abcdef0123456789abcdef01234567' as InfoHashV1, v2: V2 },
        name: 'Köln 東京 \u0000 😀',
        private: true,
        total: 9_007_199_254_740_991,
        desired: 'forced',
        trackers: [
          { tier: 1, url: 'udp://b', source: 'metainfo' },
          { tier: 0, url: 'http://a', source: 'metainfo' },
        ],
        wishes: [
          { file: 3, priority: 0 },
          { file: 1, priority: 1 },
        ],
      }),
    )
    const expected = [
      {
        id,
        hashes: { v1: '0123456789abcdef0123456789abcdef01234567', v2: V2 },
        name: 'Köln 東京 \u0000 😀',
        dir: '/data',
        volume: '2049',
        private: true,
        pieceLength: 262_144,
        pieceCount: 100,
        total: 9_007_199_254_740_991,
        wanted: 26_214_400,
        done: 0,
        desired: 'forced',
        checked: false,
        addedAt: 1_700_000_000_000,
        completedAt: null,
        fault: null,
        rank: null,
        goals: null,
        reached: null,
        limits: null,
        seedingMs: 0,
        downloaded: 0,
        uploaded: 0,
        wasted: 0,
        labels: [],
        order: { sequential: false, firstLast: false },
        trackers: [
          { tier: 0, url: 'http://a', source: 'metainfo' },
          { tier: 1, url: 'udp://b', source: 'metainfo' },
        ],
      },
    ]
    expect(await store.torrents()).toEqual(expected)
    store = await subject.reopen(store)
    expect(await store.torrents()).toEqual(expected)
    expect(await store.have(id)).toEqual({ bits: null, files: [], wishes: [{ file: 3, priority: 0 }] })
  })

  it('gives back the .torrent byte by byte', async () => {
    const torrent = newTorrent(7)
    const id = await store.add(torrent)
    const back = await store.metainfo(id)
    expect(Buffer.from(back.torrent).equals(torrent.torrent)).toBe(true)
    expect(Buffer.from(back.torrent.subarray(back.infoStart, back.infoEnd)).equals(torrent.info)).toBe(true)
  })

  it('refuses an info that does not lie where it says', async () => {
    expect(await codeOf(store.add(newTorrent(1, { infoStart: 3 })))).toBe('INVALID')
    expect(await codeOf(store.add(newTorrent(1, { infoStart: -1 })))).toBe('INVALID')
    expect(await store.torrents()).toEqual([])
  })

  it('refuses a hash it knows, by either kind', async () => {
    const v1 = newTorrent(1).hashes.v1 as InfoHashV1
    await store.add(newTorrent(1, { hashes: { v1, v2: V2 } }))
    expect(await codeOf(store.add(newTorrent(1)))).toBe('DUPLICATE')
    expect(await codeOf(store.add(newTorrent(2, { hashes: { v2: V2 } })))).toBe('DUPLICATE')
    expect(await store.torrents()).toHaveLength(1)
  })

  it('takes torrents that lack the same kind of hash', async () => {
    await store.add(newTorrent(1))
    await store.add(newTorrent(2))
    await store.add(newTorrent(3, { hashes: { v2: V2 } }))
    await store.add(newTorrent(4, { hashes: { v2: 'cd'.repeat(32) as InfoHashV2 } }))
    expect((await store.torrents()).map((row) => row.hashes)).toEqual([
      { v1: newTorrent(1).hashes.v1 },
      { v1: newTorrent(2).hashes.v1 },
      { v2: V2 },
      { v2: 'cd'.repeat(32) },
    ])
  })

  it('never gives a number out twice', async () => {
    const first = await store.add(newTorrent(1))
    const second = await store.add(newTorrent(2))
    await store.remove(second)
    store = await subject.reopen(store)
    const third = await store.add(newTorrent(2))
    expect(second).toBeGreaterThan(first)
    expect(third).toBeGreaterThan(second)
  })

  it('removes all that hangs on a torrent, and nothing else', async () => {
    const id = await store.add(newTorrent(1, { trackers: [{ tier: 0, url: 'http://a', source: 'user' }] }))
    const other = await store.add(newTorrent(2))
    await store.markWriting(id, [0])
    await store.recordRound(round(id, { chunks: [{ chunk: 0, bits: new Uint8Array(13) }] }))
    await store.saveTotals([{ torrent: id, downloaded: 1, uploaded: 2, wasted: 3, seedingMs: 7000 }])
    await store.appendEvent({ at: 5, torrent: id, kind: 'removed', caller: 'ctl', data: {} })
    await store.remove(id)
    await store.remove(id)
    expect((await store.torrents()).map((row) => row.id)).toEqual([other])
    expect(await codeOf(store.metainfo(id))).toBe('NOT_FOUND')
    expect(await codeOf(store.have(id))).toBe('NOT_FOUND')
    expect(await store.eventsSince(0, 10)).toHaveLength(1)
    const again = await store.add(newTorrent(1))
    expect(await store.have(again)).toEqual({ bits: null, files: [], wishes: [] })
  })

  it('answers for torrents that are not there', async () => {
    const row = { tier: 0, url: 'http://a', source: 'user' } as const
    expect(await codeOf(store.setFault(NOBODY, 'x'))).toBe('NOT_FOUND')
    expect(await codeOf(store.setWishes(NOBODY, [], 0, 0))).toBe('NOT_FOUND')
    expect(await codeOf(store.changeTrackers(NOBODY, [row], []))).toBe('NOT_FOUND')
    expect(await codeOf(store.markWriting(NOBODY, [0]))).toBe('NOT_FOUND')
    expect(await codeOf(store.recordRound(round(NOBODY)))).toBe('NOT_FOUND')
    expect(await codeOf(store.clearHave(NOBODY))).toBe('NOT_FOUND')
    await store.setDesired([NOBODY], 'paused')
    await store.saveTotals([{ torrent: NOBODY, downloaded: 1, uploaded: 1, wasted: 1, seedingMs: 1 }])
    await store.remove(NOBODY)
    expect(await store.torrents()).toEqual([])
  })

  it('sets intent, fault and totals', async () => {
    const one = await store.add(newTorrent(1))
    const two = await store.add(newTorrent(2))
    await store.setDesired([one, NOBODY, two], 'paused')
    await store.setFault(two, 'no space')
    await store.saveTotals([
      { torrent: one, downloaded: 5_000_000_000, uploaded: 2, wasted: 3, seedingMs: 7000 },
      { torrent: NOBODY, downloaded: 1, uploaded: 1, wasted: 1, seedingMs: 1 },
    ])
    await store.saveTotals([
      { torrent: one, downloaded: 5_000_000_001, uploaded: 3, wasted: 4, seedingMs: 9000 },
    ])
    store = await subject.reopen(store)
    const rows = await store.torrents()
    expect(rows.map((row) => [row.desired, row.fault])).toEqual([
      ['paused', null],
      ['paused', 'no space'],
    ])
    expect(rows[0]).toMatchObject({ downloaded: 5_000_000_001, uploaded: 3, wasted: 4, seedingMs: 9000 })
    await store.setFault(two, null)
    expect((await store.torrents())[1]?.fault).toBeNull()
  })

  it('keeps the order of the queue', async () => {
    const ids = [
      await store.add(newTorrent(1)),
      await store.add(newTorrent(2)),
      await store.add(newTorrent(3)),
    ]
    const [one, two, three] = ids as [TorrentId, TorrentId, TorrentId]
    expect((await store.torrents()).map(({ rank }) => rank)).toEqual([null, null, null])
    await store.setRanks([
      { torrent: two, rank: -1024 },
      { torrent: NOBODY, rank: 1 },
      { torrent: one, rank: 5 },
    ])
    store = await subject.reopen(store)
    expect((await store.torrents()).map(({ rank }) => rank)).toEqual([5, -1024, null])
    await store.setRanks([
      { torrent: two, rank: null },
      { torrent: three, rank: 0 },
    ])
    expect((await store.torrents()).map(({ rank }) => rank)).toEqual([5, null, 0])
  })

  it('keeps the goals of seeding, and which one was reached until a person says something else', async () => {
    const id = await store.add(newTorrent(1))
    expect((await store.torrents())[0]).toMatchObject({ goals: null, reached: null, seedingMs: 0 })
    const goals = { ratio: 1.5, time: 'none', idle: 'default' } as const
    await store.setGoals(id, goals)
    await store.setReached(id, 'Its goal is reached.')
    store = await subject.reopen(store)
    const paused = { goals, reached: 'Its goal is reached.', desired: 'paused' }
    expect((await store.torrents())[0]).toMatchObject(paused)
    await store.setDesired([id], 'running')
    await store.setGoals(id, { ratio: 'default', time: 'default', idle: 'default' })
    expect((await store.torrents())[0]).toMatchObject({ goals: null, reached: null, desired: 'running' })
    await store.setGoals(id, { ratio: 0.01, time: 60, idle: 1 })
    expect((await store.torrents())[0]?.goals).toEqual({ ratio: 0.01, time: 60, idle: 1 })
    await store.setGoals(id, null)
    expect((await store.torrents())[0]?.goals).toBeNull()
    expect(await codeOf(store.setGoals(NOBODY, null))).toBe('NOT_FOUND')
    expect(await codeOf(store.setReached(NOBODY, 'x'))).toBe('NOT_FOUND')
  })

  it('keeps the limits of torrents, all of a call at once', async () => {
    const [one, two] = [await store.add(newTorrent(1)), await store.add(newTorrent(2))]
    const limits = async (): Promise<unknown> => (await store.torrents()).map((row) => row.limits)
    expect(await limits()).toEqual([null, null])
    await store.setLimits([
      { torrent: one, down: 1024, up: null },
      { torrent: NOBODY, down: 1, up: 1 },
      { torrent: two, down: null, up: 2 ** 40 },
    ])
    store = await subject.reopen(store)
    expect(await limits()).toEqual([
      { down: 1024, up: null },
      { down: null, up: 2 ** 40 },
    ])
    await store.setLimits([{ torrent: one, down: null, up: null }])
    expect(await limits()).toEqual([null, { down: null, up: 2 ** 40 }])
  })

  it('replaces the wishes and keeps only what differs', async () => {
    const id = await store.add(newTorrent(1, { wishes: [{ file: 0, priority: 0 }] }))
    await store.setWishes(
      id,
      [
        { file: 5, priority: 0 },
        { file: 2, priority: 7 },
        { file: 3, priority: 1 },
      ],
      1000,
      500,
    )
    expect((await store.have(id)).wishes).toEqual([
      { file: 2, priority: 7 },
      { file: 5, priority: 0 },
    ])
    const usual = { sequential: false, firstLast: false }
    expect((await store.torrents())[0]).toMatchObject({ wanted: 1000, done: 500, order: usual })
  })

  it('keeps the order of pieces with the wishes, and as it is where none is given', async () => {
    const id = await store.add(newTorrent(1))
    const order = { sequential: true, firstLast: true }
    await store.setWishes(id, [{ file: 1, priority: 2 }], 10, 0, order)
    await store.setWishes(id, [], 10, 0)
    store = await subject.reopen(store)
    expect((await store.torrents())[0]?.order).toEqual(order)
    await store.setWishes(id, [], 10, 0, { sequential: false, firstLast: true })
    expect((await store.torrents())[0]?.order).toEqual({ sequential: false, firstLast: true })
  })

  it('adds trackers at the end of their tier and leaves known ones alone', async () => {
    const id = await store.add(
      newTorrent(1, {
        trackers: [
          { tier: 0, url: 'http://a', source: 'metainfo' },
          { tier: 1, url: 'http://b', source: 'metainfo' },
        ],
      }),
    )
    const more = [
      { tier: 0, url: 'http://c', source: 'user' },
      { tier: 0, url: 'http://b', source: 'user' },
      { tier: 2, url: 'http://d', source: 'user' },
      { tier: 2, url: 'http://d', source: 'user' },
    ] as const
    await store.changeTrackers(id, more, [])
    expect((await store.torrents())[0]?.trackers).toEqual([
      { tier: 0, url: 'http://a', source: 'metainfo' },
      { tier: 0, url: 'http://c', source: 'user' },
      { tier: 1, url: 'http://b', source: 'metainfo' },
      { tier: 2, url: 'http://d', source: 'user' },
    ])
  })

  it('forgets trackers, of that torrent only, and what stays keeps its tier', async () => {
    const trackers = [
      { tier: 0, url: 'http://a', source: 'metainfo' },
      { tier: 0, url: 'http://b', source: 'metainfo' },
      { tier: 1, url: 'http://c', source: 'metainfo' },
      { tier: 2, url: 'http://d', source: 'user' },
    ] as const
    const id = await store.add(newTorrent(1, { trackers }))
    const other = await store.add(newTorrent(2, { trackers }))
    await store.changeTrackers(
      id,
      [{ tier: 0, url: 'http://e', source: 'user' }],
      ['http://a', 'http://c', 'http://no'],
    )
    const left = [
      { tier: 0, url: 'http://b', source: 'metainfo' },
      { tier: 0, url: 'http://e', source: 'user' },
      { tier: 2, url: 'http://d', source: 'user' },
    ]
    const of = async (torrent: number) => (await store.torrents()).find((row) => row.id === torrent)?.trackers
    expect([await of(id), await of(other)]).toEqual([left, trackers])
    store = await subject.reopen(store)
    expect([await of(id), await of(other)]).toEqual([left, trackers])
    // One that is removed and added anew has another place.
    await store.changeTrackers(id, [{ tier: 3, url: 'http://b', source: 'user' }], ['http://b'])
    expect((await of(id))?.map(({ url, tier }) => `${url} ${String(tier)}`)).toEqual([
      'http://e 0',
      'http://d 2',
      'http://b 3',
    ])
  })

  it('marks files as open for writing and keeps what was known of them', async () => {
    const id = await store.add(newTorrent(1))
    const file = { file: 2, size: 5_000_000_000, mtimeNs: '1700000000123456789', ino: '18446744073709551615' }
    await store.recordRound(round(id, { files: [{ ...file, writing: false }] }))
    expect((await store.have(id)).files).toEqual([{ ...file, writing: false }])
    await store.markWriting(id, [2, 4])
    store = await subject.reopen(store)
    expect((await store.have(id)).files).toEqual([
      { ...file, writing: true },
      { file: 4, size: 0, mtimeNs: '0', ino: '0', writing: true },
    ])
  })

  it('records a round: facts of the torrent, and checked never falls by itself', async () => {
    const id = await store.add(newTorrent(1))
    await store.recordRound(round(id, { done: 10, checked: true, completedAt: 99 }))
    await store.recordRound(round(id, { done: 20, completedAt: 99 }))
    expect((await store.torrents())[0]).toMatchObject({ done: 20, checked: true, completedAt: 99 })
  })

  it('forgets bits, facts and the check, and keeps the rest', async () => {
    const id = await store.add(newTorrent(1, { wishes: [{ file: 1, priority: 0 }] }))
    await store.recordRound(
      round(id, {
        chunks: [{ chunk: 0, bits: new Uint8Array(13) }],
        done: 10,
        checked: true,
        completedAt: 99,
      }),
    )
    await store.markWriting(id, [0])
    await store.clearHave(id)
    expect(await store.have(id)).toEqual({ bits: null, files: [], wishes: [{ file: 1, priority: 0 }] })
    expect((await store.torrents())[0]).toMatchObject({ done: 0, checked: false, completedAt: 99 })
  })

  it('refuses a chunk of a length or a number that cannot be, with the whole round', async () => {
    const id = await store.add(newTorrent(1))
    const good = { chunk: 0, bits: new Uint8Array(13).fill(255) }
    for (const bad of [
      { chunk: 0, bits: new Uint8Array(12) },
      { chunk: 0, bits: new Uint8Array(2048) },
      { chunk: 1, bits: new Uint8Array(1) },
      { chunk: 1, bits: new Uint8Array(0) },
      { chunk: -1, bits: new Uint8Array(13) },
    ])
      expect(await codeOf(store.recordRound(round(id, { chunks: [good, bad], done: 7 })))).toBe('INVALID')
    expect((await store.have(id)).bits).toBeNull()
    expect((await store.torrents())[0]?.done).toBe(0)
  })

  it('gives back every bitfield that was written in rounds of dirty chunks', async () => {
    let n = 100
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 * 2048 * 8 }),
        fc.array(fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) }), { maxLength: 30 }),
        async (pieceCount, edits) => {
          const id = await store.add(newTorrent((n += 1), { pieceCount }))
          const bits = new Uint8Array(Math.ceil(pieceCount / 8))
          for (const { at, value } of edits) {
            bits[at % bits.length] = value
            const chunk = Math.floor((at % bits.length) / 2048)
            // A view into the whole field, as the swarm hands it over; it goes on changing afterwards.
            const view = bits.subarray(chunk * 2048, (chunk + 1) * 2048)
            await store.recordRound(round(id, { chunks: [{ chunk, bits: view }] }))
          }
          const back = await store.have(id)
          if (edits.length === 0) expect(back.bits).toBeNull()
          else expect(Buffer.from(back.bits ?? []).equals(bits)).toBe(true)
          await store.remove(id)
        },
      ),
      { numRuns: 25 },
    )
  })

  it('takes the bytes as they are at the call', async () => {
    const id = await store.add(newTorrent(1))
    const bits = new Uint8Array(13)
    const written = store.recordRound(round(id, { chunks: [{ chunk: 0, bits }] }))
    bits.fill(255)
    await written
    expect([...((await store.have(id)).bits ?? [])]).toEqual(Array.from({ length: 13 }, () => 0))
  })

  it('numbers events and gives them out in slices', async () => {
    for (let at = 1; at <= 5; at += 1)
      expect(
        await store.appendEvent({
          at,
          torrent: null,
          kind: 'k',
          caller: 'c',
          data: { deep: { n: at, s: '…' } },
        }),
      ).toBe(at)
    store = await subject.reopen(store)
    expect(await store.lastSeq()).toBe(5)
    const slice = await store.eventsSince(2, 2)
    expect(slice).toEqual([
      { seq: 3, at: 3, torrent: null, kind: 'k', caller: 'c', data: { deep: { n: 3, s: '…' } } },
      { seq: 4, at: 4, torrent: null, kind: 'k', caller: 'c', data: { deep: { n: 4, s: '…' } } },
    ])
    expect(await store.eventsSince(0, 0)).toEqual([])
    expect(await store.eventsSince(5, 10)).toEqual([])
  })

  it('tells which torrents are blocked, and why, by the last word on each', async () => {
    const note = (torrent: number | null, kind: string, data: EventRow['data']): Promise<number> =>
      store.appendEvent({ at: Date.now(), torrent: torrent as TorrentId | null, kind, caller: '', data })
    expect(await store.blocked()).toEqual(new Map())
    await note(1, 'blocked', { reason: 'first' })
    await note(1, 'blocked', { reason: 'no room' })
    await note(2, 'blocked', { reason: 'away' })
    await note(2, 'recovered', { reason: 'away' })
    await note(3, 'recovered', {})
    await note(3, 'blocked', { reason: 'away' })
    await note(4, 'blocked', {})
    await note(null, 'blocked', { reason: 'nobody' })
    await note(1, 'paused', {})
    expect(await store.blocked()).toEqual(
      new Map([
        [1, 'no room'],
        [3, 'away'],
      ]),
    )
  })

  it('tells the last event of a kind that a torrent has', async () => {
    const id = await store.add(newTorrent(1))
    const append = (at: number, torrent: TorrentId | null, kind: string) =>
      store.appendEvent({ at, torrent, kind, caller: 'c', data: { at } })
    expect(await store.lastEvent(id, 'paused')).toBeNull()
    await append(1, id, 'paused')
    await append(2, id, 'paused')
    await append(3, null, 'paused')
    await append(4, id, 'resumed')
    expect(await store.lastEvent(id, 'paused')).toMatchObject({
      at: 2,
      caller: 'c',
      torrent: id,
      data: { at: 2 },
    })
  })

  it('prunes events by age, seldom, and never reuses their numbers', async () => {
    const month = 30 * 24 * 3600 * 1000
    const append = (at: number) => store.appendEvent({ at, torrent: null, kind: 'k', caller: 'c', data: {} })
    await Promise.all(Array.from({ length: 998 }, () => append(1000)))
    await append(1001)
    expect(await store.eventsSince(0, 2000)).toHaveLength(999)
    expect(await append(1001 + month)).toBe(1000)
    expect((await store.eventsSince(0, 2000)).map((event) => event.seq)).toEqual([999, 1000])
  })

  it('keeps what is set by key', async () => {
    await store.setMeta('port', '1')
    await store.setMeta('port', '23456')
    store = await subject.reopen(store)
    expect(await store.getMeta('port')).toBe('23456')
    expect(await store.getMeta('toString')).toBeNull()
  })

  it('answers in order what was asked without waiting, and one failure fails alone', async () => {
    const asked = [
      store.add(newTorrent(1)),
      store.torrents(),
      store.add(newTorrent(1)),
      store.setFault(NOBODY, 'x'),
      store.setMeta('a', 'b'),
      store.add(newTorrent(2)),
      store.torrents(),
    ] as const
    const settled = await Promise.allSettled(asked)
    expect(settled.map((result) => result.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ])
    expect((await asked[1]).map((row) => row.name)).toEqual(['torrent 1'])
    expect((await asked[6]).map((row) => row.name)).toEqual(['torrent 1', 'torrent 2'])
    expect(await store.getMeta('a')).toBe('b')
  })

  it('keeps jobs and their steps until they end, and never uses a number twice', async () => {
    const id = await store.add(newTorrent(1))
    const other = await store.add(newTorrent(2))
    const move = { torrent: id, kind: 'move', step: 'copy', args: { to: '/new', copied: 0 }, caller: 'ctl' }
    const first = await store.addJob(move)
    const second = await store.addJob({ ...move, torrent: other })
    await store.setJob(first, 'name', { to: '/new', copied: 7 })
    store = await subject.reopen(store)
    expect(await store.jobs()).toEqual([
      { ...move, id: first, step: 'name', args: { to: '/new', copied: 7 } },
      { ...move, id: second, torrent: other },
    ])
    await store.endJob(first)
    await store.remove(other)
    expect(await store.jobs()).toEqual([])
    expect(await store.addJob(move)).toBeGreaterThan(second)
    expect(await codeOf(store.addJob({ ...move, torrent: NOBODY }))).toBe('NOT_FOUND')
    expect(await codeOf(store.setJob(first, 'clean', {}))).toBe('NOT_FOUND')
  })

  it('switches folder, volume, facts and step together, or none of them', async () => {
    const id = await store.add(newTorrent(1))
    const job = await store.addJob({ torrent: id, kind: 'move', step: 'name', args: {}, caller: '' })
    const file = { file: 0, size: 5, mtimeNs: '1700000000123456789', ino: '77', writing: false }
    const place = { torrent: id, dir: '/new', volume: '9', files: [file], step: 'clean', args: { kept: 1 } }
    expect(await codeOf(store.relocate({ ...place, job: job + 1 }))).toBe('NOT_FOUND')
    expect((await store.torrents())[0]).not.toMatchObject({ dir: '/new' })
    expect((await store.have(id)).files).toEqual([])
    await store.relocate({ ...place, job })
    store = await subject.reopen(store)
    expect((await store.torrents())[0]).toMatchObject({ dir: '/new', volume: '9' })
    expect((await store.have(id)).files).toEqual([file])
    expect(await store.jobs()).toMatchObject([{ id: job, step: 'clean', args: { kept: 1 } }])
  })

  it('keeps the names that were given, with what is chosen of the same files', async () => {
    const id = await store.add(newTorrent(1))
    expect((await store.metainfo(id)).names).toEqual({ root: null, paths: [] })
    const job = await store.addJob({ torrent: id, kind: 'move', step: 'link', args: {}, caller: '' })
    const place = { torrent: id, dir: '/d', volume: '1', files: [], job, step: 'clean', args: {} }
    await store.setWishes(id, [{ file: 1, priority: 0 }], 1, 0)
    const paths = [
      { file: 1, path: 'b/two.bin' },
      { file: 4, path: 'five.bin' },
    ]
    await store.relocate({ ...place, names: { name: 'Other', root: 'Other', paths } })
    store = await subject.reopen(store)
    expect((await store.torrents())[0]?.name).toBe('Other')
    expect((await store.metainfo(id)).names).toEqual({ root: 'Other', paths })
    expect((await store.have(id)).wishes).toEqual([{ file: 1, priority: 0 }])
    await store.setWishes(id, [], 1, 0)
    await store.relocate(place)
    expect((await store.metainfo(id)).names).toEqual({ root: 'Other', paths })
    await store.relocate({ ...place, names: { name: 'One', root: null, paths: paths.slice(0, 1) } })
    expect((await store.metainfo(id)).names).toEqual({ root: null, paths: paths.slice(0, 1) })
    expect((await store.torrents())[0]?.name).toBe('One')
  })

  it('refuses every call after close, and closes twice', async () => {
    const last = store.setMeta('a', 'b')
    await store.close()
    await last
    await store.close()
    expect(await codeOf(store.torrents())).toBe('CLOSED')
    store = await subject.reopen(store)
    expect(await store.getMeta('a')).toBe('b')
  })
})

describe('faults of the fake store', () => {
  it('fails the next call, of any method or of one, and changes nothing', async () => {
    const store = new FakeStore()
    store.failNext('SQLITE_IOERR', 'add')
    store.failNext('SQLITE_BUSY')
    expect(await codeOf(store.torrents())).toBe('SQLITE_BUSY')
    expect(await codeOf(store.add(newTorrent(1)))).toBe('SQLITE_IOERR')
    expect(await store.torrents()).toEqual([])
    expect(await store.add(newTorrent(1))).toBe(1)
    expect(store.calls).toEqual(['torrents', 'add', 'torrents', 'add'])
  })

  it('fails every write as a full disk does', async () => {
    const store = new FakeStore()
    store.failWrites('SQLITE_FULL')
    expect(await codeOf(store.setMeta('a', 'b'))).toBe('SQLITE_FULL')
    expect(await store.getMeta('a')).toBeNull()
    store.failWrites(null)
    await store.setMeta('a', 'b')
    expect(await store.getMeta('a')).toBe('b')
  })
})

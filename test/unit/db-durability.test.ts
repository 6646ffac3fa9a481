/** Intents that could not be recorded, and the one sentence about the database. */
import { describe, expect, it } from 'vitest'
import { Health } from '../../daemon/db/health.js'
import { StoreFault } from '../../daemon/ports/store.js'
import { databaseView } from '../../daemon/session/database.js'
import { Durability } from '../../daemon/session/durability.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeLog } from '../support/fake-log.js'
import { FakeStore } from '../support/fake-store.js'
import { newTorrent } from '../support/store-rows.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const full = new StoreFault('SQLITE_FULL', 'database or disk is full')

describe('an intent while the database is full', () => {
  async function bench() {
    const clock = new FakeClock()
    const store = new FakeStore()
    const durability = new Durability({ clock, store, log: new FakeLog() })
    const ids = [await store.add(newTorrent(1)), await store.add(newTorrent(2))]
    const desired = async (): Promise<string[]> => (await store.torrents()).map((row) => row.desired)
    const pass = async (millis: number): Promise<void> => {
      clock.advance(millis)
      await turn()
    }
    return { clock, store, durability, ids, desired, pass }
  }

  it('is recorded by itself once there is room, and then nothing is tried any more', async () => {
    const { clock, store, durability, ids, desired, pass } = await bench()
    store.failWrites('SQLITE_FULL')
    expect(await durability.intend(ids, 'paused')).toContain('The volume of the database is full')
    await durability.intend(ids.slice(1), 'running')
    await pass(5000)
    store.failWrites(null)
    expect(await desired()).toEqual(['running', 'running'])
    await pass(10_000)
    expect(await desired()).toEqual(['paused', 'running'])
    expect(clock.pending).toBe(0)
  })

  it('is tried ever less often, at last every 20 s', async () => {
    const { store, durability, ids, pass } = await bench()
    store.failWrites('SQLITE_FULL')
    await durability.intend(ids, 'paused')
    const before = store.calls.length
    for (let second = 0; second < 600; second += 1) await pass(1000)
    expect(store.calls.length - before).toBeGreaterThan(25)
    expect(store.calls.length - before).toBeLessThan(35)
  })

  it('gives way to a later one, and gets a last try at the end', async () => {
    const { clock, store, durability, ids, desired } = await bench()
    store.failWrites('SQLITE_FULL')
    await durability.intend(ids, 'paused')
    store.failWrites(null)
    expect(await durability.intend(ids.slice(0, 1), 'running')).toBeNull()
    await durability.end()
    expect(await desired()).toEqual(['running', 'paused'])
    expect(clock.pending).toBe(0)
  })

  it('does not wait for a database that does not answer, and is recorded behind what waits there', async () => {
    const { clock, store, durability, ids, desired, pass } = await bench()
    const held: (() => void)[] = []
    const record = store.setDesired.bind(store)
    store.setDesired = (...ask) =>
      new Promise((resolve) => held.push(() => void record(...ask).then(resolve)))
    let silent = false
    durability.silent = () => silent
    durability.probe = () => Promise.resolve(!silent)
    const reason = durability.intend(ids, 'paused')
    await pass(1000)
    expect(clock.pending).toBe(1)
    silent = true
    await pass(1000)
    expect(await reason).toBe(
      'The database does not answer: look after its disk; what is done now is not recorded until it can be.',
    )
    silent = false
    store.setDesired = record
    for (const go of held) go()
    await durability.intend(ids.slice(0, 1), 'running')
    expect(await desired()).toEqual(['running', 'paused'])
    for (let second = 0; second < 30; second += 1) await pass(1000)
    expect(await desired()).toEqual(['running', 'paused'])
    expect(clock.pending).toBe(0)
  })

  it('asks whether other trouble is over until it is', async () => {
    const { clock, durability, pass } = await bench()
    const answers = [false, true]
    durability.probe = () => Promise.resolve(answers.shift() ?? true)
    durability.begin()
    await pass(5000)
    expect(clock.pending).toBe(1)
    await pass(10_000)
    expect([clock.pending, answers.length]).toEqual([0, 0])
  })
})

it('logs trouble where it is news, and that it is over', async () => {
  const clock = new FakeClock()
  const log = new FakeLog()
  const durability = new Durability({ clock, store: new FakeStore(), log })
  const lines = (): string[] => log.lines.map(({ message }) => message)
  for (const why of ['Full.', 'Full.', null, 'Held.', 'Held.']) durability.begin(why)
  expect(lines()).toEqual(['Full.', 'Held.'])
  clock.advance(5000)
  await turn()
  durability.begin('Held.')
  expect(lines()).toEqual(['Full.', 'Held.', 'the database can be written again', 'Held.'])
})

describe('the sentence', () => {
  it('says that the volume is full until a write is committed, and calls whoever watches', () => {
    const health = new Health('/h/torrentino.db')
    let calls = 0
    health.watch(() => (calls += 1))
    expect(health.outcome(true, full)).toBe(false)
    expect(health.problem()).toBe(
      'The volume of /h is full: make room for the database; nothing is recorded until then, and it goes on by itself.',
    )
    health.outcome(false, null)
    expect(health.failing).toBe(true)
    health.outcome(true, null)
    expect([health.problem(), health.failing, calls]).toEqual([null, false, 1])
  })

  it('names a stranger, a read-only volume, a failing disk and a reserve in use, and nothing of a mistaken call', () => {
    const health = new Health('/h/torrentino.db')
    const after = (code: string): string | null => {
      health.outcome(true, new StoreFault(code, ''))
      return health.problem()
    }
    expect(after('DUPLICATE')).toBeNull()
    expect(after('SQLITE_BUSY')).toMatch(/^Another program holds \/h\/torrentino\.db: end it;/)
    expect(after('SQLITE_READONLY')).toMatch(/^\/h\/torrentino\.db cannot be written: .* read-only;/)
    expect(after('SQLITE_IOERR')).toMatch(/^The disk of \/h fails \(SQLITE_IOERR\): look after it;/)
    health.outcome(true, null)
    health.state({ reserve: false, backup: null })
    expect(health.problem()).toBe('The volume of /h is nearly full: make room for the database.')
    health.state({ reserve: true, backup: null })
    expect(health.problem()).toBeNull()
  })

  it('says of damage once that it is the first, and stays', () => {
    const health = new Health('/h/torrentino.db')
    const damage = new StoreFault('SQLITE_CORRUPT', '')
    expect([health.outcome(false, damage), health.outcome(true, damage)]).toEqual([true, false])
    health.outcome(true, null)
    expect(health.problem()).toMatch(/^The database is damaged: torrentinod ends/)
  })

  it('says that the daily backup fails where nothing else is wrong, and nobody is called for it', () => {
    const health = new Health('/h/torrentino.db')
    health.watch(() => {
      throw new Error('called')
    })
    health.state({ reserve: true, backup: 'ENOSPC: no room' })
    expect(health.problem()).toBeNull()
    const sentence =
      'The daily backup of the database could not be made (ENOSPC: no room); it is tried again by itself.'
    const view = (problem: string | null): string | null =>
      databaseView({ problem: () => problem, unsaved: () => health.unsaved(), notice: null }, 0).problem
    expect([view(null), view('Worse.')]).toEqual([sentence, 'Worse.'])
    health.state({ reserve: true, backup: null })
    expect(view(null)).toBeNull()
  })

  it('tells of a recovery for a day', () => {
    const notice = { at: 1000, sentence: 'It came back.' }
    const at = (now: number): string | null =>
      databaseView({ problem: () => null, unsaved: () => null, notice }, now).notice
    expect([at(1000), at(86_000_000), at(86_402_000)]).toEqual(['It came back.', 'It came back.', null])
  })
})

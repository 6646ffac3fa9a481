import { describe, expect, it } from 'vitest'
import { Journal } from '../../daemon/session/events.js'
import type { EventView, FeedSink, NotificationParams } from '../../shared/rpc/contract.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeLog } from '../support/fake-log.js'
import { FakeStore } from '../support/fake-store.js'

class Sink implements FeedSink {
  readonly events: EventView[] = []
  readonly changes: NotificationParams<'changed'>[] = []
  event(event: EventView): void {
    this.events.push(event)
  }
  changed(changed: NotificationParams<'changed'>): void {
    this.changes.push(changed)
  }
}

function bench(): { clock: FakeClock; store: FakeStore; log: FakeLog; journal: Journal; asked: number[] } {
  const clock = new FakeClock()
  const store = new FakeStore()
  const log = new FakeLog()
  const asked: number[] = []
  const journal: Journal = new Journal({
    clock,
    store,
    log,
    changesSince: (rev) => {
      asked.push(rev)
      return { rev: journal.rev, torrents: [], removed: [] }
    },
  })
  return { clock, store, log, journal, asked }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('facts', () => {
  it('are told once they are stored, numbered, in order', async () => {
    const { clock, journal } = bench()
    const sink = new Sink()
    await journal.subscribe(undefined, false, sink)
    clock.advance(0)
    journal.note('added', null, 'ctl', { name: 'x' })
    expect(sink.events).toEqual([])
    journal.note('paused', null, 'ctl', {})
    await turn()
    expect(sink.events.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, 'added'],
      [2, 'paused'],
    ])
    expect(journal.seq).toBe(2)
  })

  it('that cannot be stored are logged, and nobody is told', async () => {
    const { clock, journal, store, log } = bench()
    const sink = new Sink()
    await journal.subscribe(undefined, false, sink)
    clock.advance(0)
    store.failNext('SQLITE_FULL', 'appendEvent')
    journal.note('added', null, '', {})
    await turn()
    expect(sink.events).toEqual([])
    expect(log.messages('warn')).toEqual(['an event could not be recorded'])
  })

  it('of the past come first, after the answer, each once', async () => {
    const { clock, journal } = bench()
    for (let i = 0; i < 3; i++) journal.note(`old ${String(i)}`, null, '', {})
    await turn()
    const sink = new Sink()
    const asking = journal.subscribe(1, false, sink)
    journal.note('new', null, '', {})
    const { seq } = await asking
    await turn()
    expect(sink.events).toEqual([])
    clock.advance(0)
    expect(sink.events.map(({ kind }) => kind)).toEqual(['old 1', 'old 2', 'new'])
    expect(seq).toBeGreaterThanOrEqual(3)
    journal.note('newer', null, '', {})
    await turn()
    expect(sink.events.at(-1)?.kind).toBe('newer')
  })

  it('come in pages', async () => {
    const { journal } = bench()
    for (let i = 0; i < 5; i++) journal.note(String(i), null, '', {})
    await turn()
    const page = await journal.since(1, 2)
    expect(page.events.map(({ kind }) => kind)).toEqual(['1', '2'])
    expect(page.more).toBe(true)
    expect((await journal.since(3, 2)).more).toBe(false)
  })

  it('are not told to one that has gone', async () => {
    const { clock, journal } = bench()
    journal.note('old', null, '', {})
    await turn()
    const sink = new Sink()
    const { stop } = await journal.subscribe(0, true, sink)
    stop()
    clock.advance(1000)
    journal.note('new', null, '', {})
    journal.bump()
    await turn()
    clock.advance(1000)
    expect(sink.events).toEqual([])
    expect(sink.changes).toEqual([])
  })

  it('gather for nobody whose past could not be read', async () => {
    const { clock, journal, store } = bench()
    store.failNext('SQLITE_IOERR', 'eventsSince')
    const sink = new Sink()
    await expect(journal.subscribe(0, true, sink)).rejects.toThrow()
    journal.bump()
    clock.advance(1000)
    expect(sink.changes).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

describe('changes', () => {
  it('are told together, at most four times a second', async () => {
    const { clock, journal, asked } = bench()
    const sink = new Sink()
    await journal.subscribe(undefined, true, sink)
    clock.advance(0)
    for (let i = 0; i < 100; i++) journal.bump()
    expect(sink.changes).toEqual([])
    clock.advance(250)
    expect(sink.changes.map(({ rev }) => rev)).toEqual([100])
    clock.advance(10_000)
    expect(sink.changes.length).toBe(1)
    journal.bump()
    clock.advance(250)
    expect(asked).toEqual([0, 100])
  })

  it('cost nothing where nobody asked for them', async () => {
    const { clock, journal } = bench()
    await journal.subscribe(undefined, false, new Sink())
    clock.advance(0)
    journal.bump()
    expect(clock.pending).toBe(0)
  })
})

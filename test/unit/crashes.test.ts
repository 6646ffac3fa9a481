import { beforeEach, describe, expect, it } from 'vitest'
import { Crashes } from '../../daemon/session/crashes.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeStore } from '../support/fake-store.js'

const MINUTE = 60_000
let clock: FakeClock
let store: FakeStore

beforeEach(() => {
  clock = new FakeClock()
  store = new FakeStore()
})

/** A run that ends with this torrent at work; what it was told at its start. */
async function run(torrent: number, suspect: number | null = null): Promise<unknown> {
  const crashes = new Crashes({ clock, store })
  const verdict = await crashes.judge()
  crashes.suspect = suspect as typeof crashes.suspect
  await crashes.note(torrent)
  clock.advance(MINUTE)
  return verdict
}
const verdict = (): Promise<unknown> => new Crashes({ clock, store }).judge()

describe('a torrent that brings the daemon down', () => {
  it('is guilty after three times in ten minutes, once', async () => {
    for (let n = 0; n < 3; n++) expect(await run(7)).toEqual({ guilty: null, careful: false })
    expect(await verdict()).toEqual({ guilty: 7, careful: false })
    expect(await verdict()).toEqual({ guilty: null, careful: false })
  })

  it('is not after three times in an hour', async () => {
    for (let n = 0; n < 6; n++) {
      expect(await run(7)).toEqual({ guilty: null, careful: false })
      clock.advance(5 * MINUTE)
    }
  })

  it('is not where three others were: they are started one after the other', async () => {
    for (const torrent of [1, 2, 3]) await run(torrent)
    expect(await verdict()).toEqual({ guilty: null, careful: true })
  })

  it('is found where nobody knew, by being started alone', async () => {
    for (let n = 0; n < 3; n++) await run(0)
    expect(await run(0, 9)).toEqual({ guilty: null, careful: true })
    expect(await verdict()).toEqual({ guilty: 9, careful: false })
  })
})

describe('what is known of it', () => {
  it('is nothing where the clock was set back', async () => {
    for (let n = 0; n < 3; n++) await run(7)
    clock.jump(-86_400_000)
    expect(await verdict()).toEqual({ guilty: null, careful: false })
  })

  it.each(['', '{', '[]', '{"at":1}', '[1,null,{"at":"x"}]', 'null'])('is nothing in %j', async (text) => {
    await store.setMeta('crashes', text)
    expect(await verdict()).toEqual({ guilty: null, careful: false })
  })

  it('costs no write but the note', async () => {
    await verdict()
    await verdict()
    expect(store.calls).toEqual(['getMeta', 'getMeta'])
  })
})

/** The end of seeding, with whole torrents in virtual time. */
import { describe, expect, it } from 'vitest'
import { Commands } from '../../daemon/session/commands.js'
import type { Goals } from '../../daemon/session/goals.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import { houseFacts } from '../support/house-facts.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'

const HOUR = 3_600_000
const CALLER = { via: 'test', name: 'test' } as const
const NONE: Goals = { ratio: null, time: null, idle: null }

function commandsOf(node: Node): Commands {
  const { clock, session, store, log, disk } = node
  const queries = new Queries({ session, store })
  const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
  return new Commands({ clock, session, store, queries, jobs, log })
}

/** A seed, and leechers that have not begun. */
async function stage(goals: Partial<Goals>, leechers = 1) {
  const swarm = new Swarm()
  const source = makeSource({ files: 400_000 })
  const seed = swarm.node({ goals: { ...NONE, ...goals } })
  await seed.add(source, { have: true })
  await swarm.until(() => seed.torrent.state.kind === 'seeding')
  const nodes = Array.from({ length: leechers }, () => swarm.node())
  const take = async (at: number): Promise<void> => {
    const node = nodes[at]
    if (node === undefined) throw new Error('no such leecher')
    await node.add(source)
    await swarm.run(1000)
    node.meet(seed)
    await swarm.until(() => node.torrent.state.kind === 'seeding')
  }
  const paused = (): boolean => seed.torrent.state.kind === 'paused'
  return { swarm, seed, take, paused, commands: commandsOf(seed) }
}

describe('a goal', () => {
  it('of ratio pauses a seed when so much was sent, durably, and says so', async () => {
    const { swarm, seed, take, paused } = await stage({ ratio: 2 }, 2)
    await take(0)
    await swarm.run(5000)
    expect(paused()).toBe(false)
    await take(1)
    await swarm.until(paused, 10_000)
    expect(seed.torrent.view()).toMatchObject({ desired: 'paused', goalReached: 'ratio 2.00', error: null })
    const events = (await seed.store.eventsSince(0, 100)).map(({ kind, data }) => [kind, data['goal']])
    expect(events).toContainEqual(['goal', 'ratio 2.00'])
    const why = await new Queries(seed).why(1, houseFacts())
    expect(why.causes.map(({ kind, sentence }) => [kind, sentence])).toEqual([
      [
        'goal',
        'It was paused since its goal of seeding is reached (ratio 2.00); "torrentinoctl resume 1" lets it seed on without that goal.',
      ],
    ])
    await seed.restart()
    await swarm.run(5000)
    expect(seed.torrent.view()).toMatchObject({ state: 'paused', goalReached: 'ratio 2.00' })
  })

  it('of time counts only what it seeds, over restarts', async () => {
    const { swarm, seed, paused, commands } = await stage({ time: 7200 })
    await swarm.run(HOUR)
    await commands.pause('all', CALLER)
    await swarm.run(10 * HOUR)
    await seed.restart()
    await commandsOf(seed).resume({ ids: 'all' }, CALLER)
    await swarm.run(HOUR / 2)
    expect(seed.torrent.view().seedingTime).toBeGreaterThan(5390)
    await seed.restart()
    await swarm.run(HOUR / 2 - 30_000)
    expect(paused()).toBe(false)
    await swarm.until(paused, 60_000)
    expect(seed.torrent.view().goalReached).toBe('2h 00m of seeding')
  })

  it('of silence counts from the last upload', async () => {
    const { swarm, seed, take, paused } = await stage({ idle: 1800 })
    await swarm.run(HOUR / 2 - 60_000)
    await take(0)
    await swarm.run(HOUR / 2 - 60_000)
    expect(paused()).toBe(false)
    await swarm.until(paused, 120_000)
    expect(seed.torrent.view().goalReached).toBe('30m 00s without an upload')
    expect(seed.clock.pending).toBe(0)
  })

  it('that is not set wakes nobody and writes nothing', async () => {
    const { swarm, seed } = await stage({})
    await swarm.run(120_000)
    const [calls, timers] = [seed.store.calls.length, seed.clock.pending]
    await swarm.run(24 * HOUR)
    expect(seed.store.calls.slice(calls)).toEqual([])
    expect(timers).toBe(0)
  })

  it('is waited for by one timer, and nothing is written before it is reached', async () => {
    const { swarm, seed, paused } = await stage({ time: 86_400, idle: 80_000 })
    await swarm.run(120_000)
    expect(seed.clock.pending).toBe(1)
    const calls = seed.store.calls.length
    await swarm.run(20 * HOUR)
    expect(seed.store.calls.slice(calls)).toEqual([])
    await swarm.until(paused, 5 * HOUR)
  })
})

describe('what a person says', () => {
  it('of one torrent goes before the settings', async () => {
    const { swarm, seed, paused, commands } = await stage({ time: 60 })
    await commands.queueing.seed({ ids: [1], time: 'none', idle: 600 }, CALLER)
    await swarm.run(300_000)
    expect(paused()).toBe(false)
    await seed.restart()
    expect(seed.torrent.view().seedGoals).toEqual({ ratio: 'default', time: 'none', idle: 600 })
    await commandsOf(seed).queueing.seed({ ids: [1], idle: 'none' }, CALLER)
    await swarm.run(HOUR)
    expect(paused()).toBe(false)
    await commandsOf(seed).queueing.seed({ ids: [1], time: 'default' }, CALLER)
    await swarm.until(paused, 10_000)
    expect(seed.torrent.view().goalReached).toBe('1m 00s of seeding')
  })

  it('in two calls at once holds together, of goals and of limits', async () => {
    const { seed, commands } = await stage({})
    const { queueing } = commands
    await Promise.all([
      queueing.seed({ ids: [1], ratio: 2 }, CALLER),
      queueing.seed({ ids: [1], time: 600 }, CALLER),
      commands.limit({ ids: [1], down: 2048 }, CALLER),
      commands.limit({ ids: [1], up: 4096 }, CALLER),
    ])
    const whole = { seedGoals: { ratio: 2, time: 600, idle: 'default' }, downLimit: 2048, upLimit: 4096 }
    expect(seed.torrent.view()).toMatchObject(whole)
    await seed.restart()
    expect(seed.torrent.view()).toMatchObject(whole)
  })

  it('with resume lifts the goal that was reached, and leaves the others', async () => {
    const { swarm, seed, paused, commands } = await stage({ time: 60, idle: 1800 })
    await swarm.until(paused, 120_000)
    await commands.resume({ ids: [1] }, CALLER)
    await swarm.run(600_000)
    expect(seed.torrent.view()).toMatchObject({ state: 'seeding', goalReached: null })
    expect(seed.torrent.view().seedGoals).toEqual({ ratio: 'default', time: 'none', idle: 'default' })
    await swarm.until(paused, HOUR)
    expect(seed.torrent.view().goalReached).toBe('30m 00s without an upload')
    // Silence is counted anew, and lifts nothing.
    await commands.resume({ ids: [1] }, CALLER)
    await swarm.run(60_000)
    expect(paused()).toBe(false)
    expect(seed.torrent.view().seedGoals.idle).toBe('default')
  })

  it('with resume does so after a kill, too: what was reached is recorded with it', async () => {
    const { swarm, seed, take, paused } = await stage({ ratio: 1 })
    await take(0)
    await swarm.until(paused, 10_000)
    seed.kill()
    await seed.again()
    await swarm.run(1000)
    expect(seed.torrent.view()).toMatchObject({ state: 'paused', ratio: 1 })
    await commandsOf(seed).resume({ ids: [1] }, CALLER)
    await swarm.run(5000)
    expect(seed.torrent.view()).toMatchObject({ state: 'seeding', seedGoals: { ratio: 'none' } })
  })

  it('of a pause records the time seeded with it', async () => {
    const { swarm, seed, commands } = await stage({})
    await swarm.run(HOUR)
    await commands.pause([1], CALLER)
    await swarm.run(1000)
    seed.kill()
    await seed.again()
    expect(seed.torrent.view().seedingTime).toBeGreaterThanOrEqual(3600)
  })

  it('changes nothing where it cannot be recorded', async () => {
    const { seed, commands } = await stage({})
    seed.store.failNext('SQLITE_FULL', 'setGoals')
    await expect(commands.queueing.seed({ ids: [1], ratio: 1 }, CALLER)).rejects.toThrow(
      'they stay as they were',
    )
    expect(seed.torrent.view().seedGoals.ratio).toBe('default')
  })

  it('is not undone by a store that fails as a goal is reached: it is paused, and that is recorded later', async () => {
    const { swarm, seed, paused } = await stage({ time: 600 })
    seed.store.failWrites('SQLITE_FULL')
    await swarm.until(paused, 700_000)
    seed.store.failWrites(null)
    await swarm.run(60_000)
    expect((await seed.store.torrents())[0]?.desired).toBe('paused')
  })
})

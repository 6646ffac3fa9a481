import { describe, expect, it } from 'vitest'
import { type Stall, Watch } from '../../daemon/base/watch.js'
import { watchedClock } from '../../daemon/base/watched-clock.js'
import { FakeClock } from '../support/fake-clock.js'
import { fakeWatch } from '../support/fake-watch.js'

class Loop {
  now = 0
  readonly stalls: Stall[] = []
  private ends: (() => void)[] = []
  readonly watch = new Watch(
    {},
    {
      now: () => this.now,
      turn: (fn) => void this.ends.push(fn),
      stalled: (stall) => void this.stalls.push(stall),
    },
  )

  /** Work of a phase that takes so long. */
  work(phase: Parameters<Watch['enter']>[0], took: number, torrent = 0): void {
    this.watch.enter(phase, torrent)
    this.now += took
  }

  /** The turn ends, and the loop sleeps. */
  end(sleep = 1000): void {
    for (const end of this.ends.splice(0)) end()
    this.now += sleep
  }
}

describe('a stall', () => {
  it('is told once, with the phase that took most of it and whose it was', () => {
    const loop = new Loop()
    loop.work('rpc', 50)
    loop.work('disk', 180, 7)
    loop.work('peer', 40, 8)
    loop.end()
    expect(loop.stalls).toEqual([{ phase: 'disk', torrent: 7, duration: 270 }])
    expect(loop.watch.read().stalls).toEqual({ count: 1, longest: 270, phase: 'disk' })
  })

  it('may be many short things of one kind', () => {
    const loop = new Loop()
    loop.work('rpc', 90)
    for (let n = 0; n < 100; n++) loop.work('peer', 2)
    loop.end()
    expect(loop.stalls).toMatchObject([{ phase: 'peer', duration: 290 }])
  })

  it('is no turn of 200 ms, and no sleep of the loop', () => {
    const loop = new Loop()
    loop.work('timer', 200)
    loop.end(60_000)
    loop.work('peer', 1)
    loop.end(60_000)
    expect(loop.stalls).toEqual([])
    expect(loop.watch.read().stalls).toEqual({ count: 0, longest: 0, phase: null })
  })

  it('is counted, and the longest is kept', () => {
    const loop = new Loop()
    for (const [phase, took] of [
      ['store', 300],
      ['timer', 900],
      ['peer', 400],
    ] as const) {
      loop.work(phase, took)
      loop.end()
    }
    expect(loop.watch.read().stalls).toEqual({ count: 3, longest: 900, phase: 'timer' })
  })
})

describe('who is at work', () => {
  it('is told while the turn lasts, and nobody after it', () => {
    const loop = new Loop()
    loop.work('disk', 1, 7)
    expect([loop.watch.phase, loop.watch.torrent, loop.watch.state[0]]).toEqual(['disk', 7, 0])
    loop.work('rpc', 1)
    expect([loop.watch.phase, loop.watch.torrent]).toEqual(['rpc', 0])
    loop.work('peer', 1, 3)
    loop.end()
    expect([loop.watch.phase, loop.watch.torrent]).toEqual(['other', 0])
  })
})

describe('a machine that slept', () => {
  /** A clock that can stand still for its timers, as a stopped process does. */
  class Sleeper extends FakeClock {
    ahead = 0
    override now(): number {
      return super.now() + this.ahead
    }
    override wall(): number {
      return super.wall() + this.ahead
    }
  }

  function scene(): { readonly clock: Sleeper; readonly gaps: number[]; readonly fired: string[] } {
    const clock = new Sleeper()
    const gaps: number[] = []
    const fired: string[] = []
    const watched = watchedClock({ clock, watch: fakeWatch(), woke: (gap) => void gaps.push(gap) })
    watched.every(1000, () => void fired.push('tick'))
    watched.after(5000, () => void fired.push('once'))
    watched.after(5500, () => void fired.push('again'))
    return { clock, gaps, fired }
  }

  it('is seen by the first timer after it, and told once', () => {
    const { clock, gaps, fired } = scene()
    clock.advance(4500)
    clock.ahead += 60_000
    clock.advance(3000)
    expect(gaps).toEqual([60_000])
    expect(fired).toContain('again')
  })

  it('is not a busy minute, nor half a minute', () => {
    const { clock, gaps } = scene()
    clock.advance(4500)
    clock.ahead += 29_000
    clock.advance(3000)
    expect(gaps).toEqual([])
  })

  it('is seen by the wall clock where the other one stood', () => {
    const { clock, gaps } = scene()
    clock.advance(4500)
    clock.jump(3_600_000)
    clock.advance(600_000)
    expect(gaps).toEqual([3_600_000])
  })

  it('is not a clock that was set back, by a day or to 1970', () => {
    const { clock, gaps } = scene()
    clock.advance(4500)
    clock.jump(-86_400_000)
    clock.advance(10_000)
    clock.jump(-clock.wall())
    clock.advance(10_000)
    expect(gaps).toEqual([])
  })

  it('is told again the next time', () => {
    const { clock, gaps } = scene()
    for (let night = 0; night < 3; night++) {
      clock.advance(4500)
      clock.ahead += 40_000 + night
    }
    clock.advance(5000)
    expect(gaps).toEqual([40_000, 40_001, 40_002])
  })
})

/** Whether a turn of the main loop that never ends is seen, and by a thread that sleeps while nothing turns. */
import { beforeEach, describe, expect, it } from 'vitest'
import { Lookout, LOOK_EVERY, type Standing } from '../../daemon/base/lookout.js'
import { Watch } from '../../daemon/base/watch.js'
import { FakeClock } from '../support/fake-clock.js'

const MINUTE = 60_000

class Scene {
  readonly clock = new FakeClock()
  readonly stood: Standing[] = []
  readonly over: Standing[] = []
  looks = 0
  wakes = 0
  private ends: (() => void)[] = []
  readonly watch = new Watch(
    {},
    { now: () => this.clock.now(), turn: (fn) => void this.ends.push(fn), stalled: () => undefined },
  )
  readonly lookout = new Lookout(
    { shared: this.watch.shared, every: LOOK_EVERY },
    {
      after: (delay, call) => {
        this.clock.after(delay, () => {
          this.looks++
          call()
        })
      },
      stands: (standing) => void this.stood.push(standing),
      over: (standing) => void this.over.push(standing),
    },
  )

  constructor() {
    this.watch.lookout(() => {
      this.wakes++
      this.lookout.wake()
    })
  }

  begin(phase: Parameters<Watch['enter']>[0] = 'timer', torrent = 0): void {
    this.watch.enter(phase, torrent)
  }

  end(): void {
    for (const end of this.ends.splice(0)) end()
  }

  turn(): void {
    this.begin()
    this.end()
  }
}

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})

describe('a turn that never ends', () => {
  it('is told every ten seconds with its phase and torrent, and is over after a minute, once', () => {
    scene.turn()
    scene.clock.advance(3000)
    scene.begin('disk', 7)
    scene.clock.advance(5 * MINUTE)
    expect(scene.stood.map(({ duration }) => duration)).toEqual([10, 20, 30, 40, 50, 60].map((s) => s * 1000))
    expect(scene.stood[0]).toEqual({ duration: 10_000, phase: 'disk', torrent: 7 })
    expect(scene.over).toEqual([{ duration: 60_000, phase: 'disk', torrent: 7 }])
  })

  it('is seen where it is the first after a long rest', () => {
    scene.turn()
    scene.clock.advance(10 * MINUTE)
    scene.begin('peer')
    scene.clock.advance(2 * MINUTE)
    expect(scene.over).toHaveLength(1)
  })

  it('is another one each time where turns end, however long each takes', () => {
    for (let n = 0; n < 20; n++) {
      scene.begin()
      scene.clock.advance(45_000)
      scene.end()
    }
    expect(scene.over).toEqual([])
    expect(Math.max(...scene.stood.map(({ duration }) => duration))).toBeLessThan(50_000)
  })

  it('counts from nothing after one that ended', () => {
    scene.begin('rpc')
    scene.clock.advance(55_000)
    scene.end()
    scene.begin('disk')
    scene.clock.advance(15_000)
    expect(scene.over).toEqual([])
    expect(scene.stood.at(-1)).toMatchObject({ duration: 10_000, phase: 'disk' })
  })
})

describe('what it costs', () => {
  it('is one look in ten seconds while the loop turns, and one message', () => {
    for (let n = 0; n < 600; n++) {
      scene.turn()
      scene.clock.advance(100)
    }
    expect(scene.looks).toBeLessThanOrEqual(6)
    expect(scene.wakes).toBe(1)
  })

  it('is nothing while it does not', () => {
    scene.turn()
    scene.clock.advance(MINUTE)
    const { looks } = scene
    expect(looks).toBeLessThanOrEqual(2)
    scene.clock.advance(60 * MINUTE)
    expect(scene.looks).toBe(looks)
    expect(scene.watch.shared.isLookedAfter).toBe(false)
  })

  it('is paid again after the rest', () => {
    for (let n = 0; n < 5; n++) {
      scene.turn()
      scene.clock.advance(MINUTE)
    }
    expect(scene.wakes).toBe(5)
    expect(scene.looks).toBeLessThanOrEqual(10)
  })
})

describe('a turn that begins as it goes to rest', () => {
  /** Lets the turn begin between the last look at the number and the note that nobody looks. */
  it.each([
    ['and has seen that it is looked after', true],
    ['and has woken it itself', false],
  ])('%s', (_, unseen) => {
    scene.turn()
    const { shared } = scene.watch
    const rest = shared.lookedAfter.bind(shared)
    let left = 1
    shared.lookedAfter = (wanted) => {
      if (wanted || left-- !== 1) return rest(wanted)
      if (unseen) scene.begin('peer')
      const was = rest(false)
      if (!unseen) scene.begin('peer')
      return was
    }
    scene.clock.advance(2 * MINUTE)
    expect(scene.over).toMatchObject([{ phase: 'peer' }])
  })
})

/** The queue alone: members that do as they are told, on a virtual clock. */
import { describe, expect, it } from 'vitest'
import { Queue, type QueueKind, type QueueLimits, type QueueMember } from '../../daemon/swarm/queue.js'
import type { TorrentId } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'

const MINUTE = 60_000
const FAST = 1_000_000

/** Starts when it may, and stops when it must, at once. */
class Member implements QueueMember {
  forced = false
  kind: QueueKind = 'download'
  moved = 0
  rank: number | null = null
  runs = false
  readonly said: string[] = []
  readonly id: TorrentId

  constructor(
    readonly hall: Hall,
    id: number,
  ) {
    this.id = id as TorrentId
  }
  start(): void {
    this.runs = this.hall.queue.ask(this)
  }
  stop(): void {
    this.runs = false
    this.hall.queue.leave(this)
  }
  proceed(): void {
    this.said.push('proceed')
    this.start()
  }
  giveWay(): void {
    this.said.push('give way')
    this.stop()
    this.start()
  }
  rankChanged(): void {
    this.said.push('rank')
  }
}

class Hall {
  readonly clock = new FakeClock()
  readonly members: Member[]
  readonly queue: Queue
  constructor(count: number, limits: Partial<QueueLimits>) {
    const all = { download: null, seed: null, stalled: null, ...limits }
    this.queue = new Queue(all, { clock: this.clock, members: () => this.members })
    this.members = Array.from({ length: count }, (_, at) => new Member(this, at + 1))
  }
  startAll(): void {
    for (const member of this.members) member.start()
  }
  get running(): number[] {
    return this.members.filter(({ runs }) => runs).map(({ id }) => id)
  }
  member(id: number): Member {
    const member = this.members[id - 1]
    if (member === undefined) throw new Error('nobody')
    return member
  }
  /** Time goes on; those named move. */
  pass(ms: number, ...moving: number[]): void {
    for (let left = ms; left > 0; left -= 10_000) {
      for (const id of moving) {
        const member = this.member(id)
        member.moved += member.runs ? FAST : 0
        this.queue.stirred(member)
      }
      this.clock.advance(Math.min(10_000, left))
    }
  }
}

describe('places', () => {
  it('are for all where there is no limit, and no timer is set', () => {
    const hall = new Hall(50, { stalled: MINUTE })
    hall.startAll()
    expect(hall.running).toHaveLength(50)
    expect(hall.clock.pending).toBe(0)
  })

  it('are given in order, and again at once where one is done or stops', () => {
    const hall = new Hall(5, { download: 2 })
    hall.startAll()
    expect(hall.running).toEqual([1, 2])
    hall.member(1).stop()
    expect(hall.running).toEqual([2, 3])
    hall.member(2).kind = 'seed'
    expect(hall.queue.turned(hall.member(2))).toBe(true)
    expect(hall.running).toEqual([2, 3, 4])
    // One that waits and stops takes nothing and leaves nothing.
    hall.member(5).stop()
    hall.member(3).stop()
    expect(hall.running).toEqual([2, 4])
  })

  it('go by rank, whoever asks first, where many ask in a batch; nobody has one before its end', () => {
    const hall = new Hall(4, { download: 2 })
    hall.member(4).rank = -1
    hall.queue.batch(() => {
      hall.startAll()
      expect(hall.running).toEqual([])
    })
    expect(hall.running).toEqual([1, 4])
  })

  it('are given to nobody of a batch that ends', () => {
    const hall = new Hall(4, { download: 2 })
    hall.startAll()
    hall.queue.batch(() => {
      for (const member of hall.members) member.stop()
    })
    expect(hall.members.flatMap(({ said }) => said).filter((word) => word === 'proceed')).toEqual([])
  })

  it('are kept from one that comes before by rank, until a person changes the order', () => {
    const hall = new Hall(3, { download: 2 })
    hall.member(2).start()
    hall.member(3).start()
    hall.member(1).start()
    expect(hall.running).toEqual([2, 3])
    hall.queue.rearranged()
    expect(hall.running).toEqual([1, 2])
    expect(hall.member(3).said).toContain('give way')
  })

  it('are none for the forced, who wait for none', () => {
    const hall = new Hall(4, { download: 2 })
    hall.startAll()
    hall.member(4).forced = true
    hall.queue.wished(hall.member(4))
    expect(hall.running).toEqual([1, 2, 4])
    hall.member(1).forced = true
    hall.queue.wished(hall.member(1))
    expect(hall.running).toEqual([1, 2, 3, 4])
    hall.member(1).forced = false
    hall.queue.wished(hall.member(1))
    expect(hall.running).toEqual([1, 2, 4])
  })

  it('follow the settings: more at once, fewer by the last, all', () => {
    const hall = new Hall(6, { download: 2 })
    hall.startAll()
    hall.queue.apply({ download: 4, seed: null, stalled: null })
    expect(hall.running).toEqual([1, 2, 3, 4])
    hall.queue.apply({ download: 1, seed: null, stalled: null })
    expect(hall.running).toEqual([1])
    hall.queue.apply({ download: null, seed: null, stalled: null })
    expect(hall.running).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('of seeds are another matter: what completes where all are taken waits', () => {
    const hall = new Hall(3, { download: 1, seed: 1 })
    for (const id of [1, 2]) hall.member(id).kind = 'seed'
    hall.startAll()
    expect(hall.running).toEqual([1, 3])
    hall.member(3).kind = 'seed'
    expect(hall.queue.turned(hall.member(3))).toBe(false)
    hall.member(3).giveWay()
    expect(hall.running).toEqual([1])
    hall.member(1).stop()
    expect(hall.running).toEqual([2])
  })

  it('are given to nobody any more where the daemon ends', () => {
    const hall = new Hall(3, { download: 1, stalled: MINUTE })
    hall.startAll()
    hall.queue.close()
    hall.member(1).stop()
    expect(hall.running).toEqual([])
    expect(hall.clock.pending).toBe(0)
  })
})

describe('one that stalls', () => {
  it('goes on, and its place is given to the next', () => {
    const hall = new Hall(4, { download: 2, stalled: MINUTE })
    hall.startAll()
    hall.pass(5 * MINUTE, 2, 3)
    expect(hall.running).toEqual([1, 2, 3])
    expect(hall.queue.isStalled(hall.member(1))).toBe(true)
    expect(hall.queue.isStalled(hall.member(2))).toBe(false)
  })

  it('counts again when it moves, and the last gives way', () => {
    const hall = new Hall(4, { download: 2, stalled: MINUTE })
    hall.startAll()
    hall.pass(3 * MINUTE, 2, 3)
    expect(hall.running).toEqual([1, 2, 3])
    // Less than 2 KiB a second is a trickle.
    hall.member(1).moved += 2000 * 60
    hall.queue.stirred(hall.member(1))
    expect(hall.running).toEqual([1, 2, 3])
    hall.pass(10_000, 1, 2, 3)
    expect(hall.running).toEqual([1, 2])
  })

  it('is looked for while somebody waits, by one timer, and not otherwise', () => {
    const hall = new Hall(3, { download: 2, stalled: MINUTE })
    hall.member(1).start()
    hall.member(2).start()
    expect(hall.clock.pending).toBe(0)
    hall.member(3).start()
    expect(hall.clock.pending).toBe(1)
    hall.member(3).stop()
    expect(hall.clock.pending).toBe(0)
  })

  it('keeps its place where the rule is off', () => {
    const hall = new Hall(3, { download: 1, stalled: null })
    hall.startAll()
    hall.pass(60 * MINUTE)
    expect(hall.running).toEqual([1])
    expect(hall.clock.pending).toBe(0)
  })

  it('lets all go on in the end, where none moves', () => {
    const hall = new Hall(20, { download: 3, stalled: MINUTE })
    hall.startAll()
    hall.pass(30 * MINUTE)
    expect(hall.running).toHaveLength(20)
    expect(hall.clock.pending).toBe(0)
  })
})

describe('the place in the order', () => {
  it('counts each kind for itself, those that do not run too', () => {
    const hall = new Hall(4, { download: 1 })
    hall.member(2).kind = 'seed'
    hall.member(4).rank = -7
    expect([1, 2, 3, 4].map((id) => hall.queue.place(hall.member(id)))).toEqual([2, 1, 3, 1])
  })

  it('is told anew to those that wait, where one before them is gone', () => {
    const hall = new Hall(3, { download: 1 })
    hall.startAll()
    const [first] = hall.members.splice(1, 1)
    if (first !== undefined) hall.queue.leave(first)
    hall.queue.reordered()
    expect(hall.members[1]?.said).toEqual(['rank'])
    expect(hall.queue.place(hall.member(2))).toBe(2)
  })
})

/** A thread that does not answer: when that is said, what it costs, and when it is over. */
import { beforeEach, describe, expect, it } from 'vitest'
import { LOOK_EVERY, Silence } from '../../daemon/base/silence.js'
import { FakeClock } from '../support/fake-clock.js'

let clock: FakeClock
let said: string[]
let silence: Silence
beforeEach(() => {
  clock = new FakeClock()
  said = []
  silence = new Silence(
    { every: LOOK_EVERY },
    { clock, began: () => said.push('began'), ended: () => said.push('ended') },
  )
})

describe('a thread that does not answer', () => {
  it('is told of after 20 s, once, and nothing is looked at any more', () => {
    silence.asked()
    clock.advance(19_999)
    expect([silence.silent, said]).toEqual([false, []])
    clock.advance(1)
    expect([silence.silent, said]).toEqual([true, ['began']])
    expect(clock.pending).toBe(0)
    clock.advance(3_600_000)
    expect(said).toEqual(['began'])
  })

  it('is told of within 30 s where it answered before', () => {
    silence.asked()
    clock.advance(5000)
    silence.answered()
    silence.asked()
    clock.advance(25_000)
    expect(said).toEqual(['began'])
  })

  it('is over with its next answer, and may come again', () => {
    silence.asked()
    silence.asked()
    clock.advance(20_000)
    silence.answered()
    expect([silence.silent, said]).toEqual([false, ['began', 'ended']])
    silence.asked()
    clock.advance(20_000)
    expect(said).toEqual(['began', 'ended', 'began'])
  })
})

describe('a thread that answers', () => {
  it('is not silent, however many calls wait', () => {
    silence.asked()
    for (let second = 0; second < 600; second += 9) {
      silence.asked()
      clock.advance(9000)
      silence.answered()
    }
    expect(said).toEqual([])
  })

  it('is looked at no more once nothing waits', () => {
    silence.asked()
    silence.answered()
    clock.advance(LOOK_EVERY)
    expect(clock.pending).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { Budget, Turnstile } from '../../daemon/session/budget.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the budget', () => {
  it('gives up to its limit, and again what came back', () => {
    const budget = new Budget({ max: 2 })
    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false])
    expect([budget.used, budget.full]).toEqual([2, true])
    budget.give()
    expect([budget.full, budget.take(), budget.take()]).toEqual([false, true, false])
  })

  it('never falls below nothing', () => {
    const budget = new Budget({ max: 1 })
    budget.give()
    expect(budget.used).toBe(0)
    expect([budget.take(), budget.take()]).toEqual([true, false])
  })
})

describe('the turnstile', () => {
  it('lets one through at a time, in order, never within the call', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const leaveA = gate.enter(() => log.push('a'))
    const leaveB = gate.enter(() => log.push('b'))
    expect(log).toEqual([])
    await turn()
    expect(log).toEqual(['a'])
    leaveA()
    expect(log).toEqual(['a', 'b'])
    leaveA()
    leaveB()
    gate.enter(() => log.push('c'))
    await turn()
    expect(log).toEqual(['a', 'b', 'c'])
  })

  it('forgets who leaves the queue', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const leaveA = gate.enter(() => log.push('a'))
    const leaveB = gate.enter(() => log.push('b'))
    gate.enter(() => log.push('c'))
    leaveB()
    await turn()
    leaveA()
    expect(log).toEqual(['a', 'c'])
  })

  it('passes the turn on where its holder leaves before it came', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    gate.enter(() => log.push('a'))()
    gate.enter(() => log.push('b'))
    await turn()
    expect(log).toEqual(['b'])
  })

  it('may be left at once by whoever it lets through', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const leave = gate.enter(() => {
      log.push('a')
      leave()
    })
    gate.enter(() => log.push('b'))
    await turn()
    expect(log).toEqual(['a', 'b'])
  })
})

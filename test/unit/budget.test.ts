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
    const leaveA = gate.enter('1', () => log.push('a'))
    const leaveB = gate.enter('1', () => log.push('b'))
    expect(log).toEqual([])
    await turn()
    expect(log).toEqual(['a'])
    leaveA()
    expect(log).toEqual(['a', 'b'])
    leaveA()
    leaveB()
    gate.enter('1', () => log.push('c'))
    await turn()
    expect(log).toEqual(['a', 'b', 'c'])
  })

  it('forgets who leaves the queue', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const leaveA = gate.enter('1', () => log.push('a'))
    const leaveB = gate.enter('1', () => log.push('b'))
    gate.enter('1', () => log.push('c'))
    leaveB()
    await turn()
    leaveA()
    expect(log).toEqual(['a', 'c'])
  })

  it('passes the turn on where its holder leaves before it came', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    gate.enter('1', () => log.push('a'))()
    gate.enter('1', () => log.push('b'))
    await turn()
    expect(log).toEqual(['b'])
  })

  it('may be left at once by whoever it lets through', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const leave = gate.enter('1', () => {
      log.push('a')
      leave()
    })
    gate.enter('1', () => log.push('b'))
    await turn()
    expect(log).toEqual(['a', 'b'])
  })

  it('keeps a line for each volume: one that hangs holds up no other', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    gate.enter('dead', () => log.push('a'))
    gate.enter('dead', () => log.push('never'))
    const leave = gate.enter('fine', () => log.push('b'))
    gate.enter('fine', () => log.push('c'))
    await turn()
    expect(log).toEqual(['a', 'b'])
    leave()
    expect(log).toEqual(['a', 'b', 'c'])
  })

  it('begins a line anew after it was empty', async () => {
    const gate = new Turnstile()
    const log: string[] = []
    const first = gate.enter('1', () => log.push('a'))
    await turn()
    first()
    first()
    const second = gate.enter('1', () => log.push('b'))
    first()
    gate.enter('1', () => log.push('c'))
    await turn()
    expect(log).toEqual(['a', 'b'])
    second()
    expect(log).toEqual(['a', 'b', 'c'])
  })
})

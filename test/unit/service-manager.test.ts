import { describe, expect, it } from 'vitest'
import { createServiceManager } from '../../daemon/io/service-manager.js'
import { FakeClock } from '../support/fake-clock.js'

const asked = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '120000000', WATCHDOG_PID: '7' }

function scene(env: Record<string, string>, answers = true) {
  const clock = new FakeClock()
  const told: string[] = []
  const warned: object[] = []
  const waiting: ((problem: string | null) => void)[] = []
  const tell = (words: readonly string[], done: (problem: string | null) => void): void => {
    told.push(words[0] ?? '')
    if (answers) done(null)
    else waiting.push(done)
  }
  const log = { warn: (fields: object) => void warned.push(fields) }
  const manager = createServiceManager({ env, pid: 7 }, { clock, log, tell })
  return { clock, told, warned, waiting, manager }
}

describe('what systemd is told', () => {
  it('is nothing, and no timer runs, where nobody asks', () => {
    const { clock, told, manager } = scene({ WATCHDOG_USEC: '120000000' })
    manager.ready()
    expect(clock.pending).toBe(0)
    manager.stopping()
    expect(told).toEqual([])
  })

  it('is that it is ready, that it lives, each half of the time, and that it stops', () => {
    const { clock, told, manager } = scene(asked)
    clock.advance(300_000)
    expect(told).toEqual([])
    manager.ready()
    expect(told).toEqual(['READY=1'])
    clock.advance(59_999)
    expect(told.length).toBe(1)
    clock.advance(1)
    clock.advance(60_000)
    expect(told.slice(1)).toEqual(['WATCHDOG=1', 'WATCHDOG=1'])
    manager.stopping()
    clock.advance(600_000)
    expect(told.slice(3)).toEqual(['STOPPING=1'])
    expect(clock.pending).toBe(0)
  })

  it.each([
    ['no watchdog', { NOTIFY_SOCKET: '/run/n' }],
    ['one for another process', { ...asked, WATCHDOG_PID: '8' }],
    ['a time that is none', { ...asked, WATCHDOG_USEC: 'soon' }],
  ])('has no sign of life with %s', (_, env) => {
    const { clock, told, manager } = scene(env)
    manager.ready()
    expect(clock.pending).toBe(0)
    expect(told).toEqual(['READY=1'])
  })

  it('makes one child at a time, and warns once', () => {
    const { clock, told, warned, waiting, manager } = scene(asked, false)
    manager.ready()
    clock.advance(600_000)
    expect(told).toEqual(['READY=1'])
    waiting[0]?.('spawn systemd-notify ENOENT')
    clock.advance(60_000)
    expect(told).toEqual(['READY=1', 'WATCHDOG=1'])
    waiting[1]?.('exit status 1')
    expect(warned).toEqual([{ problem: 'spawn systemd-notify ENOENT' }])
  })
})

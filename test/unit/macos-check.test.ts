/** The rows of `npm run test:macos`, against a Mac that is a few variables. */
import { describe, expect, it } from 'vitest'
import { checkMac, type Mac } from '../packages/macos.js'

/** What this Mac does wrong. */
type Flaw = 'none' | 'never back' | 'back at once' | 'comes back after a stop' | 'stays loaded' | 'bad plist'

function mac(flaw: Flaw): { mac: Mac; lines: string[]; ends: () => boolean } {
  const lines: string[] = []
  let pid: number | null = null
  let last = 100
  let loaded = false
  let lastExit: number | null = null
  /** When it is started again, counted in waited milliseconds. */
  let again = Infinity
  let now = 0
  const start = (): void => {
    pid = last += 1
  }
  const ctl = (...[verb = '', action = '']: readonly string[]): Promise<{ status: number; out: string }> => {
    if (verb === 'status') return Promise.resolve({ status: pid === null ? 5 : 0, out: '' })
    if (verb === 'daemon') {
      pid = null
      lastExit = 0
      if (flaw === 'comes back after a stop') again = now + 10_000
    }
    if (action === 'install' || action === 'start' || action === 'restart') {
      loaded = true
      start()
    }
    if (action === 'uninstall') {
      loaded = flaw === 'stays loaded'
      pid = null
    }
    const out = JSON.stringify({ pid, plist: '/L/a.plist', domain: loaded ? 'gui/501' : null, lastExit })
    return Promise.resolve({ status: 0, out })
  }
  const it: Mac = {
    ctl,
    run: (command) =>
      Promise.resolve({
        status: command === 'test' || (command === 'plutil' && flaw === 'bad plist') ? 1 : 0,
        out: 'nofile => 8192',
      }),
    kill: () => {
      pid = null
      again = flaw === 'never back' ? Infinity : now + (flaw === 'back at once' ? 0 : 10_000)
    },
    wait: (ms) => {
      now += ms
      if (now >= again) {
        again = Infinity
        start()
      }
      return Promise.resolve()
    },
    print: (line) => void lines.push(line),
  }
  return { mac: it, lines, ends: () => pid === null }
}

describe('the rows', () => {
  it('all hold where all is well', async () => {
    const { mac: well, lines } = mac('none')
    expect(await checkMac(well)).toEqual({ held: 9, failed: null })
    expect(lines.every((line) => line.startsWith('ok      '))).toBe(true)
  })

  it.each<[Flaw, RegExp]>([
    ['never back', /kill -9 brings it back.*nobody answered within 30 s/],
    ['back at once', /kill -9 brings it back.*it was back within 5 s/],
    ['comes back after a stop', /a clean stop stays down: process 10\d/],
    ['stays loaded', /nothing is left.*it is loaded in gui\/501/],
    ['bad plist', /plutil takes the property list: plutil -lint \/L\/a\.plist/],
  ])('fail where it is %s, and all is uninstalled', async (flaw, sentence) => {
    const { mac: ill, lines, ends } = mac(flaw)
    expect((await checkMac(ill)).failed).not.toBeNull()
    expect(lines.at(-1)).toMatch(sentence)
    expect(ends()).toBe(true)
  })
})

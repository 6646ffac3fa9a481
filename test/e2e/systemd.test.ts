/** The real daemon under its user unit: ready when it says so, back after a kill or a hang, down after a stop. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemHost } from '../../launchd/host.js'
import type { Host, ServiceInit } from '../../launchd/manager.js'
import { installUnit, startUnit, uninstallUnit, unitStatus } from '../../launchd/systemd.js'
import { DAEMON, makeHome } from '../support/daemon.js'
import { placeSystemctl } from '../support/systemctl.js'

const COMMAND = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const canNotify = spawnSync('systemd-notify', ['--version']).status === 0

let root = ''
let host: Host
let init: ServiceInit

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tor-sd-'))
  for (const folder of ['bin', 'state']) mkdirSync(join(root, folder))
  placeSystemctl(join(root, 'bin'))
  // 10 s between two starts are 0.2 s here, and the watchdog's 120 s are 2.4 s.
  writeFileSync(join(root, 'state/scale'), '0.02')
  const home = makeHome(join(root, 'home %h $x'))
  const real = systemHost({
    PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: root,
    STAND_IN: join(root, 'state'),
    TORRENTINO_NET: 'loopback',
  })
  host = {
    ...real,
    platform: 'linux',
    uid: 1000,
    userName: 'ann',
    userHome: root,
    exists: (path) => path === '/run/systemd/system' || (path.startsWith(root) && existsSync(path)),
  }
  init = { home, stateDir: home, logDir: join(home, 'logs'), execPath: process.execPath, entry: DAEMON }
})

afterEach(async () => {
  await uninstallUnit(init, host)
  rmSync(root, { recursive: true, force: true })
})

function ctl(...args: string[]): { status: number | null; stdout: string } {
  const env = { PATH: process.env['PATH'], HOME: root, TORRENTINO_NET: 'loopback' }
  const words = [COMMAND, '--home', init.home ?? '', ...args]
  return spawnSync(process.execPath, words, { env, encoding: 'utf8', timeout: 30_000 })
}

/** What the daemon said to its manager, in order. */
const told = (): string[] => readFileSync(join(root, 'state/told'), 'utf8').split('\n')

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const found = await look()
    if (found !== null) return found
    await delay(50)
  }
  throw new Error(`${what} never came: ${readFileSync(join(root, 'state/journal'), 'utf8')}`)
}

const otherThan = (pid: number | null): Promise<number> =>
  until('another process', async () => {
    const found = await unitStatus(init, host)
    return found.state === 'active' && found.pid !== pid ? found.pid : null
  })

describe.skipIf(!canNotify)('the daemon under its user unit', () => {
  it('answers when the start returns, comes back after kill -9, and stays down after a stop', async () => {
    await installUnit(init, host)
    // No waiting here: it told that it was ready.
    const { pid } = await unitStatus(init, host)
    expect(JSON.parse(ctl('status', '--json').stdout)).toMatchObject({
      pid,
      owner: 'service',
      home: init.home,
    })
    expect(told()[0]).toBe('READY=1')
    process.kill(pid!, 'SIGKILL')
    const second = await otherThan(pid)
    expect((await unitStatus(init, host)).restarts).toBe(1)
    expect(JSON.parse(ctl('status', '--json').stdout)).toMatchObject({ pid: second })
    expect(ctl('daemon', 'stop').status).toBe(0)
    const down = await until('the end', async () => {
      const found = await unitStatus(init, host)
      return found.pid === null ? found : null
    })
    expect(down).toMatchObject({ state: 'inactive', detail: 'dead', lastExit: 0, lastSignal: null })
    await startUnit(init, host)
    expect((await unitStatus(init, host)).pid).not.toBeNull()
    expect(await uninstallUnit(init, host)).toMatchObject({ removed: true, stateDir: init.home })
    expect(existsSync(join(init.stateDir, 'torrentino.db'))).toBe(true)
    expect(told()).toContain('STOPPING=1')
  })

  it('tells that it lives, and is brought back when it hangs', async () => {
    await installUnit(init, host)
    const { pid } = await unitStatus(init, host)
    await until('two signs of life', () =>
      Promise.resolve(told().filter((word) => word === 'WATCHDOG=1').length >= 2 ? true : null),
    )
    expect((await unitStatus(init, host)).pid).toBe(pid)
    process.kill(pid!, 'SIGSTOP')
    await otherThan(pid)
    expect(ctl('status').status).toBe(0)
  })

  it('makes no loop where a daemon started by hand has the home, and takes over after it', async () => {
    expect(ctl('daemon', 'start').status).toBe(0)
    await expect(installUnit(init, host)).rejects.toThrow(/started by hand has this home/)
    expect(await unitStatus(init, host)).toMatchObject({ state: 'failed', lastExit: 0, restarts: 0 })
    expect(ctl('daemon', 'stop').status).toBe(0)
    await startUnit(init, host)
    expect(JSON.parse(ctl('status', '--json').stdout)).toMatchObject({ owner: 'service' })
  })

  it('is not started again faster than the unit says where it cannot start', async () => {
    writeFileSync(join(init.stateDir, 'config.toml'), 'what is this\n')
    await expect(installUnit(init, host)).rejects.toThrow(/did not start/)
    await until('three starts', async () => ((await unitStatus(init, host)).restarts >= 2 ? true : null))
    const file = readFileSync(join(root, 'state', (await unitStatus(init, host)).unit + '.json'), 'utf8')
    const { starts } = JSON.parse(file) as { starts: number[] }
    for (const [at, start] of starts.entries())
      if (at > 0) expect(start - starts[at - 1]!).toBeGreaterThanOrEqual(0.2)
  })
})

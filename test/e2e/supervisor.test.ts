/** The real daemon under the login agent's own property list: it comes back, stays down, and makes no loop. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { agentLabel, agentPlist } from '../../launchd/plist.js'
import { readPlist } from '../support/plist-reader.js'
import { Supervisor } from '../support/supervisor.js'

const dist = resolve(import.meta.dirname, '../../dist')
const daemon = join(dist, 'daemon/bin.js')
const command = join(dist, 'ctl/torrentinoctl.js')

/** As much of `status --json` as is asked here. */
interface Status {
  readonly pid: number
  readonly owner: string
  readonly home: string
}

let home = ''
let supervisor: Supervisor
/** A second agent of the same home, where a test makes one. */
let second: Supervisor | null = null

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tor-sv-'))
  mkdirSync(logs())
  supervisor = supervise()
  second = null
})

afterEach(async () => {
  await second?.bootOut()
  await supervisor.bootOut()
  rmSync(home, { recursive: true, force: true })
})

/** As shared/home.ts has it below a named home; made by `service install`, since launchd makes no folders. */
function logs(): string {
  return join(home, 'logs')
}

function supervise(): Supervisor {
  const options = { label: agentLabel(home), node: process.execPath, entry: daemon, home, logDir: logs() }
  const init = { userHome: home, timeScale: 0.05, extraEnv: { TORRENTINO_NET: 'loopback' } }
  return new Supervisor(readPlist(agentPlist(options)), init)
}

function ctl(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env['PATH'], HOME: home, TORRENTINO_NET: 'loopback' }
  return spawnSync(process.execPath, [command, '--home', home, ...args], {
    env,
    encoding: 'utf8',
    timeout: 20_000,
  })
}

/** As `ctl`, while our own loop goes on: a child that ended is there for others until we took note of it. */
function ctlAside(...args: string[]): Promise<{ status: number | null; stdout: string }> {
  const env = { PATH: process.env['PATH'], HOME: home, TORRENTINO_NET: 'loopback' }
  return new Promise((done) => {
    const child = execFile(process.execPath, [command, '--home', home, ...args], { env }, (_, stdout) => {
      done({ status: child.exitCode, stdout })
    })
  })
}

/** Asks until the daemon of this pid answers; what it prints is shown where it never does. */
async function answers(pid: number | null): Promise<Status> {
  let last = ''
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const { status, stdout, stderr } = ctl('status', '--json')
    if (status === 0) {
      const view = JSON.parse(stdout) as Status
      if (view.pid === pid) return view
    }
    last = `${String(status)} ${stdout}${stderr}`
    await delay(100)
  }
  throw new Error(`pid ${String(pid)} never answered: ${last}\n${printed()}`)
}

function printed(): string {
  return ['out', 'err']
    .map((name) => readFileSync(join(logs(), `torrentinod.${name}.log`), 'utf8'))
    .join('\n')
}

function ended(of: Supervisor, run: number): Promise<void> {
  return of.until(`the end of run ${String(run)}`, () => of.runs[run]?.ended != null)
}

describe('the daemon under its login agent', () => {
  it('starts at load, knows its owner and its home', async () => {
    supervisor.load()
    const view = await answers(supervisor.pid)
    expect(view).toMatchObject({ owner: 'service', home })
    expect(statSync(home).mode & 0o077).toBe(0)
  })

  it('comes back after kill -9', async () => {
    supervisor.load()
    const first = supervisor.pid
    await answers(first)
    process.kill(first!, 'SIGKILL')
    await supervisor.until('a second run', () => supervisor.runs.length === 2)
    expect(supervisor.pid).not.toBe(first)
    await answers(supervisor.pid)
    expect(supervisor.runs[0]?.ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('stays down after "daemon stop", and starts again when kicked', async () => {
    supervisor.load()
    await answers(supervisor.pid)
    expect(await ctlAside('daemon', 'stop')).toEqual({ status: 0, stdout: 'torrentinod has stopped\n' })
    await ended(supervisor, 0)
    expect(supervisor.runs[0]?.ended).toEqual({ code: 0, signal: null })
    expect([supervisor.pid, supervisor.restartPending]).toEqual([null, false])
    supervisor.kickstart()
    await supervisor.until('a second run', () => supervisor.runs.length === 2)
    await answers(supervisor.pid)
  })

  it('ends with 0 on SIGTERM, within what launchd allows', async () => {
    supervisor.load()
    await answers(supervisor.pid)
    const before = performance.now()
    await supervisor.bootOut()
    expect(supervisor.runs[0]?.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - before).toBeLessThan(5000)
  })

  it('makes no loop where another daemon has the home', async () => {
    supervisor.load()
    await answers(supervisor.pid)
    second = supervise()
    second.load()
    await ended(second, 0)
    expect(second.runs[0]?.ended).toEqual({ code: 0, signal: null })
    expect([second.pid, second.restartPending, second.runs.length]).toEqual([null, false, 1])
    await answers(supervisor.pid)
    expect(supervisor.runs.length).toBe(1)
  })

  it('tells a person that it already runs, with status 6', async () => {
    supervisor.load()
    await answers(supervisor.pid)
    const env = { PATH: process.env['PATH'], HOME: home, TORRENTINO_NET: 'loopback' }
    const byHand = spawnSync(process.execPath, [daemon, '--home', home], {
      env,
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(byHand.status).toBe(6)
    expect(byHand.stderr.trim()).not.toBe('')
    await answers(supervisor.pid)
  })
})

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { agentLabel, agentPlist } from '../../launchd/plist.js'
import { readPlist } from '../support/plist-reader.js'
import type { PlistDict } from '../support/plist-reader.js'
import { Supervisor } from '../support/supervisor.js'

/** Tells what it sees, then does what $home/mode says: stay, stop (exit 0), fail (exit 3). */
const DAEMON = `
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { execSync } from 'node:child_process'
const home = process.argv[process.argv.indexOf('--home') + 1]
process.on('SIGTERM', () => process.exit(0))
const limits = execSync('ulimit -S -n; ulimit -H -n', { encoding: 'utf8' }).trim().split('\\n').map(Number)
writeFileSync(home + '/seen.json', JSON.stringify({ env: process.env, cwd: process.cwd(), limits }))
console.log('out')
console.error('err')
const mode = readFileSync(home + '/mode', 'utf8')
if (mode === 'stop') process.exit(0)
if (mode === 'fail') process.exit(3)
setInterval(() => {}, 1000)
`

let home = ''
let plist: PlistDict
let made: Supervisor[] = []

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'torrentino supervisor '))
  writeFileSync(join(home, 'daemon.mjs'), DAEMON)
  const options = { label: agentLabel(home), node: process.execPath, entry: join(home, 'daemon.mjs') }
  plist = readPlist(agentPlist({ ...options, home, logDir: home }))
  made = []
})

afterEach(async () => {
  for (const supervisor of made) await supervisor.bootOut()
  rmSync(home, { recursive: true, force: true })
})

function supervise(mode: string, from: PlistDict = plist): Supervisor {
  writeFileSync(join(home, 'mode'), mode)
  const supervisor = new Supervisor(from, { userHome: '/nowhere', timeScale: 0.01 })
  made.push(supervisor)
  return supervisor
}

/** The run of this number, from 0, has ended. */
function ended(supervisor: Supervisor, run: number): Promise<void> {
  return supervisor.until(`the end of run ${run}`, () => supervisor.runs[run]?.ended != null)
}

describe('the supervisor that stands for launchd', () => {
  it('runs the program with an environment of launchd, the limits, the folder and the logs', async () => {
    const supervisor = supervise('stop')
    supervisor.load()
    await ended(supervisor, 0)
    const seen = JSON.parse(readFileSync(join(home, 'seen.json'), 'utf8')) as { env: Record<string, string> }
    // What sh adds by itself is no environment of ours.
    for (const name of ['PWD', 'OLDPWD', 'SHLVL', '_']) Reflect.deleteProperty(seen.env, name)
    expect(seen).toEqual({
      env: {
        PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
        HOME: '/nowhere',
        XPC_SERVICE_NAME: agentLabel(home),
        UV_THREADPOOL_SIZE: '8',
        NODE_OPTIONS: '--max-semi-space-size=1',
        TORRENTINO_OWNER: 'service',
        TORRENTINO_HOME: home,
      },
      cwd: '/',
      // Node raises its own soft limit to the hard one, and a shell below it inherits that.
      limits: [8192, 8192],
    })
    expect(readFileSync(join(home, 'torrentinod.out.log'), 'utf8')).toBe('out\n')
    expect(readFileSync(join(home, 'torrentinod.err.log'), 'utf8')).toBe('err\n')
  })

  it('leaves a clean exit down', async () => {
    const supervisor = supervise('stop')
    supervisor.load()
    await ended(supervisor, 0)
    expect(supervisor.runs[0]?.ended).toEqual({ code: 0, signal: null })
    expect([supervisor.pid, supervisor.restartPending]).toEqual([null, false])
  })

  it('brings a failure back, no faster than the throttle allows', async () => {
    const supervisor = supervise('fail')
    supervisor.load()
    await ended(supervisor, 2)
    const starts = supervisor.runs.map((run) => run.startedAt)
    expect((starts[2] ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(2 * 99)
    expect(supervisor.runs[0]?.ended).toEqual({ code: 3, signal: null })
  })

  it('brings a killed one back, and stops when the next run ends well', async () => {
    const supervisor = supervise('stay')
    supervisor.load()
    const first = supervisor.pid
    if (first === null) throw new Error('it did not start')
    writeFileSync(join(home, 'mode'), 'stop')
    process.kill(first, 'SIGKILL')
    await ended(supervisor, 1)
    expect(supervisor.runs.map((run) => run.ended)).toEqual([
      { code: null, signal: 'SIGKILL' },
      { code: 0, signal: null },
    ])
    expect(supervisor.runs[1]?.pid).not.toBe(first)
    expect(supervisor.restartPending).toBe(false)
  })

  it('brings nothing back after bootout', async () => {
    const supervisor = supervise('stay')
    supervisor.load()
    await supervisor.bootOut()
    expect([supervisor.pid, supervisor.restartPending, supervisor.runs.length]).toEqual([null, false, 1])
  })

  it('cancels a restart that the throttle holds back', async () => {
    const supervisor = supervise('fail')
    supervisor.load()
    await ended(supervisor, 0)
    expect(supervisor.restartPending).toBe(true)
    await supervisor.bootOut()
    expect([supervisor.restartPending, supervisor.runs.length]).toEqual([false, 1])
  })

  it('starts nothing at load without RunAtLoad, and starts on a kick', async () => {
    const supervisor = supervise('stop', { ...plist, RunAtLoad: false })
    supervisor.load()
    expect(supervisor.runs).toEqual([])
    supervisor.kickstart()
    await ended(supervisor, 0)
    supervisor.kickstart()
    await ended(supervisor, 1)
  })

  it('turns round with SuccessfulExit true', async () => {
    const supervisor = supervise('stop', { ...plist, KeepAlive: { SuccessfulExit: true } })
    supervisor.load()
    await ended(supervisor, 1)
  })

  it('kills what a dead agent left in its group', async () => {
    const orphan = `import { spawn } from 'node:child_process'
      const left = spawn('sleep', ['60'], { stdio: 'ignore' })
      console.log(left.pid)
      process.exit(0)\n`
    writeFileSync(join(home, 'daemon.mjs'), orphan)
    const supervisor = supervise('stop')
    supervisor.load()
    await ended(supervisor, 0)
    const pid = Number(readFileSync(join(home, 'torrentinod.out.log'), 'utf8'))
    expect(pid).toBeGreaterThan(0)
    await expect.poll(() => alive(pid)).toBe(false)
  })

  it('refuses a key that it does not obey', () => {
    expect(() => supervise('stay', { ...plist, Nice: 5 })).toThrow(/Nice is not obeyed/)
    expect(() => supervise('stay', { ...plist, KeepAlive: { Crashed: true } })).toThrow(/SuccessfulExit only/)
    expect(() => supervise('stay', { ...plist, ProcessType: 'Background' })).toThrow(/throttled/)
  })

  it('fails where a limit cannot be set, rather than running without it', async () => {
    const supervisor = supervise('stop', { ...plist, SoftResourceLimits: { NumberOfFiles: 2 ** 40 } })
    supervisor.load()
    await ended(supervisor, 0)
    expect(supervisor.runs[0]?.ended?.code).not.toBe(0)
    expect(existsSync(join(home, 'seen.json'))).toBe(false)
  })

  it('appends to the logs of earlier runs', async () => {
    appendFileSync(join(home, 'torrentinod.out.log'), 'before\n')
    const supervisor = supervise('stop')
    supervisor.load()
    await ended(supervisor, 0)
    expect(readFileSync(join(home, 'torrentinod.out.log'), 'utf8')).toBe('before\nout\n')
  })
})

/** A zombie that nobody has reaped yet counts as dead. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync(`/proc/${pid}/stat`) || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

/**
 * launchd as far as our agent relies on it, driven by the parsed property list alone: the environment is empty
 * but for launchd's own few names, and each key is obeyed or refused, so that no key goes unproven in silence.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { asDict, asInteger, asString, asStrings } from './plist-reader.js'
import type { PlistDict } from './plist-reader.js'

export interface SupervisorInit {
  /** HOME of the agent. */
  readonly userHome: string
  /** 1 is launchd's own pace; 0.01 makes ThrottleInterval 10 into 100 ms. ExitTimeOut is not scaled. */
  readonly timeScale: number
  /** What a test must add, such as the scope of the network. */
  readonly extraEnv?: Readonly<Record<string, string>>
}

export interface Run {
  readonly pid: number
  /** Milliseconds on performance.now(). */
  readonly startedAt: number
  /** Null while it runs. */
  ended: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null
}

const LAUNCHD_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'

const KNOWN_KEYS = new Set([
  'Label',
  'ProgramArguments',
  'EnvironmentVariables',
  'WorkingDirectory',
  'RunAtLoad',
  'KeepAlive',
  'ProcessType',
  'ThrottleInterval',
  'ExitTimeOut',
  'SoftResourceLimits',
  'HardResourceLimits',
  'StandardOutPath',
  'StandardErrorPath',
])

/** Descriptors are the only limit the agent sets; sh sets them, then becomes the agent. */
const WITH_LIMITS = 'ulimit -S -n "$1" && ulimit -H -n "$2" && shift 2 && exec "$@"'

export class Supervisor {
  /** Every start, oldest first. */
  readonly runs: Run[] = []
  /** True between `load` and `bootOut`: only then is anything restarted. */
  private loaded = false
  /** The process of the last run while it lives. */
  private child: ChildProcess | null = null
  /** The restart that ThrottleInterval holds back, or null. */
  private pending: NodeJS.Timeout | null = null
  /** Called after each start and end; `until` lives on it. */
  private readonly watchers = new Set<() => void>()

  constructor(
    private readonly plist: PlistDict,
    private readonly init: SupervisorInit,
  ) {
    for (const key of Object.keys(plist))
      if (!KNOWN_KEYS.has(key)) throw new Error(`supervisor: ${key} is not obeyed here`)
    const keepAlive = asDict(plist['KeepAlive'])
    if (Object.keys(keepAlive).join() !== 'SuccessfulExit')
      throw new Error('supervisor: KeepAlive knows SuccessfulExit only')
    if (plist['ProcessType'] !== 'Interactive')
      throw new Error('supervisor: anything but Interactive is throttled')
  }

  get label(): string {
    return asString(this.plist['Label'])
  }

  /** The pid of the run that lives, or null. */
  get pid(): number | null {
    return this.child?.pid ?? null
  }

  /** True while a restart waits for ThrottleInterval. */
  get restartPending(): boolean {
    return this.pending !== null
  }

  /** `launchctl bootstrap`. */
  load(): void {
    if (this.loaded) throw new Error(`supervisor: ${this.label} is already loaded`)
    this.loaded = true
    if (this.plist['RunAtLoad'] === true) this.spawn()
  }

  /** `launchctl kickstart`: nothing where it runs. */
  kickstart(): void {
    if (!this.loaded) throw new Error(`supervisor: ${this.label} is not loaded`)
    if (this.child === null) this.startThrottled()
  }

  /** `launchctl bootout`: SIGTERM, SIGKILL after ExitTimeOut, and no restart. The end of the last run. */
  async bootOut(): Promise<void> {
    this.loaded = false
    if (this.pending !== null) clearTimeout(this.pending)
    this.pending = null
    const child = this.child
    if (child === null) return
    const hard = setTimeout(() => child.kill('SIGKILL'), asInteger(this.plist['ExitTimeOut']) * 1000)
    child.kill('SIGTERM')
    try {
      await this.until('the end after bootout', () => this.child === null, hardLimit(this.plist))
    } finally {
      clearTimeout(hard)
    }
  }

  /** Resolves once the condition holds after a start or an end; rejects after `within` milliseconds. */
  until(what: string, holds: () => boolean, within = 20_000): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer)
        this.watchers.delete(look)
        act()
      }
      const look = (): void => {
        if (holds()) finish(resolve)
      }
      const timer = setTimeout(() => {
        finish(() => {
          reject(
            new Error(`supervisor: ${what} did not come in ${within} ms; runs: ${JSON.stringify(this.runs)}`),
          )
        })
      }, within)
      this.watchers.add(look)
    })
  }

  private startThrottled(): void {
    if (this.pending !== null) return
    const last = this.runs.at(-1)
    const gap = asInteger(this.plist['ThrottleInterval']) * 1000 * this.init.timeScale
    const due = last === undefined ? 0 : last.startedAt + gap - performance.now()
    this.pending = setTimeout(
      () => {
        this.pending = null
        this.spawn()
      },
      Math.max(0, due),
    )
  }

  private spawn(): void {
    const child = this.spawnProcess()
    const pid = child.pid
    if (pid === undefined) throw new Error('supervisor: sh did not start')
    const run: Run = { pid, startedAt: performance.now(), ended: null }
    this.child = child
    this.runs.push(run)
    child.on('exit', (code, signal) => {
      run.ended = { code, signal }
      this.child = null
      killGroup(pid)
      if (this.loaded && this.wantsRestart(code)) this.startThrottled()
      this.tell()
    })
    this.tell()
  }

  private spawnProcess(): ChildProcess {
    const { plist, init } = this
    const cwd = asString(plist['WorkingDirectory'])
    if (!existsSync(cwd)) throw new Error(`supervisor: ${cwd} is not there, launchd would not start it`)
    const soft = asInteger(asDict(plist['SoftResourceLimits'])['NumberOfFiles'])
    const hard = asInteger(asDict(plist['HardResourceLimits'])['NumberOfFiles'])
    const out = openSync(asString(plist['StandardOutPath']), 'a')
    const err = openSync(asString(plist['StandardErrorPath']), 'a')
    try {
      const args = ['-c', WITH_LIMITS, 'agent', `${soft}`, `${hard}`, ...asStrings(plist['ProgramArguments'])]
      // A group of its own: when an agent dies, launchd kills what it left behind.
      return spawn('/bin/sh', args, {
        cwd,
        detached: true,
        stdio: ['ignore', out, err],
        env: { ...environment(plist), HOME: init.userHome, ...init.extraEnv },
      })
    } finally {
      closeSync(out)
      closeSync(err)
    }
  }

  /** KeepAlive {SuccessfulExit: false}: again after anything but an exit with 0; {true}: only after that. */
  private wantsRestart(code: number | null): boolean {
    return (code === 0) === (asDict(this.plist['KeepAlive'])['SuccessfulExit'] === true)
  }

  private tell(): void {
    for (const watcher of [...this.watchers]) watcher()
  }
}

function environment(plist: PlistDict): Record<string, string> {
  const given = asDict(plist['EnvironmentVariables'])
  const own = Object.entries(given).map(([name, value]) => [name, asString(value)] as const)
  return { PATH: LAUNCHD_PATH, XPC_SERVICE_NAME: asString(plist['Label']), ...Object.fromEntries(own) }
}

function hardLimit(plist: PlistDict): number {
  return (asInteger(plist['ExitTimeOut']) + 5) * 1000
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** The service of the formula on a Mac, under a launchd that obeys the list `brew services` would make of it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PlistDict } from '../support/plist-reader.js'
import { Supervisor } from '../support/supervisor.js'

/** What the block `service do` says, by its own words. */
export type Told = Readonly<Record<string, unknown>>

/** The keys that Homebrew writes. It sets no limits: what a launchd agent has by default is written out here. */
function listOf(told: Told): PlistDict {
  const kept = told['keep_alive'] as { successful_exit: boolean }
  return {
    Label: 'homebrew.mxcl.torrentino',
    ProgramArguments: told['run'] as string[],
    EnvironmentVariables: told['environment_variables'] as Record<string, string>,
    WorkingDirectory: String(told['working_dir']),
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: kept.successful_exit },
    ProcessType: 'Interactive',
    ThrottleInterval: Number(told['throttle_interval']),
    ExitTimeOut: 20,
    SoftResourceLimits: { NumberOfFiles: 256 },
    HardResourceLimits: { NumberOfFiles: 10_240 },
    StandardOutPath: String(told['log_path']),
    StandardErrorPath: String(told['error_log_path']),
  }
}

/** A start, a kill, and a stop by the command. Throws where one does not do what it should. Answers what it saw. */
export async function served(told: Told, ctl: string, home: string): Promise<string[]> {
  mkdirSync(dirname(String(told['log_path'])), { recursive: true })
  mkdirSync(home, { recursive: true })
  const extraEnv = { TORRENTINO_NET: 'loopback' }
  const launchd = new Supervisor(listOf(told), { userHome: home, timeScale: 0.01, extraEnv })
  const command = (...words: string[]): boolean =>
    spawnSync(ctl, words, { env: { HOME: home, ...extraEnv } }).status === 0
  launchd.load()
  try {
    await answers(command)
    const first = launchd.pid ?? 0
    const files = openFiles(first)
    process.kill(first, 'SIGKILL')
    await launchd.until('the second run', () => launchd.runs.length === 2)
    await answers(command)
    if (!command('daemon', 'stop')) throw new Error('daemon stop failed')
    await launchd.until('the end', () => launchd.pid === null)
    if (launchd.restartPending || launchd.runs.length !== 2)
      throw new Error('it came back after a clean stop')
    if (files <= 256) throw new Error(`it may open ${String(files)} files only`)
    return [
      'the service answers after a start by launchd, and with 256 files to begin with it takes more',
      'kill -9 brings it back',
      'torrentinoctl daemon stop leaves it down',
    ]
  } finally {
    await launchd.bootOut()
  }
}

async function answers(command: (...words: string[]) => boolean): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (command('status')) return
    await sleep(300)
  }
  throw new Error('the service does not answer')
}

/** The soft limit of a process. */
function openFiles(pid: number): number {
  const limits = readFileSync(join('/proc', String(pid), 'limits'), 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0)
}

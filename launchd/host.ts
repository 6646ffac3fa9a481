/** The machine this runs on, as `Host`. */
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Host, Ran } from './manager.js'

/** `env` is what launchctl and systemctl are found by and run with. */
export function systemHost(env: NodeJS.ProcessEnv = process.env): Host {
  return {
    platform: process.platform,
    uid: process.getuid?.() ?? 0,
    userHome: homedir(),
    userName: nameOfUser(),
    env,
    monotonic: () => Number(process.hrtime.bigint() / 1000n),
    run: (command, args, more) => run(command, args, { ...env, ...more }),
    readFile: (path) => readFile(path, 'utf8').catch(() => null),
    replaceFile,
    removeFile: async (path) => (await orNull(unlink(path).then(() => true))) ?? false,
    makeFolder: async (path, mode) => {
      await mkdir(path, { recursive: true, mode })
    },
    exists: existsSync,
    realpath: (path) => (existsSync(path) ? realpathSync(path) : path),
    wait: async (ms) => {
      await delay(ms)
    },
  }
}

/** The number where the system knows no name for it. */
function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 0)
  }
}

/** Runs a program found on PATH to its end; never throws. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const out = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (out.stderr += text))
    child.on('error', (error) => {
      resolve({ ...out, status: 127, stderr: error.message })
    })
    child.on('close', (code) => {
      resolve({ ...out, status: code ?? 1 })
    })
  })
}

async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.${process.pid}.tmp`
  try {
    const file = await open(beside, 'w', mode)
    try {
      // The umask may have taken bits away, and launchd refuses a file that others can write.
      await file.chmod(mode)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Null where the file is not there. */
async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/**
 * `npm run test:macos`: what holds on a Mac of the login agent, row by row. For a person with a Mac, logged in at the
 * screen: it has a home of its own, ends by itself within minutes, and leaves nothing behind.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** As of a test that was left out. */
const SKIPPED = 77

export interface Mac {
  /** Runs torrentinoctl for the home of this run. */
  readonly ctl: (...words: readonly string[]) => Promise<{ readonly status: number; readonly out: string }>
  readonly run: (
    command: string,
    ...args: readonly string[]
  ) => Promise<{ readonly status: number; readonly out: string }>
  readonly kill: (pid: number) => void
  readonly wait: (ms: number) => Promise<void>
  readonly print: (line: string) => void
}

interface Service {
  readonly pid: number | null
  readonly plist: string | null
  readonly domain: string | null
  readonly lastExit: number | null
}

/** Says of each row whether it holds; the first that does not ends the run, as the next ones build on it. Answers how many held. */
export async function checkMac(mac: Mac): Promise<{ readonly held: number; readonly failed: string | null }> {
  const { ctl, run, wait, print } = mac
  let held = 0
  const service = async (): Promise<Service> =>
    JSON.parse((await ctl('service', 'status', '--json')).out) as Service
  const must = (holds: boolean, why: string): void => {
    if (!holds) throw new Error(why)
  }
  const done = async (...words: readonly string[]): Promise<void> => {
    const { status, out } = await ctl(...words)
    must(status === 0, `torrentinoctl ${words.join(' ')}: exit ${status}: ${out.trim()}`)
  }
  /** Its process, once it answers. */
  const up = async (): Promise<number> => {
    for (let polls = 0; polls < 60; polls += 1) {
      const { pid } = await service()
      if (pid !== null && (await ctl('status')).status === 0) return pid
      await wait(500)
    }
    throw new Error('nobody answered within 30 s')
  }
  let pid = 0
  const rows: readonly (readonly [string, () => Promise<unknown>])[] = [
    [
      'it runs from the moment it is installed',
      async () => {
        await done('service', 'install')
        pid = await up()
      },
    ],
    [
      'plutil takes the property list',
      async () => {
        const { plist } = await service()
        must(
          plist !== null && (await run('plutil', '-lint', plist)).status === 0,
          `plutil -lint ${String(plist)}`,
        )
      },
    ],
    [
      'launchd grants 8192 descriptors',
      async () => {
        const { domain, plist } = await service()
        const label = plist?.replace(/^.*\//, '').replace(/\.plist$/, '') ?? ''
        must(
          /8192/.test((await run('launchctl', 'print', `${String(domain)}/${label}`)).out),
          'launchctl print names no 8192',
        )
      },
    ],
    [
      'kill -9 brings it back, no sooner than after 10 s',
      async () => {
        mac.kill(pid)
        await wait(5000)
        must((await service()).pid === null, 'it was back within 5 s')
        await wait(7000)
        const next = await up()
        must(next !== pid, 'it is the same process')
        pid = next
      },
    ],
    [
      'a clean stop stays down',
      async () => {
        await done('daemon', 'stop')
        await wait(13_000)
        const { pid: after, lastExit } = await service()
        must(after === null && lastExit === 0, `process ${String(after)}, last exit ${String(lastExit)}`)
      },
    ],
    [
      'it is started again',
      async () => {
        await done('service', 'start')
        pid = await up()
      },
    ],
    [
      'it is started anew, as after an upgrade',
      async () => {
        await done('service', 'restart')
        await wait(2000)
        must((await up()) !== pid, 'it is the same process')
      },
    ],
    [
      'installed twice it runs once',
      async () => {
        await done('service', 'install')
        await up()
      },
    ],
    [
      'nothing is left of it when it is uninstalled',
      async () => {
        await done('service', 'uninstall')
        const { plist, domain } = await service()
        must(domain === null, `it is loaded in ${String(domain)}`)
        must((await run('test', '-e', String(plist))).status !== 0, `${String(plist)} is there`)
      },
    ],
  ]
  try {
    for (const [what, row] of rows) {
      try {
        await row()
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        print(`FAILED  ${what}: ${why}`)
        return { held, failed: what }
      }
      held += 1
      print(`ok      ${what}`)
    }
    return { held, failed: null }
  } finally {
    await ctl('service', 'uninstall')
  }
}

function realMac(home: string): Mac {
  const ctl = fileURLToPath(new URL('../../dist/ctl/torrentinoctl.js', import.meta.url))
  const run: Mac['run'] = (command, ...args) =>
    new Promise((resolve) => {
      execFile(command, args, { timeout: 60_000 }, (error, out, err) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
        resolve({ status, out: out + err })
      })
    })
  return {
    run,
    ctl: (...words) => run(process.execPath, ctl, '--home', home, ...words),
    kill: (pid) => void process.kill(pid, 'SIGKILL'),
    wait: async (ms) => {
      await delay(ms)
    },
    print: (line) => void process.stdout.write(`${line}\n`),
  }
}

async function main(): Promise<void> {
  if (process.platform !== 'darwin') {
    process.stdout.write('This is for a Mac, logged in at the screen; nothing was done.\n')
    process.exitCode = SKIPPED
    return
  }
  // Short: the path of a socket has 103 bytes at most.
  const home = mkdtempSync(join('/tmp', 'tor.'))
  try {
    const { held, failed } = await checkMac(realMac(home))
    process.stdout.write(`${held} rows hold${failed === null ? '' : ', then one does not'}\n`)
    if (failed !== null) process.exitCode = 1
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()

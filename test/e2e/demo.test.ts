/** `npm run demo` as it runs in a pipe: what it says, what it leaves, and what it does when it is stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { firstDifference } from '../demo/torrents.js'

const ROOT = resolve(import.meta.dirname, '../..')
const BOOK = 'Leaves of Grass by Walt Whitman.epub'
/** SHA-1 of leaves.torrent's info dictionary: the demo gives it another tracker and must not change it. */
const BOOK_HASH = 'd2474e86c95b19b8bcfdb92bc12c9d44667cfa36'

let tmp = ''
let demo: ChildProcess | null = null

beforeEach(() => {
  tmp = mkdtempSync(join(realpathSync(tmpdir()), 'tor-demo-'))
})

afterEach(() => {
  demo?.kill('SIGKILL')
  rmSync(tmp, { recursive: true, force: true })
})

interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs it; `seen` gets all of standard output so far, each time there is more. */
function run(seen: (stdout: string, child: ChildProcess) => void = () => undefined): Promise<Run> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/demo/demo.ts'], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  demo = child
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => {
    stdout += String(text)
    seen(stdout, child)
  })
  child.stderr.on('data', (text: Buffer) => (stderr += String(text)))
  return new Promise((done) => {
    child.once('close', (status) => {
      demo = null
      done({ status, stdout, stderr })
    })
  })
}

/** Process ids of what runs below the folder. macOS has no /proc and answers with none. */
function runningIn(folder: string): string[] {
  if (!existsSync('/proc/self/cwd')) return []
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^[0-9]+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
    } catch {
      return false
    }
  })
}

it(
  'downloads both torrents to the last byte, says so, and stops everything',
  { timeout: 130_000 },
  async () => {
    let most = 0
    const { status, stdout, stderr } = await run((said) => {
      if (/\$ torrentinoctl --home me list/.test(said)) most = Math.max(most, runningIn(tmp).length)
    })
    expect(status, stderr).toBe(0)
    expect(stdout).toContain(BOOK_HASH)
    expect(stdout).toMatch(/^\$ torrentinoctl --home me add book\.torrent big\.torrent .*--follow$/m)
    expect(stdout).toMatch(/^1 Leaves of Grass.*seeding 100%/m)
    expect(stdout).toMatch(/^2 big\.bin: seeding 100%, 256 MiB\/256 MiB/m)
    expect(stdout).toContain(`the same, byte by byte: ${BOOK}`)
    expect(stdout).toContain('the same, byte by byte: big.bin, 256 MiB')
    expect(stdout.trimEnd().split('\n').at(-1)?.trim()).toBe(
      'npx torrentinoctl add --start --follow some.torrent',
    )
    // No colour and nothing drawn over: it is a pipe.
    expect(stdout).not.toContain('\u001b')

    const folder = /^The files are in (.+)$/m.exec(stdout)?.[1] ?? ''
    expect(readdirSync(join(folder, '..'))).toEqual(['downloads'])
    expect(readdirSync(folder).sort()).toEqual([BOOK, 'big.bin'].sort())
    expect(statSync(join(folder, 'big.bin')).size).toBe(256 * 2 ** 20)
    const book = join(ROOT, 'node_modules/webtorrent-fixtures/fixtures', BOOK)
    expect(sha256(join(folder, BOOK))).toBe(sha256(book))
    if (process.platform === 'linux') expect(most).toBeGreaterThanOrEqual(2)
    expect(runningIn(tmp)).toEqual([])
  },
)

it('leaves nothing behind when it is interrupted in the middle', { timeout: 60_000 }, async () => {
  let sent = false
  const { status, stderr } = await run((said, child) => {
    if (sent || !/--home me add[^]*Added torrent 2/.test(said)) return
    sent = true
    child.kill('SIGINT')
  })
  expect(sent).toBe(true)
  expect(status).toBe(130)
  expect(stderr).toContain('Interrupted.')
  expect(readdirSync(tmp).filter((name) => name.startsWith('torrentino-demo-'))).toEqual([])
  expect(runningIn(tmp)).toEqual([])
})

it('finds the first byte that differs, wherever it is', () => {
  const [one, other] = [join(tmp, 'one'), join(tmp, 'other')]
  const bytes = Buffer.alloc(2 ** 20 + 5, 7)
  writeFileSync(one, bytes)
  writeFileSync(other, bytes)
  expect(firstDifference(one, other)).toBeNull()
  for (const at of [0, 2 ** 20 - 1, 2 ** 20, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at] = 8
    writeFileSync(other, changed)
    expect(firstDifference(one, other)).toBe(at)
  }
  writeFileSync(other, bytes.subarray(0, 2 ** 20))
  expect(firstDifference(one, other)).toBe(2 ** 20)
  writeFileSync(other, '')
  expect(firstDifference(one, other)).toBe(0)
})

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

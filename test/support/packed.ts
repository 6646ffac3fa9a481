/** The npm package as `npm pack` makes it: what is in it, and whether two daemons out of it bring a file across. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { startTracker } from '../demo/processes.js'
import { bookTorrent, firstDifference } from '../demo/torrents.js'

const ROOT = resolve(import.meta.dirname, '../..')
/** Milliseconds for one command; an install may compile. */
const WITHIN = 600_000

const run = promisify(execFile)

interface Packed {
  /** Absolute path of the .tgz. */
  readonly file: string
  /** Paths in it, below the folder of the package. */
  readonly names: readonly string[]
}

/** dist/ must be built: nothing is built here. */
export async function pack(into: string): Promise<Packed> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', into]
  const { stdout } = await run('npm', args, { cwd: ROOT, timeout: WITHIN, maxBuffer: 2 ** 24 })
  const [made] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  return { file: join(into, made.filename), names: made.files.map(({ path }) => path) }
}

const BESIDE = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'package.json',
  'docs/man/torrentinoctl.1',
  'docs/man/torrentinod.8',
  'dist/ctl/torrentinoctl.js',
]

/** What a package has that it should not, and what it lacks. A compiled file without its source was left behind. */
export function judge(names: readonly string[]): { strange: string[]; missing: string[] } {
  const belongs = (name: string): boolean =>
    BESIDE.includes(name) ||
    /^packaging\/systemd\/[\w.-]+$/.test(name) ||
    (/^dist\/(daemon|shared)\/.*\.js$/.test(name) && existsSync(join(ROOT, sourceOf(name))))
  return {
    strange: names.filter((name) => !belongs(name)),
    missing: [...BESIDE, 'dist/daemon/bin.js'].filter((name) => !names.includes(name)),
  }
}

const sourceOf = (name: string): string => name.replace(/^dist\//, '').replace(/\.js$/, '.ts')

/**
 * Two daemons, started and stopped by the command itself, in homes below `folder`: one has a book, the other fetches
 * it over loopback. Throws where a command fails or a byte differs. `ctl` is the command and its first arguments.
 */
export async function bringAcross(ctl: readonly [string, ...string[]], folder: string): Promise<void> {
  const tracker = await startTracker()
  const command = async (home: string, ...args: string[]): Promise<void> => {
    const [program, ...first] = ctl
    const env = { ...process.env, TORRENTINO_NET: 'loopback' }
    await run(program, [...first, '--home', join(folder, home), ...args], {
      cwd: folder,
      env,
      timeout: WITHIN,
    })
  }
  const homes = ['has', 'wants']
  try {
    mkdirSync(join(folder, 'copies'))
    const book = bookTorrent({ folder, seeds: join(folder, 'copies'), announce: tracker.http })
    for (const home of homes) {
      mkdirSync(join(folder, home), { mode: 0o700 })
      const config = '[listen]\nhost = "127.0.0.1"\n[dht]\nenabled = false\n[lsd]\nenabled = false\n'
      writeFileSync(join(folder, home, 'config.toml'), config, { mode: 0o600 })
      await command(home, 'daemon', 'start')
    }
    await command('has', 'add', book.file, '--dir', join(folder, 'copies'))
    await command('has', 'wait', 'all', '--timeout', '60s')
    await tracker.seedsKnown([book.infoHash], AbortSignal.timeout(60_000))
    await command('wants', 'add', book.file, '--dir', join(folder, 'downloads'))
    await command('wants', 'wait', 'all', '--timeout', '60s')
    const at = firstDifference(join(folder, 'copies', book.content), join(folder, 'downloads', book.content))
    if (at !== null) throw new Error(`${book.content} differs from byte ${at} on`)
    for (const home of homes) await command(home, 'daemon', 'stop')
  } finally {
    // One that runs no more answers with a failure.
    for (const home of homes) await command(home, 'daemon', 'stop').catch(() => undefined)
    await tracker.close()
  }
}

/**
 * `npm run demo`: a tracker, a daemon that seeds and a daemon that downloads, all on the loopback interface. What a
 * person would type is shown and run; in the end the files are compared byte by byte, and everything is stopped.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatBytes } from '../../shared/text.js'
import { CommandFailed, Processes, say, startTracker, type Tracker } from './processes.js'
import { bookTorrent, type DemoTorrent, firstDifference, randomTorrent } from './torrents.js'

/** Milliseconds for all of it. */
const WITHIN = 120_000
const RANDOM_MEBIBYTES = 256

/** Ended from outside, with the status that says so. */
class Interrupted extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

interface Stage {
  readonly folder: string
  readonly processes: Processes
  readonly tracker: Tracker
  readonly signal: AbortSignal
}

async function play(stage: Stage): Promise<void> {
  const { folder, processes, tracker } = stage
  say('\n1. A tracker and two torrents.')
  const seeds = join(folder, 'copies')
  mkdirSync(seeds)
  const torrents = [
    bookTorrent({ folder, seeds, announce: tracker.udp }),
    randomTorrent({ folder, seeds, announce: tracker.http }, RANDOM_MEBIBYTES),
  ]
  say(`$ cd ${folder}`)
  const files = torrents.map(({ file }) => file)
  await processes.ctl('inspect', ...files)

  say('\n2. A daemon that has the files: it checks them and seeds.')
  await processes.daemon('other')
  await processes.ctl('--home', 'other', 'add', ...files, '--dir', 'copies')
  await processes.ctl('--home', 'other', 'wait', 'all', '--timeout', '60s')
  await tracker.seedsKnown(
    torrents.map(({ infoHash }) => infoHash),
    stage.signal,
  )

  say('\n3. Your daemon, which has nothing yet.')
  await processes.daemon('me')
  await processes.ctl('--home', 'me', 'add', ...files, '--dir', 'downloads', '--follow')
  await processes.ctl('--home', 'me', 'list')

  say('\n4. Both daemons stop; what came over is compared with what was sent.')
  await processes.ctl('--home', 'me', 'daemon', 'stop')
  await processes.ctl('--home', 'other', 'daemon', 'stop')
  for (const torrent of torrents) compare(folder, torrent)
}

function compare(folder: string, torrent: DemoTorrent): void {
  const { content, length } = torrent
  const at = firstDifference(join(folder, 'copies', content), join(folder, 'downloads', content))
  if (at !== null) throw new CommandFailed(`${content} differs from byte ${at} on`)
  say(`the same, byte by byte: ${content}, ${formatBytes(length)}`)
}

/** Everything but the downloads goes; those too, where there are none to look at. */
function tidy(folder: string, keep: boolean): void {
  if (!keep) rmSync(folder, { recursive: true, force: true })
  else
    for (const name of readdirSync(folder).filter((each) => each !== 'downloads'))
      rmSync(join(folder, name), { recursive: true, force: true })
}

function ending(error: unknown): { status: number; sentence: string } {
  if (error instanceof Interrupted) return { status: error.status, sentence: error.message }
  if (error instanceof CommandFailed) return { status: 1, sentence: `The demo failed: ${error.message}.` }
  return { status: 1, sentence: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

async function main(): Promise<number> {
  if (!existsSync(resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js'))) {
    process.stderr.write('dist/ is not built: run "npm ci" or "npm run build" first.\n')
    return 1
  }
  const end = new AbortController()
  const { signal } = end
  const interrupt = (): void => {
    end.abort(new Interrupted('Interrupted.', 130))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt)
  const late = setTimeout(() => {
    end.abort(new Interrupted(`The demo took longer than ${WITHIN / 1000} s.`, 1))
  }, WITHIN)
  // Resolved, because macOS has its temporary folder behind a link and what is shown should be what is there.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'torrentino-demo-'))
  const processes = new Processes({ folder }, { signal })
  signal.addEventListener('abort', () => void processes.end())
  let tracker: Tracker | null = null
  let status = 0
  say('The whole path on this machine alone: nothing leaves the loopback interface. Ctrl-C ends it.')
  try {
    tracker = await startTracker()
    await play({ folder, processes, tracker, signal })
  } catch (error) {
    const told = ending(signal.aborted ? signal.reason : error)
    status = told.status
    process.stderr.write(`\n${told.sentence}\n`)
  }
  clearTimeout(late)
  await processes.end()
  await tracker?.close()
  tidy(folder, status === 0)
  if (status === 0) farewell(join(folder, 'downloads'))
  else process.stderr.write('Everything is stopped and removed again.\n')
  return status
}

function farewell(downloads: string): void {
  say(`\nThe files are in ${downloads}`)
  say('Everything is stopped again; the seeding copies and both homes are removed.')
  say('\nFor a torrent of your own, here in this checkout:')
  say('  npx torrentinoctl add --start --follow some.torrent')
}

// Not process.exitCode: the tracker's sweep of old peers keeps its timer.
process.exit(await main())

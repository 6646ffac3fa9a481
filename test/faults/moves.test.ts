/** Moves under whole daemons that are cancelled, that run out of room, or whose volume goes away in the middle. */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { JobView } from '../../shared/views.js'
import type { Daemon } from '../support/daemon.js'
import { expectSameFiles, type MadeTorrent, makeTorrent } from '../support/make-torrent.js'
import { canMount, seenBy, withVolume } from '../support/own-mounts.js'
import { metainfoOf, type Stage, stageFor } from '../support/stage.js'
import { canTrace } from '../support/strace.js'

const MIB = 1024 * 1024
const canEnter = canMount && spawnSync('nsenter', ['--version']).status === 0 && process.getuid?.() === 0

interface Seed {
  readonly torrent: MadeTorrent
  readonly id: number
}

/** Where the data of a seed lie, before a daemon runs. */
function lay(stage: Stage, from: string): MadeTorrent {
  const content = [
    { path: 'one.bin', length: 2 * MIB },
    { path: 'sub/two.bin', length: 3 * MIB + 17 },
  ]
  const torrent = makeTorrent(stage.folder('made'), { name: 'tree', content })
  cpSync(torrent.dir, from, { recursive: true, preserveTimestamps: true })
  return torrent
}

async function seeding(daemon: Daemon, torrent: MadeTorrent, from: string): Promise<Seed> {
  const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir: from })
  await daemon.seeds(id)
  return { torrent, id }
}

async function jobIs(daemon: Daemon, id: number, is: (job: JobView) => boolean): Promise<JobView> {
  for (const end = performance.now() + 60_000; ;) {
    const job = await daemon.call('job.get', { id })
    if (is(job)) return job
    if (performance.now() > end) throw new Error(`the move does not get there: ${JSON.stringify(job)}`)
    await delay(20)
  }
}

/** What lies there of ours or of a stranger, the mark of the volume apart. */
function entries(dir: string): string[] {
  return readdirSync(dir, { recursive: true })
    .map(String)
    .filter((name) => name !== '.torrentino-volume')
}

/** Each read of the second file takes a while: there is a middle. */
const slowly = (file: string): string[] => [
  ...['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-P', file, '-e', 'signal=none'],
  ...['-e', 'trace=pread64', '-e', 'inject=pread64:delay_enter=700000'],
]

describe.skipIf(!canEnter || !canTrace)('a move to another volume', { concurrent: true }, () => {
  /** A daemon with a volume of 8 MiB, and a move to it whose first file is over there. */
  async function halfway(
    stage: Stage,
  ): Promise<Seed & { daemon: Daemon; from: string; to: string; seen: string; job: number }> {
    const from = stage.folder('from')
    const to = stage.folder('to')
    const torrent = lay(stage, from)
    const under = [...withVolume(to, 'size=8m'), ...slowly(join(from, 'tree/sub/two.bin'))]
    const daemon = await stage.daemon('home', { under })
    const { id } = await seeding(daemon, torrent, from)
    const { job } = await daemon.call('torrent.move', { id, dir: to })
    const number = job?.id ?? 0
    await jobIs(daemon, number, ({ progress }) => progress > 0.3)
    return { torrent, id, daemon, from, to, seen: seenBy(daemon.pid, to), job: number }
  }

  it('is cancelled in the middle, and all is where it was', async (context) => {
    const { torrent, id, daemon, from, to, seen, job } = await halfway(stageFor(context))
    expect((await daemon.torrent(id)).state).toBe('moving')
    expect(await daemon.call('job.cancel', { id: job })).toMatchObject({
      state: 'cancelled',
      error: `The move to ${to} was cancelled; the files stay in ${from}.`,
    })
    expect((await daemon.seeds(id)).dir).toBe(from)
    expectSameFiles(torrent, from)
    expect(entries(seen)).toEqual([])
  }, 90_000)

  it('that has no room left in the middle is taken back, and goes through when there is some', async (context) => {
    const { torrent, id, daemon, from, to, seen, job } = await halfway(stageFor(context))
    const filler = join(seen, 'filler')
    for (const size of [MIB, 4096])
      for (let n = 0; n < 2000; n++) {
        try {
          writeFileSync(filler, Buffer.alloc(size), { flag: 'a' })
        } catch {
          break
        }
      }
    const failed = await jobIs(daemon, job, ({ state }) => state !== 'running')
    expect(failed.state).toBe('failed')
    expect(failed.error).toBe(
      `There was no space left in ${to}; free some, or choose another folder. The files stay in ${from}.`,
    )
    expect((await daemon.seeds(id)).dir).toBe(from)
    expectSameFiles(torrent, from)
    expect(entries(seen)).toEqual(['filler'])
    rmSync(filler)
    const second = (await daemon.call('torrent.move', { id, dir: to })).job?.id ?? 0
    expect((await jobIs(daemon, second, ({ state }) => state !== 'running')).state).toBe('done')
    expect((await daemon.seeds(id)).dir).toBe(to)
    expectSameFiles(torrent, seen)
    expect(entries(from)).toEqual([])
  }, 90_000)

  it('waits for the volume after a kill, while the torrent seeds, and ends by itself', async (context) => {
    const stage = stageFor(context)
    const [from, to, kept] = [stage.folder('from'), stage.folder('to'), stage.folder('kept')]
    const torrent = lay(stage, from)
    // The mounts outlive the daemon.
    const words = [
      ...withVolume(to, 'size=16m'),
      'sh',
      '-c',
      'mount --bind "$0" "$1" && echo && exec sleep 300',
      to,
      kept,
    ]
    const holder = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
    stage.after(() => holder.kill('SIGKILL'))
    await new Promise((mounted) => holder.stdout.once('data', mounted))
    const under = ['nsenter', '-t', String(holder.pid), '-m']
    const inside = (...command: string[]): void => {
      expect(spawnSync(under[0] ?? '', [...under.slice(1), ...command]).status).toBe(0)
    }
    const env = { TORRENTINO_CRASH_AT: 'move.copied' }
    const first = await stage.daemon('home', { under, env })
    const { id } = await seeding(first, torrent, from)
    await first.call('torrent.move', { id, dir: to }).catch(() => undefined)
    expect((await first.ended).signal).toBe('SIGKILL')
    inside('umount', '-l', to)
    const again = await stage.daemon('home', { under })
    const { jobs } = await again.call('job.list', {})
    const job = jobs[0]?.id ?? 0
    const sentence = `The volume of ${to} is away; the move goes on by itself when it comes back.`
    expect((await jobIs(again, job, ({ state }) => state === 'waiting')).error).toBe(sentence)
    expect((await again.seeds(id)).dir).toBe(from)
    expect(entries(to)).toEqual([])
    inside('mount', '--bind', kept, to)
    expect((await jobIs(again, job, ({ state }) => state !== 'running' && state !== 'waiting')).state).toBe(
      'done',
    )
    expect((await again.seeds(id)).dir).toBe(to)
    expectSameFiles(torrent, seenBy(again.pid, to))
    expect(entries(from)).toEqual([])
  }, 90_000)
})

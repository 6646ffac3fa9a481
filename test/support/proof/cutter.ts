/** When to cut the power of a daemon that runs under strace, and whether that fell between a sync and its commit. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { readTrace } from '../strace.js'

/** Microseconds that each fsync takes longer: the database's, and those of folders. A slow disk, and room to aim. */
const SLOWER = 40_000
/** Milliseconds after which a moment is taken whatever happens. */
const LONGEST_AIM = 20_000
/** Milliseconds for all threads to come to a stop: one may be in the middle of a sync. */
const STOP_WITHIN = 10_000

/** The words before a program whose syncs are to be seen; data are synced by fdatasync, the database by fsync. */
export function watched(file: string): string[] {
  const calls = ['-e', 'trace=fdatasync,fsync', '-e', `inject=fsync:delay_enter=${String(SLOWER)}`]
  const words = ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-s', '0', '-e', 'signal=none']
  return [...words, ...calls, '-o', file]
}

/** Settles just after data of a torrent were synced: their commit is on its way. */
export async function justSynced(file: string): Promise<void> {
  const from = readFileSync(file, 'utf8').length
  const end = performance.now() + LONGEST_AIM
  while (performance.now() < end) {
    if (/fdatasync.*\) += 0\n/.test(readFileSync(file, 'utf8').slice(from))) return
    await delay(1)
  }
}

/** The last sync that succeeded was one of data: no commit has come after it. */
export function endsWithData(file: string): boolean {
  const last = (is: (args: string, name: string) => boolean): number =>
    readTrace(file).findLast(({ name, args, result }) => result === 0 && is(args, name))?.done ?? -1
  return (
    last((_, name) => name === 'fdatasync') >
    last((args, name) => name === 'fsync' && args.includes('torrentino.db-wal'))
  )
}

/** Stops every thread; one that is in the kernel goes on until it leaves it. */
export async function halt(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const end = performance.now() + STOP_WITHIN
  while (!isStopped(pid)) {
    if (performance.now() > end) throw new Error('the daemon does not stop')
    await delay(1)
  }
}

/** proc(5): T stopped, t stopped by whoever traces it. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${String(pid)}/task`
  return readdirSync(tasks).every((tid) => {
    const stat = readFileSync(`${tasks}/${tid}/stat`, 'utf8')
    return 'tT'.includes(stat.slice(stat.lastIndexOf(')') + 2).charAt(0))
  })
}

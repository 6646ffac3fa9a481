/** System calls of a daemon, as strace saw them: who made them, on which path, in which order. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Whether this machine lets us trace our own children. */
export const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** One call. `begun` and `done` are places in the order of events; a call that never ended has no `done`. */
export interface SystemCall {
  readonly tid: number
  readonly name: string
  /** Arguments as strace prints them, paths of descriptors in <>. */
  readonly args: string
  /** Its number, or NaN. */
  readonly result: number
  readonly begun: number
  readonly done: number
}

/** Every call that touches a path. */
export const FILE_CALLS =
  '%file,read,readv,pread64,preadv,preadv2,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,ftruncate,fallocate,getdents64'

/** The words before a program that is to be traced from its start. */
export function traced(file: string, calls: string): string[] {
  // -D: the program stays the child of whoever starts it.
  return ['strace', '-D', '-f', '-y', '-s', '0', '-e', `trace=${calls}`, '-e', 'signal=none', '-o', file]
}

export interface Trace {
  /** Ends the trace and answers every call that was seen. */
  stop(): Promise<SystemCall[]>
}

/** Traces a process with all its threads from now on. */
export async function attach(pid: number, file: string, calls: string): Promise<Trace> {
  const args = [...traced(file, calls).slice(2), '-p', String(pid)]
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>((done) => {
    child.on('close', () => {
      done()
    })
  })
  await attached(child)
  return {
    stop: async () => {
      child.kill('SIGINT')
      await ended
      return readTrace(file)
    },
  }
}

/** From now on these calls on this path take a minute to begin; the result lets all of them go. */
export async function hold(pid: number, path: string, calls: string): Promise<() => Promise<void>> {
  const what = ['-P', path, '-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=60000000`]
  const args = ['-f', '-o', '/dev/null', ...what, '-e', 'signal=none', '-p', String(pid)]
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>((done) => {
    child.on('close', () => {
      done()
    })
  })
  await attached(child)
  return async () => {
    // Not asked: it waits for what it holds.
    child.kill('SIGKILL')
    await ended
  }
}

function attached(child: ChildProcess): Promise<void> {
  let said = ''
  return new Promise((done, failed) => {
    child.stderr?.on('data', (text: Buffer) => {
      said += String(text)
      if (/attached/.test(said)) done()
    })
    child.on('close', () => {
      failed(new Error(`strace ended: ${said}`))
    })
  })
}

/** The calls that strace has written down so far. */
export function readTrace(file: string): SystemCall[] {
  return parseTrace(readFileSync(file, 'utf8'))
}

export function parseTrace(text: string): SystemCall[] {
  const calls: { tid: number; name: string; args: string; result: number; begun: number; done: number }[] = []
  const open = new Map<number, (typeof calls)[number]>()
  text.split('\n').forEach((line, at) => {
    const resumed = /^(\d+) +<\.\.\. \w+ resumed>(.*?)(?:= (-?\d+|\?).*)?$/.exec(line)
    if (resumed !== null) {
      const call = open.get(Number(resumed[1]))
      if (call === undefined) return
      open.delete(call.tid)
      call.args += resumed[2] ?? ''
      call.result = Number(resumed[3])
      call.done = at
      return
    }
    const match = /^(\d+) +(\w+)\((.*)$/.exec(line)
    if (match === null) return
    const [, tid = '', name = '', rest = ''] = match
    const unfinished = rest.endsWith('<unfinished ...>')
    const result = unfinished ? NaN : Number(/\) += (-?\d+)[^=]*$/.exec(rest)?.[1])
    const args = rest.replace(/ <unfinished \.\.\.>$/, '')
    const call = { tid: Number(tid), name, args, result, begun: at, done: unfinished ? NaN : at }
    calls.push(call)
    if (unfinished) open.set(call.tid, call)
  })
  return calls
}

/** `log`: the log file of torrentinod as lines for people. Works without a daemon. */
import { type FileHandle, open } from 'node:fs/promises'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Argv } from 'yargs'
import { readCount } from '../arguments.js'
import { type Context, type Globals, verb } from '../context.js'
import { EXIT, type ExitStatus, Failure } from '../exit.js'
import { interruption } from '../interruption.js'
import { renderLogLine } from '../render/log.js'

/** Milliseconds between two looks at the file. */
const LOOK_EVERY = 250
const CHUNK = 65_536

export function logCommand(cli: Argv<Globals>): Argv<Globals> {
  return cli.command(
    'log',
    'What torrentinod wrote to its log',
    (command) =>
      command
        .option('lines', {
          alias: 'n',
          type: 'string',
          requiresArg: true,
          default: '50',
          describe: 'So many of the latest',
        })
        .option('follow', {
          alias: 'f',
          type: 'boolean',
          default: false,
          describe: 'Go on with what is written, until Ctrl-C',
        }),
    verb((context, argv) => run(context, readCount('--lines', argv.lines), argv.follow)),
  )
}

async function run(context: Context, count: number, follow: boolean): Promise<ExitStatus> {
  const path = join(context.home.logs, 'torrentinod.log')
  const file = await openLog(path)
  if (file === null && !follow) throw new Failure(EXIT.fault, `there is no log yet; it will be ${path}`)
  const reader = new LineReader(file)
  const show = (line: string): void => {
    if (line !== '') context.out(renderLogLine(line, context.json, context.style))
  }
  try {
    const lines = await reader.read()
    // What does not end with a newline yet is shown when it does.
    for (const line of await withOlder(path, lines, count)) show(line)
    if (follow) await followFile(path, reader, show)
    return EXIT.ok
  } finally {
    await reader.close()
  }
}

/** The latest `count`; the file that was full before this one is asked where they are too few. */
async function withOlder(path: string, lines: readonly string[], count: number): Promise<readonly string[]> {
  if (count === 0) return []
  if (lines.length >= count) return lines.slice(-count)
  const older = await openLog(`${path}.1`)
  if (older === null) return lines
  const reader = new LineReader(older)
  try {
    return [...(await reader.read()), ...lines].slice(-count)
  } finally {
    await reader.close()
  }
}

async function followFile(path: string, reader: LineReader, show: (line: string) => void): Promise<void> {
  const { stop, end } = interruption()
  try {
    for (;;) {
      for (const line of await reader.read()) show(line)
      if (await reader.isReplaced(path)) {
        for (const line of await reader.read()) show(line)
        await reader.goOn(await openLog(path))
        continue
      }
      if ((await Promise.race([stop, delay(LOOK_EVERY, null)])) === 'stop') return
    }
  } finally {
    end()
  }
}

async function openLog(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (code === 'ENOENT') return null
    throw new Failure(EXIT.fault, `the log ${path} cannot be read (${code})`)
  }
}

/** Whole lines of a file, on from where it was. */
class LineReader {
  #file: FileHandle | null
  /** Bytes read. */
  #at = 0
  /** The beginning of a line whose end is not written yet. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(file: FileHandle | null) {
    this.#file = file
  }

  async read(): Promise<string[]> {
    const chunks = [this.#rest]
    for (;;) {
      const buffer = Buffer.alloc(CHUNK)
      const { bytesRead } = (await this.#file?.read(buffer, 0, CHUNK, this.#at)) ?? { bytesRead: 0 }
      if (bytesRead === 0) break
      this.#at += bytesRead
      chunks.push(buffer.subarray(0, bytesRead))
    }
    const all = Buffer.concat(chunks)
    const end = all.lastIndexOf(0x0a)
    this.#rest = all.subarray(end + 1)
    return end === -1 ? [] : all.subarray(0, end).toString('utf8').split('\n')
  }

  /** Another file has the name now: this one was full, or it was not there before. */
  async isReplaced(path: string): Promise<boolean> {
    const named = await stat(path).catch(() => null)
    return named !== null && named.ino !== (await this.#file?.stat())?.ino
  }

  async goOn(file: FileHandle | null): Promise<void> {
    await this.close()
    this.#file = file
    this.#at = 0
    this.#rest = Buffer.alloc(0)
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }
}

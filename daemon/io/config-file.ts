/** config.toml on the disk: read whole at start, changed whole and never by halves. */
import { readFileSync } from 'node:fs'
import { lstat, mkdir, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ConfigError } from '../../shared/config.js'
import { InTurn } from '../base/in-turn.js'

/** Bytes; a longer file is not ours. */
const MOST_BYTES = 1024 * 1024

export class ConfigFile {
  /** As the user knows it; it may be a symbolic link. */
  readonly path: string
  /** Changes, and looks at what they left. */
  private readonly turns = new InTurn()

  constructor(init: { readonly path: string }) {
    this.path = init.path
  }

  /**
   * The text, '' where there is no file. For the start of the program: it blocks. Throws ConfigError for what is no
   * text or cannot be read.
   */
  readSync(): string {
    try {
      return decode(readFileSync(this.path), this.path)
    } catch (error) {
      if (isMissing(error)) return ''
      const code = error instanceof Error && 'code' in error ? String(error.code) : null
      // Whoever looks for the home itself tells that it cannot be there.
      if (code === 'ENOTDIR') return ''
      if (code === null) throw error
      throw unreadable(code)
    }
  }

  /** The text, '' where there is no file; rejects as `readSync` throws. After the change under way. */
  read(): Promise<string> {
    return this.turns.run(() => this.readNow())
  }

  private async readNow(): Promise<string> {
    try {
      return decode(await readFile(this.path), this.path)
    } catch (error) {
      if (isMissing(error)) return ''
      if (error instanceof ConfigError) throw error
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
      throw unreadable(code)
    }
  }

  /**
   * Reads the file as it is now, and puts `change` of it in its place; answers the new text once it is on the disk.
   * What `change` throws is passed on and nothing is written.
   */
  update(change: (text: string) => string): Promise<string> {
    return this.turns.run(() => this.replace(change))
  }

  private async replace(change: (text: string) => string): Promise<string> {
    const target = await targetOf(this.path)
    const old = await readFile(target).catch(nullIfMissing)
    const before = old === null ? '' : decode(old, this.path)
    const after = change(before)
    if (old === null || after !== before) await writeWhole(target, after)
    return after
  }
}

function unreadable(code: string): ConfigError {
  return new ConfigError(`it cannot be read (${code}); mend its permissions, or move it away.`)
}

/** The file itself: a link that the user made stays a link. A link to nothing is followed one step. */
async function targetOf(path: string): Promise<string> {
  const real = await realpath(path).catch(nullIfMissing)
  if (real !== null) return real
  const link = await lstat(path).catch(nullIfMissing)
  return link?.isSymbolicLink() === true ? resolve(dirname(path), await readlink(path)) : path
}

/** Old or new, never a part: a new file beside it, synced, put in its place, and the folder synced. */
async function writeWhole(target: string, text: string): Promise<void> {
  const folder = dirname(target)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const old = await stat(target).catch(nullIfMissing)
  const fresh = join(folder, `.${basename(target)}.new`)
  await rm(fresh, { force: true })
  try {
    await writeSynced(fresh, text, old === null ? 0o600 : old.mode & 0o777)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Strict: text that was decoded with replacements could not be written back as it was. */
function decode(bytes: Uint8Array, path: string): string {
  if (bytes.length > MOST_BYTES)
    throw new ConfigError(`${path} has more than 1 MiB: this is no config file of ours.`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ConfigError(`${path} is not UTF-8 text: save it as UTF-8.`)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function nullIfMissing(error: unknown): null {
  if (isMissing(error)) return null
  throw error
}

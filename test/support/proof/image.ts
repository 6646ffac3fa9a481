/**
 * A file system of its own for one daemon: ext4 on a file, mounted where only one namespace sees it. The mount and its
 * loop device go with the last process in that namespace, so nothing stays behind, however the test ends.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Nothing is written by the file system's own leisure: what changes in the image was written by somebody. */
const FORMAT = ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0']
/** A copy during which the image changed is taken again, so often at most. */
const MOST_COPIES = 20

/** Whether this machine lets us make such images and mount them. */
export const canMountImages = tryIt()

function tryIt(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'tor-loop-'))
  try {
    const image = join(dir, 'image')
    makeFile(image, 4 * 1024 * 1024)
    const made = spawnSync('mkfs.ext4', [...FORMAT, image]).status === 0
    const mount = ['-m', 'mount', '-o', 'loop', image, dir]
    return made && spawnSync('unshare', mount).status === 0 && spawnSync('e2fsck', ['-V']).status === 0
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function makeFile(file: string, bytes: number): void {
  closeSync(openSync(file, 'wx'))
  truncateSync(file, bytes)
}

export async function makeImage(file: string, bytes: number): Promise<void> {
  makeFile(file, bytes)
  await run('mkfs.ext4', [...FORMAT, file])
}

/** An image that is mounted on a folder, for whoever is in its namespace. */
export class MountedImage {
  private constructor(
    /** Keeps the namespace: it ends when its standard input does, so at the latest with us. */
    private readonly holder: ChildProcess,
    private readonly image: string,
    private readonly pid: number,
  ) {}

  static async mount(image: string, at: string): Promise<MountedImage> {
    const script = 'mount -o loop "$0" "$1" && echo mounted && exec cat'
    const holder = spawn('unshare', ['-m', 'sh', '-c', script, image, at], { stdio: 'pipe' })
    let said = ''
    holder.stderr.on('data', (text: Buffer) => (said += String(text)))
    await new Promise<void>((done, failed) => {
      holder.stdout.once('data', () => {
        done()
      })
      holder.once('close', () => {
        failed(new Error(`cannot mount ${image}: ${said}`))
      })
    })
    return new MountedImage(holder, image, holder.pid ?? 0)
  }

  /** The words before a program that is to run in the namespace. */
  get under(): string[] {
    return ['nsenter', '-m', '-t', String(this.pid), '--']
  }

  /** A path in the namespace, as it is found from here. */
  seen(path: string): string {
    return join('/proc', String(this.pid), 'root', path)
  }

  /**
   * Copies the image as it is, without a sync: only what was synced, or written back, is in it. Answers once no write
   * reached the device while it was read; whoever writes must have been stopped.
   */
  async copy(to: string): Promise<void> {
    const { stdout } = await run('losetup', ['-n', '-O', 'NAME', '-j', this.image])
    const stat = `/sys/block/${basename(stdout.trim())}/stat`
    for (let turn = 0; turn < MOST_COPIES; turn++) {
      const before = writesOf(stat)
      await run('cp', ['--sparse=always', this.image, to])
      if (before !== null && writesOf(stat) === before) return
    }
    throw new Error('the image never stood still while it was copied')
  }

  /** Whoever ran in the namespace has ended. */
  async close(): Promise<void> {
    if (this.holder.exitCode !== null) return
    const closed = new Promise((done) => this.holder.once('close', done))
    this.holder.stdin?.end()
    await closed
  }
}

/** Writes that a block device has done; null while some are on their way (Documentation/block/stat.rst). */
function writesOf(stat: string): number | null {
  const fields = readFileSync(stat, 'utf8').trim().split(/ +/).map(Number)
  return fields[8] === 0 ? (fields[4] ?? null) : null
}

/** Replays the journal as a mount after a power cut would; throws where more than that is wrong. */
export async function checkImage(image: string): Promise<void> {
  // 1: something was put right, which is what a replay is.
  const repair = spawnSync('e2fsck', ['-fy', image], { encoding: 'utf8' })
  if (repair.status !== 0 && repair.status !== 1) throw new Error(`e2fsck: ${repair.stdout}`)
  await run('e2fsck', ['-fn', image])
}

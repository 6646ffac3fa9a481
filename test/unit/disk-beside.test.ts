/** A sync that takes long: what goes on beside it on the same volume, and what must not. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDisk } from '../../daemon/disk/disk.js'
import type { Disk, Storage } from '../../daemon/ports/disk.js'
import { isBuilt } from '../support/disk-worlds.js'
import { FakeClock } from '../support/fake-clock.js'
import { allFree, handAll, KitTorrent, read, Recorder } from '../support/storage-kit.js'

const built = (file: string): string => new URL(`../../dist/daemon/disk/${file}`, import.meta.url).href

const hasTasks = fs.existsSync('/proc/self/task')

/** A lane whose every fdatasync waits for a file, and leaves another one, with the number of its thread, when it begins. */
function lane(dir: string): URL {
  const [gate, begun] = ['gate', 'begun'].map((name) => JSON.stringify(join(dir, name)))
  const code = `import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { threadId } from 'node:worker_threads'
const real = fs.fdatasyncSync
const sleep = new Int32Array(new SharedArrayBuffer(4))
fs.fdatasyncSync = (fd) => {
  fs.writeFileSync(${String(begun)}, String(threadId))
  for (let n = 0; n < 3000 && !fs.existsSync(${String(gate)}); n += 1) Atomics.wait(sleep, 0, 0, 10)
  real(fd)
}
syncBuiltinESMExports()
await import(${JSON.stringify(built('lane.js'))})`
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

async function until(what: () => boolean): Promise<void> {
  for (let n = 0; !what(); n += 1) {
    if (n > 2000) throw new Error(`never: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe.skipIf(!isBuilt)('while the disk is in a sync', () => {
  let dir: string
  let disk: Disk
  let events: Recorder
  let clock: FakeClock
  const bugs: Error[] = []
  const open = (name: string): { torrent: KitTorrent; storage: Storage } => {
    const folder = join(dir, name)
    fs.mkdirSync(folder)
    const torrent = new KitTorrent({
      dir: folder,
      files: [{ path: 'a', length: 200_000 }],
      pieceLength: 1 << 16,
    })
    return { torrent, storage: disk.open(torrent.spec, events) }
  }

  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'torrentino-beside-'))
    events = new Recorder()
    clock = new FakeClock()
    bugs.length = 0
    disk = createDisk(
      {
        hashWorkers: 1,
        slots: 32,
        workerUrls: {
          hash: new URL(built('hash-worker.js')),
          lane: lane(dir),
          check: new URL(built('check-worker.js')),
        },
        onBug: (error) => bugs.push(error),
      },
      { clock, turn: (fn) => void setImmediate(fn) },
    )
  })

  afterEach(async () => {
    fs.writeFileSync(join(dir, 'gate'), '')
    await disk.stop()
    fs.rmSync(dir, { recursive: true })
    expect(bugs).toEqual([])
  })

  /** The number of the thread that began a sync. */
  const begunBy = (): string => fs.readFileSync(join(dir, 'begun'), 'utf8')

  /** The lane itself was held up by a sync for so long; answers the number of its thread. */
  async function syncOnce(millis: number): Promise<string> {
    const { storage, torrent } = open('first')
    await handAll(disk, storage, torrent, events, [0])
    const round = storage.sync()
    await until(() => fs.existsSync(join(dir, 'begun')))
    clock.advance(millis)
    fs.writeFileSync(join(dir, 'gate'), '')
    expect(await round).toMatchObject({ fault: null })
    await storage.close()
    const thread = begunBy()
    for (const name of ['gate', 'begun']) fs.rmSync(join(dir, name))
    return thread
  }

  /** A round of `name` is in its fdatasync, on a volume that was slow before. */
  async function syncing(): Promise<{
    storage: Storage
    torrent: KitTorrent
    done: () => boolean
    round: Promise<unknown>
  }> {
    await syncOnce(100)
    const { storage, torrent } = open('written')
    await handAll(disk, storage, torrent, events, [0, 1])
    let over = false
    const round = storage.sync().then((answer) => {
      over = true
      return answer
    })
    await until(() => fs.existsSync(join(dir, 'begun')))
    return { storage, torrent, done: () => over, round }
  }

  it('others are read, and so is the torrent itself, and pieces are written', async () => {
    const other = open('read')
    await handAll(disk, other.storage, other.torrent, events)
    const { storage, torrent, done, round } = await syncing()
    const run = { piece: 0, offset: 0, lengths: [16_384] }
    for (const each of [other, { storage, torrent }]) {
      const { frame, fault } = await read(each.storage, run)
      expect(fault).toBeNull()
      expect(frame?.bytes.equals(each.torrent.frame(run))).toBe(true)
      frame?.release()
    }
    await handAll(disk, storage, torrent, events, [2])
    expect(done()).toBe(false)
    fs.writeFileSync(join(dir, 'gate'), '')
    expect(await round).toMatchObject({ fault: null, files: [{ file: 0, name: 'part' }] })
    // What was written meanwhile belongs to the next round.
    fs.rmSync(join(dir, 'begun'))
    expect(await storage.sync()).toMatchObject({ fault: null, files: [{ file: 0 }] })
    expect(fs.existsSync(join(dir, 'begun'))).toBe(true)
    await allFree(disk)
    const threads = (): number => (hasTasks ? fs.readdirSync('/proc/self/task').length : 0)
    const before = threads()
    await storage.close()
    if (hasTasks) await until(() => threads() < before)
    // Another one can be synced after it.
    await handAll(disk, other.storage, other.torrent, events, [0])
    expect(await other.storage.sync()).toMatchObject({ fault: null, files: [{ file: 0 }] })
    await other.storage.close()
  })

  it.each([
    [99, 'quick', 'in the lane itself'],
    [100, 'slow', 'in a thread beside it'],
  ])('after a sync of %d ms, which is %s, the next ones are done %s', async (millis) => {
    const lane = await syncOnce(millis)
    fs.writeFileSync(join(dir, 'gate'), '')
    const { storage, torrent } = open('written')
    await handAll(disk, storage, torrent, events, [0])
    expect(await storage.sync()).toMatchObject({ fault: null })
    expect(begunBy() === lane).toBe(millis < 100)
    await storage.close()
  })

  it('its files are neither closed nor deleted before it is over', async () => {
    const { storage, torrent, done, round } = await syncing()
    let removed = false
    const removal = storage.remove().then((fault) => {
      removed = true
      return fault
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([done(), removed]).toEqual([false, false])
    expect(fs.existsSync(join(torrent.spec.dir, 'a.part'))).toBe(true)
    fs.writeFileSync(join(dir, 'gate'), '')
    expect(await round).toMatchObject({ fault: null })
    expect(await removal).toBeNull()
    expect(fs.existsSync(torrent.spec.dir) && fs.readdirSync(torrent.spec.dir)).toEqual([])
  })

  it('a file that is made anew is found by the rounds after it', async () => {
    await syncOnce(100)
    fs.writeFileSync(join(dir, 'gate'), '')
    const { storage, torrent } = open('written')
    await handAll(disk, storage, torrent, events, [0])
    expect(await storage.sync()).toMatchObject({ fault: null })
    fs.rmSync(join(torrent.spec.dir, 'a.part'))
    await handAll(disk, storage, torrent, events, [1])
    const lost = (await storage.sync()).fault
    expect(lost).toMatchObject({ operation: 'sync' })
    await storage.survey()
    await handAll(disk, storage, torrent, events, [1])
    for (let n = 0; n < 3 && (await storage.sync()).fault !== null; n += 1)
      await handAll(disk, storage, torrent, events, [2])
    await handAll(disk, storage, torrent, events, [2])
    expect(await storage.sync()).toMatchObject({ fault: null, files: [{ file: 0, name: 'part' }] })
    await storage.close()
  })
})

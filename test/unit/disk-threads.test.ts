/** Threads that hang or die, stood in for by a few lines of JavaScript. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDisk } from '../../daemon/disk/disk.js'
import { Lanes } from '../../daemon/disk/lanes.js'
import { isBuilt } from '../support/disk-worlds.js'
import { FakeClock } from '../support/fake-clock.js'
import { handPiece, KitTorrent, Recorder, verify } from '../support/storage-kit.js'

const code = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`)
/** Takes jobs and never answers, as one in a pwrite on a dead mount. */
const HANGS = code(`import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {})`)
const DIES = code(
  `import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => { throw new Error('dead') })`,
)
/** Every folder is on one volume, every other answer is null, and it does not end when it is told to. */
const LINGERS = code(`import { parentPort } from 'node:worker_threads'
parentPort.on('message', (jobs) => parentPort.postMessage(jobs.map(({ kind }) => kind === 'device' ? '7' : null)))`)
/** Each folder is a volume of its own; from the first look below /dead on it hangs, and so it does in a job for /hangs. */
const HELD = code(`import { parentPort } from 'node:worker_threads'
let hangs = false
parentPort.on('message', (jobs) => {
  for (const { kind, ask } of jobs) {
    hangs ||= ask?.dir?.startsWith('/dead') || kind === 'space' && ask.dir.startsWith('/hangs')
    if (!hangs) parentPort.postMessage([kind === 'device' ? ask.dir : null])
  }
})`)
/** Takes the extents of the first storage it meets for good ones, and hangs with the first of another. */
const PICKY = code(`import { parentPort } from 'node:worker_threads'
let mine = 0
let hangs = false
parentPort.on('message', (jobs) => {
  for (const { kind, ask } of jobs) {
    const extent = kind === 'extent'
    mine ||= extent ? ask.key : 0
    hangs ||= extent && ask.key !== mine
    const ends = extent ? [{ run: ask.run, good: true, fault: null, blocks: null }] : []
    if (!hangs) parentPort.postMessage([{ freed: extent ? [ask.ticket] : [], ends }])
  }
})`)
const CHECK = new URL('../../dist/daemon/disk/check-worker.js', import.meta.url)
const LANE = new URL('../../dist/daemon/disk/lane.js', import.meta.url)

describe.skipIf(!isBuilt)('threads of the disk', () => {
  it('goes around a worker that hangs: pieces begun after a second are hashed in the lane', async () => {
    const dir = fs.mkdtempSync(join(tmpdir(), 'torrentino-stuck-'))
    const clock = new FakeClock()
    const bugs: Error[] = []
    const disk = createDisk(
      {
        hashWorkers: 1,
        slots: 16,
        workerUrls: { hash: HANGS, lane: LANE, check: CHECK },
        onBug: (error) => bugs.push(error),
      },
      { clock, turn: (fn) => void setImmediate(fn) },
    )
    const events = new Recorder()
    const torrent = new KitTorrent({ dir, files: [{ path: 'a', length: 3_000_000 }], pieceLength: 1 << 20 })
    const storage = disk.open(torrent.spec, events)
    // Extents wait for their file to be made: only after this is the first piece in the worker.
    handPiece(disk, storage, torrent, 0)
    while (disk.pressure().hash === 0 || (await storage.survey())[0]?.name !== 'part') await storage.survey()
    expect(disk.pressure().oldest).toBe(0)
    clock.advance(1500)
    expect(disk.pressure().oldest).toBe(1500)
    handPiece(disk, storage, torrent, 1)
    handPiece(disk, storage, torrent, 2)
    expect(await events.until(2)).toEqual(['good 1', 'good 2'])
    expect(
      fs
        .readFileSync(join(dir, 'a.part'))
        .subarray(1 << 20)
        .equals(torrent.bytes.subarray(1 << 20)),
    ).toBe(true)
    // A check needs no hash worker: what hangs on one volume holds up no check of another.
    expect(await verify(storage, [1, 2])).toEqual({ good: [1, 2], bad: [], fault: null })
    // Its four slots stay with it.
    expect(disk.slab.available).toBe(12)
    const stopped = disk.stop()
    clock.advance(5000)
    await stopped
    fs.rmSync(dir, { recursive: true })
    expect(bugs).toEqual([])
  })

  it('closes a torrent though a worker it has used hangs with another one', async () => {
    const base = fs.mkdtempSync(join(tmpdir(), 'torrentino-picky-'))
    const clock = new FakeClock()
    const bugs: Error[] = []
    const disk = createDisk(
      {
        hashWorkers: 1,
        slots: 16,
        workerUrls: { hash: PICKY, lane: LANE, check: CHECK },
        onBug: (error) => bugs.push(error),
      },
      { clock, turn: (fn) => void setImmediate(fn) },
    )
    const opened = ['sound', 'hangs'].map((name) => {
      const dir = join(base, name)
      fs.mkdirSync(dir)
      const events = new Recorder()
      const torrent = new KitTorrent({ dir, files: [{ path: 'a', length: 200_000 }], pieceLength: 1 << 18 })
      return { events, torrent, storage: disk.open(torrent.spec, events) }
    })
    const [sound, hangs] = opened
    if (sound === undefined || hangs === undefined) throw new Error('two were opened')
    handPiece(disk, sound.storage, sound.torrent, 0)
    expect(await sound.events.until(1)).toEqual(['good 0'])
    handPiece(disk, hangs.storage, hangs.torrent, 0)
    while (disk.pressure().hash === 0) await hangs.storage.survey()
    clock.advance(1500)
    await sound.storage.close()
    const stopped = disk.stop()
    clock.advance(5000)
    await stopped
    fs.rmSync(base, { recursive: true })
    expect(bugs).toEqual([])
  })

  it('reports a thread that dies, and starts no other', async () => {
    const dir = fs.mkdtempSync(join(tmpdir(), 'torrentino-dies-'))
    const clock = new FakeClock()
    const bug = await new Promise<Error>((resolve) => {
      const disk = createDisk(
        { hashWorkers: 1, slots: 16, workerUrls: { hash: DIES, lane: DIES, check: DIES }, onBug: resolve },
        { clock, turn: (fn) => void setImmediate(fn) },
      )
      void disk.space(dir)
    })
    expect(bug.message).toBe('dead')
    fs.rmSync(dir, { recursive: true })
  })

  it('finds the volume of a folder while threads that looked at others before it are still ending', async () => {
    const clock = new FakeClock()
    const bugs: Error[] = []
    const lanes = new Lanes({ url: LINGERS, onBug: (error) => bugs.push(error) }, clock)
    const answers: unknown[] = []
    for (const dir of ['/a', '/b', '/c', '/d', '/e'])
      answers.push(await lanes.of(dir).ask('survey', { key: 1, again: false }))
    expect(answers).toEqual([null, null, null, null, null])
    const stopped = lanes.stop()
    clock.advance(5000)
    await stopped
    expect(bugs).toEqual([])
  }, 10_000)

  it('finds the volume of a folder though many others lie on one that does not answer', async () => {
    const clock = new FakeClock()
    const bugs: Error[] = []
    const lanes = new Lanes({ url: HELD, onBug: (error) => bugs.push(error) }, clock)
    for (let at = 0; at < 40; at += 1) lanes.of(`/dead/${String(at)}`)
    const found = lanes.of('/live').ask('space', { dir: '/live', reserve: 0 })
    clock.advance(2000)
    expect(await found).toBe(null)
    // Nor is there a thread for each of them, however long they wait.
    clock.advance(60_000)
    expect(lanes['started']).toBe(11)
    const stopped = lanes.stop()
    clock.advance(5000)
    await stopped
    expect(bugs).toEqual([])
  }, 10_000)

  it('tells which folders lie on a volume that does not answer', async () => {
    const clock = new FakeClock()
    const lanes = new Lanes({ url: HELD, onBug: () => undefined }, clock)
    const space = (dir: string): Promise<unknown> => lanes.of(dir).ask('space', { dir, reserve: 0 })
    await space('/live')
    // One hangs in a job, one in the look for its volume, and for the others nobody is left to look.
    void space('/hangs')
    for (let at = 0; at < 12; at += 1) void space(`/dead/${String(at)}`)
    const silent = (): string[] =>
      ['/live', '/hangs', '/dead/0', '/dead/11', '/never'].filter((dir) => lanes.waits(dir).silent)
    expect(silent()).toEqual([])
    // Scouts are held up one after the other, as fast as threads begin here.
    for (let step = 0; step < 500 && silent().length < 3; step += 1) {
      clock.advance(2000)
      await new Promise<void>((resolve) => setTimeout(resolve, 20))
    }
    expect(silent()).toEqual(['/hangs', '/dead/0', '/dead/11'])
    const stopped = lanes.stop()
    clock.advance(5000)
    await stopped
  }, 20_000)

  it('gives a fifth volume to a thread that answers', async () => {
    const clock = new FakeClock()
    const bugs: Error[] = []
    const lanes = new Lanes({ url: HELD, onBug: (error) => bugs.push(error) }, clock)
    const space = (dir: string): Promise<unknown> => lanes.of(dir).ask('space', { dir, reserve: 0 })
    void space('/hangs')
    for (const dir of ['/a', '/b', '/c']) await space(dir)
    clock.advance(3000)
    for (const dir of ['/d', '/e', '/f', '/g']) expect(await space(dir)).toBe(null)
    const stopped = lanes.stop()
    clock.advance(5000)
    await stopped
    expect(bugs).toEqual([])
  }, 10_000)
})

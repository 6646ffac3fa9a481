/** What the threads do: hashing, extents through the real assembler, frames through the real lane. */
import { createHash, randomFillSync } from 'node:crypto'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { Worker } from 'node:worker_threads'
import type { HashJobs, LaneJobs, OpenAsk } from '../../../daemon/disk/jobs.js'
import { SharedSlab } from '../../../daemon/disk/slab.js'
import { Thread } from '../../../daemon/disk/thread.js'
import { systemClock } from '../../../daemon/io/clock.js'
import type { Slot } from '../../../daemon/ports/disk.js'
import { EXTENT_SIZE } from '../../../shared/units.js'
import { type Line, microseconds, throughput } from './measure.js'

const MIB = 1_048_576
/** Content of the extents and of the frames. */
const SIZE = 256 * MIB
const BLOCK = 16_384

const ENTRY = new URL('../../../dist/daemon/disk/', import.meta.url)

function fail(error: Error): void {
  throw error
}

/** SHA-1 of 1 MiB at a time in a bare worker: what hashing costs without us. */
async function bareHash(): Promise<Line[]> {
  const code = `
    const { parentPort } = require('node:worker_threads')
    const { createHash } = require('node:crypto')
    const bytes = Buffer.from(new SharedArrayBuffer(${MIB}))
    parentPort.on('message', (count) => {
      for (let i = 0; i < count; i += 1) createHash('sha1').update(bytes).digest()
      parentPort.postMessage(null)
    })`
  const worker = new Worker(code, { eval: true })
  const lines = await throughput('SHA-1 of 1 MiB in a bare worker', SIZE, async () => {
    await new Promise((resolve) => {
      worker.once('message', resolve)
      worker.postMessage(SIZE / MIB)
    })
  })
  await worker.terminate()
  return lines
}

/** A job that does nothing, there and back. */
async function handOff(): Promise<Line[]> {
  const init = { url: new URL('hash-worker.js', ENTRY), name: 'hash', onBug: fail }
  const thread = new Thread<HashJobs>(init, systemClock())
  const nothing = { key: 0, files: [] }
  const count = 2000
  const alone = await microseconds('hand-off to a hash worker and back, alone', count, async () => {
    for (let i = 0; i < count; i += 1) {
      await new Promise<void>((resolve) => {
        thread.request('closeFiles', nothing, () => {
          resolve()
        })
      })
    }
  })
  const many = await microseconds('hand-off to a hash worker and back, 32 under way', count, async () => {
    await new Promise<void>((resolve) => {
      let asked = 0
      let answered = 0
      const ask = (): void => {
        asked += 1
        thread.request('closeFiles', nothing, () => {
          answered += 1
          if (answered === count) resolve()
          else if (asked < count) ask()
        })
      }
      for (let i = 0; i < 32; i += 1) ask()
    })
  })
  await thread.stop()
  return [alone, many]
}

/** Extents of 1 MiB pieces: hashed, compared and written by the assembler in one thread. */
async function extents(dir: string, bytes: Buffer): Promise<Line[]> {
  const init = { url: new URL('lane.js', ENTRY), name: 'lane', onBug: fail }
  const thread = new Thread<LaneJobs>(init, systemClock())
  const piece = createHash('sha1').update(bytes).digest()
  const digests = new Uint8Array(new SharedArrayBuffer((SIZE / MIB) * 20))
  for (let i = 0; i < SIZE / MIB; i += 1) digests.set(piece, i * 20)
  const files = [{ path: 'extents.bin', length: SIZE, pad: false }]
  const open: OpenAsk = { key: 1, dir, files, pieceLength: MIB, digests }
  await new Promise((resolve) => {
    thread.request('open', open, resolve)
  })
  const made = await new Promise<LaneJobs['make']['answer']>((resolve) => {
    thread.request('make', { key: 1, files: [0] }, resolve)
  })
  if (made.failed.length > 0) throw new Error(`no file: ${JSON.stringify(made.failed)}`)
  const slab = new SharedSlab({ slots: 64 })
  let run = 0
  const lines = await throughput('extents hashed and written by one thread', SIZE, async () => {
    await sendExtents(thread, slab, bytes, (run += SIZE / MIB))
  })
  await thread.stop()
  return lines
}

function sendExtents(
  thread: Thread<LaneJobs>,
  slab: SharedSlab,
  bytes: Buffer,
  firstRun: number,
): Promise<void> {
  const total = SIZE / EXTENT_SIZE
  const perPiece = MIB / EXTENT_SIZE
  const slots = new Map<number, Slot>()
  let next = 0
  let ended = 0
  return new Promise((resolve, reject) => {
    const done = ({ freed, ends }: HashJobs['extent']['answer']): void => {
      for (const ticket of freed) {
        const slot = slots.get(ticket)
        if (slot !== undefined) slab.release(slot)
        slots.delete(ticket)
      }
      for (const { good } of ends) {
        if (!good) reject(new Error('the assembler says no'))
        ended += 1
      }
      if (ended === SIZE / MIB) resolve()
      else more()
    }
    const more = (): void => {
      for (
        let slot = next < total ? slab.take() : null;
        slot !== null;
        slot = next < total ? slab.take() : null
      ) {
        const extent = next % perPiece
        const piece = Math.floor(next / perPiece)
        bytes.copy(slot.view, 0, extent * EXTENT_SIZE, (extent + 1) * EXTENT_SIZE)
        const memory = slab.handOver(slot)
        const ticket = next
        slots.set(ticket, slot)
        const place = { memory, offset: slot.view.byteOffset, length: EXTENT_SIZE }
        const whose = { key: 1, run: firstRun + piece, first: extent === 0, piece, extent }
        thread.request('extent', { ...whose, ...place, tight: false, suspect: false, ticket }, done)
        next += 1
      }
    }
    more()
  })
}

/** Runs of 1 MiB read into frames by the lane, as for a seeder. */
async function frames(dir: string): Promise<Line[]> {
  const init = { url: new URL('lane.js', ENTRY), name: 'lane', onBug: fail }
  const thread = new Thread<LaneJobs>(init, systemClock())
  const files = [{ path: 'frames.bin', length: SIZE, pad: false }]
  const digests = new Uint8Array((SIZE / MIB) * 20)
  await new Promise((resolve) => {
    thread.request('open', { key: 1, dir, files, pieceLength: MIB, digests }, resolve)
  })
  const lengths = new Array<number>(MIB / BLOCK).fill(BLOCK)
  // Told to the lane with the first run that goes into each.
  const size = MIB + 13 * lengths.length
  const buffers = [1, 2, 3].map((id) => ({ id, shared: new SharedArrayBuffer(size), offset: 0, size }))
  const known = new Set<number>()
  const lines = await throughput('frames of 1 MiB read by a lane', SIZE, async () => {
    await new Promise<void>((resolve, reject) => {
      let asked = 0
      let answered = 0
      const ask = (buffer: (typeof buffers)[number]): void => {
        const run = { key: 1, piece: asked, offset: 0, lengths, memory: buffer.id }
        const fresh = known.has(buffer.id) ? [] : [buffer]
        known.add(buffer.id)
        asked += 1
        thread.request('read', { runs: [run], fresh, gone: [] }, (faults) => {
          answered += 1
          if (faults !== null) reject(new Error(`read: ${JSON.stringify(faults)}`))
          else if (answered === SIZE / MIB) resolve()
          else if (asked < SIZE / MIB) ask(buffer)
        })
      }
      buffers.forEach(ask)
    })
  })
  await thread.stop()
  return lines
}

export async function disk(): Promise<Line[]> {
  const dir = mkdtempSync(join(tmpdir(), 'torrentino-micro-'))
  try {
    const bytes = randomFillSync(Buffer.alloc(MIB))
    const file = createWriteStream(join(dir, 'frames.bin'))
    for (let at = 0; at < SIZE; at += MIB) file.write(bytes)
    file.end()
    await finished(file)
    return [
      ...(await bareHash()),
      ...(await handOff()),
      ...(await extents(dir, bytes)),
      ...(await frames(dir)),
    ]
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

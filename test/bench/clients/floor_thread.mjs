/** The floor's thread: writes extents in order and holds each piece against its digest. JavaScript: a thread of tsx is none. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

const { memory, extent } = workerData
const bytes = Buffer.from(memory)
let file = -1
let meta = null
let hash = createHash('sha1')

function settle(end) {
  if (end % meta.pieceLength !== 0 && end !== meta.totalBytes) return
  const at = (Math.ceil(end / meta.pieceLength) - 1) * 20
  const good = hash.digest().compare(meta.digests, at, at + 20) === 0
  hash = createHash('sha1')
  if (!good) throw new Error(`the piece that ends at ${end} is bad`)
}

parentPort.on('message', (job) => {
  if ('path' in job) {
    if (file >= 0) closeSync(file)
    file = openSync(job.path, 'w')
    meta = job.meta
    return
  }
  const freed = job.map(([slot, offset, length]) => {
    const view = bytes.subarray(slot * extent, slot * extent + length)
    hash.update(view)
    writeSync(file, view, 0, length, offset)
    settle(offset + length)
    return slot
  })
  parentPort.postMessage(freed)
})

/**
 * A process of its own that copies one backup to where a person wants it, or from there into the home, and ends. What
 * does not answer there (a dead network mount) holds nothing but this process.
 */
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreFault } from '../ports/store.js'
import type { CarryAsk, CarryEnd } from './carrier.js'
import { removeDatabase, sizeOf, syncFolder } from './files.js'
import { place, refuseToPut, refuseToTake } from './foreign.js'

const CHUNK = 1024 * 1024
/** What SQLite may have laid beside a database that was not closed: pages of it stand there. */
const BESIDE = ['-wal', '-journal']

function put({ from, to }: CarryAsk): void {
  refuseToPut(to, dirname(to))
  const part = `${to}.tmp`
  removeDatabase(part)
  try {
    copy(from, part)
    place(part, to)
    syncFolder(dirname(to))
  } finally {
    rmSync(part, { force: true })
  }
}

function take({ from, to, own }: CarryAsk): void {
  refuseToTake(from, own)
  for (const beside of BESIDE) if (sizeOf(from + beside) > 0) copy(from + beside, to + beside)
  copy(from, to)
}

/** Synced when it returns. Each chunk is told of: who waits sees that it goes on. */
function copy(from: string, to: string): void {
  const buffer = Buffer.alloc(CHUNK)
  const source = openSync(from, 'r')
  try {
    const target = openSync(to, 'wx', 0o600)
    try {
      for (let read = 1; read > 0;) {
        read = readSync(source, buffer)
        for (let at = 0; at < read;) at += writeSync(target, buffer, at, read - at)
        process.stdout.write('+\n')
      }
      fsyncSync(target)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function run(ask: CarryAsk): CarryEnd {
  try {
    if (ask.way === 'put') put(ask)
    else take(ask)
    return { bytes: sizeOf(ask.to) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const named = error instanceof StoreFault || (error instanceof Error && 'code' in error)
    return { code: named ? String(error.code) : 'BUG', message }
  }
}

process.stdout.write(`${JSON.stringify(run(JSON.parse(process.argv[2] ?? '') as CarryAsk))}\n`)

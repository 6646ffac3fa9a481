/**
 * Memory that the host of a virtual machine has to find first: a page that lay free for some seconds may have been
 * given back to it, and touching it again costs up to 2 CPU seconds a GiB, by chance more for one client than for
 * another. So what a run will need is held in a file, and given back bit by bit as the run's own files grow.
 */
import { closeSync, ftruncateSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const MIB = 1024 * 1024
const CHUNK = Buffer.alloc(8 * MIB, 1)
/** Free at any time: more than a client writes between two looks, less than what is given to the host at once. */
const FREE = 600 * MIB
/** Written by the run itself, and not by a client that starts. */
const BEGUN = 2 * MIB
/** Bytes a millisecond: memory that has to be found is filled at a third of it. */
const WARM = 1.2e6
/** Pages are used again in the order in which they were freed: a second or third time they are there. */
const MOST_PASSES = 4
/** Milliseconds between looks. */
const EVERY = 10

export class Reserve {
  readonly #volume: string
  readonly #file: string
  readonly #fd: number
  readonly #usedBefore: number
  readonly #bytes: number
  #held: number
  readonly #timer: NodeJS.Timeout

  /** `volume` is a tmpfs; so many bytes will be written there. */
  constructor(volume: string, bytes: number) {
    this.#volume = volume
    this.#file = join(volume, 'reserve')
    this.#usedBefore = this.#used()
    this.#fd = openSync(this.#file, 'w')
    for (let pass = 1; !this.#fill(bytes) && pass < MOST_PASSES; pass++) ftruncateSync(this.#fd)
    this.#bytes = this.#held = Math.ceil(bytes / CHUNK.length) * CHUNK.length
    this.#timer = setInterval(() => {
      this.#look()
    }, EVERY)
  }

  end(): void {
    clearInterval(this.#timer)
    closeSync(this.#fd)
    rmSync(this.#file, { force: true })
  }

  /** True when it went as fast as with memory that is there. */
  #fill(bytes: number): boolean {
    const begun = performance.now()
    for (let at = 0; at < bytes; at += CHUNK.length) writeSync(this.#fd, CHUNK, 0, CHUNK.length, at)
    return bytes / (performance.now() - begun) > WARM
  }

  #used(): number {
    const { bsize, blocks, bfree } = statfsSync(this.#volume)
    return (blocks - bfree) * bsize
  }

  #look(): void {
    const written = this.#used() - this.#held - this.#usedBefore
    // What lies free while the client starts is given away before it is needed.
    if (written < BEGUN) return
    const held = Math.max(0, this.#bytes - written - FREE)
    if (held >= this.#held) return
    ftruncateSync(this.#fd, held)
    this.#held = held
  }
}

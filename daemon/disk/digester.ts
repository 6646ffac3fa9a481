/** Hashes what a lane has read for a check. Touches no file: a volume that hangs never stops it. */
import { createHash, type Hash } from 'node:crypto'
import type { DigestAsk, DigestJobs, Handlers } from './jobs.js'

export const GOOD = 1
export const BAD = 2

export class Digester {
  /** The piece under way of each check, by `DigestAsk.verify`. */
  private readonly open = new Map<string, Hash>()

  readonly handlers: Handlers<DigestJobs> = {
    digest: (ask) => this.digest(ask),
    forget: ({ verify }) => {
      this.open.delete(verify)
      return null
    },
    stop: () => null,
  }

  /** For each part: 0, or the verdict on the piece that it ends. */
  private digest({ verify, parts, memory, digests }: DigestAsk): Uint8Array {
    const verdicts = new Uint8Array(parts.length)
    parts.forEach(({ piece, offset, length, last, at }, index) => {
      const begun = offset === 0 ? createHash('sha1') : this.open.get(verify)
      if (begun === undefined) throw new Error(`check ${verify}: piece ${String(piece)} was not begun here`)
      begun.update(new Uint8Array(memory, at, length))
      if (!last) {
        this.open.set(verify, begun)
        return
      }
      this.open.delete(verify)
      verdicts[index] = begun.digest().equals(digests.subarray(piece * 20, piece * 20 + 20)) ? GOOD : BAD
    })
    return verdicts
  }
}

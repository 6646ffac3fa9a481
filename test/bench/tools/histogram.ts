/** Times in buckets of 4.4 %, so that a quantile costs nothing to keep. */

const PER_OCTAVE = 16
/** Milliseconds of the lowest bucket's edge: 1 us. */
const LEAST = 0.001
const BUCKETS = PER_OCTAVE * 32

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0
  #max = 0

  /** Milliseconds, or null where nothing was added. */
  get max(): number | null {
    return this.#count === 0 ? null : this.#max
  }

  add(milliseconds: number): void {
    const bucket = Math.floor(Math.log2(Math.max(milliseconds, LEAST) / LEAST) * PER_OCTAVE)
    const at = Math.min(BUCKETS - 1, bucket)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#count += 1
    if (milliseconds > this.#max) this.#max = milliseconds
  }

  /** The upper edge of the bucket that holds the quantile, milliseconds; null where nothing was added. */
  quantile(share: number): number | null {
    if (this.#count === 0) return null
    let left = Math.ceil(this.#count * share)
    for (let at = 0; at < BUCKETS; at += 1) {
      left -= this.#counts[at] ?? 0
      if (left <= 0) return Math.min(this.#max, LEAST * 2 ** ((at + 1) / PER_OCTAVE))
    }
    return this.#max
  }
}

/** Seeded randomness: the same seed gives the same run. The generator is xorshift128 (Marsaglia, 2003). */
import type { Random } from '../../daemon/ports/random.js'

export class FakeRandom implements Random {
  /** Four 32-bit words, never all zero. */
  private readonly state: [number, number, number, number]

  constructor(seed = 1) {
    // A linear congruential start spreads neighbouring seeds; the first word is kept odd so that one is not zero.
    let word = seed >>> 0
    const step = (): number => (word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0)
    this.state = [step() | 1, step(), step(), step()]
    for (let i = 0; i < 16; i += 1) this.next()
  }

  float(): number {
    return this.next() / 4_294_967_296
  }

  int(below: number): number {
    return Math.floor(this.float() * below)
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i += 1) bytes[i] = this.next() >>> 24
    return bytes
  }

  private next(): number {
    const s = this.state
    let t = s[0]
    t ^= t << 11
    t ^= t >>> 8
    s[0] = s[1]
    s[1] = s[2]
    s[2] = s[3]
    s[3] = (s[3] ^ (s[3] >>> 19) ^ t) >>> 0
    return s[3]
  }
}

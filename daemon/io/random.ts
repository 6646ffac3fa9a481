/** The system's randomness, good enough for keys. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../ports/random.js'

export function systemRandom(): Random {
  return {
    float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    int: (below) => randomInt(below),
    bytes: (count) => randomBytes(count),
  }
}

/** Randomness; seeded in tests, from the system's CSPRNG in the daemon. */
export interface Random {
  /** A fraction in [0, 1). */
  float(): number
  /** An integer in [0, below). */
  int(below: number): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}

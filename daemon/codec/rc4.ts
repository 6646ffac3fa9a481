/** RC4 as Message Stream Encryption uses it: the first 1024 bytes of the key stream are thrown away. */
const DROPPED = 1024

export class Rc4 {
  /** A permutation of 0..255. */
  readonly #state = new Uint8Array(256)
  /** Where the stream stands; both 0..255. */
  #i = 0
  #j = 0

  /** `key`: 1 to 256 bytes. */
  constructor(key: Uint8Array) {
    const state = this.#state
    for (let i = 0; i < 256; i++) state[i] = i
    let j = 0
    for (let i = 0; i < 256; i++) {
      const own = state[i] ?? 0
      j = (j + own + (key[i % key.length] ?? 0)) & 255
      state[i] = state[j] ?? 0
      state[j] = own
    }
    this.apply(new Uint8Array(DROPPED))
  }

  /** Encrypts or decrypts in place, and goes on from there at the next call. */
  apply(bytes: Uint8Array): void {
    const state = this.#state
    let i = this.#i
    let j = this.#j
    for (let at = 0; at < bytes.length; at++) {
      i = (i + 1) & 255
      const a = state[i] ?? 0
      j = (j + a) & 255
      const b = state[j] ?? 0
      state[i] = b
      state[j] = a
      bytes[at] = (bytes[at] ?? 0) ^ (state[(a + b) & 255] ?? 0)
    }
    this.#i = i
    this.#j = j
  }
}

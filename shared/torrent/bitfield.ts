/** A set of piece indices as the wire has it (BEP 3): one bit a piece, the high bit of the first byte first. */
export class Bitfield {
  /** Wire order; spare bits at the end are always 0. Read it, change it only through the methods. */
  readonly bytes: Uint8Array
  /** Bits that are set; always equal to what counting `bytes` gives. */
  private ones = 0

  constructor(
    /** Number of bits. */
    readonly size: number,
  ) {
    this.bytes = new Uint8Array(Math.ceil(size / 8))
  }

  /** A copy of what a peer sent; null where the length is wrong or a spare bit is set (BEP 3). */
  static fromWire(bytes: Uint8Array, size: number): Bitfield | null {
    const field = new Bitfield(size)
    if (bytes.length !== field.bytes.length) return null
    const spare = field.bytes.length * 8 - size
    if (((bytes[bytes.length - 1] ?? 0) & ((1 << spare) - 1)) !== 0) return null
    field.bytes.set(bytes)
    for (let at = 0; at < bytes.length; at += 1) field.ones += ONES[bytes[at] ?? 0] ?? 0
    return field
  }

  get count(): number {
    return this.ones
  }

  get complete(): boolean {
    return this.ones === this.size
  }

  get empty(): boolean {
    return this.ones === 0
  }

  get(index: number): boolean {
    if (index < 0 || index >= this.size) return false
    return ((this.bytes[index >>> 3] ?? 0) & (0x80 >>> (index & 7))) !== 0
  }

  /** The same question as get. */
  has(index: number): boolean {
    return this.get(index)
  }

  /** True where the bit was not set before. A RangeError is a bug of the caller's. */
  set(index: number): boolean {
    this.checkIndex(index)
    if (this.get(index)) return false
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] ?? 0) | (0x80 >>> (index & 7))
    this.ones += 1
    return true
  }

  /** True where the bit was set before. */
  clear(index: number): boolean {
    this.checkIndex(index)
    if (!this.get(index)) return false
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] ?? 0) & ~(0x80 >>> (index & 7))
    this.ones -= 1
    return true
  }

  setAll(): void {
    this.bytes.fill(0xff)
    const spare = this.bytes.length * 8 - this.size
    if (spare > 0) this.bytes[this.bytes.length - 1] = (0xff << spare) & 0xff
    this.ones = this.size
  }

  clearAll(): void {
    this.bytes.fill(0)
    this.ones = 0
  }

  clone(): Bitfield {
    const copy = new Bitfield(this.size)
    copy.bytes.set(this.bytes)
    copy.ones = this.ones
    return copy
  }

  /** Ascending. */
  forEachSet(visit: (index: number) => void): void {
    for (let at = 0; at < this.bytes.length; at += 1) this.visitByte(at, this.bytes[at] ?? 0, visit)
  }

  /** Ascending. */
  forEachMissing(visit: (index: number) => void): void {
    for (let at = 0; at < this.bytes.length; at += 1) this.visitByte(at, ~(this.bytes[at] ?? 0) & 0xff, visit)
  }

  private visitByte(at: number, byte: number, visit: (index: number) => void): void {
    if (byte === 0) return
    const last = Math.min(8, this.size - at * 8)
    for (let bit = 0; bit < last; bit += 1) if ((byte & (0x80 >>> bit)) !== 0) visit(at * 8 + bit)
  }

  private checkIndex(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      throw new RangeError(`bit ${String(index)} of ${String(this.size)}`)
    }
  }
}

/** Bits that are set, by byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
})

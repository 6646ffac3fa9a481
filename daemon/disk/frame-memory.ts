/** Memory for frames, main side: shared buffers that are used again, for fresh pages cost more than reading does. */
import type { Bytes } from '../../shared/units.js'

/** Sizes of buffers: a run of 16, 32, 64 and 256 KiB and 1 MiB in blocks of 16 KiB with their headers. */
const SIZES = [16_397, 32_794, 65_588, 262_352, 1_049_408]

/** One buffer; lanes know it by its number. */
export interface FrameMemory {
  /** Never used twice. */
  readonly id: number
  readonly shared: SharedArrayBuffer
  readonly bytes: Buffer
}

export class FramePool {
  /** Bytes of all buffers that exist, those in use among them. */
  private all: Bytes = 0
  private lastId = 0
  /** Unused buffers by size. */
  private readonly idle = new Map<number, FrameMemory[]>()

  constructor(
    private readonly init: { readonly most: Bytes },
    /** The buffer with this number is gone. */
    private readonly onGone: (id: number) => void,
  ) {}

  get bytes(): Bytes {
    return this.all
  }

  /** The size of the buffer that a frame of so many bytes gets. */
  sizeFor(length: Bytes): Bytes {
    return SIZES.find((size) => size >= length) ?? length
  }

  /** Null where the limit leaves no room; what alone passes the limit is given when nothing else is held. */
  take(size: Bytes): FrameMemory | null {
    const used = this.idle.get(size)?.pop()
    if (used !== undefined) return used
    for (const list of this.idle.values()) {
      while (this.all + size > this.init.most) {
        const unused = list.pop()
        if (unused === undefined) break
        this.free(unused)
      }
    }
    if (this.all > 0 && this.all + size > this.init.most) return null
    this.all += size
    const shared = new SharedArrayBuffer(size)
    return { id: (this.lastId += 1), shared, bytes: Buffer.from(shared) }
  }

  /** Kept for the next, where its size is a usual one. */
  give(memory: FrameMemory): void {
    const size = memory.shared.byteLength
    if (!SIZES.includes(size)) return this.free(memory)
    const list = this.idle.get(size)
    if (list === undefined) this.idle.set(size, [memory])
    else list.push(memory)
  }

  /** Lets all unused buffers go. */
  drop(): void {
    const idle = [...this.idle.values()].flat()
    this.idle.clear()
    for (const memory of idle) this.free(memory)
  }

  private free(memory: FrameMemory): void {
    this.all -= memory.shared.byteLength
    this.onGone(memory.id)
  }
}

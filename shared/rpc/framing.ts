/** NDJSON: one JSON text a line. Pure: bytes in, lines out; nothing is parsed before its size and depth are known. */

/** Bytes a line may have before `session.hello`. */
export const LINE_CAP_BEFORE_HELLO = 1_048_576
/** Bytes a line may have after it: a .torrent of 12 MB in base64. */
export const LINE_CAP = 16_777_216
/** How deep arrays and objects may lie in one another. */
export const DEPTH_CAP = 64
/** Commas, colons, opening brackets and escaped quotes in one line: what costs time and memory to read. */
export const TOKEN_CAP = 250_000

const NEWLINE = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Cuts a stream into lines. Each byte is looked at once and copied at most once. */
export class LineSplitter {
  /** Bytes a line may have; may be raised at any time. */
  cap: number
  /** A line went above the cap: nothing more comes out. */
  overflowed = false
  /** Chunks received and not yet given out, in order; the first starts at `offset`. */
  #chunks: Buffer[] = []
  /** Bytes of the first chunk that were given out. */
  #offset = 0
  /** Bytes in #chunks from #offset on. */
  #held = 0
  /** Leading chunks known to have no newline (the first from #offset on), and their bytes. */
  #searched = 0
  #searchedBytes = 0

  constructor(cap: number) {
    this.cap = cap
  }

  /** Bytes held back: lines not taken yet and the beginning of the next one. */
  get held(): number {
    return this.#held
  }

  push(chunk: Buffer): void {
    if (this.overflowed || chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#held += chunk.length
  }

  /** The next whole line without its newline, or null: more bytes are needed, or `overflowed` is true. */
  next(): Buffer | null {
    while (this.#searched < this.#chunks.length && !this.overflowed) {
      const chunk = this.#chunks[this.#searched] as Buffer
      const from = this.#searched === 0 ? this.#offset : 0
      const at = chunk.indexOf(NEWLINE, from)
      const length = this.#searchedBytes + (at === -1 ? chunk.length : at) - from
      if (length > this.cap) return this.#overflow()
      if (at !== -1) return this.#take(length, at + 1)
      this.#searchedBytes = length
      this.#searched += 1
    }
    return null
  }

  #overflow(): null {
    this.overflowed = true
    this.#chunks = []
    this.#held = 0
    return null
  }

  /** The line ends in chunk #searched, where the next one starts at `rest`. */
  #take(length: number, rest: number): Buffer {
    const last = this.#chunks[this.#searched] as Buffer
    let line: Buffer
    if (this.#searched === 0) {
      line = last.subarray(this.#offset, this.#offset + length)
    } else {
      const [first, ...others] = this.#chunks.slice(0, this.#searched + 1)
      line = Buffer.concat([(first as Buffer).subarray(this.#offset), ...others], length)
    }
    const whole = rest === last.length
    this.#chunks.splice(0, this.#searched + (whole ? 1 : 0))
    this.#offset = whole ? 0 : rest
    this.#held -= length + 1
    this.#searched = 0
    this.#searchedBytes = 0
    return line
  }
}

/**
 * True when a JSON text nests deeper than `depth` or has more than `tokens` commas, colons, opening brackets and
 * escaped quotes. Strings are skipped by searching for their closing quote, so that 16 MB of base64 cost next to nothing.
 */
export function exceedsJsonLimits(text: Buffer, depth = DEPTH_CAP, tokens = TOKEN_CAP): boolean {
  let open = 0
  let seen = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    if (inString) {
      at = text.indexOf(QUOTE, at)
      if (at === -1) return false
      if (isEscaped(text, at)) seen += 1
      else inString = false
      if (seen > tokens) return true
      continue
    }
    switch (text[at]) {
      case QUOTE:
        inString = true
        break
      case 0x5b: // [
      case 0x7b: // {
        open += 1
        seen += 1
        if (open > depth) return true
        break
      case 0x5d: // ]
      case 0x7d: // }
        open -= 1
        break
      case 0x2c: // ,
      case 0x3a: // :
        seen += 1
        break
      default:
    }
    if (seen > tokens) return true
  }
  return false
}

/** An odd number of backslashes stands before it. They lie in the string: what opens one is no backslash. */
function isEscaped(text: Buffer, at: number): boolean {
  let slashes = 0
  while (text[at - 1 - slashes] === BACKSLASH) slashes += 1
  return slashes % 2 === 1
}

/** A screen of our own on the terminal: taken, drawn on, and given back whatever happens. */
import process from 'node:process'

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J'
const LEAVE = '\u001b[?25h\u001b[?1049l'
/** Between these a terminal that knows them shows nothing half drawn. */
const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'

export class Screen {
  /** What stands on it, by line. */
  #lines: readonly string[] = []
  #taken = false
  readonly #restore = (): void => {
    this.leave()
  }

  enter(onKeys: (text: string) => void, onResize: () => void): void {
    process.stdin.setEncoding('utf8')
    process.stdin.on('data', onKeys)
    process.stdout.on('resize', () => {
      this.#lines = []
      onResize()
    })
    process.on('exit', this.#restore)
    this.take()
  }

  /** Again after `leave`, too. */
  take(): void {
    if (this.#taken) return
    this.#taken = true
    this.#lines = []
    process.stdin.setRawMode(true)
    process.stdin.resume()
    process.stdout.write(ENTER)
  }

  leave(): void {
    if (!this.#taken) return
    this.#taken = false
    process.stdin.setRawMode(false)
    process.stdin.pause()
    process.stdout.write(LEAVE)
  }

  /** Writes the lines that changed. */
  draw(lines: readonly string[]): void {
    if (!this.#taken) return
    const changed = lines.flatMap((line, at) =>
      line === this.#lines[at] ? [] : [`\u001b[${String(at + 1)};1H${line}\u001b[K`],
    )
    const below = lines.length < this.#lines.length ? [`\u001b[${String(lines.length + 1)};1H\u001b[J`] : []
    this.#lines = lines
    if (changed.length + below.length > 0)
      process.stdout.write(BEGIN + changed.join('') + below.join('') + END)
  }
}

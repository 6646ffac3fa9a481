/** What a terminal in raw mode sends, as names of keys. */

export type Key =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'home'
  | 'end'
  | 'escape'
  | 'enter'
  | 'interrupt'
  | 'suspend'
  /** Any other character. */
  | { readonly char: string }

/** xterm's and the VT's names for the same keys. */
const SEQUENCES: readonly (readonly [string, Key])[] = [
  ['\u001b[A', 'up'],
  ['\u001bOA', 'up'],
  ['\u001b[B', 'down'],
  ['\u001bOB', 'down'],
  ['\u001b[5~', 'pageUp'],
  ['\u001b[6~', 'pageDown'],
  ['\u001b[H', 'home'],
  ['\u001bOH', 'home'],
  ['\u001b[1~', 'home'],
  ['\u001b[F', 'end'],
  ['\u001bOF', 'end'],
  ['\u001b[4~', 'end'],
]
const SINGLE: Readonly<Record<string, Key>> = {
  '\u001b': 'escape',
  '\r': 'enter',
  '\n': 'enter',
  '\u0003': 'interrupt',
  '\u0004': 'interrupt',
  '\u001a': 'suspend',
}
/** A sequence that is none of ours is dropped whole, not read as letters. */
const FOREIGN = /^\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O[ -~]|[ -~])/

/** The keys of what was read at once; several may come together. */
export function readKeys(text: string): Key[] {
  const keys: Key[] = []
  for (let rest = text; rest !== '';) {
    const known = SEQUENCES.find(([sequence]) => rest.startsWith(sequence))
    if (known !== undefined) {
      keys.push(known[1])
      rest = rest.slice(known[0].length)
      continue
    }
    const foreign = FOREIGN.exec(rest)
    if (foreign !== null) {
      rest = rest.slice(foreign[0].length)
      continue
    }
    const [char = ''] = rest
    keys.push(SINGLE[char] ?? { char })
    rest = rest.slice(char.length)
  }
  return keys
}

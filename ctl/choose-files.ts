/** Which files of a torrent a person means: by number, by range, by pattern, or all. */
import { compileGlob, GlobError } from '../shared/glob.js'
import type { FileIndex } from '../shared/units.js'
import type { FileView } from '../shared/views.js'
import { readFileNumbers } from './arguments.js'
import { EXIT, Failure } from './exit.js'

/** Only digits and what stands between them: never a pattern. */
const NUMBERS = /^[0-9,\-\s]+$/

/** In order, each once. Throws Failure where a word names no file. */
export function chooseFiles(words: readonly string[], files: readonly FileView[]): FileIndex[] {
  const chosen = new Set<FileIndex>()
  for (const word of words) for (const index of named(word, files)) chosen.add(index)
  return [...chosen].sort((a, b) => a - b)
}

function named(word: string, files: readonly FileView[]): readonly FileIndex[] {
  if (word === 'all') return files.map(({ index }) => index)
  return NUMBERS.test(word) ? numbered(word, files) : fitting(word, files)
}

function numbered(word: string, files: readonly FileView[]): readonly FileIndex[] {
  const there = new Set(files.map(({ index }) => index))
  const numbers = readFileNumbers([word])
  const stranger = numbers.find((index) => !there.has(index))
  if (stranger === undefined) return numbers
  throw new Failure(EXIT.usage, `there is no file ${stranger + 1}; torrentinoctl files shows those there are`)
}

function fitting(word: string, files: readonly FileView[]): readonly FileIndex[] {
  const fits = patternOf(word)
  const found = files.filter(({ path }) => fits(path))
  if (found.length > 0) return found.map(({ index }) => index)
  throw new Failure(
    EXIT.usage,
    `no file fits ${JSON.stringify(word)}; torrentinoctl files shows those there are`,
  )
}

function patternOf(word: string): (path: string) => boolean {
  try {
    return compileGlob(word)
  } catch (error) {
    if (!(error instanceof GlobError)) throw error
    throw new Failure(
      EXIT.usage,
      `${JSON.stringify(word)} is no pattern: ${error.message}; write *.mkv, or 1,3-5`,
    )
  }
}

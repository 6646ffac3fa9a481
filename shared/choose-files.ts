/** Which files of a torrent a person means: by number from 1, by range, by pattern, or all. */
import { compileGlob, GlobError } from './glob.js'
import type { FileIndex } from './units.js'

/** A sentence without its full stop, for the one who wrote the words. */
export class ChoiceError extends Error {
  override readonly name = 'ChoiceError'
}

interface Named {
  readonly index: FileIndex
  readonly path: string
}

/** Only digits and what stands between them: never a pattern. */
const NUMBERS = /^[0-9,\-\s]+$/
const MOST_FILES = 200_000

/** In order, each once. Throws ChoiceError where a word names no file. */
export function chooseFiles(words: readonly string[], files: readonly Named[]): FileIndex[] {
  const chosen = new Set<FileIndex>()
  for (const word of words) for (const index of named(word, files)) chosen.add(index)
  return [...chosen].sort((a, b) => a - b)
}

/** Throws ChoiceError where no torrent could have such files. */
export function checkChoice(word: string): void {
  if (word === 'all') return
  if (NUMBERS.test(word)) readNumbers([word])
  else patternOf(word)
}

/** `1,3-5` as people count to indexes from 0, in order, each once. Throws ChoiceError. */
export function readNumbers(words: readonly string[]): FileIndex[] {
  const chosen = new Set<FileIndex>()
  for (const part of words.flatMap((word) => word.split(','))) {
    const match = /^\s*([0-9]{1,6})(?:-([0-9]{1,6}))?\s*$/.exec(part)
    const first = Number(match?.[1])
    const last = Number(match?.[2] ?? match?.[1])
    if (match === null || first < 1 || last < first || last > MOST_FILES)
      throw new ChoiceError(`${JSON.stringify(part)} is no choice of files; write 1,3-5, counted from 1`)
    for (let number = first; number <= last; number += 1) chosen.add(number - 1)
  }
  if (chosen.size === 0) throw new ChoiceError('no file was chosen; write 1,3-5, counted from 1')
  return [...chosen].sort((a, b) => a - b)
}

function named(word: string, files: readonly Named[]): readonly FileIndex[] {
  if (word === 'all') return files.map(({ index }) => index)
  return NUMBERS.test(word) ? numbered(word, files) : fitting(word, files)
}

function numbered(word: string, files: readonly Named[]): readonly FileIndex[] {
  const there = new Set(files.map(({ index }) => index))
  const numbers = readNumbers([word])
  const stranger = numbers.find((index) => !there.has(index))
  if (stranger === undefined) return numbers
  throw new ChoiceError(`there is no file ${stranger + 1}; torrentinoctl files shows those there are`)
}

function fitting(word: string, files: readonly Named[]): readonly FileIndex[] {
  const fits = patternOf(word)
  const found = files.filter(({ path }) => fits(path))
  if (found.length > 0) return found.map(({ index }) => index)
  throw new ChoiceError(`no file fits ${JSON.stringify(word)}; torrentinoctl files shows those there are`)
}

function patternOf(word: string): (path: string) => boolean {
  try {
    return compileGlob(word)
  } catch (error) {
    if (!(error instanceof GlobError)) throw error
    throw new ChoiceError(`${JSON.stringify(word)} is no pattern: ${error.message}; write *.mkv, or 1,3-5`)
  }
}

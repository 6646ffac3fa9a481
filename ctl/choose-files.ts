/** The words of a person for files, with what is wrong in them as a failure of usage. */
import { ChoiceError, checkChoice, chooseFiles as choose, readNumbers } from '../shared/choose-files.js'
import type { FileIndex } from '../shared/units.js'
import type { FileView } from '../shared/views.js'
import { EXIT, Failure } from './exit.js'

/** In order, each once. Throws Failure where a word names no file. */
export function chooseFiles(words: readonly string[], files: readonly FileView[]): FileIndex[] {
  return orFailure(() => choose(words, files))
}

/** `1,3-5` as people count to indexes from 0. Throws Failure. */
export function readFileNumbers(words: readonly string[]): FileIndex[] {
  return orFailure(() => readNumbers(words))
}

/** For files that are not known yet. Throws Failure where no torrent could have them. */
export function readChoice(word: string): string {
  orFailure(() => {
    checkChoice(word)
  })
  return word
}

function orFailure<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ChoiceError) throw new Failure(EXIT.usage, error.message)
    throw error
  }
}

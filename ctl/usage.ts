/** What was typed, before it is run: which verb is meant, whether help is asked for, and what a slip should have been. */
import { nearest } from '../shared/nearest.js'
import { globalOptions, type OptionSpec, type ShownVerb } from './tree.js'

export interface Typed {
  /** The first word that is no option and no option's value, or null. */
  readonly word: string | null
  /** The verb that it names. */
  readonly verb: ShownVerb | null
  /** `--help` or `-h` stands before any `--`, or the word `help` comes first. */
  readonly help: boolean
}

export function readTyped(words: readonly string[], verbs: readonly ShownVerb[]): Typed {
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  const named = own.filter((word, at) => !word.startsWith('-') && own[at - 1] !== '--home')
  const helpWord = named[0] === 'help'
  const word = named[helpWord ? 1 : 0] ?? null
  return {
    word,
    verb: verbs.find(({ name, aliases }) => word !== null && [name, ...aliases].includes(word)) ?? null,
    help: helpWord || own.includes('--help') || own.includes('-h'),
  }
}

/** `; did you mean list?`, or nothing where no word is near. */
export function meant(word: string, known: readonly string[], mark = ''): string {
  const near = nearest(word, known)
  return near === null ? '' : `; did you mean ${mark}${near}?`
}

/** yargs writes its complaints on several lines, and in the words of programmers. One sentence, with what was meant. */
export function usageSentence(message: string, words: readonly string[], verb: ShownVerb | null): string {
  const help = ['torrentinoctl', ...(verb === null ? [] : [verb.name]), '--help'].join(' ')
  if (message.startsWith('Not enough non-option arguments'))
    return `an argument is missing; ${help} shows which`
  const unknown = /^Unknown arguments?: (.*)$/s.exec(message)?.[1]
  if (unknown !== undefined) return unknownSentence(unknown.split(', '), words, verb, help)
  const value = /^Not enough arguments following: (\S+)/.exec(message)?.[1]
  if (value !== undefined) return `--${value} needs a value; ${help} shows which`
  const choice = /^Invalid values:\s*Argument: (\S+), Given: (.*), Choices: /s.exec(message)
  if (choice !== null) return choiceSentence(choice[1] ?? '', (choice[2] ?? '').replace(/^"|"$/g, ''), verb)
  return `${message.trim().replace(/\s*\n\s*/g, ' ')}; ${help} shows what there is`
}

function unknownSentence(
  unknown: readonly string[],
  words: readonly string[],
  verb: ShownVerb | null,
  help: string,
): string {
  const options: readonly OptionSpec[] = [...(verb?.options ?? []), ...globalOptions()]
  const typed = words.find(
    (word) => word.startsWith('-') && unknown.includes(word.replace(/^--?|=.*$/gs, '')),
  )
  if (typed === undefined)
    return `${JSON.stringify(unknown[0])} is one word too many; ${help} shows what there is`
  const bare = typed.replace(/=.*$/s, '')
  const near = meant(
    bare.replace(/^--?/, ''),
    options.map(({ name }) => name),
    '--',
  )
  return `there is no option ${bare}${near === '' ? ';' : near} ${help} shows those there are`
}

function choiceSentence(name: string, given: string, verb: ShownVerb | null): string {
  const option = verb?.options.find((each) => each.name === name)
  const choices = option?.choices ?? verb?.words.find((each) => each.name === name)?.choices ?? []
  const what = option === undefined ? (verb?.name ?? '') : `--${name}`
  return `${what} takes ${choices.join(', ')}, not ${JSON.stringify(given)}${meant(given, choices)}`
}

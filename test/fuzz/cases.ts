/** The inputs that have broken a parser once. They stay. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from './target.js'

const DIR = join(import.meta.dirname, 'cases')

/** A file is a list of cases. */
export function readCases(): Case[] {
  const files = readdirSync(DIR).filter((name) => name.endsWith('.json'))
  return files.sort().flatMap((name) => JSON.parse(readFileSync(join(DIR, name), 'utf8')) as Case[])
}

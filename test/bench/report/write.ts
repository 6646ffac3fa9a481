/** Writes docs/benchmarks.md and docs/benchmarks.svg; run by itself it takes docs/benchmarks.json. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { type Results, SCHEMA } from '../results.js'
import { type Notes, page, picture } from './markdown.js'
import { draw } from './picture.js'

const NOTES = fileURLToPath(new URL('./notes/', import.meta.url))
const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url))

function readNotes(): Notes {
  const names = existsSync(NOTES) ? readdirSync(NOTES).filter((name) => name.endsWith('.md')) : []
  const note = (name: string): [string, string] => [
    name.slice(0, -3),
    readFileSync(join(NOTES, name), 'utf8').trim(),
  ]
  return new Map(names.filter((name) => name !== 'README.md').map(note))
}

export async function writeReport(results: Results, docsDir: string): Promise<void> {
  const file = join(docsDir, 'benchmarks.md')
  // The rules of the repository, wherever the page goes.
  const rules = await resolveConfig(join(DOCS, 'benchmarks.md'))
  const text = await format(page(results, readNotes()), { ...rules, parser: 'markdown' })
  writeFileSync(file, text)
  writeFileSync(join(docsDir, 'benchmarks.svg'), draw(picture(results)))
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const results = JSON.parse(readFileSync(join(DOCS, 'benchmarks.json'), 'utf8')) as Results
  const schema: number = results.schema
  if (schema !== SCHEMA) throw new Error(`benchmarks.json has schema ${schema}`)
  await writeReport(results, DOCS)
}

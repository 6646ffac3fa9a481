/** Test material that lies beside the repository: .torrent files and tables of what must come of them. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The folder of the corpus, or null where it is absent: tests that need it are skipped by name. */
export function corpusDir(): string | null {
  const dir = resolve(import.meta.dirname, '../../../shared/corpus')
  return existsSync(join(dir, 'EXPECT.tsv')) ? dir : null
}

/** The rows of a table by column name; [] where the corpus is absent. Plain TSV without quoting. */
export function readTsv(name: string): Record<string, string>[] {
  const dir = corpusDir()
  if (dir === null) return []
  const lines = readFileSync(join(dir, name), 'utf8').split('\n')
  const columns = (lines[0] ?? '').split('\t')
  const rows = lines.slice(1).filter((line) => line !== '')
  return rows.map((line) => {
    const cells = line.split('\t')
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']))
  })
}

/** A file of the corpus. */
export function readCorpus(name: string): Uint8Array {
  const dir = corpusDir()
  if (dir === null) throw new Error('the corpus is absent')
  return new Uint8Array(readFileSync(join(dir, name)))
}

/** docs/interop.md: what the last recorded run of these tests saw. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import type { Client } from './clients/client.js'
import { REPOSITORY } from './namespace.js'

export interface Row {
  readonly client: Client
  /** Who downloaded from whom, or what happened. */
  readonly direction: string
  readonly content: string
  readonly bytes: number
  readonly seconds: number
}

const FILE = join(REPOSITORY, 'docs/interop.md')
const HEAD = `# Interoperability

Written by the tests in \`test/interop\` when they run with \`TORRENTINO_WRITE_DOCS=1\`. Each client runs on an
address of its own in a network of its own, with the tracker opentracker; content is compared by SHA-256.
`
const SECTIONS = [
  'Downloads from',
  'Uploads to',
  'Magnet links',
  'A swarm whose seed leaves',
  'Restarts',
  'DHT alone',
  'Peer exchange alone',
  'Local discovery alone',
  'IPv6 alone',
  'Encryption required',
  'What Transmission takes minutes for',
] as const

export type Section = (typeof SECTIONS)[number]

/** Replaces one section of the page where the run was asked to write it; else does nothing. */
export async function record(section: Section, rows: readonly Row[]): Promise<void> {
  if (process.env['TORRENTINO_WRITE_DOCS'] !== '1') return
  const old = existsSync(FILE) ? readFileSync(FILE, 'utf8') : ''
  const bodies = SECTIONS.map((title) => {
    const body = title === section ? table(rows) : sectionOf(old, title)
    return body === '' ? '' : `\n## ${title}\n\n${body.trim()}\n`
  })
  const options = await resolveConfig(FILE)
  writeFileSync(FILE, await format(HEAD + bodies.join(''), { ...options, parser: 'markdown' }))
}

function sectionOf(page: string, title: string): string {
  const start = page.indexOf(`\n## ${title}\n`)
  if (start < 0) return ''
  const body = page.slice(start + title.length + 5)
  const end = body.indexOf('\n## ')
  return end < 0 ? body : body.slice(0, end)
}

function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const cells = [row.client.name, row.client.version, row.direction, row.content, row.bytes]
    return `| ${[...cells, row.seconds.toFixed(1)].join(' | ')} |`
  })
  return ['| client | version | direction | content | bytes | seconds |', '|-|-|-|-|-:|-:|', ...lines].join(
    '\n',
  )
}

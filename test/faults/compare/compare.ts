/**
 * `npm run test:compare -- [--rounds N] [--seed S] [--clients A,B] [--verbose] [--write]`: in a network namespace of
 * its own. With `--write` the table goes into docs/reliability.md, between its markers.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { enterWorld, pathWithSbin } from '../../bench/world.js'
import { inFolder } from '../report.js'
import { KINDS } from './clients.js'
import { compareRounds, type Sum } from './rounds.js'

const INSIDE = 'TORRENTINO_COMPARE'
const PAGE = new URL('../../../docs/reliability.md', import.meta.url)
const BEGIN = '<!-- compare: begin -->'
const END = '<!-- compare: end -->'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: KINDS.map(({ name }) => name).join(',') },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

if (process.env[INSIDE] === '1') await inside()
else enter()

/** This program again, where no packet can leave. */
function enter(): void {
  const [program, ...args] = enterWorld() ?? []
  if (program === undefined) {
    console.log(
      'This needs namespaces of network and mounts (unshare -n -m): as root, or where anybody may make them.',
    )
    process.exitCode = 1
    return
  }
  const node = [process.execPath, '--import', 'tsx', ...process.argv.slice(1)]
  const env = { ...process.env, [INSIDE]: '1', PATH: pathWithSbin() }
  process.exitCode = spawnSync(program, [...args, ...node], { stdio: 'inherit', env }).status ?? 1
}

async function inside(): Promise<void> {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const input = Array.from({ length: 40 }, (_, n) => `addr add 10.77.0.${String(n + 1)}/32 dev lo\n`).join('')
  execFileSync('ip', ['-batch', '-'], { input })
  const wanted = values.clients.toLowerCase().split(',')
  const kinds = KINDS.filter(({ name, version }) => wanted.includes(name.toLowerCase()) && version !== '')
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)]
  const say = (line: string): void => {
    if (values.verbose) console.log(line)
  }
  await inFolder(async (dir) => {
    const sums = await Promise.all(
      kinds.map((kind, place) => compareRounds({ kind, place, rounds, seed, dir, say })),
    )
    const lines = table(sums)
    for (const line of lines) console.log(line)
    if (values.write) writePage(lines)
    return 0
  })
}

function table(sums: readonly Sum[]): string[] {
  const heads = [
    'client',
    'kills',
    'claimed pieces that do not hash',
    'claimed progress lost, median and most',
    'torrent gone',
    'by hand',
    'start',
  ]
  const rows = sums.map(({ kind, rounds, claimed, wrong, lost, vanished, starts }) => [
    `${kind.name} ${kind.version}`,
    String(rounds),
    `${String(wrong)} of ${String(claimed)}`,
    `${median(lost).toFixed(1)} MiB, ${Math.max(0, ...lost).toFixed(1)} MiB`,
    `${String(vanished)} times`,
    vanished > 0 ? 'added again' : 'nothing',
    `${(median(starts) / 1000).toFixed(1)} s`,
  ])
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)]
}

function median(of: readonly number[]): number {
  return [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0
}

function writePage(lines: readonly string[]): void {
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no ${BEGIN}`)
  writeFileSync(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${lines.join('\n')}\n\n${page.slice(to)}`)
  execFileSync('npx', ['prettier', '--write', PAGE.pathname], { stdio: 'ignore' })
}

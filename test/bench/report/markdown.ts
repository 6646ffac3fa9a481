/** The benchmark's page, from its JSON. Pure. */
import type { ClientId, ClientInfo, Results } from '../results.js'
import { type Board, boards, COMMON, type FigureKey, type Row } from './board.js'
import { amount, bytesText, cell, spreadText, unitOf, withoutPaths } from './format.js'
import { verdicts, type Verdict } from './goals.js'
import type { Bar, Picture } from './picture.js'

/** Hand-written words by the name of their file: a scenario's id, `goal-` and a goal's id, or `general`. */
export type Notes = ReadonlyMap<string, string>

const MAIN = 'single'

export function page(results: Results, notes: Notes): string {
  const all = boards(results)
  const parts = [
    '# Benchmarks',
    'Written by `npm run bench` from [benchmarks.json](benchmarks.json); changes by hand are lost. What a program ' +
      'cannot know stands in `test/bench/report/notes/`.',
    '![Wall and CPU time of the main scenario](benchmarks.svg)',
    notes.get('general') ?? '',
    '## Figures to reach',
    figuresToReach(verdicts(all), notes),
    '## Machine and method',
    machine(results),
    '## Clients',
    clients(results.clients),
    '## Scenarios',
    'Each figure is the median of its rounds, with the least and the most. "Of the best other" is the figure that ' +
      'ranks, over that of the best other client; empty columns are left out. MB are 10^6 bytes, GiB 2^30.',
    ...all.map((board) => scenario(board, results.clients, notes)),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function table(head: readonly string[], numbers: number, rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, i) => (i < head.length - numbers ? '---' : '--:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

function figuresToReach(goals: readonly Verdict[], notes: Notes): string {
  const rows = goals.map(({ scenario, figure, reached, verdict }) => [
    cell(scenario),
    cell(figure),
    cell(reached),
    verdict === 'reached' ? 'reached' : `**${verdict}**`,
  ])
  const why = goals.flatMap(({ id, scenario }) => {
    const note = notes.get(`goal-${id}`)
    return note === undefined ? [] : [`**${scenario}.** ${note}`]
  })
  return [table(['scenario', 'figure', 'measured', 'verdict'], 0, rows), ...why].join('\n\n')
}

function machine({ machine, build, command, updated }: Results): string {
  const rows = [
    ['processor', `${machine.cpu}, ${machine.cores} cores`],
    ['memory', bytesText(machine.memory)],
    ['system', `${machine.system}, kernel ${machine.kernel}`],
    ['Node.js', machine.node],
    ['build', `${build.commit.slice(0, 12)}${build.dirty ? ' with changes' : ''}`],
    ['last run', updated.slice(0, 10)],
  ].map((row) => row.map(cell))
  return [
    table(['', ''], 0, rows),
    'To repeat it:',
    `\`\`\`sh\n${withoutPaths(command)}\n\`\`\``,
    'All clients run in a network namespace without a way out, take turns round by round, and read and write the ' +
      'same volumes. CPU is user and system time of all processes of the client. What was downloaded is checked by ' +
      'SHA-256 outside the client. The other end is a [generator](../test/bench/tools/README.md) of our own.',
  ].join('\n\n')
}

function clients(all: readonly ClientInfo[]): string {
  const rows = all.map(({ title, version, settings, absent }) => [
    cell(title),
    absent === null ? cell(version) : `absent: ${cell(absent)}`,
    settings.length === 0 ? 'defaults' : settings.map((line) => cell(line)).join('<br>'),
  ])
  return table(['client', 'version', 'settings that are not its defaults'], 0, rows)
}

function titleOf(client: ClientId, all: readonly ClientInfo[]): string {
  return all.find(({ id }) => id === client)?.title ?? client
}

function scenario({ scenario, rows, leftOut }: Board, all: readonly ClientInfo[], notes: Notes): string {
  const keys: FigureKey[] = [...COMMON, ...Object.keys(scenario.extras)]
  const shown = keys.filter((key) => rows.some(({ figures }) => figures.has(key)))
  const headings = shown.map((key) => {
    const { heading } = unitOf(key, scenario.extras)
    return key === scenario.by ? `${heading} ↓` : heading
  })
  const measured = rows.filter(({ rounds }) => rounds > 0)
  const line = ({ client, rounds, figures, toBestOther }: Row): string[] => [
    client === 'torrentino' ? `**${cell(titleOf(client, all))}**` : cell(titleOf(client, all)),
    ...shown.map((key) => spreadText(figures.get(key), unitOf(key, scenario.extras))),
    toBestOther === null ? '' : toBestOther.toFixed(2),
    String(rounds),
  ]
  const head = ['client', ...headings.map(cell), 'of the best other', 'rounds']
  const remarks = [
    ...rows.flatMap(({ client, failures }) =>
      failures.map((failure) => `${titleOf(client, all)}: ${failure}`),
    ),
    ...leftOut.map(({ client, reason }) => `${titleOf(client, all)} takes no part: ${reason}`),
  ]
  return [
    `### ${withoutPaths(scenario.title)}`,
    withoutPaths(scenario.about),
    parameters(scenario.parameters),
    measured.length === 0 ? 'No round came to figures.' : table(head, head.length - 1, measured.map(line)),
    remarks.map((remark) => `- ${cell(remark)}`).join('\n'),
    notes.get(scenario.id) ?? '',
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

const BYTES = ['size', 'pieceLength', 'slow', 'fast']

function parameters(all: Readonly<Record<string, number | string | boolean>>): string {
  const words = Object.entries(all).map(([key, value]) => {
    const known = BYTES.includes(key) && typeof value === 'number' ? bytesText(value) : String(value)
    return `${key} ${known}`
  })
  return words.length === 0 ? '' : `Parameters: ${withoutPaths(words.join(', '))}.`
}

/** Wall and CPU-s/GiB of the main scenario; where it was not measured, of the first that was. */
export function picture(results: Results): Picture {
  const all = boards(results)
  const main = all.find((board) => board.scenario.id === MAIN) ?? all[0]
  if (main === undefined) return { title: 'Nothing was measured', panels: [] }
  const bars = (key: FigureKey): Bar[] =>
    main.rows
      .flatMap(({ client, figures }) => {
        const known = figures.get(key)
        if (known === undefined) return []
        const { median: value, min, max } = known
        const label = titleOf(client, results.clients)
        return [{ label, value, min, max, text: amount(value, unitOf(key)), strong: client === 'torrentino' }]
      })
      .sort((a, b) => a.value - b.value)
  return {
    title: main.scenario.title,
    panels: [
      { title: 'wall, seconds (less is better)', bars: bars('wall') },
      { title: 'CPU-seconds for a GiB (less is better)', bars: bars('cost') },
    ],
  }
}

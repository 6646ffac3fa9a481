import { describe, expect, it } from 'vitest'
import { bestOther, boards, median } from '../bench/report/board.js'
import {
  amount,
  bytesText,
  cell,
  significant,
  spreadText,
  unitOf,
  withoutPaths,
} from '../bench/report/format.js'
import { verdicts } from '../bench/report/goals.js'
import { page, picture } from '../bench/report/markdown.js'
import { draw } from '../bench/report/picture.js'
import type { Build, Cell, ClientId, Figures, Results, ScenarioInfo } from '../bench/results.js'

const OLD: Build = { commit: '1'.repeat(40), dirty: false }
const NEW: Build = { commit: '2'.repeat(40), dirty: false }
const GIB = 1024 ** 3

function scenario(id: string, init: Partial<ScenarioInfo> = {}): ScenarioInfo {
  return {
    id,
    group: id,
    title: `title of ${id}`,
    about: `about ${id}`,
    by: 'wall',
    best: 'least',
    parameters: { size: GIB },
    extras: {},
    ...init,
  }
}

function figures(init: Partial<Figures>): Figures {
  return {
    wall: 1,
    cpu: 1,
    payload: GIB,
    peakAnon: null,
    peakRss: null,
    wireOverhead: null,
    wasted: null,
    firstRequest: null,
    firstPiece: null,
    loopP99: null,
    loopMax: null,
    extra: {},
    ...init,
  }
}

interface Head {
  readonly build?: Build
  readonly version?: string
  readonly parameters?: Cell['parameters']
}

function head(name: string, client: ClientId, init: Head): Omit<Cell, 'outcome' | 'figures' | 'reason'> {
  const rest = { parameters: { size: GIB }, round: 1, at: '2026-11-22T10:00:00Z', version: '1', build: NEW }
  return { scenario: name, client, ...rest, ...init }
}

const done = (name: string, client: ClientId, init: Partial<Figures>, more: Head = {}): Cell => ({
  ...head(name, client, more),
  outcome: 'done',
  figures: figures(init),
})
const failed = (name: string, client: ClientId, reason: string): Cell => ({
  ...head(name, client, {}),
  outcome: 'failed',
  reason,
})

function results(
  scenarios: readonly ScenarioInfo[],
  cells: readonly Cell[],
  init: Partial<Results> = {},
): Results {
  return {
    schema: 1,
    machine: {
      cpu: 'A Processor',
      cores: 2,
      memory: 24 * GIB,
      kernel: '6.1',
      system: 'Debian 12',
      node: 'v20.1.0',
    },
    build: NEW,
    command: 'npm run bench',
    updated: '2026-11-22T10:00:00Z',
    clients: [
      { id: 'torrentino', title: 'Torrentino', version: '0.1.0', settings: [], absent: null },
      { id: 'aria2', title: 'aria2', version: '1.36', settings: ['a|b = 1'], absent: null },
      { id: 'rtorrent', title: 'rTorrent', version: '', settings: [], absent: 'not installed' },
    ],
    scenarios,
    leftOut: [],
    cells,
    ...init,
  }
}

describe('boards', () => {
  it('ranks the clients and gives each its share of the best other', () => {
    const cells = [
      done('single', 'torrentino', { wall: 2 }),
      done('single', 'torrentino', { wall: 4 }),
      done('single', 'torrentino', { wall: 3 }),
      done('single', 'aria2', { wall: 6 }),
      done('single', 'libtorrent', { wall: 4 }),
      failed('single', 'rtorrent', 'timeout'),
    ]
    const [board] = boards(results([scenario('single'), scenario('not run')], cells))
    expect(boards(results([scenario('not run')], cells))).toEqual([])
    expect(board?.rows.map(({ client, toBestOther }) => [client, toBestOther])).toEqual([
      ['torrentino', 0.75],
      ['libtorrent', 4 / 3],
      ['aria2', 2],
      ['rtorrent', null],
    ])
    expect(board?.rows[0]?.figures.get('wall')).toEqual({ median: 3, min: 2, max: 4, count: 3 })
    expect(board?.rows[3]?.failures).toEqual(['1 of 1 rounds failed: timeout'])
  })

  it('ranks by the most where the most is best', () => {
    const info = scenario('seed', { by: 'rate', best: 'most' })
    const cells = [done('seed', 'aria2', { wall: 4 }), done('seed', 'torrentino', { wall: 1 })]
    const [board] = boards(results([info], cells))
    expect(board?.rows.map(({ client, toBestOther }) => [client, toBestOther])).toEqual([
      ['torrentino', 4],
      ['aria2', 0.25],
    ])
    expect(bestOther(board?.rows ?? [], 'torrentino', 'rate', 'most')).toEqual({
      client: 'aria2',
      median: 0.25,
    })
  })

  it('shows the yardstick and holds it against nobody', () => {
    const cells = [
      done('single', 'torrentino', { wall: 2 }),
      done('single', 'floor', { wall: 1 }),
      done('single', 'aria2', { wall: 4 }),
    ]
    const [board] = boards(results([scenario('single')], cells))
    expect(board?.rows.map(({ client, toBestOther }) => [client, toBestOther])).toEqual([
      ['floor', 0.5],
      ['torrentino', 0.5],
      ['aria2', 2],
    ])
    expect(bestOther(board?.rows ?? [], 'torrentino', 'wall', 'least')).toEqual({
      client: 'aria2',
      median: 4,
    })
  })

  it('takes a client by its newest build and version, and no cell with other parameters', () => {
    const cells = [
      done('single', 'torrentino', { wall: 9 }, { build: OLD }),
      done('single', 'aria2', { wall: 7 }, { build: OLD }),
      done('single', 'libtorrent', { wall: 8 }, { version: '0' }),
      done('single', 'torrentino', { wall: 2 }),
      done('single', 'libtorrent', { wall: 5 }),
      done('single', 'torrentino', { wall: 1 }, { parameters: { size: 5 } }),
    ]
    const [board] = boards(results([scenario('single')], cells))
    expect(
      (['torrentino', 'aria2', 'libtorrent'] as const).map((client) => median(board, client, 'wall')),
    ).toEqual([2, 7, 5])
  })
})

describe('figures to reach', () => {
  const find = (cells: readonly Cell[], id: string, scenarios = [scenario('single')]) =>
    verdicts(boards(results(scenarios, cells))).find((verdict) => verdict.id === id)

  it('says not measured where nothing is known', () => {
    for (const verdict of verdicts([])) {
      expect(verdict).toMatchObject({ verdict: 'not measured', reached: 'not measured' })
    }
  })

  it('compares with the best other client at the limit', () => {
    const pair = (wall: number): Cell[] => [
      done('single', 'torrentino', { wall }),
      done('single', 'libtorrent-tuned', { wall: 4 }),
      done('single', 'aria2', { wall: 8 }),
    ]
    expect(find(pair(3), 'single-wall')).toMatchObject({
      verdict: 'reached',
      reached: 'wall 0.750 of libtorrent-tuned (3.00 to 4.00)',
    })
    expect(find(pair(3.1), 'single-wall')?.verdict).toBe('not reached')
    expect(find(pair(3).slice(0, 1), 'single-wall')?.verdict).toBe('not measured')
  })

  it('needs every condition for a yes and one for a no', () => {
    const mesh = scenario('mesh', { extras: { mean: 'mean, s', last: 'last, s', ratio: 'ratio' } })
    const cells = (mean: number, ratio: number | null): Cell[] => [
      done('mesh', 'torrentino', { extra: { mean, last: 5, ratio } }),
      done('mesh', 'aria2', { extra: { mean: 6, last: 7, ratio: 2 } }),
    ]
    expect(find(cells(4, 1.3), 'mesh', [mesh])?.verdict).toBe('reached')
    expect(find(cells(4, 1.31), 'mesh', [mesh])?.verdict).toBe('not reached')
    expect(find(cells(6, 1.1), 'mesh', [mesh])?.verdict).toBe('not reached')
    expect(find(cells(4, null), 'mesh', [mesh])?.verdict).toBe('partly measured')
    expect(find(cells(6, null), 'mesh', [mesh])?.verdict).toBe('not reached')
  })

  it('leaves the limit out where the figure has to be below it', () => {
    const rss = (peakRss: number): Cell[] => [done('single', 'torrentino', { peakRss })]
    expect(find(rss(149.9e6), 'single-rss')).toMatchObject({ verdict: 'reached', reached: 'peak 149.9 MB' })
    expect(find(rss(150e6), 'single-rss')?.verdict).toBe('not reached')
  })

  it('holds small files against the single file by the GiB', () => {
    const all = [scenario('single'), scenario('small')]
    const cells = (wall: number): Cell[] => [
      done('single', 'torrentino', { wall: 1, payload: 2 * GIB }),
      done('small', 'torrentino', { wall, payload: GIB / 2 }),
      done('small', 'aria2', { wall: 9, payload: GIB / 2 }),
    ]
    expect(find(cells(0.5), 'small', all)?.verdict).toBe('reached')
    expect(find(cells(0.51), 'small', all)?.verdict).toBe('not reached')
  })
})

describe('figures as text', () => {
  it.each([
    [0, '0'],
    [0.01234, '0.0123'],
    [0.9996, '1.000'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [12_345, '12345'],
    [0.000_012, '0.0000'],
  ])('%d as %s', (value, expected) => {
    expect(significant(value)).toBe(expected)
  })

  it('shows the spread only where there is one', () => {
    const unit = unitOf('wall')
    expect(spreadText({ median: 2, min: 1, max: 3.5, count: 3 }, unit)).toBe('2.00 (1.00–3.50)')
    expect(spreadText({ median: 2, min: 2, max: 2, count: 3 }, unit)).toBe('2.00')
    expect(spreadText(undefined, unit)).toBe('')
    expect(amount(0.0213, unitOf('wireOverhead'))).toBe('2.13')
    expect(unitOf('tail', { tail: 'last 1 % of the time' })).toMatchObject({ scale: 100 })
    expect([bytesText(2 * GIB), bytesText(16_384), bytesText(7)]).toEqual(['2.00 GiB', '16.0 KiB', '7 B'])
  })

  it('names no folder of the machine', () => {
    expect(withoutPaths('no /home/me/x/file.bin, "/tmp/a/b" and --dir=/srv/data/')).toBe(
      'no file.bin, "b" and --dir=',
    )
    expect(withoutPaths('CPU-s/GiB at http://10.77.0.1:6969/announce')).toBe(
      'CPU-s/GiB at http://10.77.0.1:6969/announce',
    )
    expect(cell('a|b\n c')).toBe('a\\|b c')
  })
})

describe('the page', () => {
  const made = page(
    results(
      [scenario('single', { extras: { tail: 'last 1 %' } })],
      [
        done('single', 'torrentino', { wall: 2, extra: { tail: 0.02 }, loopP99: 3 }),
        done('single', 'aria2', { wall: 4 }),
        failed('single', 'aria2', 'no /tmp/x/y here'),
      ],
      { leftOut: [{ scenario: 'single', client: 'rtorrent', reason: 'it is not here' }] },
    ),
    new Map([
      ['single', 'A note on the scenario.'],
      ['goal-single-wall', 'A note on the goal.'],
    ]),
  )

  it('has a row a client, only columns that were measured, and what went wrong', () => {
    const rows = made.split('\n').filter((line) => line.startsWith('| '))
    expect(rows).toContain(
      '| client | wall, s ↓ | GiB/s | CPU-s | CPU-s/GiB | main loop p99, ms | last 1 %, % | of the best other | rounds |',
    )
    expect(rows).toContain('| **Torrentino** | 2.00 | 0.500 | 1.00 | 1.00 | 3.0 | 2.00 | 0.50 | 1 |')
    expect(rows).toContain('| aria2 | 4.00 | 0.250 | 1.00 | 1.00 |  |  | 2.00 | 1 |')
    expect(rows).toContain('| rTorrent | absent: not installed | defaults |')
    expect(rows).toContain('| aria2 | 1.36 | a\\|b = 1 |')
    expect(made).toContain('- aria2: 1 of 2 rounds failed: no y here')
    expect(made).toContain('- rTorrent takes no part: it is not here')
  })

  it('keeps the notes and the command', () => {
    expect(made).toContain('A note on the scenario.')
    expect(made).toContain('**one seeder, one leecher, pinned.** A note on the goal.')
    expect(made).toContain('```sh\nnpm run bench\n```')
  })
})

describe('the picture', () => {
  const svg = draw(
    picture(
      results(
        [scenario('single', { title: 'one <seeder> & one leecher' })],
        [
          done('single', 'aria2', { wall: 4 }),
          done('single', 'torrentino', { wall: 1 }),
          done('single', 'torrentino', { wall: 3 }),
        ],
      ),
    ),
  )
  const numbers = (attribute: string, tag: string): number[] =>
    [...svg.matchAll(new RegExp(`<${tag} [^>]*\\b${attribute}='([\\d.]+)'`, 'g'))].map(([, value]) =>
      Number(value),
    )

  it('draws bars as long as the figures, the best first', () => {
    const [, torrentino = 0, aria2 = 0] = numbers('width', 'rect')
    expect(torrentino / aria2).toBeCloseTo(2 / 4, 2)
    expect(svg.indexOf('Torrentino')).toBeLessThan(svg.indexOf('aria2'))
  })

  it('stays inside its frame and is well-formed', () => {
    const [, width = 0, height = 0] = /viewBox='0 0 (\d+) (\d+)'/.exec(svg)?.map(Number) ?? []
    for (const x of numbers('x', '(?:rect|text)')) expect(x).toBeLessThan(width - 60)
    for (const y of numbers('y', '(?:rect|text)')) expect(y).toBeLessThan(height)
    expect(svg).toContain('one &lt;seeder&gt; &amp; one leecher')
    const open = [...svg.matchAll(/<(\w+)(?: [^>]*)?(?<!\/)>/g)].map(([, tag]) => tag)
    const close = [...svg.matchAll(/<\/(\w+)>/g)].map(([, tag]) => tag)
    expect(open.sort()).toEqual(close.sort())
  })

  it('says so where nothing was measured', () => {
    expect(draw(picture(results([], [])))).toContain('Nothing was measured')
  })
})

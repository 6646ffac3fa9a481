import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf, makeContent, makeTorrent } from '../bench/content.js'
import { cpuOfStat, memoryOfStatus } from '../bench/meter.js'
import { parseOptions, UsageError } from '../bench/options.js'
import {
  type Build,
  type Cell,
  type ClientId,
  type Figures,
  type Results,
  SCHEMA,
  type ScenarioInfo,
  spread,
} from '../bench/results.js'
import { nextTurn } from '../bench/schedule.js'
import { whenPart } from '../bench/stage.js'
import { kept, loadResults, saveResults } from '../bench/store.js'

const BUILD: Build = { commit: 'a'.repeat(40), dirty: false }
const SCENARIO: ScenarioInfo = {
  id: 'single',
  group: 'single',
  title: '',
  about: '',
  by: 'wall',
  best: 'least',
  parameters: { size: 1, pinned: true },
  extras: {},
}

function cell(client: ClientId, round: number, wall: number | null, more: Partial<Cell> = {}): Cell {
  const head = {
    build: BUILD,
    scenario: 'single',
    parameters: SCENARIO.parameters,
    client,
    version: '1',
    round,
    at: '',
  }
  const end =
    wall === null
      ? { outcome: 'failed' as const, reason: 'no' }
      : { outcome: 'done' as const, figures: { wall, extra: { rate: 1 / wall } } as unknown as Figures }
  return { ...head, ...end, ...more } as Cell
}

/** All turns, each client taking always the same time. */
function play(
  walls: Partial<Record<ClientId, number | null>>,
  by = 'wall',
  best: 'least' | 'most' = 'least',
) {
  const cells: Cell[] = []
  const turns: string[] = []
  const clients = Object.keys(walls) as ClientId[]
  for (let n = 0; n < 100; n++) {
    const turn = nextTurn({ by, best }, clients, 5, cells)
    if (turn === null) break
    turns.push(`${turn.client} ${turn.round}`)
    cells.push(cell(turn.client, turn.round, walls[turn.client] ?? null))
  }
  return turns
}

describe('the order of the rounds', () => {
  it('takes the clients in turn, round after round', () => {
    expect(play({ torrentino: 1, aria2: 2 })).toEqual(
      [1, 2, 3, 4, 5].flatMap((round) => [`torrentino ${round}`, `aria2 ${round}`]),
    )
  })

  it('gives three rounds to who is slower than a third of the best', () => {
    const turns = play({ torrentino: 1, aria2: 3, transmission: 3.1 })
    expect(turns.filter((turn) => turn.startsWith('transmission'))).toHaveLength(3)
    expect(turns.filter((turn) => turn.startsWith('aria2'))).toHaveLength(5)
  })

  it('knows that more may be better', () => {
    const turns = play({ torrentino: 1, transmission: 3.1 }, 'rate', 'most')
    expect(turns.filter((turn) => turn.startsWith('transmission'))).toHaveLength(3)
    expect(turns.filter((turn) => turn.startsWith('torrentino'))).toHaveLength(5)
  })

  it('gives up on who failed twice', () => {
    expect(play({ torrentino: 1, webtorrent: null })).toEqual([
      ...['torrentino 1', 'webtorrent 1', 'torrentino 2', 'webtorrent 2'],
      ...['torrentino 3', 'torrentino 4', 'torrentino 5'],
    ])
  })

  it('goes on where it stopped', () => {
    const cells = [cell('torrentino', 1, 1), cell('aria2', 1, 1), cell('torrentino', 2, 1)]
    expect(nextTurn(SCENARIO, ['torrentino', 'aria2'], 5, cells)).toEqual({ client: 'aria2', round: 2 })
  })
})

describe('resume', () => {
  const dirty = { ...BUILD, dirty: true }

  it('keeps finished cells of the same build and parameters, and all of scenarios that do not run', () => {
    const cells = [
      cell('torrentino', 1, 1),
      cell('torrentino', 2, null),
      cell('torrentino', 3, 1, { build: dirty }),
      cell('torrentino', 4, 1, { parameters: { size: 2, pinned: true } }),
      cell('torrentino', 5, 1, { scenario: 'mesh', build: dirty }),
    ]
    const rounds = (resume: boolean): number[] =>
      kept(cells, [SCENARIO], BUILD, resume).map(({ round }) => round)
    expect(rounds(true)).toEqual([1, 5])
    expect(rounds(false)).toEqual([5])
  })
})

describe('files', () => {
  let dir = ''
  const folder = (): string => (dir = mkdtempSync(join(tmpdir(), 'bench-unit-')))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('gives back what was saved, and nothing of another schema', () => {
    const file = join(folder(), 'docs', 'b.json')
    expect(loadResults(file)).toBeNull()
    const results = { schema: SCHEMA, cells: [cell('aria2', 1, 2)] } as unknown as Results
    saveResults(file, results)
    expect(loadResults(file)).toEqual(results)
    saveResults(file, { ...results, schema: 0 } as unknown as Results)
    expect(loadResults(file)).toBeNull()
  })

  it('makes the same torrent over one file and over several, and sees a changed byte', () => {
    const at = folder()
    const files = [1, 40_000, 0, 7].map((length, n) => ({ path: `p/${n}.bin`, length }))
    const content = makeContent(join(at, 'a'), { name: 'several', files })
    expect(digestOf(content, content.dir)).toBe(content.sha256)
    const again = makeContent(join(at, 'b'), { name: 'several', files })
    expect(again.sha256).toBe(content.sha256)
    const init = { file: join(at, 't.torrent'), pieceLength: 16_384, announce: 'http://10.77.0.1/announce' }
    const torrent = makeTorrent(content, init)
    expect(torrent.pieces).toBe(3)
    expect(torrent.infoHash).toBe(makeTorrent(again, init).infoHash)
    expect(() => digestOf(content, at)).toThrow()
    expect(makeContent(join(at, 'c'), { name: 'other', files }).sha256).not.toBe(content.sha256)
  })
})

describe('what the kernel says', () => {
  it('adds user and system time of a process and its ended children, whatever it is called', () => {
    const stat = `7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 100 50 25 5 20 0 1 0 9 9 9`
    expect(cpuOfStat(stat)).toBeCloseTo(1.8)
  })

  it('reads resident, anonymous and peak memory', () => {
    const status =
      'Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t     300 kB\nVmRSS:\t     200 kB\nRssAnon:\t     100 kB\n'
    expect(memoryOfStatus(status)).toEqual({ peak: 300 * 1024, rss: 200 * 1024, anon: 100 * 1024 })
  })

  it('finds when a part of all bytes had gone by', () => {
    const marks = [0, 500, 980, 990, 1000].map((bytes, n) => ({ at: n, bytes: 7000 + bytes }))
    expect(whenPart(marks, 0.99)).toBe(3)
    expect(whenPart(marks, 1)).toBe(4)
    expect(whenPart([], 1)).toBeNaN()
  })
})

describe('spread', () => {
  it('is the middle, the least and the most', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, count: 3 })
    expect(spread([4, 1])).toEqual({ median: 2.5, min: 1, max: 4, count: 2 })
    expect(spread([])).toBeNull()
  })
})

describe('the command line', () => {
  it('has its defaults', () => {
    expect(parseOptions([])).toMatchObject({
      quick: false,
      only: null,
      rounds: null,
      resume: true,
      minutes: null,
    })
    expect(parseOptions([]).clients).toHaveLength(8)
  })

  it('takes lists and numbers', () => {
    const words =
      '--quick --only single,mesh --clients aria2,torrentino --rounds 2 --scale 0.5 --minutes 9 --again --out x'
    expect(parseOptions(words.split(' '))).toEqual({
      quick: true,
      only: ['single', 'mesh'],
      clients: ['aria2', 'torrentino'],
      rounds: 2,
      scale: 0.5,
      minutes: 9,
      resume: false,
      out: 'x',
    })
  })

  it.each(['--rounds 0', '--rounds 1.5', '--scale -1', '--clients nobody', '--only', '--what'])(
    'refuses %s',
    (line) => {
      expect(() => parseOptions(line.split(' '))).toThrow(UsageError)
    },
  )
})

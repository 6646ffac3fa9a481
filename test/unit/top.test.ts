/** The live list: keys as a terminal sends them, what each does, and the picture, without a terminal. */
import { describe, expect, it } from 'vitest'
import { renderScreen } from '../../ctl/render/screen.js'
import { pieceMap, renderWatch } from '../../ctl/render/watch.js'
import { readKeys } from '../../ctl/top/keys.js'
import { inOrder, press, type Pressed, type Sort, START, type TopState } from '../../ctl/top/state.js'
import { cellWidth } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import type { FileView, PeerView, TorrentView } from '../../shared/views.js'

function torrent(id: number, change: Partial<TorrentView> = {}): TorrentView {
  return {
    id: id as TorrentId,
    infoHash: 'a'.repeat(40),
    infoHashV2: null,
    name: `torrent ${String(id)}`,
    state: 'downloading',
    desired: 'running',
    progress: 0.25,
    checkProgress: null,
    moveProgress: null,
    totalBytes: 4096,
    wantedBytes: 4096,
    doneBytes: 1024,
    downRate: 0,
    upRate: 0,
    downloaded: 0,
    uploaded: 0,
    ratio: null,
    peers: 2,
    seeds: 1,
    eta: null,
    dir: '/downloads',
    private: false,
    pieceLength: 1024,
    pieceCount: 4,
    sequential: false,
    firstLast: false,
    labels: [],
    queuedFor: null,
    queueRank: null,
    seedingTime: 0,
    seedGoals: { ratio: 'default', time: 'default', idle: 'default' },
    goalReached: null,
    downLimit: null,
    upLimit: null,
    addedAt: 0,
    completedAt: null,
    error: null,
    ...change,
  }
}

const MANY = [1, 2, 3, 4, 5, 6].map((id) => torrent(id))
const style = { columns: 80, colour: false, now: 0 }

function type(state: TopState, text: string, torrents: readonly TorrentView[] = MANY): Pressed {
  let pressed: Pressed = { state, action: null }
  for (const key of readKeys(text)) pressed = press(pressed.state, key, torrents, 3)
  return pressed
}

describe('keys', () => {
  it('are read from what a terminal sends, several at once, and foreign ones dropped whole', () => {
    expect(readKeys('\u001b[A\u001bOBp\u001b[6~\u001b[1~\u0003\u001a\r\u001b')).toEqual([
      'up',
      'down',
      { char: 'p' },
      'pageDown',
      'home',
      'interrupt',
      'suspend',
      'enter',
      'escape',
    ])
    expect(readKeys('\u001b[1;5C\u001b[3~q')).toEqual([{ char: 'q' }])
    expect(readKeys('é')).toEqual([{ char: 'é' }])
  })

  it('choose a line, and stay within the list', () => {
    const chosen = (text: string): number | null => type(START, text).state.chosen
    expect(chosen('j')).toBe(2)
    expect(chosen('jj\u001b[A')).toBe(2)
    expect(chosen('\u001b[A')).toBe(1)
    expect(chosen('G')).toBe(6)
    expect(chosen('\u001b[6~')).toBe(4)
    expect(chosen('Gj')).toBe(6)
    expect(chosen('Gg')).toBe(1)
    expect(type(START, 'j', []).state.chosen).toBeNull()
  })

  it('act on the chosen torrent', () => {
    expect(type(START, 'jp').action).toEqual({ kind: 'pause', id: 2 })
    expect(type(START, 'r').action).toEqual({ kind: 'resume', id: 1 })
    expect(type(START, 'v').action).toEqual({ kind: 'verify', id: 1 })
    expect(type(START, 'w').action).toEqual({ kind: 'why', id: 1 })
    expect(type(START, 'p', []).action).toBeNull()
    for (const quit of ['q', '\u0003', '\u001b']) expect(type(START, quit).action).toEqual({ kind: 'quit' })
    expect(type(START, '\u001a').action).toEqual({ kind: 'suspend' })
  })

  it('remove only after a yes, and the one that was asked about', () => {
    const asked = type(START, 'jx').state
    expect(asked.asking).toEqual({ id: 2, name: 'torrent 2', data: false })
    expect(type(asked, 'n')).toEqual({ state: { ...asked, asking: null }, action: null })
    expect(type(asked, '\r').action).toBeNull()
    // The list changed meanwhile.
    expect(press(asked, { char: 'y' }, MANY.slice(2), 3).action).toEqual({
      kind: 'remove',
      id: 2,
      data: false,
    })
    expect(type(START, 'Xy').action).toEqual({ kind: 'remove', id: 1, data: true })
  })

  it('any of them ends an explanation, and does nothing else', () => {
    const reading = { ...START, why: { torrent: torrent(1), causes: [], summary: 's' } }
    expect(type(reading, 'x')).toEqual({ state: { ...reading, why: null }, action: null })
  })
})

it.each<[Sort, number[]]>([
  ['added', [1, 2, 3]],
  ['name', [3, 2, 1]],
  ['done', [2, 3, 1]],
  ['down', [3, 1, 2]],
  ['up', [2, 1, 3]],
  ['state', [3, 1, 2]],
])('by %s they stand in the order %j', (sort, ids) => {
  const torrents = [
    torrent(1, { name: 'c', progress: 0.9, downRate: 5, state: 'downloading' }),
    torrent(2, { name: 'b', progress: 0.1, upRate: 5, state: 'seeding' }),
    torrent(3, { name: 'a', progress: 0.5, downRate: 9, state: 'blocked' }),
  ]
  expect(inOrder(torrents, sort).map(({ id }) => id)).toEqual(ids)
})

describe('the picture', () => {
  it('has a head, bars, the folder of the chosen one, and the keys', () => {
    const torrents = [
      torrent(1, { name: 'one.iso', downRate: 1024 * 1024, eta: 12 }),
      torrent(12, { name: 'two.iso', state: 'seeding', progress: 1, doneBytes: 4096, upRate: 2048 }),
    ]
    const lines = renderScreen({ ...START, chosen: 12 as TorrentId }, torrents, 8, { ...style, columns: 100 })
    expect(lines).toHaveLength(8)
    expect(lines[0]).toMatch(/^2 torrents, 1 downloading, 1 seeding {2,}↓ 1 MiB\/s {2}↑ 2 KiB\/s {2}4 peers$/)
    expect(lines[2]).toMatch(/^ {3}1 one\.iso +━{4}─{12} +25\.0% .*↓1 MiB\/s .* 12s$/)
    expect(lines[3]).toMatch(/^› 12 two\.iso +━{16} +100% .* seeding$/)
    expect(lines.slice(4)).toEqual([
      '',
      '',
      '/downloads',
      '↑↓ choose  p pause  r resume  v verify  w why  x remove  X with files  s sort: added  q quit',
    ])
  })

  it('keeps the chosen line in sight, and never grows over the screen', () => {
    const torrents = Array.from({ length: 50 }, (_, at) => torrent(at + 1))
    for (const chosen of [1, 25, 50]) {
      const lines = renderScreen({ ...START, chosen: chosen as TorrentId }, torrents, 12, style)
      expect(lines).toHaveLength(12)
      expect(lines.filter((line) => line.startsWith('›')).map((line) => line.slice(2, 4).trim())).toEqual([
        String(chosen),
      ])
    }
  })

  it.each([20, 40, 80, 200])(
    'at %d columns no line is wider than the screen, whatever a torrent is called',
    (columns) => {
      const names = ['x'.repeat(300), '\u001b[2J\u202eevil\n', '字'.repeat(80), '']
      const torrents = names.map((name, at) =>
        torrent(at + 1, { name, dir: name, error: at === 1 ? name : null }),
      )
      const why = {
        torrent: torrent(1, { name: names[1]! }),
        causes: [{ kind: 'noPeers' as const, stops: true, sentence: 'word '.repeat(60) }],
        summary: 's',
      }
      for (const state of [
        START,
        { ...START, why },
        { ...START, asking: { id: 1 as TorrentId, name: names[1]!, data: true } },
      ]) {
        for (const line of renderScreen(state, torrents, 24, { ...style, columns })) {
          expect(cellWidth(line)).toBeLessThanOrEqual(columns)
          expect(line).not.toMatch(/[\u0000-\u001f\u202e]/)
        }
      }
    },
  )

  it('asks before it removes, in words that tell files from the list', () => {
    const asking = { id: 1 as TorrentId, name: 'a.iso', data: false }
    const line = (data: boolean): string | undefined =>
      renderScreen({ ...START, asking: { ...asking, data } }, MANY, 12, style).at(-2)
    expect(line(false)).toBe('Remove a.iso; its files stay? y/n')
    expect(line(true)).toBe('Remove a.iso AND DELETE ITS FILES? y/n')
  })
})

describe('watch', () => {
  const field = (size: number, ...pieces: number[]): Bitfield => {
    const have = new Bitfield(size)
    for (const piece of pieces) have.set(piece)
    return have
  }
  const peer = (address: string, downRate: number): PeerView => ({
    address,
    client: 'x',
    direction: 'out',
    source: 'tracker',
    encryption: 'none',
    progress: 1,
    downRate,
    upRate: 0,
    downloaded: 0,
    uploaded: 0,
    amChoking: true,
    amInterested: true,
    peerChoking: false,
    peerInterested: false,
  })
  const file = (index: number, doneBytes: number): FileView => ({
    index,
    path: `folder/${String(index)}.mkv`,
    length: 100,
    doneBytes,
    wanted: true,
    priority: 'normal',
  })

  it('maps pieces to cells: full only where all are there, empty only where none is', () => {
    expect(pieceMap(field(4, 0, 2), 10)).toEqual(['█ █ '])
    expect(pieceMap(field(40, ...Array.from({ length: 21 }, (_, at) => at)), 10)).toHaveLength(4)
    const shades = pieceMap(field(1600, 0, 1, 2, 3, ...[4], ...[8, 9], ...[12, 13, 14]), 100)
    expect(shades).toHaveLength(4)
    expect(shades[0]?.slice(0, 5)).toBe('█░▒▓ ')
    expect(pieceMap(field(0), 10)).toEqual([])
  })

  it('at 80 by 24: head, map, peers with the fastest first, files with the unfinished first', () => {
    const watched = {
      torrent: torrent(3, { name: 'a \u202e name' }),
      have: field(40, 0, 1, 2, 3, 30),
      peers: [peer('10.0.0.1:1', 5), peer('10.0.0.2:2', 4096)],
      files: [file(0, 100), file(1, 50)],
      notice: { text: 'paused', bad: false },
    }
    expect(renderWatch(watched, 24, style).join('\n')).toMatchInlineSnapshot(`
      "3 a \\u202e name
      downloading ━━━━──────────── 25.0%  1 KiB/4 KiB      ↓0 B/s  ↑0 B/s 2p

      5 of 40 pieces
      ████                          █         

      PEER        CLIENT       HAS     DOWN  UP  FLAGS
      10.0.0.2:2  x           100%  4 KiB/s   -  D
      10.0.0.1:1  x           100%    5 B/s   -  D

      NO  FILE           SIZE   DONE  PRIORITY
       2  folder/1.mkv  100 B  50.0%  normal
       1  folder/0.mkv  100 B   100%  normal









      paused
      p pause  r resume  v verify  a announce  q quit"
    `)
  })

  it('is never higher or wider than the screen', () => {
    const watched = {
      torrent: torrent(3, { name: '映'.repeat(100), error: 'e'.repeat(200) }),
      have: field(100_000, 5),
      peers: Array.from({ length: 100 }, (_, at) => peer(`[2001:db8:1:2:3:4:5:${String(at)}]:65535`, at)),
      files: Array.from({ length: 100 }, (_, at) => file(at, at)),
      notice: null,
    }
    for (const [columns, rows] of [
      [80, 24],
      [120, 40],
      [40, 10],
      [60, 3],
    ] as const) {
      const lines = renderWatch(watched, rows, { ...style, columns })
      expect(lines.length).toBeLessThanOrEqual(rows)
      if (columns >= 60) for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(columns)
    }
  })

  it('a magnet link has no pieces yet', () => {
    const lines = renderWatch(
      { torrent: torrent(3, { pieceCount: 0 }), have: null, peers: [], files: [], notice: null },
      24,
      style,
    )
    expect(lines.join('\n')).toContain('No pieces are known yet.')
  })
})

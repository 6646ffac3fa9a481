import { describe, expect, it } from 'vitest'
import { renderPlan } from '../../ctl/render/removal.js'
import type { Style } from '../../ctl/render/style.js'
import { cellWidth } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import type { RemovalPlanView } from '../../shared/views.js'

const at = (columns: number): Style => ({ columns, colour: false, now: 0 })
const PLAN: RemovalPlanView = {
  id: 3 as TorrentId,
  name: 'show',
  dir: '/data/torrents',
  files: [
    {
      path: 'show/Season 01/A very long name of the first episode, in full (2160p).mkv',
      bytes: 4_000_000_000,
      linked: false,
    },
    { path: 'show/two.mkv.part', bytes: 2_000_000, linked: true },
  ],
  bytes: 4_002_000_000,
  freedBytes: 4_000_000_000,
  stays: ['show/mine/', 'show/notes.txt'],
  moreStays: 2,
}
const HOSTILE = 'a\u001b[2J\r\n\u202egpj.exe'
const HARMFUL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

describe('the plan of a removal', () => {
  it('names what goes, what stays, and what comes free, at 80 columns', () => {
    expect(renderPlan(PLAN, true, at(80))).toMatchInlineSnapshot(`
      "3 show: would be forgotten, and 2 files, 3.7 GiB deleted from /data/torrents (3.7 GiB come free)
      PLAN    FILE                                              SIZE  NOTE
      delete  show/Season 01/A very …e, in full (2160p).mkv  3.7 GiB
      delete  show/two.mkv.part                              1.9 MiB  has another name
      stays   show/mine/                                           -  not its own
      stays   show/notes.txt                                       -  not its own
      and 2 more that stay
      "
    `)
  })
  it('at 120 columns', () => {
    expect(renderPlan(PLAN, true, at(120))).toMatchInlineSnapshot(`
      "3 show: would be forgotten, and 2 files, 3.7 GiB deleted from /data/torrents (3.7 GiB come free)
      PLAN    FILE                                                                          SIZE  NOTE
      delete  show/Season 01/A very long name of the first episode, in full (2160p).mkv  3.7 GiB
      delete  show/two.mkv.part                                                          1.9 MiB  has another name
      stays   show/mine/                                                                       -  not its own
      stays   show/notes.txt                                                                   -  not its own
      and 2 more that stay
      "
    `)
  })
  it('in a pipe, with exact sizes', () => {
    expect(renderPlan(PLAN, true, { ...at(Infinity), exact: true })).toMatchInlineSnapshot(`
      "3 show: would be forgotten, and 2 files, 4002000000 deleted from /data/torrents (4000000000 come free)
      PLAN    FILE                                                                             SIZE  NOTE
      delete  show/Season 01/A very long name of the first episode, in full (2160p).mkv  4000000000
      delete  show/two.mkv.part                                                             2000000  has another name
      stays   show/mine/                                                                          -  not its own
      stays   show/notes.txt                                                                      -  not its own
      and 2 more that stay
      "
    `)
  })
  it('without --data nothing of the files is touched', () => {
    expect(renderPlan(PLAN, false, at(80))).toBe(
      '3 show: would be forgotten; its files stay in /data/torrents\n',
    )
  })
  it('lets no name act on the terminal, and fits', () => {
    const [file] = PLAN.files
    if (file === undefined) throw new Error('no file')
    const plan = {
      ...PLAN,
      name: HOSTILE,
      dir: HOSTILE,
      files: [{ ...file, path: HOSTILE }],
      stays: [HOSTILE],
    }
    const text = renderPlan(plan, true, at(80))
    expect(text).not.toMatch(HARMFUL)
    for (const line of text.split('\n').slice(1)) expect(cellWidth(line)).toBeLessThanOrEqual(80)
  })
})

import { describe, expect, it } from 'vitest'
import { renderPlan } from '../../ctl/render/removal.js'
import type { Style } from '../../ctl/render/style.js'
import { renderTrash } from '../../ctl/render/trash.js'
import { cellWidth } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import type { RemovalPlanView, TrashView } from '../../shared/views.js'

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
      "3 show: would be forgotten, and 2 files, 3.7 GiB deleted from /data/torrents
        (3.7 GiB come free)
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

describe('the trash', () => {
  const now = 1_700_000_000_000
  const one: TrashView = {
    id: 3 as TorrentId,
    infoHash: 'ab'.repeat(20),
    infoHashV2: null,
    name: 'A very long name of a show, Season 01, complete and with everything that belongs to it',
    data: true,
    bytes: 4_002_000_000,
    dir: '/data/torrents',
    removedAt: now - 3_600_000,
    until: now + 6 * 86_400_000,
    by: 'torrentinoctl',
  }
  const trash = [one, { ...one, id: 12 as TorrentId, name: 'plain', data: false, bytes: 0, until: now - 1 }]
  const style = (columns: number): Style => ({ ...at(columns), now })

  it('is a table at 80 columns', () => {
    expect(renderTrash(trash, 4_002_000_000, style(80))).toMatchInlineSnapshot(`
      "ID  NAME                                           SIZE  GOES IN  FROM
       3  A very long name of a…g that belongs to it  3.7 GiB    6d 0h  /data/torrents
      12  plain                                             -      now  /data/torrents
      2 torrents, 3.7 GiB of files; torrentinoctl undo ID brings one back
      "
    `)
  })
  it('is a table at 120 columns', () => {
    expect(renderTrash(trash, 4_002_000_000, style(120))).toMatchInlineSnapshot(`
      "ID  NAME                                                                                   SIZE  GOES IN  FROM
       3  A very long name of a show, Season 01, co…e and with everything that belongs to it  3.7 GiB    6d 0h  /data/torrents
      12  plain                                                                                     -      now  /data/torrents
      2 torrents, 3.7 GiB of files; torrentinoctl undo ID brings one back
      "
    `)
  })
  it('is a table in a pipe', () => {
    expect(renderTrash(trash, 4_002_000_000, style(Infinity))).toMatchInlineSnapshot(`
      "ID  NAME                                                                                       SIZE  GOES IN  FROM
       3  A very long name of a show, Season 01, complete and with everything that belongs to it  3.7 GiB    6d 0h  /data/torrents
      12  plain                                                                                         -      now  /data/torrents
      2 torrents, 3.7 GiB of files; torrentinoctl undo ID brings one back
      "
    `)
  })
  it('says that it is empty, and lets no name act on the terminal', () => {
    expect(renderTrash([], 0, style(80))).toBe('The trash is empty.\n')
    const text = renderTrash([{ ...one, name: HOSTILE, dir: HOSTILE }], 1, style(80))
    expect(text).not.toMatch(HARMFUL)
    for (const line of text.split('\n')) expect(cellWidth(line)).toBeLessThanOrEqual(80)
  })
})

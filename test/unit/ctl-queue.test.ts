/** The queue and goals of seeding as people read them. */
import { describe, expect, it } from 'vitest'
import { renderEvent } from '../../ctl/render/events.js'
import { goalsText } from '../../ctl/render/goals.js'
import { renderList } from '../../ctl/render/list.js'
import { renderQueue } from '../../ctl/render/queue.js'
import { renderShow } from '../../ctl/render/show.js'
import type { Style } from '../../ctl/render/style.js'
import type { TorrentDetail } from '../../shared/rpc/contract.js'
import type { TorrentId } from '../../shared/units.js'
import type { QueueEntryView, QueueView, TorrentView } from '../../shared/views.js'
import { torrentView } from '../support/fake-handlers.js'

const at = (columns: number): Style => ({ columns, colour: false, now: 1_700_000_600_000 })
const HOSTILE = 'ubuntu\u001b]0;pwned\u0007\u001b[2J\r\n\u202egpj.exe'

function entry(rank: number, over: Partial<TorrentView>, stalled = false): QueueEntryView {
  const torrent = torrentView(rank + 10, { eta: null, progress: 0.5, downRate: 0, upRate: 0, ...over })
  return { rank, for: torrent.progress === 1 ? 'seed' : 'download', stalled, torrent }
}

const waits = { state: 'queued', queuedFor: 'download' } as const
const queue: QueueView = {
  downloads: 2,
  seeds: null,
  stalled: 300,
  order: [
    entry(1, { name: 'debian-12.9.0-amd64-netinst.iso', downRate: 2_097_152 }),
    entry(2, { name: 'a dead one' }, true),
    entry(3, { name: 'at once', desired: 'forced' }),
    entry(4, { name: HOSTILE }),
    entry(5, { name: 'paused', state: 'paused', desired: 'paused' }),
    entry(6, { ...waits, queueRank: 6, name: 'a film of a rather long name (1080p) with everything.mkv' }),
  ],
}

describe('queue', () => {
  it('says who has a place and who waits, in 80 columns and in 120', () => {
    expect(renderQueue(queue, at(80))).toMatchInlineSnapshot(`
      "2 torrents at once may download (queue.downloads).
      RANK  ID  NAME                        STATE        PLACE           DONE     DOWN
         1  11  debian-12.9.0…-netinst.iso  downloading  taken          50.0%  2 MiB/s
         2  12  a dead one                  downloading  none: stalled  50.0%        -
         3  13  at once                     downloading  none: now      50.0%        -
         4  14  ubuntu\\x1b]0;…u202egpj.exe  downloading  taken          50.0%        -
         5  15  paused                      paused       -              50.0%        -
         6  16  a film of a r…erything.mkv  queued #6    waits          50.0%        -
      "
    `)
    expect(renderQueue(queue, at(120))).toMatchInlineSnapshot(`
      "2 torrents at once may download (queue.downloads).
      RANK  ID  NAME                                                      STATE        PLACE           DONE     DOWN  UP
         1  11  debian-12.9.0-amd64-netinst.iso                           downloading  taken          50.0%  2 MiB/s   -
         2  12  a dead one                                                downloading  none: stalled  50.0%        -   -
         3  13  at once                                                   downloading  none: now      50.0%        -   -
         4  14  ubuntu\\x1b]0;pwned\\x07\\x1b[2J\\r\\n\\u202egpj.exe            downloading  taken          50.0%        -   -
         5  15  paused                                                    paused       -              50.0%        -   -
         6  16  a film of a rather long name (1080p) with everything.mkv  queued #6    waits          50.0%        -   -
      "
    `)
  })

  it('shows seeds where they are limited, and says where there is nothing', () => {
    const seed = entry(1, { name: 's', state: 'seeding', progress: 1 })
    const next = entry(2, { name: 't', state: 'queued', queuedFor: 'seed', queueRank: 2, progress: 1 })
    expect(renderQueue({ ...queue, downloads: null, seeds: 1, order: [seed, next] }, at(80)))
      .toMatchInlineSnapshot(`
      "All torrents download at once (queue.downloads). Nothing is left to download.

      1 torrent at once may seed (queue.seeds).
      RANK  ID  NAME        STATE      PLACE  DONE  DOWN
         1  11  s           seeding    taken  100%     -
         2  12  t           queued #2  waits  100%     -
      "
    `)
    expect(renderQueue({ ...queue, order: [] }, at(80))).toMatchInlineSnapshot(`
      "2 torrents at once may download (queue.downloads). Nothing is left to download.
      "
    `)
  })
})

describe('list and show', () => {
  const detail = (over: Partial<TorrentView>): TorrentDetail => ({
    ...torrentView(3, over),
    fileCount: 1,
    wantedFileCount: 1,
    comment: null,
    createdBy: null,
    createdAt: null,
    trackers: [],
    webSeeds: [],
    wasted: 0,
  })
  const line = (text: string, title: string): string | undefined =>
    text.split('\n').find((each) => each.startsWith(title))

  it('tell the rank of one that waits', () => {
    const view = { ...waits, queueRank: 7, name: 'a', downRate: 0, eta: null }
    expect(renderList([torrentView(3, view)], at(80))).toMatchInlineSnapshot(`
      "ID  NAME        STATE       DONE   SIZE  DOWN  ETA
       3  a           queued #7  25.0%  1 GiB     -    -
      "
    `)
    expect(line(renderShow(detail(view), at(80)), 'State')).toBe('State      queued for download at rank 7')
    const forced = renderShow(detail({ desired: 'forced' }), at(80))
    expect(line(forced, 'State')).toBe('State      downloading (past the queue)')
  })

  it('tell the goal that paused one', () => {
    const view: Partial<TorrentView> = {
      ...{ name: 'a', state: 'paused', desired: 'paused', progress: 1, downRate: 0, eta: null, ratio: 2 },
      goalReached: 'ratio 2.00',
      seedingTime: 90_000,
      seedGoals: { ratio: 2, time: 'none', idle: 'default' },
    }
    expect(renderList([torrentView(3, view)], at(80))).toMatchInlineSnapshot(`
      "ID  NAME        STATE   DONE   SIZE  DOWN  ETA
       3  a           paused  100%  1 GiB     -    -
      3: paused: its goal is reached, ratio 2.00
      "
    `)
    const shown = renderShow(detail(view), at(80))
    expect(line(shown, 'State')).toBe('State      paused: its goal is reached, ratio 2.00')
    expect(line(shown, 'Seeding')).toBe(
      'Seeding    1d 1h in all; seeding ends at ratio 2.00, as seed.idle says',
    )
  })
})

it('goals in words', () => {
  expect(goalsText({ ratio: 'default', time: 'default', idle: 'default' })).toBe('seeds as the settings say')
  expect(goalsText({ ratio: 'none', time: 'none', idle: 'none' })).toBe('seeds for ever')
  expect(goalsText({ ratio: 'default', time: 604_800, idle: 1800 })).toBe(
    'seeding ends as seed.ratio says, after 7d 0h of seeding, after 30m 00s without an upload',
  )
})

it('events of both', () => {
  const told = (kind: string, data: Record<string, unknown>): string =>
    renderEvent({ seq: 1, at: 0, kind, torrent: 3 as TorrentId, caller: '', data }, at(120)).trim()
  expect(told('goal', { name: 'a', goal: 'ratio 2.00' })).toMatch(
    / a: paused: its goal is reached, ratio 2\.00$/,
  )
  expect(told('goals', { name: 'a', ratio: 2, time: 'none', idle: 7 })).toMatch(
    / a: seeding ends at ratio 2\.00, after 7s without an upload$/,
  )
  expect(told('resumed', { name: 'a', now: true })).toMatch(/ a: past the queue$/)
})

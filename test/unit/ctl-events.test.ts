import { describe, expect, it } from 'vitest'
import { renderEvent, renderEventsHead } from '../../ctl/render/events.js'
import type { Style } from '../../ctl/render/style.js'
import type { EventView } from '../../shared/rpc/contract.js'
import { cellWidth } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'

const at = (columns: number): Style => ({ columns, colour: false, now: 1_700_000_600_000 })
const HOSTILE = 'ubuntu\u001b]0;pwned\u0007\u001b[2J\r\n\u202egpj.exe \u0000\u009b31m'
/** What a terminal would act on. */
const HARMFUL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

let seq = 0
const event = (kind: string, data: EventView['data'], caller = ''): EventView => ({
  seq: ++seq,
  at: 1_700_000_000_000 + seq * 1000,
  kind,
  torrent: 3 as TorrentId,
  caller,
  data,
})

const name = 'debian-12.9.0-amd64-netinst.iso'
const EVENTS = [
  event('added', { name, dir: '/data/torrents' }, 'torrentinoctl'),
  event('metadata', { name }),
  event('checked', { name, why: 'asked', pieces: 1 }),
  event('selected', { name, files: 2 }, 'torrentinoctl'),
  event('paused', { name }, 'a client with quite a long name'),
  event('resumed', { name }, 'torrentinoctl'),
  event('completed', { name, bytes: 661_651_456 }),
  event('blocked', {
    name,
    reason: 'The folder /data/torrents is not there; it goes on by itself when it is.',
  }),
  event('recovered', { name, reason: 'x' }),
  event('moved', { name, from: '/data/torrents', to: '/films' }, 'torrentinoctl'),
  event('moveFailed', { name, reason: 'The disk is full.' }, 'torrentinoctl'),
  event('removed', { name, data: false }, 'torrentinoctl'),
  event('removed', { name, data: true }, 'torrentinoctl'),
  event('limited', { name, down: 1_048_576, up: null }, 'torrentinoctl'),
  { ...event('restarted', { why: 'later' }), torrent: null },
]

const drawn = (style: Style): string =>
  renderEventsHead(style) + EVENTS.map((each) => renderEvent(each, style)).join('')

describe('events', () => {
  it.each([80, 120])('fit %i columns', (columns) => {
    for (const line of drawn(at(columns)).split('\n')) expect(cellWidth(line)).toBeLessThanOrEqual(columns)
  })

  it('at 80 columns', () => {
    expect(drawn(at(80))).toMatchInlineSnapshot(`
      "   SEQ  TIME            EVENT         ID  WHO            WHAT
           1  11-14 22:13:21  added          3  torrentinoctl  deb…iso: into /data/to…
           2  11-14 22:13:22  metadata       3  -              debian-12.9.0-amd64-ne…
           3  11-14 22:13:23  checked        3  -              deb…iso: 1 piece read …
           4  11-14 22:13:24  selected       3  torrentinoctl  deb…iso: 2 files chosen
           5  11-14 22:13:25  paused         3  a client wit…  debian-12.9.0-amd64-ne…
           6  11-14 22:13:26  resumed        3  torrentinoctl  debian-12.9.0-amd64-ne…
           7  11-14 22:13:27  completed      3  -              debian-…st.iso: 631 MiB
           8  11-14 22:13:28  blocked        3  -              deb…iso: The folder /d…
           9  11-14 22:13:29  recovered      3  -              debian-…st.iso: goes on
          10  11-14 22:13:30  moved          3  torrentinoctl  deb…iso: from /data/to…
          11  11-14 22:13:31  moveFailed     3  torrentinoctl  deb…iso: The disk is f…
          12  11-14 22:13:32  removed        3  torrentinoctl  deb…iso: its files stay
          13  11-14 22:13:33  removed        3  torrentinoctl  deb…iso: with its files
          14  11-14 22:13:34  limited        3  torrentinoctl  deb…iso: down 1 MiB/s,…
          15  11-14 22:13:35  restarted      -  -              {"why":"later"}
      "
    `)
  })

  it('at 120 columns', () => {
    expect(drawn(at(120))).toMatchInlineSnapshot(`
      "   SEQ  TIME                  EVENT         ID  WHO            WHAT
           1  2023-11-14 22:13:21Z  added          3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: into /data/torrents
           2  2023-11-14 22:13:22Z  metadata       3  -              debian-12.9.0-amd64-netinst.iso
           3  2023-11-14 22:13:23Z  checked        3  -              debian-12.9.0-amd64-netinst.iso: 1 piece read again
           4  2023-11-14 22:13:24Z  selected       3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: 2 files chosen
           5  2023-11-14 22:13:25Z  paused         3  a client wit…  debian-12.9.0-amd64-netinst.iso
           6  2023-11-14 22:13:26Z  resumed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso
           7  2023-11-14 22:13:27Z  completed      3  -              debian-12.9.0-amd64-netinst.iso: 631 MiB
           8  2023-11-14 22:13:28Z  blocked        3  -              debian-12…tinst.iso: The folder /data/torrents is not th…
           9  2023-11-14 22:13:29Z  recovered      3  -              debian-12.9.0-amd64-netinst.iso: goes on
          10  2023-11-14 22:13:30Z  moved          3  torrentinoctl  debian-12.9.0…-netinst.iso: from /data/torrents to /films
          11  2023-11-14 22:13:31Z  moveFailed     3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: The disk is full.
          12  2023-11-14 22:13:32Z  removed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: its files stay
          13  2023-11-14 22:13:33Z  removed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: with its files
          14  2023-11-14 22:13:34Z  limited        3  torrentinoctl  debian-12.9.…-netinst.iso: down 1 MiB/s, up without limit
          15  2023-11-14 22:13:35Z  restarted      -  -              {"why":"later"}
      "
    `)
  })

  it('are whole in a pipe', () => {
    expect(drawn(at(Infinity))).toMatchInlineSnapshot(`
      "   SEQ  TIME                  EVENT         ID  WHO            WHAT
           1  2023-11-14 22:13:21Z  added          3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: into /data/torrents
           2  2023-11-14 22:13:22Z  metadata       3  -              debian-12.9.0-amd64-netinst.iso
           3  2023-11-14 22:13:23Z  checked        3  -              debian-12.9.0-amd64-netinst.iso: 1 piece read again
           4  2023-11-14 22:13:24Z  selected       3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: 2 files chosen
           5  2023-11-14 22:13:25Z  paused         3  a client wit…  debian-12.9.0-amd64-netinst.iso
           6  2023-11-14 22:13:26Z  resumed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso
           7  2023-11-14 22:13:27Z  completed      3  -              debian-12.9.0-amd64-netinst.iso: 631 MiB
           8  2023-11-14 22:13:28Z  blocked        3  -              debian-12.9.0-amd64-netinst.iso: The folder /data/torrents is not there; it goes on by itself when it is.
           9  2023-11-14 22:13:29Z  recovered      3  -              debian-12.9.0-amd64-netinst.iso: goes on
          10  2023-11-14 22:13:30Z  moved          3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: from /data/torrents to /films
          11  2023-11-14 22:13:31Z  moveFailed     3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: The disk is full.
          12  2023-11-14 22:13:32Z  removed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: its files stay
          13  2023-11-14 22:13:33Z  removed        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: with its files
          14  2023-11-14 22:13:34Z  limited        3  torrentinoctl  debian-12.9.0-amd64-netinst.iso: down 1 MiB/s, up without limit
          15  2023-11-14 22:13:35Z  restarted      -  -              {"why":"later"}
      "
    `)
  })

  it('of a hostile torrent, caller and kind do nothing to the terminal', () => {
    for (const kind of ['added', 'blocked', 'moved', HOSTILE]) {
      const data = { name: HOSTILE, dir: HOSTILE, reason: HOSTILE, from: HOSTILE, to: HOSTILE }
      const line = renderEvent(event(kind, data, HOSTILE), at(Infinity))
      expect(line.slice(0, -1)).not.toMatch(HARMFUL)
      expect(line.endsWith('\n')).toBe(true)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { renderAdded } from '../../ctl/render/added.js'
import { announcedText } from '../../ctl/render/announced.js'
import { renderBars, renderProgressLine } from '../../ctl/render/bar.js'
import { renderEvent } from '../../ctl/render/events.js'
import { renderFiles } from '../../ctl/render/files.js'
import { renderList, renderRest } from '../../ctl/render/list.js'
import { renderPeers } from '../../ctl/render/peers.js'
import { renderSettings } from '../../ctl/render/settings.js'
import { limitText, renderShow } from '../../ctl/render/show.js'
import { renderStatus, renderStatusLine, renderWelcome } from '../../ctl/render/status.js'
import type { Style } from '../../ctl/render/style.js'
import { readTemplate, renderTemplate } from '../../ctl/render/template.js'
import { answerText, renderTrackers } from '../../ctl/render/trackers.js'
import type { TorrentDetail } from '../../shared/rpc/contract.js'
import { cellWidth } from '../../shared/text.js'
import type { TorrentId } from '../../shared/units.js'
import type { DaemonView, FileView, PeerView, TrackerView } from '../../shared/views.js'
import { torrentView } from '../support/fake-handlers.js'

const at = (columns: number, colour = false): Style => ({ columns, colour, now: 1_700_000_600_000 })
const NARROW = at(80)
const WIDE = at(120)

const HOSTILE = 'ubuntu\u001b]0;pwned\u0007\u001b[2J\r\n\u202egpj.exe \u0000\u009b31m'
/** What a terminal would act on. */
const HARMFUL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

const torrents = [
  torrentView(1, { name: 'debian-12.9.0-amd64-netinst.iso', eta: 384 }),
  torrentView(2, {
    name: 'Some Very Long Name of a Series (2024) Season 01 [1080p] complete with everything.mkv',
    state: 'seeding',
    progress: 1,
    doneBytes: 1_073_741_824,
    downRate: 0,
    upRate: 1_048_576,
    eta: null,
    ratio: 1.5,
  }),
  torrentView(13, {
    name: '映画のサウンドトラック 🎬 完全版',
    state: 'checking',
    checkProgress: 0.42,
    moveProgress: null,
    downRate: 0,
    eta: null,
  }),
  torrentView(104, {
    name: 'full-disk',
    state: 'blocked',
    error: 'no space left in /data/torrents: 3.2 GiB are missing; it goes on by itself when there is room',
    downRate: 0,
    eta: null,
    ratio: null,
  }),
]

const detail: TorrentDetail = {
  ...torrentView(3, { name: 'show', error: null, completedAt: null }),
  fileCount: 3,
  wantedFileCount: 2,
  comment: 'made for a test',
  createdBy: 'mktorrent 1.1',
  createdAt: 1_600_000_000_000,
  trackers: [
    {
      tier: 0,
      url: 'http://tracker.example/announce',
      status: 'failing',
      message: 'the server answers 503',
      failures: 3,
      lastAnswerAt: null,
      lastFailureAt: 1_700_000_580_000,
      nextAnnounceAt: 1_700_000_900_000,
      seeds: null,
      leechers: null,
      scrapedAt: null,
      downloads: null,
      peers: null,
      before: null,
    },
  ],
  webSeeds: ['http://mirror.example/show/'],
  wasted: 16_384,
}

const files: FileView[] = [
  {
    index: 0,
    path: 'show/one.mkv',
    length: 1_000_000_000,
    doneBytes: 1_000_000_000,
    wanted: true,
    priority: 'normal',
  },
  {
    index: 1,
    path: 'show/extras/a rather long name for a file that lies deep in folders and tells much.mkv',
    length: 2_000_000_000,
    doneBytes: 500_000_000,
    wanted: true,
    priority: 'high',
  },
  { index: 11, path: 'show/notes.txt', length: 0, doneBytes: 0, wanted: false, priority: 'skip' },
]

const daemon: DaemonView = {
  version: '0.1.0',
  contract: '1.0',
  pid: 4711,
  home: '/home/kim/.local/state/torrentino',
  owner: 'person',
  uptime: 3661,
  listen: { host: '0.0.0.0', port: 20_000, error: null },
  torrents: { total: 4, byState: { downloading: 1, seeding: 3 } },
  connections: 12,
  downRate: 2_097_152,
  upRate: 10_240,
  downloadDir: '/home/kim/Downloads',
  scope: 'internet',
  lsd: { enabled: true, reason: null, torrents: 2, families: [4, 6], sent: 9, heard: 7, found: 1 },
  rssBytes: 83_886_080,
  loopDelay: { p99: 2, max: 11, samples: 3000 },
  buffers: { slab: 5_242_880, slabLimit: 33_554_432, frames: 1_048_576, checks: 0 },
  queues: { hash: 3, lanes: 1, reads: 0, checks: 0, oldest: 4 },
  latency: {
    write: { last: 3, slowest: 12 },
    sync: { last: 40, slowest: null },
    store: { last: null, slowest: null },
  },
  stalls: { count: 2, longest: 412, phase: 'disk' },
  faults: { peers: 1, torrents: 2 },
  trash: { torrents: 0, bytes: 0 },
  settingsMistake: null,
  database: { problem: null, notice: null },
}

function lines(text: string): string[] {
  expect(text.endsWith('\n')).toBe(true)
  return text.slice(0, -1).split('\n')
}

describe('list', () => {
  it('at 80 columns', () => {
    expect(renderList(torrents, NARROW)).toMatchInlineSnapshot(`
      " ID  NAME                          STATE            DONE   SIZE     DOWN     ETA
        1  debian-12.9.0-…4-netinst.iso  downloading     25.0%  1 GiB  2 MiB/s  6m 24s
        2  Some Very Long…verything.mkv  seeding          100%  1 GiB        -       -
       13  映画のサウンド…ク 🎬 完全版   checking 42.0%  25.0%  1 GiB        -       -
      104  full-disk                     blocked         25.0%  1 GiB        -       -
      104: no space left in /data/torrents: 3.2 GiB are missing; it goes on by
         itself when there is room
      "
    `)
  })

  it('at 120 columns', () => {
    expect(renderList(torrents, WIDE)).toMatchInlineSnapshot(`
      " ID  NAME                                          STATE            DONE   SIZE     DOWN        UP  PEERS  RATIO     ETA
        1  debian-12.9.0-amd64-netinst.iso               downloading     25.0%  1 GiB  2 MiB/s  10 KiB/s   4/12   0.10  6m 24s
        2  Some Very Long Name of…e with everything.mkv  seeding          100%  1 GiB        -   1 MiB/s   4/12   1.50       -
       13  映画のサウンドトラック 🎬 完全版              checking 42.0%  25.0%  1 GiB        -  10 KiB/s   4/12   0.10       -
      104  full-disk                                     blocked         25.0%  1 GiB        -  10 KiB/s   4/12      -       -
      104: no space left in /data/torrents: 3.2 GiB are missing; it goes on by itself when there is room
      "
    `)
  })

  it.each([60, 80, 100, 110, 120, 200])('keeps its table within %i cells', (columns) => {
    const table = lines(renderList(torrents, at(columns))).slice(0, torrents.length + 1)
    for (const line of table) expect(cellWidth(line)).toBeLessThanOrEqual(columns)
  })

  it('cuts nothing in a pipe', () => {
    expect(renderList(torrents, at(Infinity))).toContain(torrents[1]?.name)
  })

  it('colours without moving a cell', () => {
    const coloured = renderList(torrents, at(80, true))
    expect(coloured).toContain('\u001b[32mseeding')
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(renderList(torrents, NARROW))
  })

  it('says what to do where there is nothing', () => {
    expect(renderList([], NARROW)).toBe('No torrents yet. Add one: torrentinoctl add FILE\n')
  })

  it('tells the rest in one line', () => {
    expect(renderRest(torrents.slice(1, 3))).toBe('2 torrents complete: 1 seeding, 1 checking\n')
    expect(renderRest([])).toBe('')
  })
})

describe('show', () => {
  it('at 80 columns', () => {
    expect(renderShow(detail, NARROW)).toMatchInlineSnapshot(`
      "Torrent     3
      Name        show
      State       downloading
      Done        25.0%  256 MiB of 1 GiB, 6m 24s left
      Down        2 MiB/s, 286 MiB in all
      Up          10 KiB/s, 28.6 MiB in all
      Ratio       0.10
      Wasted      16 KiB
      Peers       12, 4 seeds among them
      Files       2 of 3 files
      Size        1 GiB in 4096 pieces of 256 KiB
      Folder      /data/torrents
      Info hash   e5b0b1295e11f3576ccaee63db5b43abc8ba7fab
      Private     no
      Added       2023-11-14 22:13:20Z
      Created     2020-09-13 12:26:40Z
      Created by  mktorrent 1.1
      Comment     made for a test
      Trackers    http://tracker.example/announce  failing: the server answers 503
      Web seeds   http://mirror.example/show/
      "
    `)
  })

  it('at 120 columns is the same: it has no table', () => {
    expect(renderShow(detail, WIDE)).toBe(renderShow(detail, NARROW))
  })

  it('survives a date from a far future, or none', () => {
    expect(renderShow({ ...detail, createdAt: 1_452_468_725_091_000 }, NARROW)).toMatch(
      /Created +\+047996-11-25 /,
    )
    expect(renderShow({ ...detail, createdAt: 9e15 }, NARROW)).toMatch(/Created +-\n/)
  })

  it('tells the problem, and a pause that is under way', () => {
    const text = renderShow({ ...detail, state: 'blocked', desired: 'paused', error: 'no room' }, NARROW)
    expect(text).toContain('State       blocked (to be paused)')
    expect(text).toContain('Problem     no room')
  })
})

describe('files', () => {
  it('at 80 columns', () => {
    expect(renderFiles(files, NARROW)).toMatchInlineSnapshot(`
      "NO  FILE                                                   SIZE   DONE  PRIORITY
       1  show/one.mkv                                        954 MiB   100%  normal
       2  show/extras/a rather long…lders and tells much.mkv  1.9 GiB  25.0%  high
      12  show/notes.txt                                          0 B   100%  skip
      "
    `)
  })

  it('at 120 columns', () => {
    expect(renderFiles(files, WIDE)).toMatchInlineSnapshot(`
      "NO  FILE                                                                                       SIZE   DONE  PRIORITY
       1  show/one.mkv                                                                            954 MiB   100%  normal
       2  show/extras/a rather long name for a file that lies deep in folders and tells much.mkv  1.9 GiB  25.0%  high
      12  show/notes.txt                                                                              0 B   100%  skip
      "
    `)
  })
})

describe('peers, trackers, settings, status', () => {
  const peer: PeerView = {
    address: '[2001:db8::7]:51413',
    client: 'qBittorrent 4.6.7',
    direction: 'in',
    source: 'incoming',
    encryption: 'none',
    progress: 0.5,
    downRate: 1_048_576,
    upRate: 0,
    downloaded: 100_000_000,
    uploaded: 0,
    amChoking: true,
    amInterested: true,
    peerChoking: false,
    peerInterested: true,
  }
  const [tracker] = detail.trackers

  it.each([
    ['none', 'DuI'],
    ['handshake', 'DuIe'],
    ['rc4', 'DuIE'],
  ] as const)('a peer with encryption: %s', (encryption, flags) => {
    expect(renderPeers([{ ...peer, encryption }], NARROW).split('\n')[1]).toMatch(new RegExp(` ${flags}$`))
  })

  it('peers', () => {
    expect(renderPeers([peer], NARROW)).toMatchInlineSnapshot(`
      "PEER                 CLIENT               HAS     DOWN  UP  FLAGS
      [2001:db8::7]:51413  qBittorrent 4.6.7  50.0%  1 MiB/s   -  DuI
      FLAGS: D gives to us, d not yet; U takes from us, u not yet; I called us;
      E encrypted, e only its handshake
      "
    `)
    expect(renderPeers([], NARROW)).toBe('No peers are connected.\n')
  })

  it('trackers', () => {
    expect(renderTrackers([tracker as TrackerView], NARROW)).toMatchInlineSnapshot(`
      "TIER  TRACKER                          SEEDS  LEECHERS  DOWNLOADS    NEXT
         1  http://tracker.example/announce      -         -          -  5m 00s
            failed 3 times, 20s ago: the server answers 503
      "
    `)
    expect(renderTrackers([], NARROW)).toBe('This torrent has no trackers.\n')
  })

  it('a tracker says in plain words what became of it', () => {
    const said = (over: Partial<TrackerView>): string =>
      answerText(
        { ...(tracker as TrackerView), failures: 0, message: null, lastFailureAt: null, ...over },
        600_000,
      )
    const ok = { status: 'working', lastAnswerAt: 288_000, peers: 30 } as const
    expect(said({ status: 'idle' })).toBe('not asked yet')
    expect(said({ status: 'announcing' })).toBe('is asked now')
    expect(said(ok)).toBe('ok, 30 peers, 5m 12s ago')
    expect(said({ ...ok, status: 'announcing' })).toBe('is asked now; last: ok, 30 peers, 5m 12s ago')
    expect(said({ ...ok, message: 'be nice' })).toBe('ok, 30 peers, 5m 12s ago; note: be nice')
    const failed = { ...ok, status: 'failing', failures: 2, lastFailureAt: 580_000, message: 'No.' } as const
    expect(said(failed)).toBe('failed 2 times, 20s ago: No. (before: ok, 30 peers, 5m 12s ago)')
    expect(said({ ...failed, failures: 1, lastAnswerAt: null })).toBe('failed, 20s ago: No.')
    expect(said({ status: 'waiting', before: 12 })).toBe('waits for its turn, 12 before it')
  })

  it('announce says when trackers are asked, and why not now', () => {
    const said = (state: 'seeding' | 'paused', ...trackers: readonly Partial<TrackerView>[]): string =>
      announcedText(
        torrentView(1, { state }),
        trackers.map((each) => ({ ...(tracker as TrackerView), ...each })),
        1000,
      )
    expect(said('paused', { status: 'idle' })).toBe('nobody is asked while it is paused')
    expect(said('seeding')).toBe('it has no trackers; the DHT is asked where it may be')
    expect(said('seeding', { status: 'announcing', nextAnnounceAt: null })).toBe('its trackers are asked now')
    expect(said('seeding', { status: 'waiting' })).toBe('its trackers are asked when it is its turn')
    expect(said('seeding', { status: 'working', nextAnnounceAt: 61_000 }, { nextAnnounceAt: 90_000 })).toBe(
      'its trackers are asked in 1m 00s, as soon as they allow',
    )
    expect(said('seeding', { status: 'failing', nextAnnounceAt: null })).toBe(
      'its trackers want to be asked no more',
    )
  })

  it('settings', () => {
    const setting = {
      key: 'listen.port',
      value: 20_000,
      default: 0,
      source: 'file',
      applies: 'restart',
      summary: 'The port for peers',
    } as const
    expect(renderSettings([setting], WIDE)).toMatchInlineSnapshot(`
      "SETTING      VALUE  FROM  WHAT
      listen.port  20000  file  The port for peers
      "
    `)
  })

  it('status', () => {
    expect(renderStatus(daemon, NARROW)).toMatchInlineSnapshot(`
      "Version    0.1.0, contract 1.0
      Process    4711, up 1h 01m, 80 MiB of memory
      Owner      you, started by hand
      Home       /home/kim/.local/state/torrentino
      Downloads  /home/kim/Downloads
      Listens    0.0.0.0, port 20000
      Network    internet
      Local      2 torrents announced over IPv4 and IPv6, 1 peer found
      Torrents   4 (1 downloading, 3 seeding)
      Peers      12
      Down       2 MiB/s
      Up         10 KiB/s
      Buffers    6 MiB of payload, 5 MiB of 32 MiB for arriving data
      Threads    4 jobs, the oldest 4 ms old
      Disk       writes in 3 ms (12 ms at most in the last minute), syncs in 40 ms
      Database   no answers yet
      Main loop  late by 2 ms (p99) and 11 ms at most, in the last minute
      Stalls     2 over 200 ms, the longest 412 ms (disk); see the log
      Faults     Torrentino's own: 1 connection ended, 2 torrents blocked; see the log
      "
    `)
    const idle = renderStatus(
      {
        ...daemon,
        loopDelay: { p99: null, max: null, samples: 0 },
        queues: { ...daemon.queues, hash: 0, lanes: 0 },
      },
      NARROW,
    )
    expect(idle).not.toContain('Main loop')
    expect(idle).toContain('Threads    0 jobs\n')
    expect(renderStatusLine(daemon, NARROW)).toBe(
      'torrentinod 0.1.0, 4 torrents, 12 peers, down 2 MiB/s, up 10 KiB/s\n',
    )
    const deaf = {
      ...daemon,
      listen: { host: '0.0.0.0', port: 20_000, error: 'Peers cannot reach us: no port.' },
    }
    expect(renderStatusLine(deaf, NARROW)).toContain('\nPeers cannot reach us: no port.\n')
  })

  it('welcome', () => {
    expect(renderWelcome(NARROW)).toMatchInlineSnapshot(`
      "Torrentino downloads and seeds torrents: torrentinod does the work, torrentinoctl tells it what to do.
      torrentinod is not running.
        torrentinoctl add FILE      start it and download a torrent
        torrentinoctl daemon start  start it and go on with the torrents it has
        torrentinoctl --help        everything else
      "
    `)
  })
})

describe('what add tells', () => {
  const added = {
    id: 3 as TorrentId,
    infoHash: 'a'.repeat(40),
    infoHashV2: null,
    name: 'show',
    duplicate: false,
    fromTrash: false,
    dir: '/data',
    freeBytes: 5_368_709_120,
    totalBytes: 3_221_225_472,
    wantedBytes: 1_073_741_824,
    addedTrackers: 0,
  }

  it('of a new one', () => {
    expect(renderAdded(added, NARROW)).toMatchInlineSnapshot(`
      "Added torrent 3: show, 1 GiB of 3 GiB
        into /data (5 GiB free)
        torrentinoctl show 3
      "
    `)
  })

  it('of a duplicate', () => {
    expect(renderAdded({ ...added, duplicate: true, addedTrackers: 2 }, NARROW)).toMatchInlineSnapshot(`
      "Torrent 3, show, is a duplicate: it was here already; 2 trackers added.
        torrentinoctl show 3
      "
    `)
  })
})

describe('a bar', () => {
  it('draws what is done', () => {
    expect(renderBars(torrents, WIDE).join('\n')).toMatchInlineSnapshot(`
      "debian-12.9.0-amd64-netinst.iso          ━━━━──────────── 25.0%  256 MiB/1 GiB    ↓2 MiB/s ↑10 KiB/s 12p 6m 24s
      Some Very Long Name …with everything.mkv ━━━━━━━━━━━━━━━━  100%    1 GiB/1 GiB  seeding
      映画のサウンドトラック 🎬 完全版         ━━━━──────────── 25.0%  256 MiB/1 GiB  checking 42.0%
      full-disk                                25.0%  no space left in /data/torrents: 3.2 GiB are missing; it goes on by its…"
    `)
  })

  it('has its columns below each other, at 80 cells too', () => {
    expect(renderBars(torrents, at(80)).join('\n')).toMatchInlineSnapshot(`
      "debian-1…inst.iso ━━────── 25.0%  256 MiB/1 GiB    ↓2 MiB/s ↑10 KiB/s 12p 6m 24s
      Some Ver…hing.mkv ━━━━━━━━  100%    1 GiB/1 GiB  seeding
      映画のサ… 完全版  ━━────── 25.0%  256 MiB/1 GiB  checking 42.0%
      full-disk         25.0%  no space left in /data/torrents: 3.2 GiB are missing; …"
    `)
  })

  it.each([20, 40, 60, 80, 120, 200])('is one line within %i cells', (columns) => {
    for (const line of renderBars([...torrents, torrentView(9, { name: HOSTILE })], at(columns))) {
      expect(line).not.toContain('\n')
      expect(cellWidth(line)).toBeLessThanOrEqual(columns)
    }
  })

  it('in a pipe is a sentence', () => {
    expect(renderProgressLine(torrentView(1), at(80))).toMatchInlineSnapshot(`
      "1 torrent-1.iso: downloading 25.0%, 256 MiB/1 GiB, down 2 MiB/s, up 10 KiB/s, 12 peers, 6m 24s left
      "
    `)
  })
})

describe('--bytes', () => {
  const exact: Style = { ...NARROW, exact: true }

  it('holds for bars, lines of progress, the head of top, limits and events', () => {
    const torrent = torrentView(1)
    const texts = [
      ...renderBars([torrent], { ...exact, columns: 120 }),
      renderProgressLine(torrent, exact),
      limitText(2_097_152, null, exact),
      renderEvent(
        { seq: 1, at: 0, kind: 'completed', torrent: torrent.id, caller: '', data: { bytes: 5_000_000 } },
        at(200),
      ),
      renderEvent(
        { seq: 1, at: 0, kind: 'completed', torrent: torrent.id, caller: '', data: { bytes: 5_000_000 } },
        { ...exact, columns: 200 },
      ),
    ]
    expect(texts[0]).toContain('268435456/1073741824')
    expect(texts[0]).toContain('↓2097152')
    expect(texts[1]).toContain('268435456/1073741824, down 2097152, up 10240,')
    expect(texts[2]).toBe('down 2097152, up without limit')
    expect(texts[3]).toContain('4.8 MiB')
    expect(texts[4]).toContain('5000000')
  })

  it('list', () => {
    expect(renderList(torrents.slice(0, 2), exact)).toMatchInlineSnapshot(`
      "ID  NAME                         STATE         DONE        SIZE     DOWN     ETA
       1  debian-12.9.0…4-netinst.iso  downloading  25.0%  1073741824  2097152  6m 24s
       2  Some Very Lon…verything.mkv  seeding       100%  1073741824        -       -
      "
    `)
  })

  it('files', () => {
    expect(renderFiles(files, exact)).toMatchInlineSnapshot(`
      "NO  FILE                                                   SIZE   DONE  PRIORITY
       1  show/one.mkv                                     1000000000   100%  normal
       2  show/extras/a rather lo…ders and tells much.mkv  2000000000  25.0%  high
      12  show/notes.txt                                            0   100%  skip
      "
    `)
  })

  it('show and status have no rounded size', () => {
    for (const text of [renderShow(detail, exact), renderStatus(daemon, exact)])
      expect(text).not.toMatch(/\d [KMGT]iB/)
  })
})

describe('tables with the longest values', () => {
  const long = 'x'.repeat(300)
  const tables: Record<string, (style: Style) => string> = {
    list: (style) =>
      renderList(
        [
          torrentView(999_999, {
            name: long,
            state: 'checking',
            checkProgress: 0.123,
            wantedBytes: 9_007_199_254_740_991,
            downRate: 99_999_999_999,
            upRate: 99_999_999_999,
            peers: 9999,
            seeds: 9999,
            eta: 8_639_999,
            ratio: 12_345.67,
          }),
        ],
        style,
      ),
    files: (style) =>
      renderFiles(
        [
          {
            index: 199_999,
            path: '映'.repeat(200),
            length: 9_007_199_254_740_991,
            doneBytes: 1,
            wanted: false,
            priority: 'skip',
          },
        ],
        style,
      ),
    peers: (style) =>
      renderPeers(
        [
          {
            address: '[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:65535',
            client: long,
            direction: 'in',
            source: 'incoming',
            encryption: 'none',
            progress: 0.999,
            downRate: 9_999_999_999,
            upRate: 9_999_999_999,
            downloaded: 9_999_999_999_999,
            uploaded: 9_999_999_999_999,
            amChoking: true,
            amInterested: true,
            peerChoking: false,
            peerInterested: true,
          },
        ],
        style,
      ),
    trackers: (style) =>
      renderTrackers(
        [
          {
            ...(detail.trackers[0] as TrackerView),
            url: long,
            message: `it says ${long} is ${long}`,
            status: 'waiting',
            seeds: 1e6,
            leechers: 1e6,
            downloads: 1e7,
          },
        ],
        style,
      ),
    settings: (style) =>
      renderSettings(
        [
          {
            key: 'download.directory',
            value: long,
            default: '',
            source: 'environment',
            applies: 'now',
            summary: long,
          },
        ],
        style,
      ),
  }

  it.each(Object.entries(tables))('%s fits 80 and 120 columns, exact or not', (_, draw) => {
    for (const columns of [80, 120]) {
      for (const exact of [false, true]) {
        const lines = draw({ ...at(columns), exact }).split('\n')
        for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(columns)
      }
    }
  })

  it('nothing is cut in a pipe', () => {
    for (const name of ['list', 'trackers', 'settings']) expect(tables[name]?.(at(Infinity))).toContain(long)
  })
})

describe('--template', () => {
  const render = (template: string, rows: readonly object[]): string =>
    renderTemplate(readTemplate(template), rows)

  it('puts fields in by name, a line for each row', () => {
    const rows = [
      { id: 1, name: 'one', ratio: null, tags: ['a', 'b'], listen: { port: 7 } },
      { id: 2, name: 'two', ratio: 0.5, tags: [], listen: { port: 8 } },
    ]
    expect(render('{{id}}\\t{{ name }} {{ratio}}|{{tags}}|{{listen.port}} $1 }}', rows)).toBe(
      '1\tone |a,b|7 $1 }}\n2\ttwo 0.5||8 $1 }}\n',
    )
    expect(render('{{nothing}}', [])).toBe('')
    expect(render('{{name}}', [{ name: HOSTILE }])).not.toMatch(HARMFUL)
  })

  it('names what was meant', () => {
    expect(() => render('{{nmae}}', [{ id: 1, name: 'x' }])).toThrow(
      '--template: there is no field "nmae"; did you mean name?',
    )
    expect(() => render('{{constructor}}', [{ id: 1 }])).toThrow('there are id')
    expect(() => render('{{name', [])).toThrow('{{ without its }}')
  })
})

it('nothing from outside reaches the terminal as it is', () => {
  const torrent = torrentView(1, { name: HOSTILE, dir: HOSTILE, error: HOSTILE })
  const tracker: TrackerView = { ...(detail.trackers[0] as TrackerView), url: HOSTILE, message: HOSTILE }
  const texts = [
    renderList([torrent], NARROW),
    renderShow(
      {
        ...detail,
        ...torrent,
        comment: HOSTILE,
        createdBy: HOSTILE,
        trackers: [tracker],
        webSeeds: [HOSTILE],
      },
      NARROW,
    ),
    renderFiles([{ ...(files[0] as FileView), path: HOSTILE }], NARROW),
    renderTrackers([tracker], NARROW),
    renderPeers(
      [
        {
          address: HOSTILE,
          client: HOSTILE,
          direction: 'in',
          source: 'incoming',
          encryption: 'none',
          progress: 0,
          downRate: 0,
          upRate: 0,
          downloaded: 0,
          uploaded: 0,
          amChoking: true,
          amInterested: false,
          peerChoking: true,
          peerInterested: false,
        },
      ],
      NARROW,
    ),
    ...renderBars([torrent], NARROW),
    renderProgressLine(torrent, NARROW),
    renderAdded(
      {
        id: 1 as TorrentId,
        infoHash: null,
        infoHashV2: null,
        name: HOSTILE,
        duplicate: false,
        fromTrash: false,
        dir: HOSTILE,
        freeBytes: 0,
        totalBytes: 0,
        wantedBytes: 0,
        addedTrackers: 0,
      },
      NARROW,
    ),
    renderStatus({ ...daemon, home: HOSTILE, downloadDir: HOSTILE }, NARROW),
  ]
  for (const text of texts) expect(text).not.toMatch(HARMFUL)
})

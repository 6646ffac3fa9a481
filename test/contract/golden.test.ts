/**
 * What a person reads, word for word: every showing verb at 80 and 120 columns and in a pipe, of torrents as they are
 * and of what hostile strangers make of them. After a change that is meant: `npx vitest run -u test/contract/golden`.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, it } from 'vitest'
import { cellWidth } from '../../shared/text.js'
import type { PeerView, TrackerView } from '../../shared/views.js'
import { FakeSession, torrentView } from '../support/fake-handlers.js'
import { startRpcHost } from '../support/rpc-host.js'

const CTL = join(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const NOW = 1_700_000_600_000
/** Ages are told from now on. */
const CLOCK = `--import=data:text/javascript,Date.now=()=>${String(NOW)}`

const VERBS: readonly (readonly string[])[] = [
  [],
  ['list'],
  ['list', '--bytes'],
  ['show', '1'],
  ['files', '1'],
  ['peers', '1'],
  ['trackers', '1'],
  ['why', '1', '2'],
  ['queue'],
  ['remove', '1', '2', '--data', '--plan'],
  ['events'],
  ['status'],
]

function fine(): FakeSession {
  const session = new FakeSession()
  session.put(torrentView(1, { name: 'debian-12.7.0-amd64-netinst.iso' }))
  session.put(
    torrentView(2, {
      name: 'Sintel',
      state: 'seeding',
      progress: 1,
      doneBytes: 1_073_741_824,
      downRate: 0,
      upRate: 1_234_567,
      ratio: 2.5,
      eta: null,
      completedAt: NOW - 86_400_000,
      labels: ['films', 'open'],
      upLimit: 2_097_152,
    }),
  )
  session.put(
    torrentView(3, {
      state: 'blocked',
      downRate: 0,
      eta: null,
      error: 'There is no room on the volume of /data/torrents: 750 MiB are missing. It goes on by itself.',
    }),
  )
  session.put(
    torrentView(14, {
      name: 'A name that goes on for longer than any terminal has room for, with its year (2019) and its end.mkv',
      state: 'paused',
      desired: 'paused',
      downRate: 0,
      upRate: 0,
      eta: null,
    }),
  )
  session.tell('added', torrentView(1).id)
  session.tell('completed', torrentView(2).id)
  return session
}

/** Escapes for the terminal, lines, marks that turn the direction of text, wide and combining characters. */
const EVIL = '\u001b]0;x\u0007a\nb\u202egnp.exe\u2066\u200f 名前\u0301\u0085\u009b2J\u{1f600}'

function hostile(): FakeSession {
  const session = new FakeSession()
  const one = torrentView(1, { name: EVIL, dir: `/data/${EVIL}`, error: EVIL, labels: [EVIL] })
  session.put({ ...one, state: 'blocked' })
  session.put(torrentView(2, { name: `${'名'.repeat(90)}${EVIL}`, error: EVIL.repeat(9) }))
  session.files = session.files.map((file) => ({ ...file, path: `${EVIL}/${file.path}` }))
  const [peer] = session.peers
  const [tracker] = session.trackers
  if (peer === undefined || tracker === undefined) throw new Error('the fake has both')
  session.peers = [{ ...peer, client: EVIL } satisfies PeerView]
  session.trackers = [
    { ...tracker, url: `http://t.example/${EVIL}`, message: EVIL, status: 'failing' } satisfies TrackerView,
  ]
  session.tell('added', one.id)
  return session
}

async function said(session: FakeSession, columns: number | null): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'thome-'))
  const host = await startRpcHost({ socketPath: join(home, 'torrentino.sock') }, session)
  const width = columns === null ? {} : { COLUMNS: String(columns) }
  const env = { PATH: process.env['PATH'], HOME: home, TORRENTINO_HOME: home, TZ: 'UTC', ...width }
  try {
    const texts: string[] = []
    for (const words of VERBS) {
      const ran = await promisify(execFile)(process.execPath, [CLOCK, CTL, ...words], { env })
      if (ran.stderr !== '') throw new Error(ran.stderr)
      texts.push(`$ torrentinoctl ${words.join(' ')}`.trimEnd() + '\n' + ran.stdout)
    }
    return texts.join('\n').replaceAll(home, '/home/of/test')
  } finally {
    await host.stop()
    await rm(home, { recursive: true, force: true })
  }
}

const WIDTHS = [
  ['80 columns', 80],
  ['120 columns', 120],
  ['a pipe', null],
] as const

describe.each([
  ['fine', fine],
  ['hostile', hostile],
] as const)('%s torrents', (name, session) => {
  it.concurrent.for(WIDTHS)('in %s', async ([place, columns], { expect }) => {
    const text = await said(session(), columns)
    const file = join(import.meta.dirname, 'golden', `${name}, ${place}.txt`.replaceAll(/,? /g, '-'))
    expect(existsSync(file)).toBe(true)
    await expect(text).toMatchFileSnapshot(file)
    // Nothing that a terminal takes for an order, or that turns text around.
    expect(text.replaceAll('\n', '')).not.toMatch(
      /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/u,
    )
    // A word that is wider than the terminal stays whole outside tables, to be copied.
    const wide = text.split('\n').filter((line) => cellWidth(line) > (columns ?? Infinity))
    if (name === 'fine') expect(wide).toEqual([])
  })
})

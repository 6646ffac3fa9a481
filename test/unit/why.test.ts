/** The explanation of each state, from facts alone; causes that need a swarm are in test/sim/why.test.ts. */
import { describe, expect, it } from 'vitest'
import { explain, type HouseFacts } from '../../daemon/session/why.js'
import { bareFacts, type TorrentFacts } from '../../daemon/swarm/facts.js'
import type { Fault, TorrentState } from '../../daemon/swarm/lifecycle.js'
import { faultOfDisk } from '../../daemon/swarm/trouble.js'
import type { TorrentId } from '../../shared/units.js'
import type { CauseKind, TorrentView, TrackerView } from '../../shared/views.js'
import { houseFacts } from '../support/house-facts.js'

const VIEW: TorrentView = {
  id: 1 as TorrentId,
  infoHash: 'a'.repeat(40),
  infoHashV2: null,
  name: 'n',
  state: 'downloading',
  desired: 'running',
  progress: 0.5,
  checkProgress: null,
  moveProgress: null,
  totalBytes: 2048,
  wantedBytes: 2048,
  doneBytes: 1024,
  downRate: 0,
  upRate: 0,
  downloaded: 0,
  uploaded: 0,
  ratio: null,
  peers: 0,
  seeds: 0,
  eta: null,
  dir: '/d',
  private: false,
  pieceLength: 1024,
  pieceCount: 2,
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
}
const TRACKER: TrackerView = {
  tier: 0,
  url: 'http://t.example/announce',
  status: 'failing',
  message: 'unregistered torrent',
  failures: 1,
  lastAnswerAt: null,
  lastFailureAt: null,
  nextAnnounceAt: null,
  seeds: null,
  leechers: null,
  scrapedAt: null,
  downloads: null,
  peers: null,
  before: null,
}

function kinds(
  state: TorrentState,
  change: Partial<TorrentFacts> = {},
  house: Partial<HouseFacts> = {},
): CauseKind[] {
  const swarm = bareFacts(0, { size: 0, failed: 0 })
  const view = { ...VIEW, state: state.kind }
  const disk = { oldest: 0, silent: false }
  const usual = { view, state, held: null, storeTrouble: null, disk, trackers: [], swarm }
  const facts: TorrentFacts = { ...usual, ...change }
  return explain(facts, houseFacts(house)).causes.map(({ kind }) => kind)
}

const blocked = (by: Fault): TorrentState => ({ kind: 'blocked', by, since: 0, retryAt: 0 })
const disk = (code: string): Fault => faultOfDisk({ code, operation: 'write', path: '/d/a' }, '/d')
const connected = { ...bareFacts(2, { size: 2, failed: 0 }), useful: 2, unchoking: 1, lacking: 1 }

describe('the first cause', () => {
  const FAULTS: readonly (readonly [Fault, CauseKind])[] = [
    [disk('ENOSPC'), 'space'],
    [{ kind: 'space', dir: '/d', missing: 1 }, 'space'],
    [disk('EACCES'), 'folder'],
    [disk('EROFS'), 'folder'],
    [{ kind: 'folder', dir: '/d' }, 'folder'],
    [disk('ENODEV'), 'volume'],
    [{ kind: 'volume', dir: '/d' }, 'volume'],
    [disk('EIO'), 'disk'],
    [{ kind: 'files', count: 1, example: 'a' }, 'files'],
    [{ kind: 'changed', count: 1, example: 'a' }, 'files'],
    [{ kind: 'metadata', reason: 'no' }, 'metadata'],
    [{ kind: 'store', code: 'SQLITE_FULL' }, 'database'],
    [{ kind: 'bug', error: 'x', retry: 1 }, 'bug'],
    [{ kind: 'removal', dir: '/d', waits: 'volume' }, 'removal'],
    [{ kind: 'removal', dir: '/d', waits: 'answer' }, 'removal'],
  ]
  it.each(FAULTS)('of what blocks it: %j is %s', (by, kind) => {
    expect(kinds(blocked(by))).toEqual([kind])
  })

  const STATES: readonly (readonly [TorrentState, CauseKind])[] = [
    [{ kind: 'paused' }, 'paused'],
    [{ kind: 'queued', for: 'check' }, 'queued'],
    [{ kind: 'checking', done: 1, total: 2, why: 'crash' }, 'checking'],
    [{ kind: 'moving', job: 1, done: 1, total: 2 }, 'moving'],
    [{ kind: 'stopping', then: 'paused' }, 'stopping'],
    [{ kind: 'fetchingMetadata' }, 'metadata'],
    [{ kind: 'downloading' }, 'noPeers'],
  ]
  it.each(STATES)('of the state %j is %s', (state, kind) => {
    expect(kinds(state)[0]).toBe(kind)
  })

  it.each([
    { kind: 'queued', for: 'check' },
    { kind: 'checking', done: 1, total: 2, why: 'crash' },
    { kind: 'downloading' },
    { kind: 'seeding' },
  ] as const)('of $kind on a volume that does not answer is that first, and not a slow disk', (state) => {
    const found = kinds(state, { disk: { oldest: 90_000, silent: true } })
    expect(found[0]).toBe('volume')
    expect(found).not.toContain('slowDisk')
  })

  it('of one that a crash loop held back is that', () => {
    expect(kinds({ kind: 'paused' }, { held: 'It brought the daemon down.' })).toEqual(['held'])
  })
})

describe('beside it', () => {
  const going = { view: { ...VIEW, downRate: 100, eta: 10 }, swarm: connected }

  it.each([
    ['the database', {}, { database: 'It is full.' }, 'database'],
    ['its own limit', { view: { ...going.view, downLimit: 110 } }, {}, 'limit'],
    ['a limit', {}, { limits: { down: 100, up: null }, rates: { down: 90, up: 0 } }, 'limit'],
    ['a slow disk', { disk: { oldest: 1500, silent: false } }, {}, 'slowDisk'],
    ['slow writes', {}, { slowestWrite: 1500 }, 'slowDisk'],
    ['a port that could not be had', {}, { listen: { port: 1, error: 'Taken.' } }, 'unreachable'],
  ] as const)('a download that goes on is slowed by %s', (_, change, house, kind) => {
    expect(kinds({ kind: 'downloading' }, { ...going, ...change }, house)).toEqual([kind])
    expect(kinds({ kind: 'downloading' }, going)).toEqual([])
  })

  it('macOS that keeps us from the local network is named where nobody answers', () => {
    const swarm = bareFacts(0, { size: 3, failed: 3 })
    const disk = { oldest: 0, silent: false }
    const facts = { view: VIEW, held: null, storeTrouble: null, trackers: [], swarm, disk }
    const said = (house: Partial<HouseFacts>): string | undefined =>
      explain({ ...facts, state: { kind: 'downloading' } }, houseFacts(house)).causes[0]?.sentence
    expect(said({ localDenied: true })).toMatch(
      /^macOS keeps torrentinod from the local network: .*Local Network;/,
    )
    expect(said({})).toMatch(/^3 peers are known and none is connected/)
  })

  it('a limit far from its rate is none', () => {
    const house = { limits: { down: 100, up: 100 }, rates: { down: 50, up: 50 } }
    expect(kinds({ kind: 'downloading' }, going, house)).toEqual([])
    expect(kinds({ kind: 'seeding' }, { swarm: connected }, house)).toEqual([])
  })

  it('failing trackers are told with their words, unless another works', () => {
    const alone = { trackers: [TRACKER] }
    expect(kinds({ kind: 'downloading' }, alone)).toEqual(['tracker', 'noPeers'])
    expect(kinds({ kind: 'seeding' }, alone)).toEqual(['tracker'])
    expect(kinds({ kind: 'seeding' }, { trackers: [TRACKER, { ...TRACKER, status: 'working' }] })).toEqual([])
    const swarm = bareFacts(0, { size: 0, failed: 0 })
    const disk = { oldest: 0, silent: false }
    const facts = { view: VIEW, held: null, storeTrouble: null, disk, ...alone, swarm }
    const said = explain({ ...facts, state: { kind: 'downloading' } }, houseFacts()).causes.map(
      (cause) => cause.sentence,
    )
    expect(said).toEqual([
      'Its tracker fails (http://t.example/announce: unregistered torrent); it is asked again by itself.',
      'No peer is known: its trackers and the DHT named none so far; it is asked again by itself.',
    ])
  })
})

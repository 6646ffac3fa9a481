/** `torrent.why`: what is in the way of a torrent, and what helps. Pure: facts in, sentences out. */
import { formatBytes, formatDuration, formatRate } from '../../shared/text.js'
import type { Millis, Rate } from '../../shared/units.js'
import type { CauseKind, CauseView, WhyView } from '../../shared/views.js'
import type { TorrentFacts } from '../swarm/facts.js'
import { type Fault, faultSentence } from '../swarm/lifecycle.js'

/** What the daemon knows beside the torrent. */
export interface HouseFacts {
  /** Who paused it last, as that program called itself, and when; null where it is not known. */
  readonly pausedBy: { readonly caller: string; readonly at: Millis } | null
  /** Milliseconds since 1970. */
  readonly wall: Millis
  /** Torrents that may download and seed at once; null: all. */
  readonly queue: { readonly download: number | null; readonly seed: number | null }
  /** Null: no limit. */
  readonly limits: { readonly down: Rate | null; readonly up: Rate | null }
  /** Of all torrents. */
  readonly rates: { readonly down: Rate; readonly up: Rate }
  /** The slowest write of the last minute. */
  readonly slowestWrite: Millis
  /** The database's trouble in a sentence, or null. */
  readonly database: string | null
  readonly listen: { readonly port: number; readonly error: string | null }
  /** Somebody has connected to us since the daemon started. */
  readonly reached: boolean
  /** Since the daemon started. */
  readonly uptime: Millis
  /** Peers are looked for in the DHT. */
  readonly dht: boolean
  /** The system keeps the daemon from the local network. */
  readonly localDenied: boolean
}

/** A limit is in force where the rate comes so near to it. */
const NEAR_LIMIT = 0.85
/** A disk is slow where something waits for it so long. */
const SLOW_DISK: Millis = 1000
/** Who was not reached after so long is not reachable, most likely. */
const REACHED_WITHIN: Millis = 15 * 60_000

export function explain(facts: TorrentFacts, house: HouseFacts): WhyView {
  const causes = causesOf(facts, house)
  return { torrent: facts.view, causes, summary: summaryOf(facts, causes) }
}

function causesOf(facts: TorrentFacts, house: HouseFacts): CauseView[] {
  const waits = ['queued', 'checking', 'downloading', 'seeding'].includes(facts.state.kind)
  const { dir } = facts.view
  return facts.disk.silent && waits
    ? [stop('volume', faultSentence({ kind: 'volume', dir, silent: true })), ...ofState(facts, house)]
    : ofState(facts, house)
}

function ofState(facts: TorrentFacts, house: HouseFacts): CauseView[] {
  const { state } = facts
  switch (state.kind) {
    case 'paused':
      return [paused(facts, house)]
    case 'queued':
      return [queued(facts, house)]
    case 'checking':
      return [
        stop(
          'checking',
          `Its files are being checked (${checkReason(state.why)}); it goes on by itself after that.`,
        ),
      ]
    case 'moving':
      return [
        stop('moving', 'Its files are being brought to another folder; it goes on by itself after that.'),
      ]
    case 'stopping':
      return [
        stop(
          'stopping',
          'It is just being stopped: connections are closed and what was received is recorded.',
        ),
      ]
    case 'blocked':
      return [stop(kindOf(state.by), faultSentence(state.by)), ...ofDatabase(house, facts)]
    case 'fetchingMetadata':
      return [metadata(facts), ...ofSources(facts, house), ...ofPort(facts, house)]
    case 'downloading':
      return downloading(facts, house)
    case 'seeding':
      return seeding(facts, house)
  }
}

function downloading(facts: TorrentFacts, house: HouseFacts): CauseView[] {
  const moves = facts.view.downRate > 0
  return [
    ...ofDatabase(house, facts),
    ...ofSources(facts, house),
    ...ofOwnLimit('down', facts),
    ...ofLimit('down', house),
    ...ofDisk(facts, house, moves),
    ...ofPort(facts, house),
  ]
}

/** Peers, and who is asked for them: where none is known, a tracker that fails is the reason for it. */
function ofSources(facts: TorrentFacts, house: HouseFacts): CauseView[] {
  const { swarm, view } = facts
  const peers = ofPeers(facts, house)
  if (swarm.connected > 0 && view.downRate > 0) return peers
  const trackers = ofTrackers(facts)
  return swarm.known === 0 ? [...trackers, ...peers] : [...peers, ...trackers]
}

function seeding(facts: TorrentFacts, house: HouseFacts): CauseView[] {
  return [
    ...ofDatabase(house, facts),
    ...ofOwnLimit('up', facts),
    ...ofLimit('up', house),
    ...ofDisk(facts, house, true),
    ...ofTrackers(facts),
    ...ofPort(facts, house),
  ]
}

function paused({ view, held }: TorrentFacts, { pausedBy, wall }: HouseFacts): CauseView {
  if (held !== null) return stop('held', held)
  if (view.goalReached !== null) return goal(view)
  const who =
    pausedBy === null
      ? ''
      : ` by ${pausedBy.caller}, ${formatDuration(Math.max(0, wall - pausedBy.at) / 1000)} ago`
  return stop('paused', `It was paused${who}; "torrentinoctl resume ${String(view.id)}" lets it go on.`)
}

function goal({ id, goalReached }: TorrentFacts['view']): CauseView {
  return stop(
    'goal',
    `It was paused since its goal of seeding is reached (${String(goalReached)}); "torrentinoctl resume ${String(id)}" lets it seed on without that goal.`,
  )
}

function queued({ state, view }: TorrentFacts, { queue }: HouseFacts): CauseView {
  const what = state.kind === 'queued' ? state.for : 'check'
  if (what === 'check')
    return stop('queued', 'It waits for its turn to be checked; checks of one volume go one after another.')
  const limit = queue[what] ?? 0
  const does = what === 'download' ? ['downloads', 'download'] : ['seeds', 'seed']
  const most = count(limit, `torrent ${does[0] ?? ''}`, `torrents ${does[1] ?? ''}`)
  const [id, rank] = [String(view.id), String(view.queueRank)]
  return stop(
    'queued',
    `It is queued for ${what} at rank ${rank}: ${most} at once (queue.${what}s), and it begins when a place is free; "torrentinoctl queue ${id} --top" puts it first, and "torrentinoctl resume ${id} --now" starts it past the queue.`,
  )
}

function metadata({ swarm }: TorrentFacts): CauseView {
  const from =
    swarm.connected === 0 ? 'somebody who has them' : `one of ${String(swarm.connected)} connected peers`
  return stop('metadata', `It is a magnet link whose metadata are still to come, from ${from}.`)
}

/** Who could bring what is missing. */
function ofPeers({ view, swarm, trackers, state }: TorrentFacts, house: HouseFacts): CauseView[] {
  const lacksAll = state.kind === 'fetchingMetadata'
  if (swarm.connected === 0)
    return [swarm.known === 0 ? noPeers(view.private, trackers.length, house.dht) : noAnswer(swarm, house)]
  if (lacksAll || view.downRate > 0 || swarm.lacking === 0) return ofMissing(swarm)
  if (swarm.useful > 0 && swarm.unchoking === 0) {
    const all = `${count(swarm.useful, 'peer has', 'peers have')} what is missing, and none lets us ask`
    return [
      stop('allChoke', `${all}: each serves others just now, and our turn comes by itself.`),
      ...ofMissing(swarm),
    ]
  }
  return ofMissing(swarm)
}

function noPeers(isPrivate: boolean, trackers: number, dht: boolean): CauseView {
  const asked = [...(trackers > 0 ? ['its trackers'] : []), ...(dht && !isPrivate ? ['the DHT'] : [])]
  if (asked.length === 0)
    return stop('noPeers', 'No peer is known: it has no tracker, and nothing else is asked.')
  return stop(
    'noPeers',
    `No peer is known: ${asked.join(' and ')} named none so far; it is asked again by itself.`,
  )
}

function noAnswer({ known, failed }: TorrentFacts['swarm'], { localDenied }: HouseFacts): CauseView {
  if (localDenied && failed > 0) return stop('noAnswer', LOCAL_DENIED)
  const tried =
    failed === 0
      ? 'they are being tried'
      : `${String(failed)} did not answer, and are tried again later each time`
  return stop('noAnswer', `${count(known, 'peer is', 'peers are')} known and none is connected: ${tried}.`)
}

const LOCAL_DENIED =
  'macOS keeps torrentinod from the local network: allow its node under System Settings, Privacy & Security, Local Network; peers there are then tried again by themselves.'

function ofMissing(swarm: TorrentFacts['swarm']): CauseView[] {
  if (swarm.missingCount === 0 || swarm.connected === 0) return []
  const all = swarm.missingCount === swarm.lacking
  const named = `${swarm.missing.join(', ')}${swarm.missingCount > swarm.missing.length ? ', …' : ''}`
  const which = `${count(swarm.missingCount, 'missing piece', 'missing pieces')} (${named})`
  const sentence = all
    ? `Nobody connected has ${swarm.missingCount === 1 ? 'the' : 'any of the'} ${which}; it goes on when somebody comes who has.`
    : `Nobody connected has ${which}; the others come meanwhile.`
  return [{ kind: 'missingPieces', stops: all, sentence }]
}

function ofTrackers({ trackers, swarm }: TorrentFacts): CauseView[] {
  const failing = trackers.filter(({ status }) => status === 'failing')
  const [first] = failing
  if (first === undefined || trackers.some(({ status }) => status === 'working')) return []
  const who =
    failing.length === 1 ? 'Its tracker fails' : `${String(failing.length)} trackers were asked and all fail`
  const said = first.message === null ? '' : ` (${first.url}: ${first.message})`
  return [
    {
      kind: 'tracker',
      stops: swarm.connected === 0,
      sentence: `${who}${said}; it is asked again by itself.`,
    },
  ]
}

function ofOwnLimit(direction: 'down' | 'up', { view }: TorrentFacts): CauseView[] {
  const limit = direction === 'down' ? view.downLimit : view.upLimit
  const rate = direction === 'down' ? view.downRate : view.upRate
  if (limit === null || rate < limit * NEAR_LIMIT) return []
  const sentence = `Its own limit is reached: it may ${direction === 'down' ? 'receive' : 'send'} ${formatRate(limit)}; "torrentinoctl limit ${String(view.id)} --${direction} none" lifts it.`
  return [{ kind: 'limit', stops: false, sentence }]
}

function ofLimit(direction: 'down' | 'up', { limits, rates }: HouseFacts): CauseView[] {
  const limit = limits[direction]
  if (limit === null || rates[direction] < limit * NEAR_LIMIT) return []
  const sentence = `The limit of the daemon is reached: limits.${direction} is ${formatRate(limit)}; "torrentinoctl config set limits.${direction} 0" lifts it.`
  return [{ kind: 'limit', stops: false, sentence }]
}

function ofDisk({ disk }: TorrentFacts, { slowestWrite }: HouseFacts, moves: boolean): CauseView[] {
  // Said already.
  if (disk.silent) return []
  const worst = Math.max(disk.oldest, slowestWrite)
  if (worst < SLOW_DISK) return []
  return [
    {
      kind: 'slowDisk',
      stops: !moves,
      sentence: `The disk is slow: something waited ${formatDuration(worst / 1000)} for it; the download waits with it.`,
    },
  ]
}

function ofDatabase({ database }: HouseFacts, { storeTrouble }: TorrentFacts): CauseView[] {
  const sentence = storeTrouble === null ? database : faultSentence({ kind: 'store', code: storeTrouble })
  return sentence === null ? [] : [{ kind: 'database', stops: false, sentence }]
}

/** Matters to whoever waits for others to come. */
function ofPort({ swarm }: TorrentFacts, { listen, reached, uptime }: HouseFacts): CauseView[] {
  if (listen.error !== null) return [{ kind: 'unreachable', stops: false, sentence: listen.error }]
  if (reached || uptime < REACHED_WITHIN || swarm.connected > 0) return []
  const sentence = `Nobody has reached port ${String(listen.port)} for ${formatDuration(uptime / 1000)}: where a router or a firewall is between, forward that port (TCP and UDP) to this machine.`
  return [{ kind: 'unreachable', stops: false, sentence }]
}

function kindOf(by: Fault): CauseKind {
  switch (by.kind) {
    case 'disk':
      return /^(EACCES|EPERM|EROFS)$/.test(by.fault.code) ? 'folder' : 'disk'
    case 'files':
    case 'changed':
      return 'files'
    case 'store':
      return 'database'
    default:
      return by.kind
  }
}

function summaryOf({ view, swarm }: TorrentFacts, causes: readonly CauseView[]): string {
  if (causes.some(({ stops }) => stops)) return 'It does not go on.'
  const but = causes.length === 0 ? 'Nothing is wrong' : 'It goes on'
  if (view.state === 'seeding') {
    const to =
      swarm.takers === 0
        ? 'nobody wants anything of it just now'
        : `to ${count(swarm.takers, 'peer', 'peers')} at ${formatRate(view.upRate)}`
    return `${but}: it is seeding, ${to}.`
  }
  const left = formatBytes(view.wantedBytes - view.doneBytes)
  const eta = view.eta === null ? '' : `, ${formatDuration(view.eta)}`
  return `${but}: it is downloading at ${formatRate(view.downRate)} from ${count(swarm.connected, 'peer', 'peers')}, ${left} left${eta}.`
}

function checkReason(why: 'added' | 'asked' | 'changed' | 'crash'): string {
  switch (why) {
    case 'added':
      return 'files of that name were there'
    case 'asked':
      return 'somebody asked for it'
    case 'changed':
      return 'they are not as they were recorded'
    case 'crash':
      return 'the last run did not end in order'
  }
}

function stop(kind: CauseKind, sentence: string): CauseView {
  return { kind, stops: true, sentence }
}

function count(number: number, one: string, many: string): string {
  return `${String(number)} ${number === 1 ? one : many}`
}

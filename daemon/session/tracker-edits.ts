/** Trackers that a person adds to a torrent or takes from it. */
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { nearest } from '../../shared/nearest.js'
import { usableTracker } from '../../shared/torrent/metainfo-urls.js'
import { redactTracker } from '../../shared/torrent/redact.js'
import { type Store, StoreFault, type TrackerRow } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import { MOST_TRACKERS } from '../tracker/tiers.js'
import type { Queries } from './queries.js'
import type { Session } from './session.js'

export interface TrackerEditsPorts {
  readonly session: Session
  readonly store: Store
  readonly queries: Queries
}

export class TrackerEdits {
  readonly #ports: TrackerEditsPorts

  constructor(ports: TrackerEditsPorts) {
    this.#ports = ports
  }

  /** All of it or nothing. Throws badTracker with the reason; a private torrent is its user's business too. */
  async edit(
    { id, add = [], remove = [], tier }: Params<'torrent.editTrackers'>,
    caller: Caller,
  ): Promise<Result<'torrent.editTrackers'>> {
    const { queries, store, session } = this.#ports
    const torrent = queries.one(id)
    if (add.length + remove.length === 0) throw badTracker('No tracker was named to be added or removed.')
    const removed = [...new Set(remove.map((text) => named(torrent, text, tier)))]
    const added = rowsOf(torrent, add, tier, removed)
    try {
      await store.changeTrackers(torrent.id, added, removed)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError(
        'storeFailed',
        `The trackers could not be recorded (${error.code}); they stay as they were.`,
      )
    }
    torrent.changeTrackers(added, removed)
    session.journal.note('trackers', torrent.id, caller.name, {
      name: torrent.name,
      added: added.length,
      removed: removed.length,
    })
    return { trackers: torrent.trackers() }
  }
}

function badTracker(sentence: string): Error {
  return rpcError('badTracker', sentence)
}

/** Without a tier each has one of its own, after all others. */
function rowsOf(
  torrent: Torrent,
  add: readonly string[],
  tier: number | undefined,
  removed: readonly string[],
): TrackerRow[] {
  const kept = torrent.record.trackers.filter(({ url }) => !removed.includes(url))
  if (kept.length + add.length > MOST_TRACKERS)
    throw badTracker(`A torrent has ${String(MOST_TRACKERS)} trackers at most; remove some first.`)
  const next = 1 + Math.max(-1, ...kept.map((row) => row.tier))
  const rows: TrackerRow[] = []
  for (const text of add) {
    const url = urlOf(text)
    const twin = [...kept, ...rows].find((row) => row.url === url)
    if (twin !== undefined)
      throw badTracker(`"${text}" is a tracker of this torrent already, in tier ${String(twin.tier + 1)}.`)
    rows.push({ tier: tier ?? next + rows.length, url, source: 'user' })
  }
  return rows
}

function urlOf(text: string): string {
  const url = usableTracker(text)
  if (url === null)
    throw badTracker(
      `"${text}" is no address of a tracker: it begins with http://, https:// or udp:// and names a host.`,
    )
  if (url.startsWith('udp:') && new URL(url).port === '')
    throw badTracker(`"${text}" names no port, which a UDP tracker needs: write udp://HOST:PORT.`)
  if (/[?&;](?:info_hash|event)=/i.test(url))
    throw badTracker(`"${text}" carries info_hash or event, which are Torrentino's to set; leave them out.`)
  return url
}

/** The address of a tracker as it is, or as it is shown: without its key. */
function named(torrent: Torrent, text: string, tier: number | undefined): string {
  const word = text.trim()
  const rows = torrent.record.trackers.filter((row) => tier === undefined || row.tier === tier)
  const exact = rows.find(({ url }) => url === word)
  if (exact !== undefined) return exact.url
  const [one, other] = rows.filter(({ url }) => redactTracker(url) === word)
  if (one === undefined) throw badTracker(unknown(torrent, word))
  if (other === undefined) return one.url
  throw badTracker(
    `"${word}" fits several trackers of this torrent; write the whole address with its key, or name the tier.`,
  )
}

/** Letters of an address that are compared with others. */
const COMPARED = 64

function unknown(torrent: Torrent, word: string): string {
  const shown = new Map(
    torrent.record.trackers.map(({ url }) => {
      const text = redactTracker(url)
      return [text.slice(0, COMPARED).toLowerCase(), text] as const
    }),
  )
  if (shown.size === 0) return 'This torrent has no trackers.'
  const meant = shown.get(nearest(word, [...shown.keys()]) ?? '')
  const hint = meant === undefined ? '"torrentinoctl trackers" shows them' : `did you mean "${meant}"?`
  return `This torrent has no tracker "${word}"; ${hint}${meant === undefined ? '.' : ''}`
}

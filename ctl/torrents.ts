/** Torrents as the daemon lists them, page by page, and as they change. */
import type { NotificationParams, TorrentRefs, TorrentRow } from '../shared/rpc/contract.js'
import type { TorrentId } from '../shared/units.js'
import type { TorrentView } from '../shared/views.js'
import type { Client } from './client.js'
import { EXIT, Failure } from './exit.js'

const PAGE = 1000

/** Every torrent, or those named; RemoteError when a name is nobody's. */
export async function listTorrents(client: Client, ids?: TorrentRefs): Promise<TorrentView[]> {
  return (await listAt(client, ids)).torrents
}

/** `rev` is that of the first page: what is newer may or may not be in the list. */
async function listAt(client: Client, ids?: TorrentRefs): Promise<{ rev: number; torrents: TorrentView[] }> {
  const torrents: TorrentView[] = []
  let after = 0
  let rev: number | null = null
  for (;;) {
    const named = ids === undefined ? {} : { ids }
    const page = await client.call('torrent.list', { ...named, after, limit: PAGE })
    for (const row of page.torrents) torrents.push(whole(row))
    rev ??= page.rev
    const last = page.torrents.at(-1)
    if (!page.more || last === undefined) return { rev, torrents }
    after = last.id
  }
}

/** No `fields` were asked for, so all of them are there. */
function whole(row: TorrentRow): TorrentView {
  if (!isWhole(row)) throw new Failure(EXIT.fault, `torrentinod left fields of torrent ${row.id} out`)
  return row
}

function isWhole(row: TorrentRow): row is TorrentView {
  return (
    row.name !== undefined &&
    row.state !== undefined &&
    row.progress !== undefined &&
    row.addedAt !== undefined
  )
}

/** Nothing that is wanted is missing, and nothing is being read again. */
export function isComplete(torrent: TorrentView): boolean {
  return torrent.progress >= 1 && torrent.state !== 'checking' && torrent.state !== 'fetchingMetadata'
}

/** Some torrents as they are now. */
export class Watch {
  /** By id, in the order of the list; those removed meanwhile are gone from it. */
  readonly torrents = new Map<TorrentId, TorrentView>()
  /** Removed since. */
  readonly removed = new Set<TorrentId>()
  readonly #client: Client
  /** Torrents that are new belong to it. */
  readonly #every: boolean
  /** Those who wait for the next change. */
  #waiting: (() => void)[] = []
  /** The torrents asked for; null until the first list. */
  #ids: TorrentId[] | null = null
  /** Changes that came before it: a change can overtake the answer that does not know of it. */
  readonly #early: NotificationParams<'changed'>[] = []

  private constructor(client: Client, every: boolean) {
    this.#client = client
    this.#every = every
  }

  /**
   * Subscribes first and lists then: no change falls between the two. 'every': those that are added later, too; 'all':
   * those that are there now.
   */
  static async open(client: Client, ids: TorrentRefs | 'every'): Promise<Watch> {
    const watch = new Watch(client, ids === 'every')
    client.on('changed', (changed) => {
      if (watch.#ids === null) watch.#early.push(changed)
      else watch.#apply(changed.torrents, changed.removed)
    })
    client.on('gap', () => void watch.#listAgain())
    await client.call('events.subscribe', { changes: true })
    const { rev, torrents } = await listAt(client, ids === 'every' ? undefined : ids)
    watch.#ids = torrents.map((torrent) => torrent.id)
    for (const torrent of torrents) watch.torrents.set(torrent.id, torrent)
    for (const changed of watch.#early) {
      if (changed.rev > rev) watch.#apply(changed.torrents, changed.removed)
    }
    return watch
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #apply(torrents: readonly TorrentView[], removed: readonly TorrentId[]): void {
    for (const torrent of torrents) {
      if (this.#every || this.torrents.has(torrent.id)) this.torrents.set(torrent.id, torrent)
    }
    for (const id of removed) if (this.torrents.delete(id)) this.removed.add(id)
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  /** Something was missed. All are listed: one of ours may be gone, and its name an error. */
  async #listAgain(): Promise<void> {
    try {
      const torrents = await listTorrents(this.#client)
      const there = new Set(torrents.map((torrent) => torrent.id))
      this.#apply(
        torrents,
        [...(this.#every ? this.torrents.keys() : (this.#ids ?? []))].filter((id) => !there.has(id)),
      )
    } catch {
      // The daemon went away: whoever watches waits for `gone` too.
    }
  }
}

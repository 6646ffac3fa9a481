/** What callers may look at. */
import type { TorrentView } from '../../shared/views.js'
import type {
  Params,
  PerTorrent,
  Result,
  TorrentRef,
  TorrentRefs,
  TorrentRow,
} from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import { resolveRef } from '../../shared/rpc/refs.js'
import { parseMetainfo } from '../../shared/torrent/metainfo.js'
import type { Store } from '../ports/store.js'
import type { Live } from '../swarm/live.js'
import type { Torrent } from '../swarm/torrent.js'
import { priorityOfRank } from '../swarm/wishes.js'
import type { Session } from './session.js'
import { explain, type HouseFacts } from './why.js'

export interface QueryPorts {
  readonly session: Session
  readonly store: Store
}

/** One torrent of several that were asked for: found, or why not. */
export type Picked =
  | { readonly ref: TorrentRef; readonly torrent: Torrent }
  | { readonly ref: TorrentRef; readonly error: RpcError }

export class Queries {
  readonly #ports: QueryPorts

  constructor(ports: QueryPorts) {
    this.#ports = ports
  }

  /** Throws noSuchTorrent or ambiguous. */
  one(ref: TorrentRef): Torrent {
    const named = this.#ports.session.all().map((torrent) => ({
      id: torrent.id,
      infoHash: torrent.hashes.v1 ?? null,
      infoHashV2: torrent.hashes.v2 ?? null,
      torrent,
    }))
    return resolveRef(ref, named).torrent
  }

  many(refs: TorrentRefs): Picked[] {
    const { session } = this.#ports
    if (refs === 'all') return session.all().map((torrent) => ({ ref: torrent.id, torrent }))
    return refs.map((ref) => {
      try {
        return { ref, torrent: this.one(ref) }
      } catch (error) {
        if (error instanceof RpcError) return { ref, error }
        throw error
      }
    })
  }

  list(params: Params<'torrent.list'>): Result<'torrent.list'> {
    const { session } = this.#ports
    const chosen = params.ids === undefined ? session.all() : this.#all(params.ids)
    const { since, after } = params
    const rows = chosen
      .filter((torrent) => since === undefined || torrent.rev > since)
      .filter((torrent) => after === undefined || torrent.id > after)
      .sort((a, b) => a.id - b.id)
    const limit = params.limit ?? rows.length
    return {
      rev: session.journal.rev,
      torrents: rows.slice(0, limit).map((torrent) => project(torrent.view(), params.fields)),
      removed: since === undefined ? [] : session.removedSince(since),
      more: rows.length > limit,
    }
  }

  async get(ref: TorrentRef): Promise<Result<'torrent.get'>> {
    const torrent = this.one(ref)
    if (torrent.lacksMetadata) return bare(torrent)
    const [{ torrent: bytes }, { wishes }] = await Promise.all([
      this.#ports.store.metainfo(torrent.id),
      this.#ports.store.have(torrent.id),
    ])
    const meta = parseMetainfo(bytes)
    const files = meta.files.filter((file) => !file.pad).length
    return {
      ...torrent.view(),
      fileCount: files,
      wantedFileCount: files - wishes.filter((wish) => wish.priority === 0).length,
      comment: meta.comment,
      createdBy: meta.createdBy,
      createdAt: meta.createdAt,
      trackers: torrent.trackers(),
      webSeeds: [...meta.webSeeds],
      wasted: torrent.wasted,
    }
  }

  async files(ref: TorrentRef): Promise<Result<'torrent.files'>> {
    const torrent = this.one(ref)
    const { content } = await loaded(torrent)
    const files = content.files.flatMap((file, index) =>
      file.pad
        ? []
        : [
            {
              index,
              path: file.path,
              length: file.length,
              doneBytes: content.fileDone(index),
              wanted: content.isFileWanted(index),
              priority: priorityOfRank(content.fileRank(index)),
            },
          ],
    )
    return { files }
  }

  async pieces(ref: TorrentRef): Promise<Result<'torrent.pieces'>> {
    const { content } = await loaded(this.one(ref))
    return { count: content.have.size, have: Buffer.from(content.have.bytes).toString('base64') }
  }

  async why(ref: TorrentRef, house: Omit<HouseFacts, 'pausedBy'>): Promise<Result<'torrent.why'>> {
    const torrent = this.one(ref)
    const last = torrent.desired === 'paused' ? await this.#ports.store.lastEvent(torrent.id, 'paused') : null
    const pausedBy = last === null ? null : { caller: last.caller, at: last.at }
    return explain(torrent.facts(), { ...house, pausedBy })
  }

  async export(ref: TorrentRef): Promise<Result<'torrent.export'>> {
    const torrent = this.one(ref)
    if (torrent.lacksMetadata) throw noMetadata(torrent)
    const { torrent: bytes } = await this.#ports.store.metainfo(torrent.id)
    return { metainfo: Buffer.from(bytes).toString('base64'), name: torrent.name }
  }

  #all(refs: TorrentRefs): Torrent[] {
    return this.many(refs).map((picked) => {
      if ('error' in picked) throw picked.error
      return picked.torrent
    })
  }
}

/** The torrent's data, loaded for this. */
export async function loaded(torrent: Torrent): Promise<Live> {
  if (torrent.lacksMetadata) throw noMetadata(torrent)
  const live = await new Promise<Live | null>((resolve) => {
    torrent.withLive(resolve)
  })
  if (live === null) throw rpcError('storeFailed', 'The database did not answer for this torrent; try again.')
  return live
}

/** What is known of a magnet link before its metadata are there. */
function bare(torrent: Torrent): Result<'torrent.get'> {
  return {
    ...torrent.view(),
    fileCount: 0,
    wantedFileCount: 0,
    comment: null,
    createdBy: null,
    createdAt: null,
    trackers: torrent.trackers(),
    webSeeds: [],
    wasted: torrent.wasted,
  }
}

/** For what needs the files of a magnet link before they are known. */
export function noMetadata(torrent: Torrent): RpcError {
  const { id } = torrent
  return rpcError(
    'noMetadata',
    `Torrent ${String(id)} is a magnet link whose metadata have not come yet; "torrentinoctl show ${String(id)}" tells of its peers.`,
  )
}

function project(view: TorrentView, fields: readonly (keyof TorrentView)[] | undefined): TorrentRow {
  if (fields === undefined) return view
  const row: Record<string, unknown> = { id: view.id }
  for (const field of fields) row[field] = view[field]
  return row as unknown as TorrentRow
}

/** What is said of one of several torrents. */
export function answer(picked: Picked): PerTorrent {
  if ('torrent' in picked) return { ref: picked.ref, ok: true, torrent: picked.torrent.view() }
  const { code, message } = picked.error
  return { ref: picked.ref, ok: false, error: { code, message } }
}

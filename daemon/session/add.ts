/** `torrent.add`: from the bytes of a .torrent to a registered torrent, or one sentence that says why not. */
import type { FileIndex, InfoHashV1, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { type Metainfo, MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import { formatBytes } from '../../shared/text.js'
import type { Clock } from '../ports/clock.js'
import type { Disk, SpaceView } from '../ports/disk.js'
import { type NewTorrent, type Store, StoreFault, type TrackerRow } from '../ports/store.js'
import { neighbours } from './claims.js'
import type { Session } from './session.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'

/** Room that is left free on a volume whatever is asked. */
const KEEP_FREE = 64 * 1024 * 1024

interface Recording {
  readonly keys: readonly SwarmKey[]
  readonly dir: string
  readonly root: string
  /** Recorded, or refused. */
  readonly ended: Promise<unknown>
}

export interface AdderPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly store: Store
  readonly session: Session
  readonly downloadDir: () => string
}

export class Adder {
  readonly #ports: AdderPorts
  /** Adds are judged one after another: each sees the paths that the one before took. */
  #queue: Promise<unknown> = Promise.resolve()
  /** Judged and being recorded: many adds at once share commits. Whoever touches one of them waits for it. */
  readonly #recording = new Set<Recording>()

  constructor(ports: AdderPorts) {
    this.#ports = ports
  }

  async add(params: Params<'torrent.add'>, caller: Caller): Promise<Result<'torrent.add'>> {
    const judged = this.#queue.then(() => this.#judge(params, caller))
    this.#queue = judged.catch(() => undefined)
    return (await judged).answer
  }

  /** Answers as soon as the next add may be judged. */
  async #judge(
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<{ readonly answer: Promise<Result<'torrent.add'>> }> {
    const bytes = Buffer.from(params.metainfo, 'base64')
    const meta = readMetainfo(bytes)
    const dir = params.dir ?? this.#ports.downloadDir()
    await this.#othersRecorded(dir, meta)
    const known = this.#known(meta)
    if (known !== undefined) return { answer: Promise.resolve(await this.#merge(known, meta, params)) }
    const unwanted = unwantedFiles(meta, params.select)
    const space = await this.#folder(dir)
    await refuseSharedPaths({ dir, meta, self: null }, this.#ports)
    const wanted = meta.files.reduce(
      (sum, file, index) => (file.pad || unwanted.has(index) ? sum : sum + file.length),
      0,
    )
    await this.#refuseWithoutRoom(dir, meta, unwanted, wanted, space)
    const trackers = trackerRows(meta, params.trackers ?? [])
    const row: NewTorrent = {
      hashes: meta.hashes,
      name: meta.name,
      dir,
      volume: space.volume,
      private: meta.private,
      pieceLength: meta.pieceLength,
      pieceCount: meta.pieceCount,
      total: meta.contentSize,
      wanted,
      desired: params.paused === true ? 'paused' : 'running',
      addedAt: Math.round(this.#ports.clock.wall()),
      info: bytes.subarray(meta.infoStart, meta.infoEnd),
      infoStart: meta.infoStart,
      torrent: bytes,
      trackers,
      wishes: [...unwanted].map((file) => ({ file, priority: 0 })),
    }
    const answer = this.#record(row, meta, caller).then((id) => ({
      ...identity(id, meta),
      duplicate: false,
      dir,
      freeBytes: space.freeBytes,
      totalBytes: meta.contentSize,
      wantedBytes: wanted,
      addedTrackers: trackers.length,
    }))
    const ended = answer.catch(() => undefined)
    const recording = { keys: swarmKeys(meta.hashes), dir, root: rootOf(meta), ended }
    this.#recording.add(recording)
    void ended.then(() => this.#recording.delete(recording))
    return { answer }
  }

  async #record(row: NewTorrent, meta: Metainfo, caller: Caller): Promise<TorrentId> {
    const id = await this.#store(row)
    this.#register(id, row, meta, caller)
    return id
  }

  /** Waits for those being recorded that are the same torrent or may write the same files. */
  async #othersRecorded(dir: string, meta: Metainfo): Promise<void> {
    const keys = swarmKeys(meta.hashes)
    const near = new Set(neighbours({ dir, root: rootOf(meta) }, this.#recording))
    for (const other of [...this.#recording]) {
      if (near.has(other) || other.keys.some((key) => keys.includes(key))) await other.ended
    }
  }

  #known(meta: Metainfo): TorrentId | undefined {
    for (const key of swarmKeys(meta.hashes)) {
      const torrent = this.#ports.session.byKey(key)
      if (torrent !== undefined) return torrent.id
    }
    return undefined
  }

  /** A known torrent only gains trackers. */
  async #merge(id: TorrentId, meta: Metainfo, params: Params<'torrent.add'>): Promise<Result<'torrent.add'>> {
    const torrent = this.#ports.session.get(id)
    if (torrent === undefined) throw new Error('a known torrent is not registered')
    // A private torrent is announced to its own trackers and to no others (BEP 27).
    const offered = torrent.private ? [] : trackerRows(meta, params.trackers ?? [])
    const added = offered.filter((tracker) => !torrent.announcesTo(tracker.url))
    if (added.length > 0) {
      await this.#ports.store.addTrackers(id, added)
      torrent.addTrackers(added)
    }
    const view = torrent.view()
    const space = await this.#ports.disk.space(view.dir)
    return {
      ...identity(id, meta),
      name: view.name,
      duplicate: true,
      dir: view.dir,
      freeBytes: 'code' in space ? 0 : space.freeBytes,
      totalBytes: view.totalBytes,
      wantedBytes: view.wantedBytes,
      addedTrackers: added.length,
    }
  }

  async #folder(dir: string): Promise<SpaceView> {
    const space = await this.#ports.disk.prepareDir(dir)
    if (!('code' in space)) return space
    throw rpcError('badFolder', `Cannot write to ${dir} (${space.code}); choose another folder with --dir.`, {
      dir,
      reason: space.code,
    })
  }

  async #refuseWithoutRoom(
    dir: string,
    meta: Metainfo,
    unwanted: ReadonlySet<FileIndex>,
    wanted: number,
    space: SpaceView,
  ): Promise<void> {
    if (wanted + KEEP_FREE <= space.freeBytes) return
    const present = await this.#present(dir, meta, unwanted)
    const needed = wanted - present
    if (needed <= space.freeBytes) return
    throw rpcError(
      'noSpace',
      `Not enough space in ${dir}: ${formatBytes(needed)} needed, ${formatBytes(space.freeBytes)} free; free some, choose --dir, or take part of it with --select.`,
      { dir, needed, free: space.freeBytes },
    )
  }

  /** Bytes of the wanted files that lie there already. */
  async #present(dir: string, meta: Metainfo, unwanted: ReadonlySet<FileIndex>): Promise<number> {
    const storage = this.#ports.disk.open(
      {
        torrent: 0 as TorrentId,
        dir,
        files: meta.files,
        pieceLength: meta.pieceLength,
        digests: meta.digests,
      },
      { pieceGood: () => undefined, pieceBad: () => undefined, writeFailed: () => undefined },
    )
    try {
      const found = await storage.survey()
      return found
        .filter((file) => file.name === 'final' && !unwanted.has(file.file))
        .reduce((sum, file) => sum + Math.min(file.size, meta.files[file.file]?.length ?? 0), 0)
    } finally {
      await storage.close()
    }
  }

  async #store(row: NewTorrent): Promise<TorrentId> {
    try {
      return await this.#ports.store.add(row)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError('storeFailed', `The torrent could not be recorded (${error.code}); nothing was added.`)
    }
  }

  #register(id: TorrentId, row: NewTorrent, meta: Metainfo, caller: Caller): void {
    const torrent = this.#ports.session.register({
      ...row,
      id,
      done: 0,
      checked: false,
      completedAt: null,
      fault: null,
      downloaded: 0,
      uploaded: 0,
      wasted: 0,
    })
    this.#ports.session.journal.note('added', id, caller.name, { name: row.name, dir: row.dir })
    if (row.desired === 'running') torrent.begin(meta)
  }
}

function readMetainfo(bytes: Uint8Array): Metainfo {
  try {
    const meta = parseMetainfo(bytes)
    if (meta.kind !== 'v2') return meta
  } catch (error) {
    if (error instanceof MetainfoError) throw rpcError('badTorrent', error.message)
    throw error
  }
  throw rpcError(
    'badTorrent',
    'This torrent is v2-only (BEP 52), which Torrentino can show with inspect but cannot download yet.',
  )
}

function unwantedFiles(meta: Metainfo, select: readonly FileIndex[] | undefined): Set<FileIndex> {
  if (select === undefined) return new Set()
  return unselected(meta.files, select)
}

/** The files that a choice leaves out. Throws badSelection. */
export function unselected(
  files: readonly { readonly length: number; readonly pad: boolean }[],
  select: readonly FileIndex[],
): Set<FileIndex> {
  const wanted = new Set(select)
  for (const file of wanted) {
    if (files[file] === undefined || files[file].pad) {
      throw rpcError(
        'badSelection',
        `There is no file ${String(file + 1)}; "torrentinoctl files" shows them.`,
      )
    }
  }
  const left = new Set<FileIndex>()
  files.forEach((file, index) => {
    if (!file.pad && !wanted.has(index)) left.add(index)
  })
  return left
}

function trackerRows(meta: Metainfo, extra: readonly string[]): TrackerRow[] {
  const rows: TrackerRow[] = []
  const seen = new Set<string>()
  const push = (tier: number, url: string, source: TrackerRow['source']): void => {
    if (seen.has(url)) return
    seen.add(url)
    rows.push({ tier, url, source })
  }
  meta.trackers.forEach((urls, tier) => {
    for (const url of urls) push(tier, url, 'metainfo')
  })
  extra.forEach((url, index) => {
    push(meta.trackers.length + index, url, 'user')
  })
  return rows
}

function identity(
  id: TorrentId,
  meta: Metainfo,
): { id: TorrentId; infoHash: InfoHashV1 | null; infoHashV2: string | null; name: string } {
  return { id, infoHash: meta.hashes.v1 ?? null, infoHashV2: meta.hashes.v2 ?? null, name: meta.name }
}

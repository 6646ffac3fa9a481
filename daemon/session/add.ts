/** `torrent.add`: from the bytes of a .torrent to a registered torrent, or one sentence that says why not. */
import type { FileIndex, InfoHashV1, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import type { Magnet } from '../../shared/torrent/magnet.js'
import { type Metainfo, MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import { type NamedNode, readNodes } from '../../shared/torrent/metainfo-nodes.js'
import { formatBytes } from '../../shared/text.js'
import type { Clock } from '../ports/clock.js'
import type { Disk, SpaceView } from '../ports/disk.js'
import { type NewTorrent, type Store, StoreFault, type TorrentRow, type TrackerRow } from '../ports/store.js'
import { fileAround, linkIn, magnetRow, readMagnet } from './add-magnet.js'
import { faultSentence } from '../swarm/lifecycle.js'
import { neighbours } from './claims.js'
import type { Kept } from '../swarm/metadata-phase.js'
import type { Torrent } from '../swarm/torrent.js'
import type { Session } from './session.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'

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
  /** DHT nodes that a public torrent names. */
  readonly nodes?: (nodes: readonly NamedNode[]) => void
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
    const { metainfo, magnet } = params
    if ((metainfo === undefined) === (magnet === undefined)) {
      throw rpcError('badTorrent', 'Give either the bytes of a .torrent file or a magnet link.')
    }
    const judge =
      magnet === undefined
        ? () => this.#judge(Buffer.from(metainfo ?? '', 'base64'), params, caller)
        : () => this.#judgeMagnet(magnet, params, caller)
    return (await this.#inTurn(judge)).answer
  }

  /** Metadata that peers sent for a magnet link: judged like an added .torrent, and recorded. */
  keepMetadata(id: TorrentId, info: Uint8Array): Promise<Kept> {
    return this.#inTurn(async () => {
      const torrent = this.#ports.session.get(id)
      if (torrent === undefined) return { refused: 'The torrent was removed.' }
      try {
        return await this.#complete(torrent, info, undefined)
      } catch (error) {
        if (error instanceof RpcError) return { refused: error.message }
        if (error instanceof StoreFault)
          return { refused: `The metadata could not be recorded (${error.code}).` }
        throw error
      }
    })
  }

  async #inTurn<T>(judge: () => Promise<T>): Promise<T> {
    const judged = this.#queue.then(judge)
    this.#queue = judged.catch(() => undefined)
    return await judged
  }

  /** A torrent that was only a magnet link gets its files. Throws what an added .torrent would be refused with. */
  async #complete(
    torrent: Torrent,
    info: Uint8Array,
    select: readonly FileIndex[] | undefined,
  ): Promise<{ readonly row: TorrentRow; readonly meta: Metainfo }> {
    const { store } = this.#ports
    const link = await this.#linkOf(torrent)
    const row = torrent.record
    const file = fileAround(info, row.trackers, link)
    const meta = readMetainfo(file)
    await this.#othersRecorded(row.dir, meta)
    const only = (link?.only ?? []).filter((index) => meta.files[index]?.pad === false)
    const unwanted = unwantedFiles(meta, select ?? (only.length > 0 ? only : undefined))
    await refuseSharedPaths({ dir: row.dir, meta, self: torrent.id }, this.#ports)
    const wanted = wantedBytes(meta, unwanted)
    await this.#refuseWithoutRoom(row.dir, meta, unwanted, wanted, await this.#folder(row.dir))
    const known = {
      name: meta.name,
      private: meta.private,
      pieceLength: meta.pieceLength,
      pieceCount: meta.pieceCount,
      total: meta.contentSize,
      wanted,
    }
    await store.setMetainfo(torrent.id, {
      ...known,
      info: file.subarray(meta.infoStart, meta.infoEnd),
      infoStart: meta.infoStart,
      torrent: file,
      wishes: [...unwanted].map((index) => ({ file: index, priority: 0 })),
    })
    return { row: { ...row, ...known }, meta }
  }

  /** Null where it cannot be read back. */
  async #linkOf(torrent: Torrent): Promise<Magnet | null> {
    const { torrent: bytes } = await this.#ports.store.metainfo(torrent.id)
    return linkIn(bytes)
  }

  async #judgeMagnet(
    text: string,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<{ readonly answer: Promise<Result<'torrent.add'>> }> {
    const magnet = readMagnet(text)
    const keys = swarmKeys(magnet.hashes)
    for (const other of [...this.#recording]) {
      if (other.keys.some((key) => keys.includes(key))) await other.ended
    }
    const known = this.#byKeys(keys)
    if (known !== undefined) {
      return {
        answer: Promise.resolve(await this.#merge(known, [...magnet.trackers, ...(params.trackers ?? [])])),
      }
    }
    if (params.select !== undefined) {
      throw rpcError(
        'badSelection',
        'Files can be chosen once the metadata are there: use "torrentinoctl select".',
      )
    }
    const dir = params.dir ?? this.#ports.downloadDir()
    const space = await this.#folder(dir)
    const row = magnetRow(text, magnet, {
      dir,
      volume: space.volume,
      trackers: params.trackers ?? [],
      paused: params.paused === true,
      addedAt: Math.round(this.#ports.clock.wall()),
    })
    const id = await this.#store(row)
    this.#register(id, row, null, caller)
    const { v1, v2 } = magnet.hashes
    return {
      answer: Promise.resolve({
        id,
        infoHash: v1 ?? null,
        infoHashV2: v2 ?? null,
        name: row.name,
        duplicate: false,
        dir,
        freeBytes: space.freeBytes,
        totalBytes: 0,
        wantedBytes: 0,
        addedTrackers: row.trackers.length,
      }),
    }
  }

  /** Answers as soon as the next add may be judged. */
  async #judge(
    bytes: Uint8Array,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<{ readonly answer: Promise<Result<'torrent.add'>> }> {
    const meta = readMetainfo(bytes)
    const dir = params.dir ?? this.#ports.downloadDir()
    await this.#othersRecorded(dir, meta)
    const known = this.#byKeys(swarmKeys(meta.hashes))
    if (known !== undefined) return { answer: Promise.resolve(await this.#again(known, bytes, meta, params)) }
    const unwanted = unwantedFiles(meta, params.select)
    const space = await this.#folder(dir)
    await refuseSharedPaths({ dir, meta, self: null }, this.#ports)
    const wanted = wantedBytes(meta, unwanted)
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

  #byKeys(keys: readonly SwarmKey[]): Torrent | undefined {
    for (const key of keys) {
      const torrent = this.#ports.session.byKey(key)
      if (torrent !== undefined) return torrent
    }
    return undefined
  }

  /** The .torrent of a torrent that is there: it gives a magnet link its files, and any torrent its trackers. */
  async #again(
    torrent: Torrent,
    bytes: Uint8Array,
    meta: Metainfo,
    params: Params<'torrent.add'>,
  ): Promise<Result<'torrent.add'>> {
    if (torrent.lacksMetadata) {
      const info = bytes.subarray(meta.infoStart, meta.infoEnd)
      const { row, meta: known } = await this.#complete(torrent, info, params.select)
      torrent.learn(row, known)
    }
    return this.#merge(torrent, [...meta.trackers.flat(), ...(params.trackers ?? [])])
  }

  /** A known torrent only gains trackers. */
  async #merge(torrent: Torrent, urls: readonly string[]): Promise<Result<'torrent.add'>> {
    // A private torrent is announced to its own trackers and to no others (BEP 27).
    const offered = torrent.private ? [] : [...new Set(urls)].filter((url) => !torrent.announcesTo(url))
    const next = 1 + Math.max(-1, ...torrent.record.trackers.map(({ tier }) => tier))
    const added = offered.map((url, at): TrackerRow => ({ tier: next + at, url, source: 'user' }))
    if (added.length > 0) {
      await this.#ports.store.addTrackers(torrent.id, added)
      torrent.addTrackers(added)
    }
    const view = torrent.view()
    const space = await this.#ports.disk.space(view.dir)
    return {
      id: torrent.id,
      infoHash: torrent.hashes.v1 ?? null,
      infoHashV2: torrent.hashes.v2 ?? null,
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
    const away = await this.#ports.session.volumes.away(dir)
    if (away !== null) throw rpcError('badFolder', faultSentence(away), { dir, reason: 'ENODEV' })
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
    if (wanted + space.reserve <= space.freeBytes) return
    const present = await this.#present(dir, meta, unwanted)
    const needed = wanted - present
    if (needed === 0 || needed + space.reserve <= space.freeBytes) return
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

  #register(id: TorrentId, row: NewTorrent, meta: Metainfo | null, caller: Caller): void {
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
    if (!row.private && meta !== null) this.#ports.nodes?.(readNodes(row.torrent))
    if (row.desired !== 'running') return
    if (meta === null) torrent.start()
    else torrent.begin(meta)
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

function wantedBytes(meta: Metainfo, unwanted: ReadonlySet<FileIndex>): number {
  return meta.files.reduce(
    (sum, file, index) => (file.pad || unwanted.has(index) ? sum : sum + file.length),
    0,
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

/** `torrent.add`: from the bytes of a .torrent to a registered torrent, or one sentence that says why not. */
import type { FileIndex, InfoHashV1, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import type { Magnet } from '../../shared/torrent/magnet.js'
import { type Metainfo, MetainfoError, parseMetainfo } from '../../shared/torrent/metainfo.js'
import { type NamedNode, readNodes } from '../../shared/torrent/metainfo-nodes.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import { type NewTorrent, type Store, StoreFault, type TorrentRow, type TrackerRow } from '../ports/store.js'
import { fileAround, linkIn, magnetRow, readMagnet } from './add-magnet.js'
import { freeBytesOf, lookAtPlace, type Looked, wantedBytes } from './add-place.js'
import { neighbours } from './claims.js'
import type { Kept } from '../swarm/metadata-phase.js'
import type { Torrent } from '../swarm/torrent.js'
import type { Session } from './session.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'

const gone: Kept = { refused: 'The torrent was removed.' }

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
    return magnet === undefined
      ? this.#addFile(Buffer.from(metainfo ?? '', 'base64'), params, caller)
      : this.#addMagnet(magnet, params, caller)
  }

  async #addFile(
    bytes: Uint8Array,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<Result<'torrent.add'>> {
    const meta = readMetainfo(bytes)
    const known = this.#byKeys(swarmKeys(meta.hashes))
    const looked =
      known === undefined
        ? await this.#lookForNew(meta, params)
        : known.lacksMetadata
          ? await this.#lookFor(known, meta, params.select)
          : null
    return (await this.#inTurn(() => this.#judge(bytes, meta, looked, params, caller))).answer
  }

  async #addMagnet(
    text: string,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<Result<'torrent.add'>> {
    const magnet = readMagnet(text)
    const isKnown = this.#byKeys(swarmKeys(magnet.hashes)) !== undefined
    const looked = isKnown ? null : await this.#lookAt(params.dir)
    return (await this.#inTurn(() => this.#judgeMagnet(text, magnet, looked, params, caller))).answer
  }

  /** Metadata that peers sent for a magnet link: judged like an added .torrent, and recorded. */
  async keepMetadata(id: TorrentId, info: Uint8Array): Promise<Kept> {
    try {
      const coming = this.#ports.session.get(id)
      if (coming === undefined) return gone
      const looked = await this.#lookFor(coming, this.#metaOf(coming, info), undefined)
      return await this.#inTurn(async () => {
        const torrent = this.#ports.session.get(id)
        return torrent === undefined ? gone : this.#complete(torrent, info, looked, undefined)
      })
    } catch (error) {
      if (error instanceof RpcError) return { refused: error.message }
      if (error instanceof StoreFault)
        return { refused: `The metadata could not be recorded (${error.code}).` }
      throw error
    }
  }

  async #inTurn<T>(judge: () => Promise<T>): Promise<T> {
    const judged = this.#queue.then(judge)
    this.#queue = judged.catch(() => undefined)
    return await judged
  }

  /** A new torrent's folder. Throws badSelection. */
  #lookForNew(meta: Metainfo, params: Params<'torrent.add'>): Promise<Looked> {
    return this.#lookAt(params.dir, { meta, unwanted: unwantedFiles(meta, params.select) })
  }

  /** The folder of a torrent that is only a magnet link so far. Throws badSelection. */
  async #lookFor(
    torrent: Torrent,
    meta: Metainfo,
    select: readonly FileIndex[] | undefined,
  ): Promise<Looked> {
    const unwanted = unwantedOf(meta, await this.#linkOf(torrent), select)
    return this.#lookAt(torrent.dir, { meta, unwanted })
  }

  #lookAt(
    dir = this.#ports.downloadDir(),
    coming: Parameters<typeof lookAtPlace>[1] = null,
  ): Promise<Looked> {
    return lookAtPlace(dir, coming, this.#ports)
  }

  /**
   * A torrent that was only a magnet link gets its files. Throws what an added .torrent would be refused with. Where
   * its folder is another one than was looked at, that has to answer now.
   */
  async #complete(
    torrent: Torrent,
    info: Uint8Array,
    before: Looked | null,
    select: readonly FileIndex[] | undefined,
  ): Promise<{ readonly row: TorrentRow; readonly meta: Metainfo }> {
    const { store } = this.#ports
    const link = await this.#linkOf(torrent)
    const row = torrent.record
    const file = fileAround(info, row.trackers, link)
    const meta = readMetainfo(file)
    await this.#othersRecorded(row.dir, meta)
    const unwanted = unwantedOf(meta, link, select)
    await refuseSharedPaths({ dir: row.dir, meta, self: torrent.id }, this.#ports)
    const looked = before?.dir === row.dir ? before : await this.#lookAt(row.dir, { meta, unwanted })
    looked.space()
    const wanted = wantedBytes(meta, unwanted)
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

  /** What the info dictionary of a torrent says. */
  #metaOf(torrent: Torrent, info: Uint8Array): Metainfo {
    return readMetainfo(fileAround(info, torrent.record.trackers, null))
  }

  /** Null where it cannot be read back. */
  async #linkOf(torrent: Torrent): Promise<Magnet | null> {
    const { torrent: bytes } = await this.#ports.store.metainfo(torrent.id)
    return linkIn(bytes)
  }

  async #judgeMagnet(
    text: string,
    magnet: Magnet,
    before: Looked | null,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<{ readonly answer: Promise<Result<'torrent.add'>> }> {
    const keys = swarmKeys(magnet.hashes)
    for (const other of [...this.#recording]) {
      if (other.keys.some((key) => keys.includes(key))) await other.ended
    }
    const known = this.#byKeys(keys)
    if (known !== undefined) {
      const answer = await this.#merge(known, [...magnet.trackers, ...(params.trackers ?? [])])
      return { answer: answer() }
    }
    if (params.select !== undefined) {
      throw rpcError(
        'badSelection',
        'Files can be chosen once the metadata are there: use "torrentinoctl select".',
      )
    }
    const looked = before ?? (await this.#lookAt(params.dir))
    const { dir } = looked
    const space = looked.space()
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
    meta: Metainfo,
    before: Looked | null,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<{ readonly answer: Promise<Result<'torrent.add'>> }> {
    const dir = params.dir ?? this.#ports.downloadDir()
    await this.#othersRecorded(dir, meta)
    const known = this.#byKeys(swarmKeys(meta.hashes))
    if (known !== undefined) {
      const answer = await this.#again(known, bytes, meta, before, params)
      return { answer: answer() }
    }
    const unwanted = unwantedFiles(meta, params.select)
    const looked = before?.dir === dir ? before : await this.#lookForNew(meta, params)
    const space = looked.space()
    await refuseSharedPaths({ dir, meta, self: null }, this.#ports)
    const wanted = wantedBytes(meta, unwanted)
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
    before: Looked | null,
    params: Params<'torrent.add'>,
  ): Promise<() => Promise<Result<'torrent.add'>>> {
    if (torrent.lacksMetadata) {
      const info = bytes.subarray(meta.infoStart, meta.infoEnd)
      const { row, meta: known } = await this.#complete(torrent, info, before, params.select)
      torrent.learn(row, known)
    }
    return this.#merge(torrent, [...meta.trackers.flat(), ...(params.trackers ?? [])])
  }

  /** A known torrent only gains trackers. What is answered asks the disk, and nobody's turn waits for that. */
  async #merge(torrent: Torrent, urls: readonly string[]): Promise<() => Promise<Result<'torrent.add'>>> {
    // A private torrent is announced to its own trackers and to no others (BEP 27).
    const offered = torrent.private ? [] : [...new Set(urls)].filter((url) => !torrent.announcesTo(url))
    const next = 1 + Math.max(-1, ...torrent.record.trackers.map(({ tier }) => tier))
    const added = offered.map((url, at): TrackerRow => ({ tier: next + at, url, source: 'user' }))
    if (added.length > 0) {
      await this.#ports.store.addTrackers(torrent.id, added)
      torrent.addTrackers(added)
    }
    return () => this.#known(torrent, added.length)
  }

  async #known(torrent: Torrent, addedTrackers: number): Promise<Result<'torrent.add'>> {
    const { id, hashes } = torrent
    const { name, dir, totalBytes, wantedBytes: wanted } = torrent.view()
    return {
      id,
      infoHash: hashes.v1 ?? null,
      infoHashV2: hashes.v2 ?? null,
      name,
      duplicate: true,
      dir,
      freeBytes: await freeBytesOf(dir, this.#ports),
      totalBytes,
      wantedBytes: wanted,
      addedTrackers,
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

function unwantedFiles(meta: Metainfo, select: readonly FileIndex[] | undefined): Set<FileIndex> {
  if (select === undefined) return new Set()
  return unselected(meta.files, select)
}

/** The same for a magnet link, which may name files itself. */
function unwantedOf(
  meta: Metainfo,
  link: Magnet | null,
  select: readonly FileIndex[] | undefined,
): Set<FileIndex> {
  const only = (link?.only ?? []).filter((index) => meta.files[index]?.pad === false)
  return unwantedFiles(meta, select ?? (only.length > 0 ? only : undefined))
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

/** `torrent.add`: from the bytes of a .torrent to a registered torrent, or one sentence that says why not. */
import type { Hashes, SwarmKey, TorrentId } from '../../shared/units.js'
import { swarmKeys } from '../../shared/units.js'
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { NO_LABELS } from '../../shared/labels.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import { ChoiceError, checkChoice } from '../../shared/choose-files.js'
import { type Magnet, withChoice } from '../../shared/torrent/magnet.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { type NamedNode, readNodes } from '../../shared/torrent/metainfo-nodes.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import { type NewTorrent, type Store, StoreFault, type TorrentRow } from '../ports/store.js'
import type { Kept } from '../swarm/metadata-phase.js'
import { faultSentence } from '../swarm/lifecycle.js'
import type { Torrent } from '../swarm/torrent.js'
import { USUAL_ORDER } from '../swarm/wishes.js'
import { fileRow, readMetainfo } from './add-file.js'
import { KnownAdder } from './add-known.js'
import { magnetRow, readMagnet } from './add-magnet.js'
import { lookAtPlace, type Looked } from './add-place.js'
import { type AddTrash, bringBack } from './add-trash.js'
import { chosenBy, unwantedFiles } from './choice.js'
import { Recordings } from './recordings.js'
import type { Session } from './session.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'

const gone: Kept = { refused: 'The torrent was removed.' }

type Added = Result<'torrent.add'>

/** Judged: the next add may be. */
interface Judged {
  readonly answer: Promise<Added>
}

export interface AdderPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly store: Store
  readonly session: Session
  readonly downloadDir: () => string
  /** Without one nothing comes back. */
  readonly trash?: AddTrash
  /** DHT nodes that a public torrent names. */
  readonly nodes?: (nodes: readonly NamedNode[]) => void
}

export class Adder {
  readonly #ports: AdderPorts
  /** Adds are judged one after another: each sees the paths that the one before took. */
  #queue: Promise<unknown> = Promise.resolve()
  readonly #recordings = new Recordings()
  /** For torrents that are there already. */
  readonly #known: KnownAdder

  constructor(ports: AdderPorts) {
    this.#ports = ports
    this.#known = new KnownAdder({ ...ports, recordings: this.#recordings })
  }

  async add(params: Params<'torrent.add'>, caller: Caller): Promise<Added> {
    const { metainfo, magnet } = params
    if ((metainfo === undefined) === (magnet === undefined)) {
      throw rpcError('badTorrent', 'Give either the bytes of a .torrent file or a magnet link.')
    }
    return magnet === undefined
      ? this.#addFile(Buffer.from(metainfo ?? '', 'base64'), params, caller)
      : this.#addMagnet(magnet, params, caller)
  }

  /** Metadata that peers sent for a magnet link: judged like an added .torrent, and recorded. */
  async keepMetadata(id: TorrentId, info: Uint8Array): Promise<Kept> {
    try {
      const coming = this.#ports.session.get(id)
      if (coming === undefined) return gone
      const looked = await this.#known.look(coming, this.#known.metaOf(coming, info), undefined)
      return await this.#inTurn(async () => {
        const torrent = this.#ports.session.get(id)
        return torrent === undefined ? gone : this.#known.complete(torrent, info, looked, undefined)
      })
    } catch (error) {
      if (error instanceof RpcError) return { refused: error.message }
      if (error instanceof StoreFault)
        return { refused: `The metadata could not be recorded (${error.code}).` }
      throw error
    }
  }

  async #addFile(bytes: Uint8Array, asked: Params<'torrent.add'>, caller: Caller): Promise<Added> {
    const meta = readMetainfo(bytes)
    const params = { ...asked, ...selection(asked, meta) }
    const fromTrash = await this.#fromTrash(swarmKeys(meta.hashes), params, caller)
    const known = this.#byKeys(swarmKeys(meta.hashes))
    const looked =
      known === undefined
        ? await this.#lookForNew(meta, params)
        : known.lacksMetadata
          ? await this.#known.look(known, meta, params.select)
          : null
    const { answer } = await this.#inTurn(() => this.#judge(bytes, meta, looked, params, caller))
    return { ...(await answer), fromTrash }
  }

  async #addMagnet(given: string, params: Params<'torrent.add'>, caller: Caller): Promise<Added> {
    // A link of somebody else's has no say in this: what it names may take long to be held against every file.
    const chooses = params.choose !== undefined || /x\.select/i.test(given)
    const text = chooses ? withChoice(given, checked(params.choose ?? [])) : given
    const magnet = readMagnet(text)
    const fromTrash = await this.#fromTrash(swarmKeys(magnet.hashes), params, caller)
    const isKnown = this.#byKeys(swarmKeys(magnet.hashes)) !== undefined
    const looked = isKnown ? null : await this.#lookAt(params.dir)
    const { answer } = await this.#inTurn(() => this.#judgeMagnet(text, magnet, looked, params, caller))
    return { ...(await answer), fromTrash }
  }

  async #fromTrash(
    keys: readonly SwarmKey[],
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<boolean> {
    const { trash } = this.#ports
    return trash === undefined ? false : bringBack(trash, keys, params, caller)
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

  #lookAt(
    dir = this.#ports.downloadDir(),
    coming: Parameters<typeof lookAtPlace>[1] = null,
  ): Promise<Looked> {
    return lookAtPlace(dir, coming, this.#ports)
  }

  async #judgeMagnet(
    text: string,
    magnet: Magnet,
    before: Looked | null,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<Judged> {
    const keys = swarmKeys(magnet.hashes)
    await this.#recordings.same(keys)
    const known = this.#byKeys(keys)
    if (known !== undefined) {
      const answer = await this.#known.merge(known, [...magnet.trackers, ...(params.trackers ?? [])])
      return { answer: answer() }
    }
    if (params.select !== undefined) {
      throw rpcError(
        'badSelection',
        'Files can be chosen once the metadata are there: use "torrentinoctl select".',
      )
    }
    const looked = before ?? (await this.#lookAt(params.dir))
    const { volume, freeBytes } = looked.space()
    const row = magnetRow(text, magnet, {
      dir: looked.dir,
      volume,
      trackers: params.trackers ?? [],
      paused: params.paused === true,
      addedAt: Math.round(this.#ports.clock.wall()),
    })
    const id = await this.#record(row, null, caller)
    return { answer: Promise.resolve(answerOf(id, row, freeBytes)) }
  }

  async #judge(
    bytes: Uint8Array,
    meta: Metainfo,
    before: Looked | null,
    params: Params<'torrent.add'>,
    caller: Caller,
  ): Promise<Judged> {
    const dir = params.dir ?? this.#ports.downloadDir()
    const keys = swarmKeys(meta.hashes)
    const coming = { keys, dir, root: rootOf(meta) }
    await this.#recordings.touched(coming)
    const known = this.#byKeys(keys)
    if (known !== undefined) {
      const answer = await this.#again(known, bytes, meta, before, params)
      return { answer: answer() }
    }
    const unwanted = unwantedFiles(meta, params.select)
    const looked = before?.dir === dir ? before : await this.#lookForNew(meta, params)
    const { volume, freeBytes } = looked.space()
    await refuseSharedPaths({ dir, meta, self: null }, this.#ports)
    const row = fileRow(bytes, meta, {
      ...{ dir, volume, unwanted },
      trackers: params.trackers ?? [],
      paused: params.paused === true,
      addedAt: Math.round(this.#ports.clock.wall()),
    })
    const answer = this.#record(row, meta, caller).then((id) => answerOf(id, row, freeBytes))
    this.#recordings.add(coming, answer)
    return { answer }
  }

  /** The .torrent of a torrent that is there: it gives a magnet link its files, and any torrent its trackers. */
  async #again(
    torrent: Torrent,
    bytes: Uint8Array,
    meta: Metainfo,
    before: Looked | null,
    params: Params<'torrent.add'>,
  ): Promise<() => Promise<Added>> {
    if (torrent.lacksMetadata) {
      const info = bytes.subarray(meta.infoStart, meta.infoEnd)
      const { row, meta: known } = await this.#known.complete(torrent, info, before, params.select)
      torrent.learn(row, known)
    }
    return this.#known.merge(torrent, [...meta.trackers.flat(), ...(params.trackers ?? [])])
  }

  #byKeys(keys: readonly SwarmKey[]): Torrent | undefined {
    for (const key of keys) {
      const torrent = this.#ports.session.byKey(key)
      if (torrent !== undefined) return torrent
    }
    return undefined
  }

  async #record(row: NewTorrent, meta: Metainfo | null, caller: Caller): Promise<TorrentId> {
    const id = await this.#store(row)
    this.#register(id, row, meta, caller)
    return id
  }

  async #store(row: NewTorrent): Promise<TorrentId> {
    try {
      return await this.#ports.store.add(row)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      const why = faultSentence({ kind: 'store', code: error.code })
      throw rpcError('storeFailed', `Nothing was added: ${why}`)
    }
  }

  #register(id: TorrentId, row: NewTorrent, meta: Metainfo | null, caller: Caller): void {
    const torrent = this.#ports.session.register(firstRecord(id, row))
    this.#ports.session.journal.note('added', id, caller.name, { name: row.name, dir: row.dir })
    if (!row.private && meta !== null) this.#ports.nodes?.(readNodes(row.torrent))
    if (row.desired !== 'running') return
    if (meta === null) torrent.start()
    else torrent.begin(meta)
  }
}

/** The record of a new torrent. Field by field: of the bytes that are stored with it nothing may stay in memory. */
function firstRecord(id: TorrentId, row: NewTorrent): TorrentRow {
  return {
    id,
    hashes: row.hashes,
    name: row.name,
    dir: row.dir,
    volume: row.volume,
    private: row.private,
    pieceLength: row.pieceLength,
    pieceCount: row.pieceCount,
    total: row.total,
    wanted: row.wanted,
    done: 0,
    desired: row.desired,
    checked: false,
    addedAt: row.addedAt,
    completedAt: null,
    fault: null,
    rank: null,
    goals: null,
    reached: null,
    limits: null,
    seedingMs: 0,
    downloaded: 0,
    uploaded: 0,
    wasted: 0,
    labels: NO_LABELS,
    order: USUAL_ORDER,
    trackers: row.trackers,
  }
}

/** Indexes for the words of a person. Throws badSelection. */
function selection({ choose }: Params<'torrent.add'>, meta: Metainfo): Pick<Params<'torrent.add'>, 'select'> {
  return choose === undefined ? {} : { select: chosenBy(choose, meta.files) }
}

/** Throws badSelection for what could be no file of any torrent. */
function checked(words: readonly string[]): readonly string[] {
  try {
    for (const word of words) checkChoice(word)
    return words
  } catch (error) {
    if (!(error instanceof ChoiceError)) throw error
    throw rpcError('badSelection', `${error.message}.`)
  }
}

function answerOf(id: TorrentId, row: NewTorrent, freeBytes: number): Added {
  const { name, dir, total: totalBytes, wanted: wantedBytes, trackers } = row
  const { v1, v2 }: Hashes = row.hashes
  return {
    id,
    infoHash: v1 ?? null,
    infoHashV2: v2 ?? null,
    name,
    duplicate: false,
    fromTrash: false,
    dir,
    freeBytes,
    totalBytes,
    wantedBytes,
    addedTrackers: trackers.length,
  }
}

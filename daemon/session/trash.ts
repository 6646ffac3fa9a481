/**
 * The trash: torrents that were removed and can come back. The row of such a torrent stays in the database with its
 * bits, choices and figures, and says `trashed`; its files, where they were to go too, are renamed into a hidden folder
 * beside the data by the journaled job that moves them. What is due is deleted for good by the job that removes.
 *
 *   going, move job, there      into the trash; a start after a kill goes on, or takes it back where that is refused
 *   back, move job, (no row)    out of it, likewise
 *   there, remove job           for good
 */
import type { Caller, EmptiedPerTorrent } from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import { resolveRef } from '../../shared/rpc/refs.js'
import { storedMetainfo } from '../../shared/torrent/names.js'
import { type Bytes, type Millis, type SwarmKey, swarmKeys, type TorrentId } from '../../shared/units.js'
import type { Desired, TorrentView, TrashView } from '../../shared/views.js'
import { type Log, stackOf } from '../base/log.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { DiskFault } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import { StoreFault, type TorrentRow, type TrashedRow } from '../ports/store.js'
import { faultSentence } from '../swarm/lifecycle.js'
import type { Torrent } from '../swarm/torrent.js'
import type { JobPorts } from './job.js'
import type { Jobs } from './jobs.js'
import type { MoveJob } from './move-job.js'
import { wishOf } from './session.js'
import { refuseSharedPaths } from './shared-paths.js'
import { type TrashPlace, trashPlace, trashPlaceOf } from './trash-place.js'
import { ANSWERS_WITHIN, within } from './within.js'

export interface TrashPorts extends JobPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly jobs: Jobs
  /** How long a torrent stays; 0: it goes at once. */
  readonly keep: () => Millis
}

/** What is asked of one removal. */
export interface Disposal {
  readonly data: boolean
  readonly caller: Caller
  /** Its files are to go too: asked for while it stops. */
  readonly wantsData: () => boolean
}

/** What cannot be deleted when it is due is tried again. */
const AGAIN: Millis = 3_600_000
/** What the database refused in the middle is gone on with after this. */
const GOES_ON: Millis = 5000
/** A timer takes no more: 24.8 days. */
const LONGEST: Millis = 2_147_483_647
const MARK = 'trash.mark'
const MARK_BYTES = 4

export class Trash {
  readonly #ports: TrashPorts
  /** By id; those on their way in or out too. */
  readonly #rows = new Map<TorrentId, TrashedRow>()
  /** Those that are brought back or deleted now. */
  readonly #busy = new Set<TorrentId>()
  /** When one is tried again that could not be deleted when it was due; wall clock. */
  readonly #postponed = new Map<TorrentId, Millis>()
  /** In the names of the folders of this home; 8 hex digits. */
  #mark = ''
  /** The next one that is due; null: none, or the daemon stops. */
  #timer: Cancel | null = null
  #stopped = false

  constructor(ports: TrashPorts) {
    this.#ports = ports
  }

  /** Before the torrents of the store are brought back. */
  async open(): Promise<void> {
    const { store } = this.#ports
    for (const row of await store.trash()) this.#rows.set(row.torrent, row)
  }

  /** It lies in the trash and nothing is to be done with it. */
  rests(row: Pick<TorrentRow, 'id' | 'desired'>): boolean {
    return row.desired === 'trashed' && this.#rows.get(row.id)?.phase === 'there'
  }

  /** Goes on with what an earlier run began; its jobs run already. */
  resume(): void {
    for (const row of this.#rows.values()) {
      const torrent = this.#ports.session.get(row.torrent)
      if (torrent === undefined) continue
      torrent.retire(() => undefined)
      this.#alone(row.torrent, () => this.#goOn(torrent, row))
    }
    this.#arm()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.()
    this.#timer = null
  }

  get keeps(): boolean {
    return this.#ports.keep() > 0
  }

  /** The latest first. */
  list(): TrashView[] {
    return [...this.#rows.values()].sort(latestFirst).map(viewOf)
  }

  get bytes(): Bytes {
    return [...this.#rows.values()].reduce((sum, row) => sum + viewOf(row).bytes, 0)
  }
  get size(): number {
    return this.#rows.size
  }
  /** What it holds of the files of one folder. */
  bytesIn(dir: string): Bytes {
    const there = [...this.#rows.values()].filter((row) => row.dir === dir)
    return there.reduce((sum, row) => sum + viewOf(row).bytes, 0)
  }

  byKeys(keys: readonly SwarmKey[]): TrashView | null {
    for (const row of this.#rows.values())
      if (swarmKeys(row.hashes).some((key) => keys.includes(key))) return viewOf(row)
    return null
  }

  /** It lies there with its files. */
  holdsFiles(id: TorrentId): boolean {
    return this.#rows.get(id)?.data === true
  }

  // --- into it

  /** A sentence where the torrent was not removed, else null. */
  async put(torrent: Torrent, ask: Disposal): Promise<string | null> {
    await this.#ports.jobs.clear(torrent.id)
    if (this.#ports.session.get(torrent.id) !== torrent) return null
    // Its files may be on their way: the folder it names is no folder of its own then.
    if (this.#rows.has(torrent.id)) return underWay(torrent.name)
    try {
      return await this.#put(torrent, this.#rowOf(torrent, ask), ask)
    } catch (error) {
      if (!(error instanceof StoreFault) || this.#rows.get(torrent.id)?.phase !== 'going') throw error
      this.#goOnLater(torrent.id)
      const fault = faultSentence({ kind: 'store', code: error.code })
      return `${torrent.name} is on its way into the trash, and goes on by itself: ${fault}`
    }
  }

  async #put(torrent: Torrent, row: TrashedRow, ask: Disposal): Promise<string | null> {
    if (!row.data || torrent.lacksMetadata) return this.#putRow(torrent, { ...row, data: false }, ask)
    // Before the folder is made: nobody would know of it.
    await this.#set({ ...row, phase: 'going' })
    const place = await this.#makePlace(row)
    if (typeof place === 'string') {
      await this.#takeBack(torrent, row)
      return place
    }
    this.#ports.crashPoint('trash.stored')
    return this.#carry(torrent, row, place, ask)
  }

  #rowOf(torrent: Torrent, { data, caller }: Disposal): TrashedRow {
    const { id, name, hashes, dir, desired } = torrent
    const at = Math.round(this.#ports.clock.wall())
    const until = at + this.#ports.keep()
    const done = torrent.view().doneBytes
    return {
      torrent: id,
      name,
      hashes,
      at,
      until,
      data,
      dir,
      desired,
      phase: 'there',
      caller: caller.name,
      done,
    }
  }

  /** Without its files. */
  async #putRow(torrent: Torrent, row: TrashedRow, ask: Disposal): Promise<string | null> {
    await this.#set({ ...row, phase: 'there' })
    await new Promise<void>((resolve) => {
      torrent.retire(resolve)
    })
    if (ask.wantsData() && !row.data && !torrent.lacksMetadata)
      return this.#put(torrent, { ...row, data: true }, ask)
    await this.#rest(torrent, row)
    return null
  }

  /** The folders in the trash, or why there can be none. */
  async #makePlace(row: TrashedRow): Promise<TrashPlace | string> {
    const { session, disk } = this.#ports
    const seen = await session.volumes.look(row.dir)
    if ('kind' in seen) return noTrash(row.name, faultSentence(seen))
    const place = trashPlace(row.dir, await this.#ownMark(), row.torrent)
    const fault = await disk.makeBelow(place.dir, place.names)
    return fault === null ? place : noTrash(row.name, placeSentence(fault))
  }

  async #carry(torrent: Torrent, row: TrashedRow, place: TrashPlace, ask: Disposal): Promise<string | null> {
    const { jobs } = this.#ports
    try {
      const job = await jobs.bring(torrent, place.path, ask.caller, 'trash')
      if (job !== null) return await this.#away(torrent, row, job)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      await this.#takeBack(torrent, row)
      return noTrash(row.name, error.message)
    }
    await this.#ports.disk.dropBelow(place.dir, place.names)
    return this.#putRow(torrent, { ...row, data: false }, { ...ask, wantsData: () => false })
  }

  /** Its files are on their way. */
  async #away(torrent: Torrent, row: TrashedRow, job: MoveJob): Promise<string | null> {
    torrent.retire(() => undefined)
    await job.settled()
    const { state, error } = job.view()
    if (state === 'done') await this.#arrived(torrent, row)
    else if (job.over) {
      await this.#takeBack(torrent, row)
      return `${row.name} was not removed: ${error ?? 'its files could not be moved.'}`
    } else if (state === 'waiting') {
      torrent.awaitRemoval(job.waitsFor ?? 'volume')
      this.#alone(row.torrent, () => job.ended().then(() => this.#away(torrent, row, job)))
    }
    return null
  }

  async #arrived(torrent: Torrent, row: TrashedRow): Promise<void> {
    this.#ports.crashPoint('trash.moved')
    await this.#set({ ...row, phase: 'there' })
    await this.#rest(torrent, row)
  }

  /** It is out of sight. */
  async #rest(torrent: Torrent, row: TrashedRow): Promise<void> {
    const { session, store, log } = this.#ports
    const totals = torrent.takeTotals('any')
    if (totals !== null)
      await store.saveTotals([totals]).catch((error: unknown) => {
        log.warn({ torrent: row.torrent, error: String(error) }, 'totals could not be saved')
      })
    session.forget(torrent)
    const { name, data, until, caller } = row
    session.journal.note('removed', row.torrent, caller, { name, data, until })
    this.#arm()
  }

  /** It could not be put there: it goes on as before. */
  async #takeBack(torrent: Torrent, row: TrashedRow): Promise<void> {
    await this.#end(row)
    torrent.keep()
    if (isToRun(row.desired)) torrent.start(wishOf(row))
    await this.#dropPlace(row)
  }

  // --- out of it

  /** Without a ref the latest. `paused`: it is not started, whatever it was. Throws RpcError. */
  async undo(ref: number | string | null, caller: Caller, paused = false): Promise<TorrentView> {
    const row = this.#pick(ref)
    const { torrent: id, name } = row
    if (row.phase !== 'there' || this.#busy.has(id)) throw rpcError('wrongState', underWay(name))
    const desired: Desired = paused ? 'paused' : row.desired
    this.#busy.add(id)
    const work = this.#bringBack({ ...row, desired }, caller).finally(() => this.#busy.delete(id))
    const torrent = await within(this.#ports.clock, ANSWERS_WITHIN, work)
    if (torrent === null)
      throw rpcError('wrongState', `${row.dir} has not answered yet; ${name} comes back by itself.`)
    return torrent.view()
  }

  async #bringBack(row: TrashedRow, caller: Caller): Promise<Torrent> {
    const { session, store } = this.#ports
    const [record] = await store.torrents(row.torrent)
    if (record === undefined) throw nothingThere(row.torrent)
    await this.#refuseTaken(record, row)
    const torrent = session.register({ ...record, desired: 'paused' }, undefined, false)
    torrent.retire(() => undefined)
    try {
      if (row.data) await this.#fetch(torrent, row, caller)
      await this.#returned(torrent, row, caller)
      return torrent
    } catch (error) {
      const isBack = this.#rows.get(row.torrent)?.phase === 'back'
      if (!isBack) session.forget(torrent)
      if (!(error instanceof StoreFault)) throw error
      if (isBack) this.#goOnLater(row.torrent)
      throw rpcError(
        'storeFailed',
        `${row.name} stays in the trash: ${faultSentence({ kind: 'store', code: error.code })}`,
      )
    }
  }

  /** Another torrent may write there since. */
  async #refuseTaken(record: TorrentRow, row: TrashedRow): Promise<void> {
    if (record.pieceCount === 0) return
    const { session, store } = this.#ports
    const meta = storedMetainfo(await store.metainfo(record.id))
    await refuseSharedPaths({ dir: row.dir, meta, self: record.id }, { session, store })
  }

  /** Its files come back. Throws RpcError: they stay. */
  async #fetch(torrent: Torrent, row: TrashedRow, caller: Caller): Promise<void> {
    await this.#set({ ...row, phase: 'back' })
    this.#ports.crashPoint('undo.stored')
    let why = 'its files could not be moved.'
    try {
      const job = await this.#ports.jobs.bring(torrent, row.dir, caller, 'undo')
      if (job === null) return
      await job.ended()
      const { state, error } = job.view()
      if (state === 'done') return
      why = error ?? why
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      why = error.message
    }
    await this.#set({ ...row, phase: 'there' })
    throw rpcError('wrongState', `${row.name} stays in the trash: ${why}`)
  }

  async #returned(torrent: Torrent, row: TrashedRow, caller: Caller): Promise<void> {
    this.#ports.crashPoint('undo.moved')
    // While the row tells of the folder: after it nobody would.
    await this.#dropPlace(row)
    await this.#end(row)
    torrent.keep()
    if (isToRun(row.desired)) torrent.start(wishOf(row))
    const { name, data, dir } = row
    this.#ports.session.journal.note('restored', row.torrent, caller.name, { name, data, dir })
    this.#arm()
  }

  // --- for good

  /** Answers in the order asked. */
  async empty(refs: 'all' | readonly (number | string)[], caller: Caller): Promise<EmptiedPerTorrent[]> {
    const results: EmptiedPerTorrent[] = []
    for (const ref of refs === 'all' ? [...this.#rows.keys()] : refs) {
      try {
        const row = this.#pick(ref)
        await this.#deleteOne(row, caller)
        results.push({ ref: row.torrent, ok: true, torrent: viewOf(row) })
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
        results.push({ ref, ok: false, error: { code: error.code, message: error.message } })
      }
    }
    return results
  }

  /** One whose files lie where they were is forgotten: it is added anew. */
  forget(id: TorrentId, caller: Caller): Promise<void> {
    return this.#deleteOne(this.#pick(id), caller)
  }

  async #deleteOne(row: TrashedRow, caller: Caller): Promise<void> {
    const { torrent: id, name } = row
    if (row.phase !== 'there' || this.#busy.has(id)) throw rpcError('wrongState', underWay(name))
    this.#busy.add(id)
    try {
      const why = row.data ? await this.#deleteFiles(row, caller) : await this.#deleteRow(row, caller)
      if (why !== null) throw rpcError('wrongState', why)
      this.#rows.delete(id)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      const fault = faultSentence({ kind: 'store', code: error.code })
      throw rpcError('storeFailed', `${name} stays in the trash: ${fault}`)
    } finally {
      this.#busy.delete(id)
      // It waits for the database, and goes on by itself.
      if (this.#ports.jobs.of(id) !== undefined) this.#alone(id, () => this.#deleted(row))
      this.#arm()
    }
  }

  /** The job under way comes to its end: all is gone, or a person gave it up and it stays in the trash. */
  async #deleted(row: TrashedRow): Promise<void> {
    const { jobs, session } = this.#ports
    await jobs.of(row.torrent)?.ended()
    const torrent = session.get(row.torrent)
    if (torrent === undefined) {
      this.#rows.delete(row.torrent)
      return
    }
    session.forget(torrent)
    await this.#set(row)
  }

  async #deleteRow({ torrent, name }: TrashedRow, caller: Caller): Promise<null> {
    const { store, session } = this.#ports
    await store.remove(torrent)
    session.journal.note('emptied', torrent, caller.name, { name, data: false })
    return null
  }

  /** A sentence where they are still there. */
  async #deleteFiles(row: TrashedRow, caller: Caller): Promise<string | null> {
    const { session, store, jobs, clock, disk } = this.#ports
    const [record] = await store.torrents(row.torrent)
    if (record === undefined) return null
    const space = await within(clock, ANSWERS_WITHIN, disk.space(row.dir))
    if (space === null || 'code' in space)
      return `${row.name} stays in the trash: ${row.dir} is not there, or does not answer; bring its volume back first.`
    const torrent = session.register({ ...record, desired: 'paused' }, undefined, false)
    torrent.retire(() => undefined)
    const refused = await jobs.remove(torrent, caller).catch((error: unknown) => {
      session.forget(torrent)
      throw error
    })
    if (session.get(row.torrent) !== torrent) return null
    if (refused === null && jobs.of(row.torrent)?.waitsFor === 'store')
      return `${row.name} is being deleted and waits for the database, which refused; it goes on by itself.`
    await jobs.clear(row.torrent)
    session.forget(torrent)
    await this.#set(row)
    // The next start would find a removal of nobody.
    for (const job of await store.jobs()) if (job.torrent === row.torrent) await store.endJob(job.id)
    return refused ?? `${row.name} stays in the trash: the volume of ${row.dir} is away.`
  }

  /** One timer for the next that is due. */
  #arm(): void {
    this.#timer?.()
    this.#timer = null
    if (this.#stopped) return
    const dues = [...this.#rows.values()]
      .filter(({ phase }) => phase === 'there')
      .map((row) => this.#dueOf(row))
    if (dues.length === 0) return
    const { clock } = this.#ports
    const wait = Math.min(LONGEST, Math.max(0, Math.min(...dues) - clock.wall()))
    this.#timer = clock.after(Math.ceil(wait), () => {
      this.#timer = null
      this.#expire().catch((error: unknown) => {
        this.#ports.log.error({ error: stackOf(error) }, 'a bug in the trash')
      })
    })
  }

  #dueOf({ torrent, until }: TrashedRow): Millis {
    return Math.max(until, this.#postponed.get(torrent) ?? 0)
  }

  async #expire(): Promise<void> {
    const { clock, log } = this.#ports
    const due = [...this.#rows.values()].filter(
      (row) => row.phase === 'there' && this.#dueOf(row) <= clock.wall() && !this.#busy.has(row.torrent),
    )
    for (const row of due) {
      // Set first: whatever comes of it, it is not tried again at once.
      this.#postponed.set(row.torrent, clock.wall() + AGAIN)
      await this.#deleteOne(row, nobody).catch((error: unknown) => {
        if (!(error instanceof RpcError)) throw error
        log.warn({ torrent: row.torrent }, error.message)
      })
      if (!this.#rows.has(row.torrent)) this.#postponed.delete(row.torrent)
    }
    this.#arm()
  }

  // --- after a kill

  async #goOn(torrent: Torrent, row: TrashedRow): Promise<unknown> {
    const { jobs, session } = this.#ports
    const job = jobs.of(row.torrent)
    // It was being deleted.
    if (row.phase === 'there') return this.#deleted(row)
    await job?.ended()
    const isIn = trashPlaceOf(torrent) !== null
    if (row.phase === 'back')
      return isIn ? this.#goBack(torrent, row) : this.#returned(torrent, row, named(row))
    if (isIn) return this.#arrived(torrent, row)
    const refused = await this.#put(torrent, row, { data: true, caller: named(row), wantsData: () => false })
    if (refused !== null && session.get(row.torrent) === torrent) await this.#takeBack(torrent, row)
    return
  }

  async #goBack(torrent: Torrent, row: TrashedRow): Promise<void> {
    try {
      await this.#fetch(torrent, row, named(row))
      await this.#returned(torrent, row, named(row))
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#ports.log.warn({ torrent: row.torrent }, error.message)
      this.#ports.session.forget(torrent)
    }
  }

  /** The database refused in the middle. */
  #goOnLater(id: TorrentId): void {
    this.#ports.clock.after(GOES_ON, () => {
      const [row, torrent] = [this.#rows.get(id), this.#ports.session.get(id)]
      if (this.#stopped || row === undefined || torrent === undefined) return
      if (row.phase !== 'there' && !this.#busy.has(id)) this.#alone(id, () => this.#goOn(torrent, row))
    })
  }

  /** What nobody waits for. */
  #alone(id: TorrentId, work: () => Promise<unknown>): void {
    this.#busy.add(id)
    work()
      .catch((error: unknown) => {
        this.#ports.log.warn({ torrent: id, error: stackOf(error) }, 'the trash could not go on')
        if (error instanceof StoreFault) this.#goOnLater(id)
      })
      .finally(() => {
        this.#busy.delete(id)
        this.#arm()
      })
      .catch(() => undefined)
  }

  // --- its rows

  async #set(row: TrashedRow): Promise<void> {
    const { name: _name, hashes: _hashes, done: _done, ...stored } = row
    await this.#ports.store.setTrash(stored)
    this.#rows.set(row.torrent, row)
  }

  async #end(row: TrashedRow): Promise<void> {
    const { store } = this.#ports
    const known = this.#rows.get(row.torrent)
    // What it is to do from now on may be another thing than what it did.
    if (known !== undefined && known.desired !== row.desired) await this.#set(row)
    await store.endTrash(row.torrent)
    this.#rows.delete(row.torrent)
  }

  async #dropPlace(row: TrashedRow): Promise<void> {
    if (!row.data) return
    const { dir, names } = trashPlace(row.dir, await this.#ownMark(), row.torrent)
    await this.#ports.disk.dropBelow(dir, names)
  }

  #pick(ref: number | string | null): TrashedRow {
    const rows = [...this.#rows.values()].sort(latestFirst)
    if (ref === null) {
      const [latest] = rows
      if (latest === undefined) throw rpcError('wrongState', 'The trash is empty.')
      return latest
    }
    try {
      return resolveRef(
        ref,
        rows.map((row) => ({ ...viewOf(row), row })),
      ).row
    } catch (error) {
      if (error instanceof RpcError && error.errorName === 'noSuchTorrent') throw nothingThere(ref)
      throw error
    }
  }

  /** Drawn once and kept: two homes may share a folder. */
  async #ownMark(): Promise<string> {
    const { store, random } = this.#ports
    if (this.#mark === '') {
      const kept = await store.getMeta(MARK)
      const mark = kept ?? Buffer.from(random.bytes(MARK_BYTES)).toString('hex')
      if (kept === null) await store.setMeta(MARK, mark)
      this.#mark = mark
    }
    return this.#mark
  }
}

const nobody: Caller = { via: 'socket', name: '' }

function named({ caller }: TrashedRow): Caller {
  return { via: 'socket', name: caller }
}

function isToRun(desired: Desired): boolean {
  return desired === 'running' || desired === 'forced'
}

function latestFirst(a: TrashedRow, b: TrashedRow): number {
  return b.at - a.at || b.torrent - a.torrent
}

function viewOf(row: TrashedRow): TrashView {
  const { torrent: id, name, hashes, data, dir, at, until, caller: by } = row
  const infoHashes = { infoHash: hashes.v1 ?? null, infoHashV2: hashes.v2 ?? null }
  return { id, ...infoHashes, name, data, bytes: data ? row.done : 0, dir, removedAt: at, until, by }
}

function underWay(name: string): string {
  return `${name} is on its way into the trash or out of it; try again in a moment.`
}

function nothingThere(ref: number | string): RpcError {
  return rpcError(
    'noSuchTorrent',
    `The trash has no torrent ${String(ref)}; "torrentinoctl trash" shows what it has.`,
    { ref },
  )
}

/** `why`: a sentence. */
function noTrash(name: string, why: string): string {
  return `${name} was not removed, since its files cannot go to the trash: ${why} "torrentinoctl remove --data --now" deletes them at once.`
}

function placeSentence(fault: DiskFault): string {
  const { code, path } = fault
  if (code === 'ENOTDIR') return `${path} is no folder.`
  if (code === 'EXDEV') return `${path} lies on another volume.`
  if (code === 'EACCES' || code === 'EPERM') return `There is no permission to write to ${path}.`
  return faultSentence({ kind: 'disk', fault })
}

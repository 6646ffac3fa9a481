/** Long work: begun by a verb, stored before it begins, gone on with after a restart. */
import type { Millis, TorrentId } from '../../shared/units.js'
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import { type Metainfo, parseMetainfo } from '../../shared/torrent/metainfo.js'
import {
  type GivenNames,
  goodNames,
  NameError,
  type Renaming,
  renaming,
  storedMetainfo,
  withNames,
} from '../../shared/torrent/names.js'
import type { JobView } from '../../shared/views.js'
import type { MoveLook } from '../ports/disk.js'
import { type JobRow, StoreFault } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import type { Job, JobPorts } from './job.js'
import { type MoveArgs, MoveJob } from './move-job.js'
import { nameRefusal, noRoom, otherVolume, refusal } from './move-sentences.js'
import { noMetadata, type Queries } from './queries.js'
import { RemoveJob } from './remove-job.js'
import { refuseSharedPaths, rootOf } from './shared-paths.js'
import { ANSWERS_WITHIN, silent, SURVEYS_WITHIN, within } from './within.js'

/** What is to be moved, as it was decided before anything is touched. */
interface MovePlan {
  /** Where the files go. */
  readonly dir: string
  /** For the job; see there. */
  readonly meta: Metainfo
  /** What the files are called before, and after. */
  readonly now: Metainfo
  readonly then: Metainfo
  readonly why?: NonNullable<MoveArgs['why']>
  readonly names?: NonNullable<MoveArgs['names']>
}

/** Ended ones that can still be asked for. */
const REMEMBERED = 100
/** What hangs in a volume then must not keep the torrents from an end in order. */
const STOPS_WITHIN: Millis = 1000

export class Jobs {
  readonly #ports: JobPorts & { readonly queries: Queries }
  /** By number, the oldest first; those that ended, up to a bound. */
  readonly #jobs = new Map<number, Job>()
  /** Torrents for which a move is being judged. */
  readonly #judging = new Set<TorrentId>()
  /** For removals that the store has no number for. */
  #unnumbered = 0

  constructor(ports: JobPorts & { readonly queries: Queries }) {
    this.#ports = ports
  }

  list(): Result<'job.list'> {
    return { jobs: [...this.#jobs.values()].map((job) => job.view()) }
  }

  /** Throws noSuchJob. */
  get(id: number): JobView {
    return this.#job(id).view()
  }

  async cancel(id: number): Promise<JobView> {
    const job = this.#job(id)
    const refused = await within(
      this.#ports.clock,
      ANSWERS_WITHIN,
      job.cancel().then((why) => why ?? ''),
    )
    if (refused === null) throw rpcError('wrongState', unanswered)
    if (refused !== '') throw rpcError('wrongState', refused)
    return job.view()
  }

  /** Answers when the move has begun: everything that can be refused is refused before. */
  async move(params: Params<'torrent.move'>, caller: Caller): Promise<Result<'torrent.move'>> {
    const torrent = this.#ports.queries.one(params.id)
    if (torrent.lacksMetadata) throw noMetadata(torrent)
    const job = await this.bring(torrent, params.dir.replace(/(?<=.)\/+$/, ''), caller)
    return { torrent: torrent.view(), job: job?.view() ?? null }
  }

  /** Other names for a torrent or one of its files; answers when that has begun, as `move`. */
  async rename(params: Params<'torrent.rename'>, caller: Caller): Promise<Result<'torrent.rename'>> {
    const torrent = this.#ports.queries.one(params.id)
    if (torrent.lacksMetadata) throw noMetadata(torrent)
    const { file, name } = params
    const what = file === undefined ? { root: name } : { file, path: name }
    const job = await this.#begin(torrent, caller, async () => {
      const stored = await this.#ports.store.metainfo(torrent.id)
      const meta = parseMetainfo(stored.torrent)
      const names = namesOf(meta, torrent.name, stored.names, what)
      const { dir } = torrent
      return names === null
        ? null
        : { dir, meta, now: withNames(meta, names.before), then: withNames(meta, names.after), names }
    })
    return { torrent: torrent.view(), job: job?.view() ?? null }
  }

  /**
   * Begins to bring the files elsewhere; null: they lie there already, or there are none for the trash. Throws what a
   * move is refused with.
   */
  async bring(torrent: Torrent, dir: string, caller: Caller, why?: MoveArgs['why']): Promise<MoveJob | null> {
    return this.#begin(torrent, caller, async () => {
      const meta = storedMetainfo(await this.#ports.store.metainfo(torrent.id))
      return { dir, meta, now: meta, then: meta, ...(why === undefined ? {} : { why }) }
    })
  }

  async #begin(
    torrent: Torrent,
    caller: Caller,
    planned: () => Promise<MovePlan | null>,
  ): Promise<MoveJob | null> {
    const busy = this.#busyWith(torrent.id)
    if (busy !== null) throw rpcError('wrongState', busy)
    this.#judging.add(torrent.id)
    const { id, name } = torrent
    let release = (): void => undefined
    try {
      const plan = await planned()
      if (plan === null) return null
      const { dir, meta, why, names } = plan
      release = this.#ports.session.reserve({ torrent: id, dir, root: rootOf(plan.then) })
      await refuseSharedPaths({ dir, meta: plan.then, self: id }, this.#ports)
      const look = await this.#look(torrent, plan)
      if (why === 'trash' && !look.oneVolume) throw otherVolume(dir)
      if (look.same || (why === 'trash' && look.files === 0)) {
        release()
        return null
      }
      const reason = why === undefined ? {} : { why }
      const given = names === undefined ? {} : { names }
      const { volume } = look
      const args: MoveArgs = { from: torrent.dir, to: dir, volume, copied: 0, ...reason, ...given }
      const step = look.oneVolume ? 'link' : 'copy'
      const row = { torrent: id, kind: 'move', step, args: { ...args }, caller: caller.name }
      const job = await this.#record(row)
      this.#ports.crashPoint('move.stored')
      this.#ports.log.info({ torrent: id, job, from: args.from, to: dir, name, ...reason, ...given }, 'move')
      const total = look.oneVolume ? look.files : look.bytes
      const init = { id: job, step, args, caller: caller.name, torrent, meta, release, total } as const
      const begun = new MoveJob({ ...init, resumed: false }, this.#ports)
      this.#add(begun)
      return begun
    } catch (error) {
      release()
      throw error
    } finally {
      this.#judging.delete(id)
    }
  }

  /** Removes a torrent with its files; answers why that failed, or null: it is done, or waits for a volume. */
  async remove(torrent: Torrent, caller: Caller): Promise<string | null> {
    const running = this.of(torrent.id)
    if (running instanceof RemoveJob) {
      running.hurry()
      return this.#outcome(running)
    }
    await this.clear(torrent.id)
    const hadData = torrent.view().doneBytes > 0
    // What a kill in the middle goes on with. In one: a wish alone would be acted on by the next start.
    const row = { torrent: torrent.id, kind: 'remove', step: 'clear', args: { hadData }, caller: caller.name }
    const id = await this.#ports.store.addJob({ ...row, desired: 'removedWithData' })
    this.#ports.crashPoint('remove.stored')
    return this.#outcome(this.#startRemoval({ id, torrent, step: 'clear', hadData, caller: caller.name }))
  }

  /** It is gone with its files, not long ago. */
  hasRemoved(torrent: TorrentId): boolean {
    return [...this.#jobs.values()].some(
      (job) => job.torrent === torrent && job instanceof RemoveJob && job.view().state === 'done',
    )
  }

  /** Ends what is under way for a torrent that is to be removed. */
  async clear(torrent: TorrentId): Promise<void> {
    const job = this.of(torrent)
    if (job === undefined || (await giveUp(job)) === null) return
    // What cannot be taken back any more is over soon, or waits and can be given up then.
    await job.settled()
    if (!job.over) await giveUp(job)
  }

  /** Goes on with what an earlier run began. Those torrents are not started by anybody else. */
  async restore(rows: readonly JobRow[]): Promise<void> {
    for (const row of rows) {
      const torrent = this.#ports.session.get(row.torrent)
      if (torrent === undefined) continue
      if (row.kind === 'move' && !isRemoved(torrent)) await this.#resumeMove(row, torrent)
      else if (row.kind !== 'move' && !isRemoved(torrent)) await this.#ports.store.endJob(row.id)
    }
    for (const torrent of this.#ports.session.all()) {
      if (torrent.desired === 'removedWithData') this.#resumeRemoval(torrent, rows)
    }
  }

  /** Nothing more is begun; settles when nothing is under way, or a second later: the next start goes on. */
  async stop(): Promise<void> {
    const jobs = [...this.#jobs.values()].filter((job) => !job.over)
    for (const job of jobs) job.stop()
    await within(this.#ports.clock, STOPS_WITHIN, Promise.all(jobs.map((job) => job.settled())))
  }

  async #resumeMove(row: JobRow, torrent: Torrent): Promise<void> {
    const { id, step, caller } = row
    const args = readArgs(row.args)
    if (args === null || !isStep(step)) {
      await this.#ports.store.endJob(id)
      if (torrent.desired === 'running' || torrent.desired === 'forced') torrent.start(torrent.desired)
      return
    }
    const stored = await this.#ports.store.metainfo(torrent.id)
    const meta = args.names === undefined ? storedMetainfo(stored) : parseMetainfo(stored.torrent)
    const then = args.names === undefined ? meta : withNames(meta, args.names.after)
    const release = this.#ports.session.reserve({ torrent: torrent.id, dir: args.to, root: rootOf(then) })
    const init = { id, step, args, caller, torrent, meta, release, total: 0, resumed: true }
    this.#add(new MoveJob(init, this.#ports))
  }

  #resumeRemoval(torrent: Torrent, rows: readonly JobRow[]): void {
    const row = rows.find((each) => each.torrent === torrent.id && each.kind === 'remove')
    const hadData = row === undefined ? torrent.view().doneBytes > 0 : row.args['hadData'] === true
    const id = row?.id ?? (this.#unnumbered -= 1)
    this.#startRemoval({ id, torrent, step: 'files', hadData, caller: row?.caller ?? '' })
  }

  #startRemoval(init: ConstructorParameters<typeof RemoveJob>[0]): RemoveJob {
    const job = new RemoveJob(init, this.#ports)
    this.#add(job)
    return job
  }

  async #outcome(job: RemoveJob): Promise<string | null> {
    await job.settled()
    return job.error
  }

  async #look(torrent: Torrent, { dir: to, now, then, names }: MovePlan): Promise<MoveLook> {
    const { files, pieceLength, digests } = now
    const spec = { torrent: torrent.id, dir: torrent.dir, files, pieceLength, digests }
    const renames = names !== undefined
    const mover = this.#ports.disk.mover({ spec, to, job: 0, ...(renames ? { toFiles: then.files } : {}) })
    try {
      const look = await within(this.#ports.clock, SURVEYS_WITHIN, mover.look(true))
      if (look === null) throw silent(to, renames ? 'rename it later' : 'move it to another folder')
      if ('code' in look) throw renames ? nameRefusal(look, to) : refusal(look, to)
      const short = !look.same && !look.oneVolume && look.bytes > look.freeBytes
      if (short) throw noRoom(to, look.bytes, look.freeBytes)
      return look
    } finally {
      // Its threads forget the two places; one that hangs does so when it answers again.
      void mover.close()
    }
  }

  async #record(job: Parameters<JobPorts['store']['addJob']>[0]): Promise<number> {
    try {
      return await this.#ports.store.addJob(job)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError('storeFailed', `The move could not be recorded (${error.code}); nothing was moved.`)
    }
  }

  #busyWith(torrent: TorrentId): string | null {
    const job = this.of(torrent)
    if (job === undefined && !this.#judging.has(torrent)) return null
    const what = job instanceof RemoveJob ? 'removed' : 'moved'
    return `Torrent ${String(torrent)} is being ${what} already${job === undefined ? '' : ` (job ${String(job.id)})`}.`
  }

  /** The one under way for a torrent. */
  of(torrent: TorrentId): Job | undefined {
    return [...this.#jobs.values()].find((job) => job.torrent === torrent && !job.over)
  }

  #job(id: number): Job {
    const job = this.#jobs.get(id)
    if (job === undefined)
      throw rpcError('noSuchJob', `There is no job ${String(id)}; it may have ended long ago.`)
    return job
  }

  #add(job: Job): void {
    this.#jobs.set(job.id, job)
    for (const [id, old] of this.#jobs) {
      if (this.#jobs.size <= REMEMBERED) break
      if (old.over) this.#jobs.delete(id)
    }
  }
}

const unanswered = 'Its volume has not answered yet; it is taken back by itself when that does.'

/** As `Job.cancel`; a removal makes room for another one. */
function giveUp(job: Job): Promise<string | null> {
  return job instanceof RemoveJob && job.yield() ? Promise.resolve(null) : job.cancel()
}

const STEPS: readonly string[] = ['link', 'rename', 'copy', 'name', 'clean']

function isStep(step: string): step is ConstructorParameters<typeof MoveJob>[0]['step'] {
  return STEPS.includes(step.replace(/^undo-/, '')) && step !== 'undo-clean'
}

/** Null for what nobody of us wrote. */
function readArgs(args: JobRow['args']): MoveArgs | null {
  const { from, to, volume, copied, why, names } = args
  const are = typeof from === 'string' && typeof to === 'string' && typeof volume === 'string'
  if (!are || typeof copied !== 'number') return null
  const reason: Pick<MoveArgs, 'why'> = why === 'trash' || why === 'undo' ? { why } : {}
  const place: MoveArgs = { from, to, volume, copied, ...reason }
  if (names === undefined) return place
  const { before, after } = (names ?? {}) as Partial<NonNullable<MoveArgs['names']>>
  const [was, is] = [goodNames(before), goodNames(after)]
  return was === null || is === null ? null : { ...place, names: { before: was, after: is } }
}

/** Null: it is called so already. Throws what a name is refused with. */
function namesOf(
  meta: Metainfo,
  name: string,
  given: GivenNames,
  what: Renaming,
): NonNullable<MoveArgs['names']> | null {
  try {
    const next = renaming(meta, given, what)
    return next === null
      ? null
      : { before: { ...given, name }, after: { ...next, name: next.root ?? meta.name } }
  } catch (error) {
    if (error instanceof NameError) throw rpcError('badName', error.message)
    throw error
  }
}

function isRemoved(torrent: Torrent): boolean {
  return torrent.desired === 'removed' || torrent.desired === 'removedWithData'
}

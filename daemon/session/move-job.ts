/**
 * Brings a torrent's files to another folder. Every step is in the store before it begins, and the files are whole
 * at the folder that the store names; so a start after a kill goes on with the step, or takes it back where that had
 * begun:
 *
 *   link | rename           one volume: second names (or only ones) at the new place
 *   copy, name              two volumes: copies under temporary names; then the names
 *   clean                   committed together with the new folder and facts: the old files go
 *   undo-<step>             that step failed or was cancelled: what it made goes
 */
import type { FileIndex } from '../../shared/units.js'
import type { JobView } from '../../shared/views.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { type CalledNames, withNames } from '../../shared/torrent/names.js'
import type { Carried, DiskFault, FileFound, MoveStep, Mover } from '../ports/disk.js'
import { type FileStatRow, StoreFault } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import { type Job, type JobPorts, Standing, type Waits } from './job.js'
import { done, failure, renameFailure, uncleaned, waiting, type Work } from './move-sentences.js'

type Step = MoveStep | 'clean' | `undo-${MoveStep}`

export interface MoveArgs {
  readonly from: string
  readonly to: string
  /** st_dev of the new folder when it was looked at. */
  readonly volume: string
  /** Files before this one are copied and synced. */
  readonly copied: FileIndex
  /** Into the trash, or out of it; not there: because a person wants it so. */
  readonly why?: 'trash' | 'undo'
  /** The files get other names in their folder; not there: they go to another folder. */
  readonly names?: { readonly before: CalledNames; readonly after: CalledNames }
}

interface MoveJobInit {
  readonly id: number
  readonly step: Step
  readonly args: MoveArgs
  readonly caller: string
  readonly torrent: Torrent
  /** With the names that it has, or as it came where it gets others. */
  readonly meta: Metainfo
  /** Gives the claim on the new place up. */
  readonly release: () => void
  /** An earlier run began it: what lies at the new place may be ours. */
  readonly resumed: boolean
  /** Bytes to copy, or files to name; 0: not known yet. */
  readonly total: number
}

/** The volume has no hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']
/** How far copies have come is stored once in so many bytes. */
const JOURNAL_EVERY = 256 * 1024 * 1024

export class MoveJob implements Job {
  readonly id: number
  readonly torrent: Torrent['id']
  readonly #init: MoveJobInit
  readonly #ports: JobPorts
  readonly #standing = new Standing()
  /** As stored. */
  #step: Step
  #args: MoveArgs
  #mover: Mover
  /** The torrent is idle for us. */
  #held = false
  #cancelled = false
  #stopping = false
  /** What is to be told of a step that is taken back. */
  #why: string | null = null

  constructor(init: MoveJobInit, ports: JobPorts) {
    this.id = init.id
    this.torrent = init.torrent.id
    this.#init = init
    this.#ports = ports
    this.#step = init.step
    this.#args = init.args
    this.#standing.total = init.total
    this.#mover = this.#open()
    void this.#run(init.resumed)
  }

  settled(): Promise<void> {
    return this.#standing.settled()
  }
  ended(): Promise<void> {
    return this.#standing.ended()
  }
  get over(): boolean {
    return this.#standing.over
  }
  get waitsFor(): Waits | null {
    return this.#standing.waitsFor
  }

  view(): JobView {
    const { state, progress, error } = this.#standing
    const { from, to } = this.#ends()
    const { id: torrent, name } = this.#init.torrent
    const kind = this.#args.names === undefined ? 'move' : 'rename'
    return { id: this.id, kind, torrent, name, state, from, to, progress, error }
  }

  async cancel(): Promise<string | null> {
    const { from } = this.#args
    if (this.#standing.over) return null
    // Nothing can be taken back where the volume is away: what lies there stays.
    if (this.#standing.state === 'waiting') {
      const left =
        this.#step === 'clean'
          ? `The old ${this.#work === 'move' ? 'files' : 'names'} in ${from} were left.`
          : this.#failure(cancelled)
      return this.#giveUp(left)
    }
    if (this.#step === 'clean') return done(this.#work)
    this.#cancelled = true
    this.#mover.cancel()
    await this.settled()
    if (this.#standing.state === 'done') return done(this.#work)
    return this.over || this.#isUndoing ? null : `That could not be recorded; the ${this.#work} still waits.`
  }

  /** Where it waits. */
  async #giveUp(left: string): Promise<string | null> {
    const before = this.#standing.error ?? ''
    // A look at the volumes that is under way comes too late.
    this.#cancelled = true
    this.#standing.hold()
    try {
      await this.#end('cancelled', left)
      return null
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      this.#cancelled = false
      await this.#wait(before)
      return `That could not be recorded (${error.code}); the ${this.#work} still waits.`
    }
  }

  stop(): void {
    this.#stopping = true
    this.#mover.cancel()
    if (this.#standing.state === 'waiting') this.#standing.leave()
  }

  /** From the step in the store to its end, or until a volume is missed. */
  async #run(resumed: boolean): Promise<void> {
    this.#standing.goOn()
    try {
      await this.#hold()
      const away = resumed ? await this.#away() : null
      if (away === null) await this.#act()
      else await this.#wait(waiting(away, this.#work))
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      // Both places are whole as far as the stored step says: it goes on from there.
      this.#ports.log.error(
        { job: this.id, step: this.#step, error: error.message },
        'a move cannot be recorded',
      )
      this.#cancelled = false
      await this.#wait(
        `The database cannot be written (${error.code}); the ${this.#work} goes on by itself.`,
        'store',
      )
    } finally {
      if (this.#standing.state !== 'running') await this.#mover.close()
    }
  }

  async #act(): Promise<void> {
    if (this.#step.startsWith('undo-')) return this.#undo(this.#step.slice('undo-'.length) as MoveStep)
    if (this.#step !== 'clean') {
      const fault = await this.#carry()
      if (this.#stopping && fault !== null) {
        this.#standing.leave()
        return
      }
      if (fault !== null) return this.#fail(this.#step as MoveStep, fault)
    }
    await this.#clean()
  }

  /** To the commit of the new folder; what failed before it is taken back. */
  async #carry(): Promise<DiskFault | null> {
    if (this.#step === 'copy') {
      const fault = await this.#copy()
      if (fault !== null) return fault
      this.#ports.crashPoint('move.copied')
      await this.#journal('name')
    }
    const how = this.#step === 'rename' ? 'rename' : 'link'
    const carried =
      this.#step === 'name'
        ? await this.#mover.name()
        : await this.#mover.link(how, (files) => {
            this.#progress(files, this.#standing.total)
          })
    if (carried.fault !== null) return this.#otherWay(carried.fault)
    if (this.#cancelled || this.#stopping) return cancelled
    this.#ports.crashPoint('move.carried')
    await this.#switch(carried)
    return null
  }

  /** A volume without hard links has its files renamed; two volumes under one number have them copied. */
  async #otherWay(fault: DiskFault): Promise<DiskFault | null> {
    const next =
      this.#step !== 'link'
        ? null
        : NO_LINKS.includes(fault.code)
          ? 'rename'
          : fault.code === 'EXDEV' && this.#args.why !== 'trash' && this.#work === 'move'
            ? 'copy'
            : null
    if (next === null) return fault
    const left = await this.#mover.undo('link')
    if (left !== null) return left
    await this.#journal(next)
    return this.#carry()
  }

  async #copy(): Promise<DiskFault | null> {
    const { bits } = await this.#ports.store.have(this.torrent)
    let journaled = 0
    let bytes = 0
    return this.#mover.copy(
      { first: this.#args.copied, recorded: bits },
      {
        progress: (done) => {
          bytes = done
          this.#progress(done, this.#standing.total)
        },
        copied: async (file) => {
          this.#args = { ...this.#args, copied: file + 1 }
          if (bytes - journaled < JOURNAL_EVERY) return
          journaled = bytes
          await this.#journal('copy')
        },
      },
    )
  }

  /** From here on the new place counts. */
  async #switch({ files: found, before }: Carried): Promise<void> {
    const { store } = this.#ports
    const { files } = await store.have(this.torrent)
    const { to: dir, volume, names } = this.#args
    const facts = movedFacts(files, before, found)
    await store.relocate({
      torrent: this.torrent,
      dir,
      volume,
      files: facts,
      ...(names === undefined ? {} : { names: names.after }),
      job: this.id,
      step: 'clean',
      args: { ...this.#args },
    })
    this.#step = 'clean'
    this.#ports.crashPoint('move.switched')
  }

  async #clean(): Promise<void> {
    const { from } = this.#args
    const { kept, fault } = await this.#mover.clean()
    if (fault !== null) return this.#wait(uncleaned(fault, from, this.#work))
    this.#ports.crashPoint('move.cleaned')
    if (kept > 0)
      this.#ports.log.warn(
        { torrent: this.torrent, dir: from, files: kept },
        'changed files were left at the old place',
      )
    this.#note('moved', 'renamed')
    await this.#end('done', null)
  }

  async #fail(step: MoveStep, fault: DiskFault): Promise<void> {
    this.#why = this.#failure(fault)
    this.#args = { ...this.#args, copied: 0 }
    await this.#journal(`undo-${step}`)
    this.#ports.crashPoint('move.failed')
    await this.#undo(step)
  }

  async #undo(step: MoveStep): Promise<void> {
    const { to } = this.#args
    const why = this.#why ?? this.#failure(cancelled)
    const fault = await this.#mover.undo(step)
    if (fault !== null) return this.#wait(`${why} What was made of it goes when ${to} can be written.`)
    this.#ports.crashPoint('move.undone')
    this.#note('moveFailed', 'renameFailed', why)
    await this.#end(this.#cancelled ? 'cancelled' : 'failed', why)
  }

  /** Of the trash it is told by whoever began it. */
  #note(moved: string, renamed: string, reason?: string): void {
    const { torrent, caller } = this.#init
    const { why, names } = this.#args
    if (why !== undefined) return
    const kind = names === undefined ? moved : renamed
    const data = { name: torrent.name, ...this.#ends(), ...(reason === undefined ? {} : { reason }) }
    this.#ports.session.journal.note(kind, torrent.id, caller, data)
  }

  /** What is shown as its beginning and its end: folders, or names. */
  #ends(): { readonly from: string; readonly to: string } {
    const { from, to, names } = this.#args
    return names === undefined ? { from, to } : namesApart(this.#init.meta, names)
  }

  get #work(): Work {
    return this.#args.names === undefined ? 'move' : 'renaming'
  }

  #failure(fault: DiskFault): string {
    const { from, to, names } = this.#args
    return names === undefined ? failure(fault, from, to) : renameFailure(fault, from)
  }

  async #end(state: 'done' | 'failed' | 'cancelled', error: string | null): Promise<void> {
    await this.#ports.store.endJob(this.id)
    this.#init.release()
    await this.#letGo()
    this.#standing.end(state, error)
  }

  /** The torrent goes on meanwhile. */
  async #wait(sentence: string, waitsFor: Waits = 'volume'): Promise<void> {
    await this.#letGo()
    await this.#mover.close()
    if (this.#stopping) {
      this.#standing.leave()
      return
    }
    // What was copied may be old by then.
    this.#args = { ...this.#args, copied: 0 }
    this.#standing.wait(waitsFor, sentence, this.#ports.clock, () => {
      this.#mover = this.#open()
      void this.#again()
    })
  }

  /** Nobody is stopped before the volumes are there. */
  async #again(): Promise<void> {
    const away = await this.#away()
    if (this.#standing.over || this.#stopping || this.#cancelled) return this.#mover.close()
    if (away === null) return this.#run(false)
    await this.#wait(this.#standing.error ?? waiting(away, this.#work))
  }

  /** The folder whose volume is not there, or null. */
  async #away(): Promise<string | null> {
    const look = await this.#mover.look(false)
    if ('code' in look) return look.path.startsWith(this.#args.to) ? this.#args.to : this.#args.from
    this.#standing.total = this.#step === 'copy' ? look.bytes : look.files
    // After a restart a volume may have another number.
    const known = look.volume === this.#args.volume || look.begun
    return known || this.#step === 'clean' || (this.#step === 'link' && look.oneVolume) ? null : this.#args.to
  }

  #hold(): Promise<void> {
    return new Promise((resolve) => {
      this.#held = true
      this.#init.torrent.relocate(this.id, resolve)
    })
  }

  #letGo(): Promise<void> {
    if (!this.#held) return Promise.resolve()
    this.#held = false
    const { to: dir, volume, names } = this.#args
    const name = names?.after.name ?? this.#init.torrent.name
    return new Promise((resolve) => {
      this.#init.torrent.settle(this.#step === 'clean' ? { dir, volume, name } : null, resolve)
    })
  }

  get #isUndoing(): boolean {
    return this.#step.startsWith('undo-')
  }

  async #journal(step: Step): Promise<void> {
    await this.#ports.store.setJob(this.id, step, { ...this.#args })
    this.#step = step
  }

  #progress(done: number, total: number): void {
    this.#standing.done = done
    this.#init.torrent.relocating(done, total)
  }

  #open(): Mover {
    const { meta, torrent, id: job } = this.#init
    const { from: dir, to, names } = this.#args
    const { pieceLength, digests } = meta
    const files = (names === undefined ? meta : withNames(meta, names.before)).files
    const toFiles = names === undefined ? {} : { toFiles: withNames(meta, names.after).files }
    const spec = { torrent: torrent.id, dir, files, pieceLength, digests }
    return this.#ports.disk.mover({ spec, to, job, ...toFiles })
  }
}

const cancelled: DiskFault = { code: 'ECANCELED', operation: 'write', path: '' }

/** What differs: the names of the torrent, or the paths of the one file. `meta` as it came. */
function namesApart(
  meta: Metainfo,
  { before, after }: NonNullable<MoveArgs['names']>,
): { readonly from: string; readonly to: string } {
  if (before.name !== after.name) return { from: before.name, to: after.name }
  const old = withNames(meta, before).files
  const young = withNames(meta, after).files
  const file = old.findIndex(({ path }, index) => path !== young[index]?.path)
  return { from: old[file]?.path ?? before.name, to: young[file]?.path ?? after.name }
}

/**
 * The facts of files at the new place. Only of those that were as recorded at the old one: what somebody had changed
 * there is hashed at the next look, as it would have been.
 */
export function movedFacts(
  rows: readonly FileStatRow[],
  before: readonly FileFound[],
  after: readonly FileFound[],
): FileStatRow[] {
  const was = new Map(before.map((found) => [found.file, found]))
  const is = new Map(after.map((found) => [found.file, found]))
  return rows.flatMap((row) => {
    const [old, found] = [was.get(row.file), is.get(row.file)]
    if (old === undefined || found === undefined) return []
    const asRecorded = row.writing || (old.size === row.size && old.mtimeNs === row.mtimeNs)
    if (!asRecorded) return []
    const { size, mtimeNs, ino } = found
    return [{ file: row.file, size, mtimeNs, ino, writing: row.writing }]
  })
}

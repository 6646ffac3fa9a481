/** A move, main side: which lane is asked for what, in what order. See `Mover` in daemon/ports/disk.ts. */
import type { FileIndex } from '../../shared/units.js'
import type {
  Carried,
  DiskFault,
  FileFound,
  MoveLook,
  Mover,
  MoverInit,
  MoveStep,
  StorageFile,
} from '../ports/disk.js'
import type { OpenAsk, Renames, StorageKey } from './jobs.js'
import type { Lane } from './lanes.js'
import { carried, changedSince, chunksOf, tempPrefix } from './move-plan.js'
import { partSuffix } from './names.js'

/** A copy goes in parts of this size, so that reads and syncs of the volumes pass between them. */
const PART = 1024 * 1024
/** Files that get their names with one job. */
const FILES_AT_ONCE = 256

interface DiskMoverInit extends MoverInit {
  /** Of the old place and of the new one; see StorageKey. */
  readonly key: StorageKey
  readonly toKey: StorageKey
}

type CopyAsk = Parameters<Mover['copy']>[0]
type CopyEvents = Parameters<Mover['copy']>[1]

export class DiskMover implements Mover {
  private readonly key: StorageKey
  private readonly toKey: StorageKey
  private readonly temp: string
  private readonly from: Lane
  private readonly to: Lane
  /** Files at the old place as they were when the copy began; null before. */
  private before: readonly FileFound[] | null = null
  /** Of the new place. */
  private readonly toFiles: readonly StorageFile[]
  /** What unfinished files end in, before and after; null: nothing is renamed. */
  private readonly suffixes: readonly [string, string] | null
  /** The lanes know both places. */
  private opened = false
  private cancelled = false

  constructor(
    private readonly init: DiskMoverInit,
    ports: { readonly laneOf: (dir: string) => Lane },
  ) {
    this.key = init.key
    this.toKey = init.toKey
    this.temp = tempPrefix(init.spec.files, init.job)
    this.toFiles = init.toFiles ?? init.spec.files
    this.suffixes = init.toFiles === undefined ? null : [suffixOf(init.spec.files), suffixOf(init.toFiles)]
    this.from = ports.laneOf(init.spec.dir)
    this.to = ports.laneOf(init.to)
  }

  look(fresh: boolean): Promise<MoveLook | DiskFault> {
    this.open()
    return orElse(this.lookAround(fresh), (fault) => fault)
  }

  private async lookAround(fresh: boolean): Promise<MoveLook | DiskFault> {
    const place = await this.from.ask('movePlace', { key: this.key, root: this.root() })
    if (isFault(place)) return place
    const renames = this.renames()
    const site = await this.to.ask('moveSite', {
      to: this.toKey,
      from: place,
      temp: this.temp,
      fresh,
      renames,
    })
    if (isFault(site)) return site
    const found = this.moved(await this.survey())
    const bytes = found.reduce((sum, { size }) => sum + size, 0)
    return { ...site, files: found.length, bytes }
  }

  link(how: 'link' | 'rename', progress: (files: number) => void): Promise<Carried> {
    this.open()
    return orElse(this.linkAll(how, progress), nothing)
  }

  private async linkAll(how: 'link' | 'rename', progress: (files: number) => void): Promise<Carried> {
    const made = await this.to.ask('prepareDir', { dir: this.init.to, reserve: 0 })
    if (isFault(made)) return { files: [], before: [], fault: made }
    const found = how === 'link' ? this.moved(await this.survey()) : await this.eitherSide()
    return this.inBatches(found, progress, (files) =>
      this.to.ask('moveLink', { key: this.key, to: this.toKey, files, how }),
    )
  }

  copy(ask: CopyAsk, events: CopyEvents): Promise<DiskFault | null> {
    this.open()
    return orElse(this.copyAll(ask, events), (fault) => fault)
  }

  private async copyAll({ first, recorded }: CopyAsk, events: CopyEvents): Promise<DiskFault | null> {
    const made = await this.to.ask('prepareDir', { dir: this.init.to, reserve: 0 })
    if (isFault(made)) return made
    this.before = this.moved(await this.survey())
    let bytes = this.before.reduce((sum, { file, size }) => sum + (file < first ? size : 0), 0)
    await this.from.ask('copyBegin', { key: this.key, recorded })
    try {
      for (const found of this.before) {
        if (found.file < first) continue
        const failed = await this.copyFile(found, (length) => {
          events.progress((bytes += length))
        })
        if (failed !== null) return failed
        await events.copied(found.file)
      }
    } finally {
      await this.from.ask('copyEnd', { key: this.key })
    }
    return null
  }

  name(): Promise<Carried> {
    this.open()
    return orElse(this.nameAll(), nothing)
  }

  private async nameAll(): Promise<Carried> {
    const found = this.moved(await this.survey())
    const changed = changedSince(this.before ?? found, found)
    if (changed !== null) return { files: [], before: found, fault: this.fault('ESTALE', 'read', changed) }
    return this.inBatches(
      found,
      () => undefined,
      (files) => this.to.ask('moveName', { to: this.toKey, files, temp: this.temp }),
    )
  }

  undo(step: MoveStep): Promise<DiskFault | null> {
    this.open()
    const { key, toKey: to, temp } = this
    const undone = this.survey().then((all) => {
      const found = all.filter(this.isApart)
      return this.to.ask('moveUndo', { key, to, found, step, temp })
    })
    return orElse(undone, (fault) => fault)
  }

  clean(): Promise<{ readonly kept: number; readonly fault: DiskFault | null }> {
    this.open()
    const { key } = this
    const cleaned = this.survey(this.to, this.toKey).then((found) =>
      this.from.ask('moveClean', { key, found: found.filter(this.isApart) }),
    )
    return orElse(cleaned, (fault) => ({ kept: 0, fault }))
  }

  cancel(): void {
    this.cancelled = true
  }

  async close(): Promise<void> {
    if (!this.opened) return
    this.opened = false
    const lanes: [Lane, StorageKey][] = [
      [this.from, this.key],
      [this.to, this.key],
      [this.to, this.toKey],
    ]
    await Promise.all(lanes.map(([lane, key]) => lane.ask('close', { key })))
  }

  /** One part is read while the one before is written. */
  private async copyFile(found: FileFound, written: (bytes: number) => void): Promise<DiskFault | null> {
    const { file } = found
    const chunks = chunksOf(found.size, PART)
    const memories = [new SharedArrayBuffer(PART), new SharedArrayBuffer(PART)] as const
    let writing: Promise<DiskFault | null> = Promise.resolve(null)
    for (const [at, { offset, length }] of chunks.entries()) {
      const memory = memories[at % 2 === 0 ? 0 : 1]
      const unread = await this.from.ask('copyRead', { key: this.key, file, offset, length, memory })
      const unwritten = await writing
      const fault = unread ?? unwritten ?? (this.cancelled ? this.cancellation() : null)
      if (fault !== null) return fault
      const end = at === chunks.length - 1 ? found : null
      const { toKey: to, temp } = this
      writing = this.to.ask('copyWrite', { to, file, offset, length, memory, temp, end }).then((failed) => {
        if (failed === null) written(length)
        return failed
      })
    }
    return writing
  }

  private async inBatches(
    found: readonly FileFound[],
    progress: (files: number) => void,
    job: (files: readonly FileFound[]) => Promise<Omit<Carried, 'before'>>,
  ): Promise<Carried> {
    const done: FileFound[] = []
    for (let at = 0; at < found.length; at += FILES_AT_ONCE) {
      if (this.cancelled) return { files: done, before: found, fault: this.cancellation() }
      const { files, fault } = await job(found.slice(at, at + FILES_AT_ONCE))
      done.push(...files)
      if (fault !== null) return { files: done, before: found, fault }
      progress(done.length)
    }
    return { files: done, before: found, fault: null }
  }

  /** What was renamed before a kill is at the new place already. */
  private async eitherSide(): Promise<FileFound[]> {
    const old = await this.survey()
    const young = await this.survey(this.to, this.toKey)
    return this.moved(old.map((found, at) => (found.name === 'missing' ? (young[at] ?? found) : found)))
  }

  /** Throws Refused. */
  private async survey(lane = this.from, key = this.key): Promise<FileFound[]> {
    const found = await lane.ask('moveSurvey', { key })
    if (isFault(found)) throw new Refused(found)
    return found
  }

  private open(): void {
    if (this.opened) return
    this.opened = true
    const { pieceLength, dir, digests } = this.init.spec
    const copy = new Uint8Array(new SharedArrayBuffer(digests.length))
    copy.set(digests)
    const ask = (key: StorageKey, place: string, files = this.init.spec.files): OpenAsk => ({
      key,
      dir: place,
      files,
      pieceLength,
      digests: copy,
    })
    void this.from.ask('open', ask(this.key, dir))
    // Links are made by the lane of the new place, which is the same where it matters.
    void this.to.ask('open', ask(this.key, dir))
    void this.to.ask('open', ask(this.toKey, this.init.to, this.toFiles))
  }

  /** The files that are there and get another path, in order. */
  private moved(found: readonly FileFound[]): FileFound[] {
    return carried(found).filter(this.isApart)
  }

  /** Its path at the new place is another one. What is not apart must never be cleaned away: it is the only one. */
  private readonly isApart = ({ file, name }: Pick<FileFound, 'file' | 'name'>): boolean => {
    if (this.suffixes === null) return true
    const [before, after] = name === 'part' ? this.suffixes : ['', '']
    return pathAt(this.init.spec.files, file) + before !== pathAt(this.toFiles, file) + after
  }

  /** Null: the files go to another folder. */
  private renames(): Renames | null {
    if (this.init.toFiles === undefined) return null
    const apart = (file: FileIndex): boolean =>
      this.isApart({ file, name: 'final' }) || this.isApart({ file, name: 'part' })
    const root = this.root(this.toFiles)
    return {
      files: this.toFiles.flatMap(({ pad }, file) => (!pad && apart(file) ? [file] : [])),
      root: root === this.root() ? null : root,
    }
  }

  /** The folder of all files, or null where the torrent is one file. */
  private root(files = this.init.spec.files): string | null {
    const first = files.find(({ pad }) => !pad)?.path
    return first?.includes('/') === true ? (first.split('/')[0] ?? null) : null
  }

  private cancellation(): DiskFault {
    return { code: 'ECANCELED', operation: 'write', path: this.init.to }
  }

  private fault(code: string, operation: string, file: FileIndex): DiskFault {
    const { dir, files } = this.init.spec
    return { code, operation, path: `${dir}/${files[file]?.path ?? ''}` }
  }
}

/** A refused look on its way up; it leaves this file as a value. */
class Refused extends Error {
  constructor(readonly fault: DiskFault) {
    super(fault.code)
  }
}

function orElse<T>(run: Promise<T>, refused: (fault: DiskFault) => T): Promise<T> {
  return run.catch((error: unknown) => {
    if (error instanceof Refused) return refused(error.fault)
    throw error
  })
}

function pathAt(files: readonly StorageFile[], file: FileIndex): string {
  return files[file]?.path ?? ''
}

function suffixOf(files: readonly StorageFile[]): string {
  return partSuffix(files.flatMap(({ path, pad }) => (pad ? [] : [path])))
}

function nothing(fault: DiskFault): Carried {
  return { files: [], before: [], fault }
}

function isFault(answer: object): answer is DiskFault {
  return 'code' in answer
}

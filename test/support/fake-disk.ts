/**
 * The disk port in memory, for tests: really hashes and stores, never by itself. What was asked is done at
 * `flush()` in the order it was asked, or in microtasks with `auto`. Faults and delays are put in by the test.
 */
import { SharedSlab } from '../../daemon/disk/slab.js'
import { VOLUME_MARK } from '../../daemon/ports/disk.js'
import type {
  Disk,
  DiskFault,
  DiskPressure,
  Mover,
  MoverInit,
  SpaceView,
  Storage,
  StorageEvents,
  StorageSpec,
  Waits,
} from '../../daemon/ports/disk.js'
import { FakeFileError, FakeFiles, faultOf } from './fake-files.js'
import { FakeMover } from './fake-mover.js'
import { FakeStorage } from './fake-storage.js'

/** What can be made to fail or to wait. `write` is an extent's, `read` a run's, a verify's or a sniff's. */
export type FakeOperation = 'open' | 'read' | 'write' | 'sync' | 'rename' | 'mkdir' | 'unlink' | 'stat'

export interface FakeFailure {
  readonly operation: FakeOperation
  readonly code: string
  /** Only paths that end so. */
  readonly path?: string
  /** How often; without it, until `heal`. */
  readonly times?: number
}

interface Task {
  readonly operation: FakeOperation
  readonly run: () => void
}

/** More tasks than this in one flush make each other without end. */
const MOST_TASKS = 1_000_000

export class FakeDisk implements Disk {
  readonly slab: SharedSlab
  readonly fs = new FakeFiles()
  /** Every storage opened, in order, closed ones too. */
  readonly storages: FakeStorage[] = []
  /** Frames given out and not released: 0 at the end of a test. */
  pinned = 0
  freeBytes = 1_000_000_000_000
  reserve = 0
  /** Of a folder: what volume it lies on. */
  volumeOf: (dir: string) => string = () => '1'
  /** Of a folder: its volume does not answer; that it hangs is for `hold` to say. */
  silentAt: (dir: string) => boolean = () => false
  /** Slots are short: nothing waits in one. */
  tight = false
  /** Asked and not done, oldest first. */
  private tasks: Task[] = []
  private failures: { failure: FakeFailure; left: number }[] = []
  private readonly held = new Set<FakeOperation>()
  private readonly auto: boolean
  /** Lets a task wait before it stands in the queue; null: it stands there at once. */
  private readonly pace: ((run: () => void) => void) | null
  private scheduled = false

  constructor(
    init: {
      readonly slots?: number
      readonly auto?: boolean
      readonly pace?: ((run: () => void) => void) | null
    } = {},
  ) {
    this.pace = init.pace ?? null
    this.slab = new SharedSlab({ slots: init.slots ?? 192 }, (tight) => {
      this.tight = tight
      if (tight) for (const storage of this.storages) this.later('write', () => storage.spill())
    })
    this.auto = init.auto ?? false
  }

  /** Does all that was asked and all that follows from it, but what is on hold; answers how many tasks that were. */
  flush(): number {
    let done = 0
    for (;;) {
      const next = this.tasks.findIndex((task) => !this.held.has(task.operation))
      if (next < 0) return done
      const [task] = this.tasks.splice(next, 1)
      task?.run()
      if ((done += 1) > MOST_TASKS) throw new Error('fake disk: tasks make each other without end')
    }
  }

  /** Flushes until promises that wait for the disk, and what they ask then, are done. */
  async settle(): Promise<void> {
    for (let round = 0; round < 50; round += 1) {
      const done = this.flush()
      for (let i = 0; i < 10; i += 1) await Promise.resolve()
      if (done === 0 && this.flush() === 0) return
    }
  }

  /** From now on calls of this kind fail. */
  fail(failure: FakeFailure): void {
    this.failures.push({ failure, left: failure.times ?? Infinity })
  }

  /** Ends every failure. */
  heal(): void {
    this.failures = []
  }

  /** Calls of this kind wait until `letGo`. */
  hold(operation: FakeOperation): void {
    this.held.add(operation)
  }

  letGo(operation: FakeOperation): void {
    this.held.delete(operation)
    this.schedule()
  }

  open(spec: StorageSpec, events: StorageEvents): Storage {
    const storage = new FakeStorage(spec, events, this)
    this.storages.push(storage)
    return storage
  }

  mover(init: MoverInit): Mover {
    return new FakeMover(init, this)
  }

  prepareDir(dir: string): Promise<SpaceView | DiskFault> {
    return this.ask('mkdir', () => {
      const fault = faultOf(() => {
        this.check('mkdir', dir)
        if (this.fs.get(dir)?.kind === 'file') throw new FakeFileError('EEXIST', 'mkdir', dir)
        this.fs.mkdirs(dir)
      })
      return fault ?? this.view(dir)
    })
  }

  mark(dir: string, id: string): Promise<DiskFault | null> {
    return this.ask('write', () =>
      faultOf(() => {
        const path = `${dir}/${VOLUME_MARK}`
        this.check('open', path)
        const node = this.fs.get(path) ?? this.fs.create(path, 0)
        this.fs.resize(node, id.length)
        this.fs.write(node, 0, Buffer.from(id))
        this.fs.syncFile(path)
        this.fs.syncFolder(dir)
      }),
    )
  }

  makeBelow(dir: string, names: readonly string[]): Promise<DiskFault | null> {
    return this.ask('mkdir', () =>
      faultOf(() => {
        if (this.fs.get(dir)?.kind !== 'folder') throw new FakeFileError('ENOENT', 'stat', dir)
        let path = dir
        for (const name of names) {
          path += `/${name}`
          this.check('mkdir', path)
          const kind = this.fs.get(path)?.kind
          if (kind === 'link') throw new FakeFileError('ELOOP', 'mkdir', path)
          if (kind === 'file') throw new FakeFileError('ENOTDIR', 'mkdir', path)
          this.fs.mkdirs(path)
        }
      }),
    )
  }

  dropBelow(dir: string, names: readonly string[]): Promise<DiskFault | null> {
    return this.ask('unlink', () =>
      faultOf(() => {
        for (let count = names.length; count > 0; count -= 1) {
          const path = [dir, ...names.slice(0, count)].join('/')
          if (this.fs.get(path)?.kind === 'folder' && this.fs.list(path).length === 0) this.fs.unlink(path)
        }
      }),
    )
  }

  private view(dir: string): SpaceView {
    const { freeBytes, reserve } = this
    const marker = this.fs.content(`${dir}/${VOLUME_MARK}`)?.toString().slice(0, 32) ?? null
    return { freeBytes, reserve, volume: this.volumeOf(dir), marker }
  }

  space(dir: string): Promise<SpaceView | DiskFault> {
    return this.ask('stat', () => {
      const fault = faultOf(() => {
        this.check('stat', dir)
        if (this.fs.get(dir)?.kind !== 'folder') throw new FakeFileError('ENOENT', 'stat', dir)
      })
      return fault ?? this.view(dir)
    })
  }

  waits(dir: string): Waits {
    const silent = this.silentAt(dir)
    return { oldest: silent ? 20_000 : 0, silent }
  }

  pressure(): DiskPressure {
    const lanes = this.tasks.length
    return {
      hash: 0,
      lanes,
      reads: 0,
      checks: 0,
      oldest: 0,
      frameBytes: 0,
      checkBytes: 0,
      write: { last: null, slowest: null },
      sync: { last: null, slowest: null },
    }
  }

  stop(): Promise<void> {
    this.flush()
    return Promise.resolve()
  }

  /** Puts a task at the end of the queue. */
  later(operation: FakeOperation, run: () => void): void {
    const ask = (): void => {
      this.tasks.push({ operation, run })
      this.schedule()
    }
    if (this.pace === null) ask()
    else this.pace(ask)
  }

  ask<T>(operation: FakeOperation, run: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.later(operation, () => {
        resolve(run())
      })
    })
  }

  /** Throws when the test wants this call to fail. */
  check(operation: FakeOperation, path: string): void {
    for (const entry of this.failures) {
      if (entry.left <= 0 || entry.failure.operation !== operation) continue
      if (entry.failure.path !== undefined && !path.endsWith(entry.failure.path)) continue
      entry.left -= 1
      throw new FakeFileError(entry.failure.code, operation, path)
    }
  }

  private schedule(): void {
    if (!this.auto || this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.flush()
    })
  }
}

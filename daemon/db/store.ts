/** The store as the main thread sees it: each call is a message to the thread, each answer settles one promise. */
import { Worker } from 'node:worker_threads'
import { NO_LABELS } from '../../shared/labels.js'
import type { Millis } from '../../shared/units.js'
import { type BackupMade, type Database, type Notice, StoreFault, type Store } from '../ports/store.js'
import type { Clock } from '../ports/clock.js'
import { LOOK_EVERY, Silence } from '../base/silence.js'
import { Health } from './health.js'
import { isWrite } from './handlers.js'
import type {
  Answer,
  Args,
  FromThread,
  LookoutInit,
  Method,
  OpenFacts,
  ThreadInit,
  ToThread,
} from './protocol.js'

export interface StoreInit extends Omit<ThreadInit, 'restore' | 'lookout'> {
  /** The main loop that the thread looks after from the first `wake` on. */
  readonly lookout?: LookoutInit
  /** The compiled daemon/db/thread.js. */
  readonly workerUrl: URL
  /** The thread died, or a call met an error that is not SQLite's: the process should end and start anew. */
  readonly onBug: (error: Error) => void
  /** The database is damaged: nothing is recorded any more, and the next start recovers. Called once. */
  readonly onDamaged: (fault: StoreFault) => void
  /** The thread has answered: work begins on the main thread. */
  readonly onWork?: () => void
  /** Milliseconds between two looks whether the thread answers; LOOK_EVERY without it. */
  readonly lookEvery?: Millis
}

export interface StorePorts {
  readonly clock: Clock
}

export interface OpenedStore extends Store, Database {
  /** What is in force, as the thread read it back after opening. */
  readonly facts: OpenFacts
  /** The main loop turns again after a rest, and is to be looked after. */
  wake(): void
}

/**
 * Takes the lock of the home, opens the database and brings it to this version. Rejects with StoreFault: LOCKED
 * (another daemon has it), HELD (another program has), NEWER (a later version wrote it), UNSAFE (no WAL there), or the
 * system's or SQLite's code.
 */
export function openStore(init: StoreInit, ports: StorePorts): Promise<OpenedStore> {
  return new Promise((resolve, reject) => {
    const thread = startThread(init, null, ports.clock)
    thread.onOpened = (facts, notice) => {
      resolve(storeOver(thread, facts, notice))
    }
    thread.onRefused = reject
  })
}

/** Without a daemon: the file is the database of the next start. Rejects as `openStore` and `Database.restore`. */
export function restoreStore(
  init: Pick<StoreInit, 'file' | 'lockFile' | 'downloadDir' | 'workerUrl'>,
  from: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const thread = startThread({ ...init, onBug: reject, onDamaged: reject }, from, null)
    thread.onStored = resolve
    thread.onRefused = reject
  })
}

function startThread(init: StoreInit, restore: string | null, clock: Clock | null): Thread {
  const { file, lockFile, downloadDir, workerUrl } = init
  const workerData: ThreadInit = { file, lockFile, downloadDir, restore, lookout: init.lookout ?? null }
  const worker = new Worker(workerUrl, { workerData, name: 'store' })
  return new Thread({ ...init, worker }, clock)
}

interface Pending {
  /** A write: its outcome tells how the database is. */
  readonly write: boolean
  /** It is answered in its turn. */
  readonly prompt: boolean
  readonly resolve: (value: unknown) => void
  readonly reject: (fault: StoreFault) => void
}

interface ThreadHandle extends Pick<StoreInit, 'file' | 'onBug' | 'onDamaged' | 'onWork' | 'lookEvery'> {
  readonly worker: Worker
}

class Thread {
  onOpened: (facts: OpenFacts, notice: Notice | null) => void = () => undefined
  onStored: () => void = () => undefined
  /** Called at most once, and only before `onOpened`. */
  onRefused: (fault: StoreFault) => void = () => undefined
  readonly health: Health
  /** Whether it answers; null where nothing is asked. */
  readonly silence: Silence | null
  private readonly worker: Worker
  private readonly onBug: (error: Error) => void
  private readonly onDamaged: (fault: StoreFault) => void
  /** Calls without an answer, by their number. */
  private readonly pending = new Map<number, Pending>()
  /** The number of the last call. */
  private calls = 0
  /** Why calls are refused from now on; null while the thread serves. */
  private ended: StoreFault | null = null
  /** Settles when the thread has ended; set by the first `close`. */
  private closing: Promise<void> | null = null
  /** The thread said that it closed or refused: its exit is no bug. */
  private saidBye = false
  private readonly exit: Promise<void>

  constructor(init: ThreadHandle, clock: Clock | null) {
    this.worker = init.worker
    this.onBug = init.onBug
    this.onDamaged = init.onDamaged
    this.health = new Health(init.file)
    this.silence = clock === null ? null : this.listenFor(init.lookEvery ?? LOOK_EVERY, clock)
    this.worker.on('message', (message: FromThread) => {
      init.onWork?.()
      this.receive(message)
    })
    this.worker.on('error', (error) => {
      this.die(error instanceof Error ? error : new Error(String(error)))
    })
    this.exit = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        if (!this.saidBye) this.die(new Error(`the store's thread ended with ${code}`))
        resolve()
      })
    })
  }

  private listenFor(every: Millis, clock: Clock): Silence {
    const tell = (silent: boolean) => (): void => {
      this.health.silence(silent)
    }
    return new Silence({ every }, { clock, began: tell(true), ended: tell(false) })
  }

  call<M extends Method>(method: M, ...args: Args<M>): Promise<Answer<M>> {
    const message = (id: number): ToThread => ({ kind: 'call', request: { id, method, args } })
    return this.ask(isWrite(method), message, true) as Promise<Answer<M>>
  }

  backup(path: string | null): Promise<BackupMade> {
    return this.ask(false, (id) => ({ kind: 'backup', id, path })) as Promise<BackupMade>
  }

  async probe(): Promise<boolean> {
    // Its next answer tells.
    if (this.silence?.silent === true) return false
    if (this.health.failing) await this.call('setMeta', 'probe', 'tried')
    else await this.ask(false, (id) => ({ kind: 'restock', id }), true)
    return this.health.problem() === null
  }

  wake(): void {
    this.post({ kind: 'wake' })
  }

  restore(path: string): Promise<void> {
    return this.ask(false, (id) => ({ kind: 'restore', id, path })) as Promise<void>
  }

  /** `prompt`: it is answered in its turn, and does not wait for a file that a person named. */
  private ask(write: boolean, message: (id: number) => ToThread, prompt = false): Promise<unknown> {
    if (this.ended !== null) return Promise.reject(this.ended)
    // What waits is done once it answers; more would only heap up.
    if (this.silence?.silent === true)
      return Promise.reject(new StoreFault('SILENT', 'the disk of the database does not answer'))
    const id = (this.calls += 1)
    if (prompt) this.silence?.asked()
    return new Promise((resolve, reject) => {
      this.pending.set(id, { write, prompt, resolve, reject })
      this.post(message(id))
    })
  }

  close(): Promise<void> {
    if (this.closing === null) {
      if (this.ended === null) this.post({ kind: 'close' })
      this.ended ??= new StoreFault('CLOSED', 'the store is closed')
      this.closing = this.exit
    }
    return this.closing
  }

  private post(message: ToThread): void {
    this.worker.postMessage(message)
  }

  private receive(message: FromThread): void {
    switch (message.kind) {
      case 'opened':
        this.onOpened(message.facts, message.notice)
        return
      case 'stored':
        this.saidBye = true
        this.onStored()
        return
      case 'damaged': {
        const fault = new StoreFault(message.code, message.message)
        if (this.health.outcome(false, fault)) this.onDamaged(fault)
        return
      }
      case 'state':
        this.health.state(message.state)
        return
      case 'refused':
        this.saidBye = true
        this.ended = new StoreFault(message.code, message.message)
        this.onRefused(this.ended)
        return
      case 'closed':
        this.saidBye = true
        return
      case 'answer':
        this.settle(message.id, null)?.resolve(message.value)
        return
      case 'fault': {
        const fault = new StoreFault(message.code, message.message)
        this.settle(message.id, fault)?.reject(fault)
        if (message.code === 'BUG') this.onBug(new Error(message.message))
        return
      }
    }
  }

  private settle(id: number, fault: StoreFault | null): Pending | undefined {
    const pending = this.pending.get(id)
    this.pending.delete(id)
    if (pending?.prompt === true) this.silence?.answered()
    if (this.health.outcome(pending?.write === true, fault) && fault !== null) this.onDamaged(fault)
    return pending
  }

  private die(error: Error): void {
    if (this.saidBye) return
    this.saidBye = true
    this.ended = new StoreFault('CRASHED', `the store's thread died: ${error.message}`)
    this.onRefused(this.ended)
    for (const pending of this.pending.values()) pending.reject(this.ended)
    this.pending.clear()
    this.onBug(error)
  }
}

/** A copy of exactly these bytes: a message carries the whole buffer that a view lies in. */
function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

function storeOver(thread: Thread, facts: OpenFacts, notice: Notice | null): OpenedStore {
  return {
    facts,
    notice,
    wake: () => {
      thread.wake()
    },
    problem: () => thread.health.problem(),
    silent: () => thread.silence?.silent === true,
    unsaved: () => thread.health.unsaved(),
    watch: (listener) => {
      thread.health.watch(listener)
    },
    probe: () => thread.probe(),
    backup: (path) => thread.backup(path),
    restore: (path) => thread.restore(path),
    torrents: async (only) => {
      const rows = await (only === undefined ? thread.call('torrents') : thread.call('torrents', only))
      // One array for all that have none, and not a copy for each.
      return rows.map((row) => (row.labels.length === 0 ? { ...row, labels: NO_LABELS } : row))
    },
    add: (torrent) =>
      thread.call('add', { ...torrent, info: own(torrent.info), torrent: own(torrent.torrent) }),
    metainfo: (id) => thread.call('metainfo', id),
    verifyInfo: (id, info) => thread.call('verifyInfo', id, own(info)),
    setMetainfo: (id, known) =>
      thread.call('setMetainfo', id, { ...known, info: own(known.info), torrent: own(known.torrent) }),
    have: (id) => thread.call('have', id),
    setDesired: (ids, desired) => thread.call('setDesired', ids, desired),
    setRanks: (ranks) => thread.call('setRanks', ranks),
    setGoals: (id, goals) => thread.call('setGoals', id, goals),
    setReached: (id, sentence) => thread.call('setReached', id, sentence),
    setLimits: (rows) => thread.call('setLimits', rows),
    setFault: (id, fault) => thread.call('setFault', id, fault),
    setWishes: (...choice) => thread.call('setWishes', ...choice),
    changeTrackers: (id, added, removed) => thread.call('changeTrackers', id, added, removed),
    markWriting: (id, files) => thread.call('markWriting', id, files),
    recordRound: (round) =>
      thread.call('recordRound', {
        ...round,
        chunks: round.chunks.map(({ chunk, bits }) => ({ chunk, bits: own(bits) })),
      }),
    clearHave: (id) => thread.call('clearHave', id),
    saveTotals: (rows) => thread.call('saveTotals', rows),
    remove: (id) => thread.call('remove', id),
    appendEvent: (event) => thread.call('appendEvent', event),
    eventsSince: (seq, limit) => thread.call('eventsSince', seq, limit),
    lastEvent: (torrent, kind) => thread.call('lastEvent', torrent, kind),
    blocked: () => thread.call('blocked'),
    lastSeq: () => thread.call('lastSeq'),
    getMeta: (key) => thread.call('getMeta', key),
    setMeta: (key, value) => thread.call('setMeta', key, value),
    jobs: () => thread.call('jobs'),
    addJob: (job) => thread.call('addJob', job),
    setJob: (id, step, args) => thread.call('setJob', id, step, args),
    endJob: (id) => thread.call('endJob', id),
    relocate: (relocation) => thread.call('relocate', relocation),
    setLabels: (rows) => thread.call('setLabels', rows),
    trash: () => thread.call('trash'),
    setTrash: (row) => thread.call('setTrash', row),
    endTrash: (id) => thread.call('endTrash', id),
    close: () => thread.close(),
  }
}

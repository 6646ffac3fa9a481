/** The store as the main thread sees it: each call is a message to the thread, each answer settles one promise. */
import { Worker } from 'node:worker_threads'
import { StoreFault, type Store } from '../ports/store.js'
import type { Answer, Args, FromThread, Method, OpenFacts, ThreadInit, ToThread } from './protocol.js'

export interface StoreInit extends ThreadInit {
  /** The compiled daemon/db/thread.js. */
  readonly workerUrl: URL
  /** The thread died, or a call met an error that is not SQLite's: the process should end and start anew. */
  readonly onBug: (error: Error) => void
}

export interface OpenedStore extends Store {
  /** What is in force, as the thread read it back after opening. */
  readonly facts: OpenFacts
}

/**
 * Takes the lock of the home, opens the database and brings it to this version. Rejects with StoreFault: LOCKED
 * (another daemon has it), NEWER (a later version wrote it), UNSAFE (no WAL there), or the system's or SQLite's code.
 */
export function openStore(init: StoreInit): Promise<OpenedStore> {
  const { file, lockFile } = init
  const worker = new Worker(init.workerUrl, {
    workerData: { file, lockFile } satisfies ThreadInit,
    name: 'store',
  })
  return new Promise((resolve, reject) => {
    const thread = new Thread({ worker, onBug: init.onBug })
    thread.onOpened = (facts) => {
      resolve(storeOver(thread, facts))
    }
    thread.onRefused = reject
  })
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (fault: StoreFault) => void
}

class Thread {
  onOpened: (facts: OpenFacts) => void = () => undefined
  /** Called at most once, and only before `onOpened`. */
  onRefused: (fault: StoreFault) => void = () => undefined
  private readonly worker: Worker
  private readonly onBug: (error: Error) => void
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

  constructor(init: { readonly worker: Worker; readonly onBug: (error: Error) => void }) {
    this.worker = init.worker
    this.onBug = init.onBug
    this.worker.on('message', (message: FromThread) => {
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

  call<M extends Method>(method: M, ...args: Args<M>): Promise<Answer<M>> {
    if (this.ended !== null) return Promise.reject(this.ended)
    const id = (this.calls += 1)
    return new Promise<Answer<M>>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.post({ kind: 'call', request: { id, method, args } })
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
        this.onOpened(message.facts)
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
        this.take(message.id)?.resolve(message.value)
        return
      case 'fault':
        this.take(message.id)?.reject(new StoreFault(message.code, message.message))
        if (message.code === 'BUG') this.onBug(new Error(message.message))
        return
    }
  }

  private take(id: number): Pending | undefined {
    const pending = this.pending.get(id)
    this.pending.delete(id)
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

function storeOver(thread: Thread, facts: OpenFacts): OpenedStore {
  return {
    facts,
    torrents: () => thread.call('torrents'),
    add: (torrent) =>
      thread.call('add', { ...torrent, info: own(torrent.info), torrent: own(torrent.torrent) }),
    metainfo: (id) => thread.call('metainfo', id),
    have: (id) => thread.call('have', id),
    setDesired: (ids, desired) => thread.call('setDesired', ids, desired),
    setFault: (id, fault) => thread.call('setFault', id, fault),
    setWishes: (id, wishes, wanted, done) => thread.call('setWishes', id, wishes, wanted, done),
    addTrackers: (id, trackers) => thread.call('addTrackers', id, trackers),
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
    lastSeq: () => thread.call('lastSeq'),
    getMeta: (key) => thread.call('getMeta', key),
    setMeta: (key, value) => thread.call('setMeta', key, value),
    close: () => thread.close(),
  }
}

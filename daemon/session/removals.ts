/**
 * What is done for `remove`. Those for one torrent come one after the other; those for several are done side by side,
 * and none waits for one whose volume does not answer. Who asked is answered in bounded time; the removal goes on.
 */
import type { Caller, PerTorrent } from '../../shared/rpc/contract.js'
import { ERRORS } from '../../shared/rpc/errors.js'
import type { Millis, TorrentId } from '../../shared/units.js'
import { type Log, stackOf } from '../base/log.js'
import type { Clock } from '../ports/clock.js'
import { type Store, StoreFault } from '../ports/store.js'
import { faultSentence } from '../swarm/lifecycle.js'
import type { Torrent } from '../swarm/torrent.js'
import type { Jobs } from './jobs.js'
import type { Session } from './session.js'
import type { Trash } from './trash.js'
import { ANSWERS_WITHIN, within } from './within.js'

export interface RemovalPorts {
  readonly clock: Clock
  readonly session: Session
  readonly store: Store
  readonly jobs: Jobs
  readonly log: Log
  /** Without one all goes at once. */
  readonly trash?: Trash
}

export interface RemovalAsk {
  readonly torrent: Torrent
  /** As the caller named it. */
  readonly ref: number | string
  /** With its files. */
  readonly data: boolean
  /** For good, and not into the trash. */
  readonly now?: boolean
  readonly caller: Caller
}

/** Null where it is done, or waits for a volume that is away. */
type Refusal = { readonly code: number; readonly message: string } | null

/** Removals begun at once: each holds the metadata of its torrent in memory. */
const AT_ONCE = 8
/** One that takes so long has a slow volume, or a dead one, or a slow tracker: the next ones begin beside it. */
const SLOW: Millis = 2000
/** One that the database refused is tried again after this. */
const AGAIN: Millis = 5000

export class Removals {
  readonly #ports: RemovalPorts
  /** The last removal asked for of each torrent that has one under way. */
  readonly #last = new Map<TorrentId, Promise<unknown>>()
  /** Removals that wait for the one before them and want the files gone too, by torrent: that one sees to it. */
  readonly #wantFiles = new Map<TorrentId, number>()

  constructor(ports: RemovalPorts) {
    this.#ports = ports
  }

  /** Answers in the order asked. */
  async all(asks: readonly RemovalAsk[]): Promise<PerTorrent[]> {
    const answers: Promise<PerTorrent>[] = []
    const begin = async (): Promise<void> => {
      for (let ask = asks[answers.length]; ask !== undefined; ask = asks[answers.length]) {
        const answer = this.#one(ask)
        answers.push(answer)
        await within(this.#ports.clock, SLOW, answer)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, begin))
    return Promise.all(answers)
  }

  /** Goes on with a removal without files that an earlier run began. */
  async finish(torrent: Torrent): Promise<void> {
    await this.#inTurn(torrent, async () => {
      await this.#stopped(torrent)
      await this.#drop(torrent, () => undefined)
    })
  }

  async #one(ask: RemovalAsk): Promise<PerTorrent> {
    const { torrent, ref } = ask
    const { clock, session } = this.#ports
    const view = torrent.view()
    const work = this.#inTurn(torrent, () => this.#act(ask), ask.data).then((refusal) => ({ refusal }))
    const outcome = await within(clock, ANSWERS_WITHIN, work)
    if (outcome !== null && outcome.refusal !== null) return { ref, ok: false, error: outcome.refusal }
    const isThere = session.get(torrent.id) === torrent
    if (outcome === null && isThere) this.#goesOn(torrent, work)
    // One that waits for its volume is still there, and says so.
    return { ref, ok: true, torrent: isThere ? torrent.view() : { ...view, state: 'paused', error: null } }
  }

  /** Nobody waits for it any more. */
  #goesOn(torrent: Torrent, work: Promise<{ readonly refusal: Refusal }>): void {
    const { log } = this.#ports
    torrent.awaitRemoval('answer')
    work.then(
      ({ refusal }) => {
        if (refusal !== null) log.warn({ torrent: torrent.id }, refusal.message)
      },
      (error: unknown) => {
        log.error({ torrent: torrent.id, error: stackOf(error) }, 'a bug in a removal')
      },
    )
  }

  #inTurn<T>(torrent: Torrent, act: () => Promise<T>, data = false): Promise<T> {
    const before = this.#last.get(torrent.id) ?? Promise.resolve()
    const waiting = data && this.#last.has(torrent.id) ? 1 : 0
    this.#wish(torrent.id, waiting)
    const begin = (): Promise<T> => {
      this.#wish(torrent.id, -waiting)
      return act()
    }
    const mine = before.then(begin, begin)
    this.#last.set(torrent.id, mine)
    const over = (): void => {
      if (this.#last.get(torrent.id) === mine) this.#last.delete(torrent.id)
    }
    mine.then(over, over)
    return mine
  }

  #wish(torrent: TorrentId, more: number): void {
    const wishes = (this.#wantFiles.get(torrent) ?? 0) + more
    if (wishes > 0) this.#wantFiles.set(torrent, wishes)
    else this.#wantFiles.delete(torrent)
  }

  async #act(ask: RemovalAsk): Promise<Refusal> {
    const { torrent, data } = ask
    if (this.#ports.session.get(torrent.id) !== torrent) return data ? this.#gone(torrent) : null
    try {
      const refused = await this.#do(ask)
      return refused === null ? null : { code: ERRORS.storeFailed.code, message: refused }
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      const message = `Nothing was removed: ${faultSentence({ kind: 'store', code: error.code })}`
      return { code: ERRORS.storeFailed.code, message }
    }
  }

  #do({ torrent, data, now = false, caller }: RemovalAsk): Promise<string | null> {
    const { trash, jobs } = this.#ports
    if (trash?.keeps === true && !now) {
      const wantsData = (): boolean => this.#wantFiles.has(torrent.id)
      return trash.put(torrent, { data, caller, wantsData })
    }
    return data ? jobs.remove(torrent, caller) : this.#remove(torrent, caller)
  }

  /** By a removal that was asked for before: where that left the files, they are nobody's any more. */
  #gone(torrent: Torrent): Refusal {
    const { jobs, trash } = this.#ports
    if (jobs.hasRemoved(torrent.id) || trash?.holdsFiles(torrent.id) === true) return null
    const message = `${torrent.name} was removed already, without its files; they stay in ${torrent.dir}.`
    return { code: ERRORS.noSuchTorrent.code, message }
  }

  async #remove(torrent: Torrent, caller: Caller): Promise<string | null> {
    const { jobs, store, session } = this.#ports
    const { id, name } = torrent
    await jobs.clear(id)
    // With its files, by the job that was under way.
    if (session.get(id) !== torrent) return null
    // What a kill in the middle goes on with.
    await store.setDesired([id], 'removed')
    await this.#stopped(torrent)
    // Asked for while it stopped.
    if (this.#wantFiles.has(id)) return jobs.remove(torrent, caller)
    await this.#drop(torrent, () => {
      session.journal.note('removed', id, caller.name, { name, data: false })
    })
    return null
  }

  #stopped(torrent: Torrent): Promise<void> {
    return new Promise((resolve) => {
      torrent.retire(resolve)
    })
  }

  /** Where the database refuses, the torrent says so, and it is tried again by itself. */
  async #drop(torrent: Torrent, dropped: () => void): Promise<void> {
    const { store, session, clock, jobs } = this.#ports
    try {
      await store.remove(torrent.id)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      torrent.awaitRemoval('store')
      clock.after(AGAIN, () => {
        const isOurs = session.get(torrent.id) === torrent && jobs.of(torrent.id) === undefined
        if (isOurs) void this.#inTurn(torrent, () => this.#drop(torrent, dropped))
      })
      return
    }
    session.forget(torrent)
    dropped()
  }
}

/** One function per verb of the user. What is wanted becomes durable first; then the torrent acts on it. */
import type { Desired } from '../../shared/views.js'
import type { Caller, Params, Result, TorrentRefs } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Log } from '../base/log.js'
import type { Clock } from '../ports/clock.js'
import { type Store, StoreFault } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import { wishesOf } from '../swarm/wishes.js'
import { chosen } from './choice.js'
import { label } from './labels.js'
import type { Jobs } from './jobs.js'
import { waived } from './goals.js'
import { InTurn } from '../base/in-turn.js'
import { answer, loaded, type Queries } from './queries.js'
import { Queueing } from './queueing.js'
import { Removals } from './removals.js'
import type { Session } from './session.js'
import type { Trash } from './trash.js'

export interface CommandPorts {
  readonly clock: Clock
  readonly session: Session
  readonly store: Store
  readonly queries: Queries
  readonly jobs: Jobs
  readonly log: Log
  /** Without one removals are for good. */
  readonly trash?: Trash
}

export class Commands {
  readonly #ports: CommandPorts
  readonly #removals: Removals
  readonly #edits = new InTurn()
  /** The order of the queue, and goals of seeding. */
  readonly queueing: Queueing

  constructor(ports: CommandPorts) {
    this.#ports = ports
    this.#removals = new Removals(ports)
    this.queueing = new Queueing(ports)
  }

  pause(refs: TorrentRefs, caller: Caller): Promise<Result<'torrent.pause'>> {
    return this.#intend(refs, 'paused', caller, (torrent) => {
      torrent.pause()
    })
  }

  /** Those that a goal paused seed on without the goals that they have reached. */
  async resume(params: Params<'torrent.resume'>, caller: Caller): Promise<Result<'torrent.resume'>> {
    const wish = params.now === true ? 'forced' : 'running'
    for (const each of this.#ports.queries.many(params.ids))
      if ('torrent' in each && each.torrent.goalReached !== null) await this.#waive(each.torrent)
    return this.#intend(params.ids, wish, caller, (torrent) => {
      torrent.start(wish)
    })
  }

  /** Where that cannot be recorded it is in force all the same: the person wants it to seed. */
  async #waive(torrent: Torrent): Promise<void> {
    const { session } = this.#ports
    const goals = waived(torrent.goals, session.goals.standard, torrent.seeding())
    if (goals === null) return
    await this.queueing.setGoals(torrent, goals).catch(() => {
      torrent.setGoals(goals)
    })
  }

  async #intend(
    refs: TorrentRefs,
    desired: Desired,
    caller: Caller,
    act: (torrent: Torrent) => void,
  ): Promise<Result<'torrent.pause'>> {
    const { queries, session } = this.#ports
    const picked = queries.many(refs)
    const changing = picked.flatMap((each) =>
      'torrent' in each && each.torrent.desired !== desired ? [each.torrent] : [],
    )
    const reason = await session.durability.intend(
      changing.map((torrent) => torrent.id),
      desired,
    )
    if (reason === null && desired === 'paused')
      await session.saveTotals(changing).catch((error: unknown) => {
        this.#ports.log.warn({ error: String(error) }, 'totals could not be saved')
      })
    for (const torrent of changing) {
      session.journal.note(desired === 'paused' ? 'paused' : 'resumed', torrent.id, caller.name, {
        name: torrent.name,
        ...(desired === 'forced' ? { now: true } : {}),
      })
    }
    // Of many that begin only the first have a place; of many that end none gives his to another of them.
    session.queue.batch(() => {
      for (const each of picked) if ('torrent' in each) act(each.torrent)
    })
    return { results: picked.map(answer), durable: reason === null, reason }
  }

  /** Those that do not run are left as they are. */
  announce(refs: TorrentRefs): Result<'torrent.announce'> {
    const picked = this.#ports.queries.many(refs)
    for (const each of picked) if ('torrent' in each) each.torrent.announceAgain(true)
    return { results: picked.map(answer) }
  }

  verify(refs: TorrentRefs): Result<'torrent.verify'> {
    const picked = this.#ports.queries.many(refs)
    for (const each of picked) if ('torrent' in each) each.torrent.verify()
    return { results: picked.map(answer) }
  }

  limit(params: Params<'torrent.limit'>, caller: Caller): Promise<Result<'torrent.limit'>> {
    return this.#edits.run(() => this.#limit(params, caller))
  }

  async #limit(params: Params<'torrent.limit'>, caller: Caller): Promise<Result<'torrent.limit'>> {
    const picked = this.#ports.queries.many(params.ids)
    const torrents = picked.flatMap((each) => ('torrent' in each ? [each.torrent] : []))
    const rows = torrents.map((torrent) => {
      const { down = null, up = null } = torrent.record.limits ?? {}
      return {
        torrent: torrent.id,
        down: params.down === undefined ? down : params.down,
        up: params.up === undefined ? up : params.up,
      }
    })
    try {
      await this.#ports.store.setLimits(rows)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError(
        'storeFailed',
        `The limits could not be recorded (${error.code}); they stay as they were.`,
      )
    }
    torrents.forEach((torrent, at) => {
      const { down = null, up = null } = rows[at] ?? {}
      torrent.limit(down === null && up === null ? null : { down, up })
      this.#ports.session.journal.note('limited', torrent.id, caller.name, { name: torrent.name, down, up })
    })
    return { results: picked.map(answer) }
  }

  async select(params: Params<'torrent.select'>, caller: Caller): Promise<Result<'torrent.select'>> {
    const torrent = this.#ports.queries.one(params.id)
    const { content } = await loaded(torrent)
    const priorities = chosen(content, params)
    const { sequential, firstLast } = torrent.record.order
    const order = { sequential: params.sequential ?? sequential, firstLast: params.firstLast ?? firstLast }
    const kept = [...priorities].filter(([, priority]) => priority !== 'skip').map(([file]) => file)
    const wanted = kept.reduce((sum, file) => sum + (content.files[file]?.length ?? 0), 0)
    const done = kept.reduce((sum, file) => sum + content.fileDone(file), 0)
    const wishes = wishesOf(priorities)
    try {
      await this.#ports.store.setWishes(torrent.id, wishes, wanted, done, order)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError('storeFailed', `The choice could not be recorded (${error.code}); it stays as it was.`)
    }
    torrent.select({ wishes, order })
    this.#ports.session.journal.note('selected', torrent.id, caller.name, {
      name: torrent.name,
      files: kept.length,
      ...order,
    })
    return { torrent: torrent.view() }
  }

  label(params: Params<'torrent.label'>, caller: Caller): Promise<Result<'torrent.label'>> {
    return label(params, caller, this.#ports)
  }

  async remove(params: Params<'torrent.remove'>, caller: Caller): Promise<Result<'torrent.remove'>> {
    const picked = this.#ports.queries.many(params.ids)
    const asks = picked.flatMap((each) =>
      'torrent' in each
        ? [{ torrent: each.torrent, ref: each.ref, data: params.data, now: params.now === true, caller }]
        : [],
    )
    const { queue } = this.#ports.session
    // None of them gets the place of another that goes before it.
    for (const { torrent } of asks) queue.withdraw(torrent.member)
    const removed = await this.#removals.all(asks)
    removed.forEach(({ ok }, at) => {
      if (!ok) asks[at]?.torrent.member.proceed()
    })
    const results = picked
      .map((each) => ('error' in each ? answer(each) : removed.shift()))
      .flatMap((one) => one ?? [])
    return { results }
  }

  /** Goes on with a removal without files that an earlier run began. */
  finishRemoval(torrent: Torrent): Promise<void> {
    return this.#removals.finish(torrent)
  }
}

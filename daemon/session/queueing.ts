/** What people say of the queue and of the end of seeding: recorded first, then in force. */
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { SeedGoals } from '../../shared/views.js'
import type { Settings } from '../../shared/settings.js'
import { type RankRow, type Store, StoreFault } from '../ports/store.js'
import type { QueueKind, QueueLimits } from '../swarm/queue.js'
import { compareRanks, type QueueStep, ranksFor, stepped, woven } from '../swarm/queue-order.js'
import type { Torrent } from '../swarm/torrent.js'
import { USUAL_GOALS } from '../swarm/view.js'
import type { Goals } from './goals.js'
import { InTurn } from '../base/in-turn.js'
import { answer, type Queries } from './queries.js'
import type { Session } from './session.js'

export interface QueueingPorts {
  readonly session: Session
  readonly store: Store
  readonly queries: Queries
}

export function queueLimits(values: Settings): QueueLimits {
  return {
    download: values['queue.downloads'] || null,
    seed: values['queue.seeds'] || null,
    stalled: values['queue.stalled'] * 1000 || null,
  }
}

export function standardGoals(values: Settings): Goals {
  return {
    ratio: values['seed.ratio'] || null,
    time: values['seed.time'] || null,
    idle: values['seed.idle'] || null,
  }
}

export class Queueing {
  readonly #ports: QueueingPorts
  readonly #edits = new InTurn()
  /** Orders are changed one after another: each sees what the one before made. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(ports: QueueingPorts) {
    this.#ports = ports
  }

  list(): Result<'queue.list'> {
    const { queue } = this.#ports.session
    const order = this.#order().map((torrent) => {
      const { member } = torrent
      return {
        rank: queue.place(member),
        for: member.kind,
        stalled: queue.isStalled(member),
        torrent: torrent.view(),
      }
    })
    const seconds = queue.stalledAfter === null ? null : queue.stalledAfter / 1000
    const by = (kind: QueueKind) => order.filter((entry) => entry.for === kind)
    return {
      downloads: queue.limit('download'),
      seeds: queue.limit('seed'),
      stalled: seconds,
      order: [...by('download'), ...by('seed')],
    }
  }

  /** Throws storeFailed: then nothing is moved. */
  async move(params: Params<'queue.move'>): Promise<Result<'queue.move'>> {
    const { queries, session } = this.#ports
    const picked = queries.many(params.ids)
    const chosen = new Set(picked.flatMap((each) => ('torrent' in each ? [each.torrent] : [])))
    const moved = this.#turn.then(() => this.#move(chosen, params.to))
    this.#turn = moved.catch(() => undefined)
    await moved
    session.queue.rearranged()
    return { results: picked.map(answer) }
  }

  seed(params: Params<'torrent.seed'>, caller: Caller): Promise<Result<'torrent.seed'>> {
    return this.#edits.run(() => this.#seed(params, caller))
  }

  async #seed(params: Params<'torrent.seed'>, caller: Caller): Promise<Result<'torrent.seed'>> {
    const { queries, session } = this.#ports
    const { ratio, time, idle } = params
    const picked = queries.many(params.ids)
    for (const each of picked) {
      if ('error' in each) continue
      const { torrent } = each
      const own = torrent.goals ?? USUAL_GOALS
      const goals = { ratio: ratio ?? own.ratio, time: time ?? own.time, idle: idle ?? own.idle }
      await this.setGoals(torrent, goals)
      session.journal.note('goals', torrent.id, caller.name, { name: torrent.name, ...goals })
    }
    return { results: picked.map(answer) }
  }

  /** Throws storeFailed. */
  async setGoals(torrent: Torrent, goals: SeedGoals): Promise<void> {
    const usual = Object.values(goals).every((goal) => goal === 'default')
    const own = usual ? null : goals
    try {
      await this.#ports.store.setGoals(torrent.id, own)
    } catch (error) {
      throw failed(error, 'The goals could not be recorded', 'they stay as they were')
    }
    torrent.setGoals(own)
  }

  async #move(chosen: ReadonlySet<Torrent>, to: QueueStep): Promise<void> {
    const ranks = this.#ranksAfter(chosen, to)
    if (ranks.length === 0) return
    try {
      await this.#ports.store.setRanks(ranks)
    } catch (error) {
      throw failed(error, 'The order could not be recorded', 'it stays as it was')
    }
    for (const { torrent, rank } of ranks) this.#ports.session.get(torrent)?.setRank(rank)
  }

  #ranksAfter(chosen: ReadonlySet<Torrent>, to: QueueStep): RankRow[] {
    const before = this.#order()
    let order: readonly Torrent[] = before
    for (const kind of ['download', 'seed'] as const) {
      const line = order.filter(({ member }) => member.kind === kind)
      const mine = new Set(line.filter((torrent) => chosen.has(torrent)))
      if (mine.size > 0) order = woven(order, stepped(line, mine, to), mine)
    }
    if (order.every((torrent, at) => torrent === before[at])) return []
    return ranksFor(
      order.map(({ member }) => member),
      new Set([...chosen].map(({ id }) => id)),
    )
  }

  #order(): Torrent[] {
    return this.#ports.session.all().sort((a, b) => compareRanks(a.member, b.member))
  }
}

function failed(error: unknown, what: string, then: string): unknown {
  return error instanceof StoreFault ? rpcError('storeFailed', `${what} (${error.code}); ${then}.`) : error
}

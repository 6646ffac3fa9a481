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
import type { Jobs } from './jobs.js'
import { loaded, type Queries } from './queries.js'
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

  constructor(ports: CommandPorts) {
    this.#ports = ports
    this.#removals = new Removals(ports)
  }

  pause(refs: TorrentRefs, caller: Caller): Promise<Result<'torrent.pause'>> {
    return this.#intend(refs, 'paused', caller, (torrent) => {
      torrent.pause()
    })
  }

  resume(refs: TorrentRefs, caller: Caller): Promise<Result<'torrent.resume'>> {
    return this.#intend(refs, 'running', caller, (torrent) => {
      torrent.start()
    })
  }

  async #intend(
    refs: TorrentRefs,
    desired: Desired,
    caller: Caller,
    act: (torrent: Torrent) => void,
  ): Promise<Result<'torrent.pause'>> {
    const picked = this.#ports.queries.many(refs)
    const changing = picked.flatMap((each) =>
      'torrent' in each && each.torrent.desired !== desired ? [each.torrent] : [],
    )
    const reason = await this.#ports.session.durability.intend(
      changing.map((torrent) => torrent.id),
      desired,
    )
    for (const torrent of changing) {
      this.#ports.session.journal.note(desired === 'paused' ? 'paused' : 'resumed', torrent.id, caller.name, {
        name: torrent.name,
      })
    }
    for (const each of picked) if ('torrent' in each) act(each.torrent)
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

  async remove(params: Params<'torrent.remove'>, caller: Caller): Promise<Result<'torrent.remove'>> {
    const picked = this.#ports.queries.many(params.ids)
    const asks = picked.flatMap((each) =>
      'torrent' in each
        ? [{ torrent: each.torrent, ref: each.ref, data: params.data, now: params.now === true, caller }]
        : [],
    )
    const removed = await this.#removals.all(asks)
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

function answer(picked: ReturnType<Queries['many']>[number]): Result<'torrent.pause'>['results'][number] {
  if ('torrent' in picked) return { ref: picked.ref, ok: true, torrent: picked.torrent.view() }
  const { code, message } = picked.error
  return { ref: picked.ref, ok: false, error: { code, message } }
}

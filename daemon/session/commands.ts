/** One function per verb of the user. What is wanted becomes durable first; then the torrent acts on it. */
import type { Desired } from '../../shared/views.js'
import type { Caller, Params, Result, TorrentRefs } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Log } from '../base/log.js'
import type { Clock } from '../ports/clock.js'
import { type Store, StoreFault } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import { unselected } from './choice.js'
import type { Jobs } from './jobs.js'
import { loaded, type Queries } from './queries.js'
import { Removals } from './removals.js'
import type { Session } from './session.js'

export interface CommandPorts {
  readonly clock: Clock
  readonly session: Session
  readonly store: Store
  readonly queries: Queries
  readonly jobs: Jobs
  readonly log: Log
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
    for (const each of picked) if ('torrent' in each) each.torrent.announceAgain()
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
    const unwanted = unselected(content.files, params.files)
    let wanted = 0
    let done = 0
    content.files.forEach((file, index) => {
      if (file.pad || unwanted.has(index)) return
      wanted += file.length
      done += content.fileDone(index)
    })
    const wishes = [...unwanted].map((file) => ({ file, priority: 0 }))
    try {
      await this.#ports.store.setWishes(torrent.id, wishes, wanted, done)
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      throw rpcError('storeFailed', `The choice could not be recorded (${error.code}); it stays as it was.`)
    }
    torrent.select((file) => !unwanted.has(file))
    this.#ports.session.journal.note('selected', torrent.id, caller.name, {
      name: torrent.name,
      files: content.files.filter((file, index) => !file.pad && !unwanted.has(index)).length,
    })
    return { torrent: torrent.view() }
  }

  async remove(params: Params<'torrent.remove'>, caller: Caller): Promise<Result<'torrent.remove'>> {
    const picked = this.#ports.queries.many(params.ids)
    const asks = picked.flatMap((each) =>
      'torrent' in each ? [{ torrent: each.torrent, ref: each.ref, data: params.data, caller }] : [],
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

/** `torrent.label`: words that a person gives torrents to find them again. */
import type { Caller, Params, Result } from '../../shared/rpc/contract.js'
import { ERRORS, rpcError } from '../../shared/rpc/errors.js'
import { MOST_LABELS, sortLabels } from '../../shared/labels.js'
import { StoreFault, type Store } from '../ports/store.js'
import type { Torrent } from '../swarm/torrent.js'
import type { Picked, Queries } from './queries.js'
import type { Session } from './session.js'

interface LabelPorts {
  readonly session: Session
  readonly store: Store
  readonly queries: Queries
}

type Ask = Params<'torrent.label'>

/** All of them in one transaction. */
export async function label(
  ask: Ask,
  caller: Caller,
  { session, store, queries }: LabelPorts,
): Promise<Result<'torrent.label'>> {
  if (ask.add === undefined && ask.remove === undefined && ask.clear !== true)
    throw rpcError('wrongState', 'Say which labels to add or to remove.')
  const picked = queries.many(ask.ids)
  const changes = picked.flatMap((each) => ('torrent' in each ? changeOf(each.torrent, ask) : []))
  const good = changes.filter(({ labels }) => labels.length <= MOST_LABELS)
  const changed = good.filter(({ torrent, labels }) => !isSame(torrent.record.labels, labels))
  try {
    if (changed.length > 0)
      await store.setLabels(changed.map(({ torrent, labels }) => ({ torrent: torrent.id, labels })))
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
    throw rpcError('storeFailed', `The labels could not be recorded (${error.code}); they stay as they were.`)
  }
  for (const { torrent, labels } of changed) {
    torrent.relabel(labels)
    session.journal.note('labelled', torrent.id, caller.name, { name: torrent.name, labels })
  }
  const many = new Set(changes.filter((each) => !good.includes(each)).map(({ torrent }) => torrent))
  return { results: picked.map((each) => answerOf(each, many)) }
}

function changeOf(
  torrent: Torrent,
  { add = [], remove = [], clear }: Ask,
): { torrent: Torrent; labels: readonly string[] }[] {
  const gone = new Set(sortLabels(remove))
  const kept = clear === true ? [] : torrent.record.labels.filter((each) => !gone.has(each))
  return [{ torrent, labels: sortLabels([...kept, ...add]) }]
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at])
}

function answerOf(picked: Picked, many: ReadonlySet<Torrent>): Result<'torrent.label'>['results'][number] {
  const { ref } = picked
  if ('error' in picked)
    return { ref, ok: false, error: { code: picked.error.code, message: picked.error.message } }
  if (!many.has(picked.torrent)) return { ref, ok: true, torrent: picked.torrent.view() }
  const message = `${picked.torrent.name} would have more than ${String(MOST_LABELS)} labels; remove some first.`
  return { ref, ok: false, error: { code: ERRORS.wrongState.code, message } }
}

/** What a removal with its files would delete, and what it would leave. */
import type { PlanPerTorrent, Result } from '../../shared/rpc/contract.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import type { RemovalPlanView } from '../../shared/views.js'
import type { Clock } from '../ports/clock.js'
import type { RemovalLook } from '../ports/disk.js'
import { faultSentence } from '../swarm/lifecycle.js'
import type { Torrent } from '../swarm/torrent.js'
import { loaded, type Picked } from './queries.js'
import { silent, SURVEYS_WITHIN, within } from './within.js'

/** Looked at one after the other: each holds its metadata in memory. */
export async function planRemovals(
  picked: readonly Picked[],
  clock: Clock,
): Promise<Result<'torrent.planRemoval'>> {
  const results: PlanPerTorrent[] = []
  for (const each of picked) results.push(await planOne(each, clock))
  return { results }
}

async function planOne(picked: Picked, clock: Clock): Promise<PlanPerTorrent> {
  const { ref } = picked
  try {
    if ('error' in picked) throw picked.error
    return { ref, ok: true, plan: await planOf(picked.torrent, clock) }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    return { ref, ok: false, error: { code: error.code, message: error.message } }
  }
}

async function planOf(torrent: Torrent, clock: Clock): Promise<RemovalPlanView> {
  const { id, name, dir } = torrent
  const { files, strangers, more } = torrent.lacksMetadata ? nothing : await lookAt(torrent, clock)
  const sum = (these: typeof files): number => these.reduce((bytes, file) => bytes + file.bytes, 0)
  const freedBytes = sum(files.filter(({ linked }) => !linked))
  return { id, name, dir, files, bytes: sum(files), freedBytes, stays: strangers, moreStays: more }
}

const nothing: RemovalLook = { files: [], strangers: [], more: 0 }

async function lookAt(torrent: Torrent, clock: Clock): Promise<RemovalLook> {
  const { storage } = await loaded(torrent)
  const look = await within(clock, SURVEYS_WITHIN, storage.planRemoval())
  if (look === null) throw silent(torrent.dir, 'try again when it does')
  if (!('code' in look)) return look
  const sentence =
    look.path === torrent.dir && look.code === 'ENOENT'
      ? `The folder ${torrent.dir} is not there, so nothing can be told of its files.`
      : faultSentence({ kind: 'disk', fault: look })
  throw rpcError('badFolder', sentence, { dir: torrent.dir, reason: look.code })
}

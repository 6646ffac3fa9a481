/**
 * What the disk says of the folder that something is to be added to. Asked before the add has its turn: a volume that
 * does not answer holds up nobody else's.
 */
import type { FileIndex, TorrentId } from '../../shared/units.js'
import { RpcError, rpcError } from '../../shared/rpc/errors.js'
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { formatBytes } from '../../shared/text.js'
import type { Clock } from '../ports/clock.js'
import type { Disk, SpaceView } from '../ports/disk.js'
import { faultSentence } from '../swarm/lifecycle.js'
import { wantedBytes } from './choice.js'
import type { Session } from './session.js'
import { ANSWERS_WITHIN, silent, SURVEYS_WITHIN, within } from './within.js'

export interface AddPlacePorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly session: Session
}

/** Files that are to come to a folder; null while they are not known. */
interface Coming {
  readonly meta: Metainfo
  readonly unwanted: ReadonlySet<FileIndex>
}

/** A folder as it was looked at. */
export interface Looked {
  readonly dir: string
  /** Throws what an add there is refused with. */
  readonly space: () => SpaceView
}

/** Makes the folder where it is missing, and sees whether there is room. Never waits for ever. */
export async function lookAtPlace(dir: string, coming: Coming | null, ports: AddPlacePorts): Promise<Looked> {
  try {
    const space = await within(ports.clock, ANSWERS_WITHIN, look(dir, ports))
    if (space === null) throw silentPlace(dir)
    if (coming !== null) await refuseWithoutRoom(dir, coming, space, ports)
    return { dir, space: () => space }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    return {
      dir,
      space: () => {
        throw error
      },
    }
  }
}

/** Free bytes of a folder, 0 where nothing says so in time. */
export async function freeBytesOf(dir: string, { clock, disk }: AddPlacePorts): Promise<number> {
  const space = await within(clock, ANSWERS_WITHIN, disk.space(dir))
  return space === null || 'code' in space ? 0 : space.freeBytes
}

async function look(dir: string, ports: AddPlacePorts): Promise<SpaceView> {
  const away = await ports.session.volumes.away(dir)
  if (away !== null) throw rpcError('badFolder', faultSentence(away), { dir, reason: 'ENODEV' })
  const space = await ports.disk.prepareDir(dir)
  if ('code' in space) {
    const sentence = `${refusedBecause(dir, space.code)}; choose another folder with --dir.`
    throw rpcError('badFolder', sentence, { dir, reason: space.code })
  }
  return space
}

function refusedBecause(dir: string, code: string): string {
  if (code === 'EACCES') return `There is no permission to write to ${dir}`
  if (code === 'EPERM')
    return `The system keeps torrentinod out of ${dir} (on macOS: System Settings, Privacy & Security, Full Disk Access)`
  if (code === 'EROFS') return `The volume of ${dir} is read-only`
  if (code === 'ENOTDIR' || code === 'EEXIST') return `${dir} is no folder, or a part of its path is none`
  if (code === 'ENOSPC' || code === 'EDQUOT') return `There is no space left to make ${dir}`
  return `The disk refuses to write to ${dir}`
}

function silentPlace(dir: string): RpcError {
  return silent(dir, 'choose another folder with --dir')
}

async function refuseWithoutRoom(
  dir: string,
  coming: Coming,
  space: SpaceView,
  { clock, disk }: AddPlacePorts,
): Promise<void> {
  const wanted = wantedBytes(coming.meta, coming.unwanted)
  if (wanted + space.reserve <= space.freeBytes) return
  const there = await within(clock, SURVEYS_WITHIN, present(dir, coming, disk))
  if (there === null) throw silentPlace(dir)
  const needed = wanted - there
  if (needed === 0 || needed + space.reserve <= space.freeBytes) return
  throw rpcError(
    'noSpace',
    `Not enough space in ${dir}: ${formatBytes(needed)} needed, ${formatBytes(space.freeBytes)} free; free some, choose --dir, or take part of it with --select.`,
    { dir, needed, free: space.freeBytes },
  )
}

/** Bytes of the wanted files that lie there already. */
async function present(dir: string, { meta, unwanted }: Coming, disk: Disk): Promise<number> {
  const { files, pieceLength, digests } = meta
  const storage = disk.open(
    { torrent: 0 as TorrentId, dir, files, pieceLength, digests },
    { pieceGood: () => undefined, pieceBad: () => undefined, writeFailed: () => undefined },
  )
  try {
    const found = await storage.survey()
    return found
      .filter((file) => file.name === 'final' && !unwanted.has(file.file))
      .reduce((sum, file) => sum + Math.min(file.size, files[file.file]?.length ?? 0), 0)
  } finally {
    await storage.close()
  }
}

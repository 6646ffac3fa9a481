/**
 * Power cuts, without hardware: database and data of a real daemon lie on ext4 in a file. At a random moment the
 * daemon is stopped and the file is copied; what the kernel had not been told to sync is not in the copy, so the copy
 * is the disk after a power cut. It is checked, mounted, read, and a daemon is started on it.
 *
 * A cut fell between a sync and the commit that claims it when both hold: the last sync of the daemon that succeeded
 * was an fdatasync of data and not the fsync of the write-ahead log that a commit ends with; and the copy holds, whole
 * and byte for byte right, at least one piece that the database of the copy does not claim. Its bytes were synced, for
 * the kernel writes back by itself only what is 30 s old; its commit had not come.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, makeHome } from '../support/daemon.js'
import { FakeRandom } from '../support/fake-random.js'
import { Activity } from '../support/proof/activity.js'
import { piecesOnDisk, readClaims } from '../support/proof/claims.js'
import { endsWithData, halt, justSynced, watched } from '../support/proof/cutter.js'
import { canMountImages, checkImage, makeImage, MountedImage } from '../support/proof/image.js'
import { Ledger } from '../support/proof/ledger.js'
import { makeProofWorld, type ProofWorld } from '../support/proof/world.js'
import { canTrace } from '../support/strace.js'
import { type KillInit, progressBound, type ProofFigures, Sums } from './kill-rounds.js'

/** Root, loop devices, ext4 and strace. */
export const canCut = canMountImages && canTrace

const IMAGE_BYTES = 128 * 1024 * 1024

export interface CutFigures extends ProofFigures {
  /** Cuts that fell between a sync and the commit that claims it. */
  readonly between: number
}

/** The running daemon and what is known of it. */
interface Scene {
  readonly init: KillInit
  /** Where the image, and each copy of it, is mounted: the same path in other namespaces. */
  readonly mnt: string
  readonly home: string
  readonly trace: string
  readonly world: ProofWorld
  readonly random: FakeRandom
  readonly ledger: Ledger
  readonly volume: MountedImage
  readonly daemon: Daemon
  readonly sums: Sums
}

export async function powercutRounds(init: KillInit): Promise<CutFigures> {
  const mnt = join(init.dir, 'm')
  mkdirSync(mnt, { recursive: true })
  const image = join(init.dir, 'image')
  await makeImage(image, IMAGE_BYTES)
  const world = await makeProofWorld(join(init.dir, 'made'))
  const volume = await MountedImage.mount(image, mnt)
  const home = join(mnt, 'home')
  const trace = join(init.dir, 'trace')
  try {
    makeHome(volume.seen(home))
    const daemon = await startOn(volume, home, watched(trace))
    const ledger = new Ledger(world.torrents)
    const random = new FakeRandom(init.seed)
    const sums = new Sums()
    const activity = new Activity({ daemon, ledger, random, down: join(mnt, 'down'), leaves: false })
    try {
      const scene = { init, mnt, home, trace, world, random, ledger, volume, daemon, sums }
      const between = await cuts(scene)
      activity.stop()
      return { ...sums.figures(progressBound(world)), between }
    } finally {
      await daemon.kill9()
    }
  } finally {
    world.close()
    await volume.close()
  }
}

function startOn(volume: MountedImage, home: string, more: readonly string[] = []): Promise<Daemon> {
  const socket = volume.seen(join(home, 'torrentino.sock'))
  return Daemon.start({ home, under: [...volume.under, ...more], socket: () => socket })
}

/** Answers how many fell between a sync and its commit. */
async function cuts(scene: Scene): Promise<number> {
  const { init, random, daemon, trace, ledger, volume } = scene
  const copy = join(init.dir, 'copy')
  let between = 0
  for (let round = 0; round < init.rounds; round++) {
    const aimed = round % 2 === 1
    await delay(5 + random.int(1996))
    if (aimed) await justSynced(trace)
    const frozen = ledger.freeze()
    await halt(daemon.pid)
    const synced = endsWithData(trace)
    await volume.copy(copy)
    process.kill(daemon.pid, 'SIGCONT')
    const last = round === init.rounds - 1
    const unclaimed = await judgeCopy(scene, copy, frozen, last)
    if (synced && unclaimed > 0) between++
    const { recorded } = scene.sums
    init.say?.(
      `round ${String(round + 1)}: ${aimed ? 'aimed' : 'random'} cut, ${String(recorded)} recorded pieces so far, ` +
        `${String(unclaimed)} synced and not recorded${synced ? ', between sync and commit' : ''}`,
    )
    rmSync(copy)
  }
  return between
}

/** Answers the pieces that lie on the copy whole and that its database does not claim. */
async function judgeCopy(scene: Scene, copy: string, frozen: Ledger, last: boolean): Promise<number> {
  const { home, sums, world } = scene
  await checkImage(copy)
  const volume = await MountedImage.mount(copy, scene.mnt)
  try {
    const judgement = frozen.judge(readClaims(volume.seen(home)), (dir) => volume.seen(dir))
    sums.add(judgement)
    const daemon = await startOn(volume, home)
    try {
      sums.slowestStart = Math.max(sums.slowestStart, daemon.startMillis)
      sums.lost.push(...frozen.listed((await daemon.call('torrent.list', {})).torrents))
      if (last) sums.wrong.push(...(await finish(daemon, frozen, world, volume)))
    } finally {
      await daemon.kill9()
    }
    if (last) sums.wrong.push(...frozen.judge(readClaims(volume.seen(home)), (dir) => volume.seen(dir)).wrong)
    return judgement.unclaimed
  } finally {
    await volume.close()
  }
}

/** On what the last cut left, every torrent comes to its end by itself: answers those that end wrong. */
async function finish(
  daemon: Daemon,
  ledger: Ledger,
  world: ProofWorld,
  volume: MountedImage,
): Promise<string[]> {
  const wrong: string[] = []
  world.hurry()
  await daemon.call('torrent.resume', { ids: 'all' })
  for (const { id, presence, torrent, dir } of ledger.entries) {
    if (presence !== 'there') continue
    await daemon.seeds(id, 120_000)
    const { made, payload } = torrent
    const whole = piecesOnDisk(made, payload, volume.seen(dir)).size
    if (whole < made.pieceCount) wrong.push(`${made.name}: said to be whole, and is not`)
  }
  return wrong
}

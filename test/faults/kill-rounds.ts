/**
 * kill -9 again and again, on one home: a real daemon downloads several torrents, is given commands at random, and is
 * killed at a random moment. After each kill its home is read as it lies there: what it had acknowledged, and every
 * piece that it has recorded, must be there. The page cache outlives the process, so this says nothing of fsync.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, makeHome, spawnDaemon } from '../support/daemon.js'
import { FakeRandom } from '../support/fake-random.js'
import { Activity } from '../support/proof/activity.js'
import { readClaims } from '../support/proof/claims.js'
import { type Judgement, Ledger } from '../support/proof/ledger.js'
import { makeProofWorld, type ProofWorld } from '../support/proof/world.js'

/**
 * When the 5..2000 ms begin: with the first answer, with the start of the process (so that some kills hit the start
 * itself), or when the first timed sync round of this run is due.
 */
const KINDS = ['answer', 'round', 'spawn', 'answer'] as const
/** Milliseconds after the first verified piece at which a round begins (docs/architecture.md). */
const SYNC_INTERVAL = 3000
/** Bytes after which one begins at once. */
const SYNC_BYTES = 32 * 1024 * 1024
/** Milliseconds that a sync, a commit and what is on its way may take besides. */
const MARGIN = 1500
/** Milliseconds within which it must answer after each kill. */
export const START_BOUND = 2000

/** What may be unrecorded when a daemon dies: what came in one interval and the margin. */
export function progressBound(world: ProofWorld): number {
  return Math.min(world.rate * SYNC_INTERVAL, SYNC_BYTES * 1000) / 1000 + (world.rate * MARGIN) / 1000
}

export interface KillInit {
  readonly rounds: number
  readonly seed: number
  /** A new folder; short, for a socket lies in it. */
  readonly dir: string
  /** Takes a line for each round. */
  readonly say?: (line: string) => void
}

export interface ProofFigures {
  readonly rounds: number
  /** One sentence each. */
  readonly lost: readonly string[]
  readonly wrong: readonly string[]
  readonly backwards: readonly string[]
  /** Recorded pieces looked at, over all rounds, and those of them that the files do not bear out. */
  readonly recorded: number
  readonly wrongPieces: number
  readonly slowestStart: number
  /** Bytes that had come whole and were not recorded, the most of all rounds; and what is allowed. */
  readonly mostUnrecorded: number
  readonly bound: number
}

/** Sums of all rounds. */
export class Sums {
  rounds = 0
  readonly lost: string[] = []
  readonly wrong: string[] = []
  readonly backwards: string[] = []
  recorded = 0
  wrongPieces = 0
  slowestStart = 0
  mostUnrecorded = 0

  figures(bound: number): ProofFigures {
    const { rounds, lost, wrong, backwards, recorded, wrongPieces, slowestStart, mostUnrecorded } = this
    return { rounds, lost, wrong, backwards, recorded, wrongPieces, slowestStart, mostUnrecorded, bound }
  }

  add(judgement: Judgement): void {
    this.rounds++
    const here = (sentences: readonly string[]): string[] =>
      sentences.map((sentence) => `round ${String(this.rounds)}: ${sentence}`)
    this.lost.push(...here(judgement.lost))
    this.wrong.push(...here(judgement.wrong))
    this.backwards.push(...here(judgement.backwards))
    this.recorded += judgement.recorded
    this.wrongPieces += judgement.wrongPieces
    this.mostUnrecorded = Math.max(this.mostUnrecorded, judgement.unrecorded)
  }
}

export async function killRounds(init: KillInit): Promise<ProofFigures> {
  mkdirSync(init.dir, { recursive: true })
  const world = await makeProofWorld(join(init.dir, 'made'))
  const home = makeHome(join(init.dir, 'home'))
  const random = new FakeRandom(init.seed)
  const ledger = new Ledger(world.torrents)
  const sums = new Sums()
  try {
    for (let round = 0; round < init.rounds; round++) {
      const kind = KINDS[round % KINDS.length] ?? 'answer'
      const millis = 5 + random.int(1996)
      if (kind === 'spawn') await killAtStart(home, millis)
      else {
        const moment = kind === 'round' ? SYNC_INTERVAL + millis : millis
        const { startMillis, missing } = await killAtWork({ home, ledger, random, moment, init })
        sums.lost.push(...missing)
        sums.slowestStart = Math.max(sums.slowestStart, startMillis)
      }
      const judgement = ledger.judge(readClaims(home))
      sums.add(judgement)
      init.say?.(lineOf(round, kind, millis, judgement))
    }
    await finish({ home, ledger, world, sums, init })
  } finally {
    world.close()
  }
  return sums.figures(progressBound(world))
}

async function killAtStart(home: string, millis: number): Promise<void> {
  const { child, ended } = spawnDaemon({ home })
  await delay(millis)
  child.kill('SIGKILL')
  await ended
}

interface Work {
  readonly home: string
  readonly ledger: Ledger
  readonly random: FakeRandom
  /** Milliseconds after the first answer. */
  readonly moment: number
  readonly init: KillInit
}

async function killAtWork(work: Work): Promise<{ startMillis: number; missing: string[] }> {
  const { home, ledger, random, init } = work
  const daemon = await Daemon.start({ home })
  const missing = ledger.listed((await daemon.call('torrent.list', {})).torrents)
  const activity = new Activity({ daemon, ledger, random, down: join(init.dir, 'down') })
  await delay(work.moment)
  activity.stop()
  await daemon.kill9()
  return { startMillis: daemon.startMillis, missing }
}

/** After the last kill it must come to the end by itself: every torrent whole, byte for byte. */
async function finish(last: {
  readonly home: string
  readonly ledger: Ledger
  readonly world: ProofWorld
  readonly sums: Sums
  readonly init: KillInit
}): Promise<void> {
  const { ledger, sums, world } = last
  const daemon = await Daemon.start({ home: last.home })
  try {
    sums.slowestStart = Math.max(sums.slowestStart, daemon.startMillis)
    world.hurry()
    sums.lost.push(...ledger.listed((await daemon.call('torrent.list', {})).torrents))
    await daemon.call('torrent.resume', { ids: 'all' })
    for (const entry of ledger.entries) {
      if (entry.presence === 'there') await daemon.seeds(entry.id, 120_000)
    }
  } finally {
    await daemon.stop()
  }
  const judgement = ledger.judge(readClaims(last.home))
  for (const { presence, recorded, torrent } of ledger.entries) {
    if (presence === 'there' && recorded.size < torrent.made.pieceCount)
      sums.wrong.push(`${torrent.made.name} did not become whole`)
  }
  sums.wrong.push(...judgement.wrong)
}

function lineOf(round: number, kind: string, millis: number, judgement: Judgement): string {
  const { recorded, unrecorded, unclaimed } = judgement
  const place = `round ${String(round + 1)}: killed ${String(millis)} ms after its ${kind}`
  return `${place}, ${String(recorded)} pieces recorded, ${String(unclaimed)} whole and not recorded, ${String(Math.ceil(unrecorded / 1024))} KiB of progress not recorded`
}

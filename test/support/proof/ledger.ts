/**
 * What must be true of a daemon that was killed or cut off, kept by whoever gives it commands: what it acknowledged
 * must be there, what was on its way may be there or not.
 */
import type { Result } from '../../../shared/rpc/contract.js'
import { bytesOf, type Claim, piecesOnDisk } from './claims.js'
import type { ProofTorrent } from './world.js'

/** A torrent as `torrent.list` shows it. */
export type Listed = Result<'torrent.list'>['torrents'][number]

export interface Entry {
  readonly torrent: ProofTorrent
  /** `adding` and `removing`: asked and not answered. */
  presence: 'absent' | 'adding' | 'there' | 'removing'
  /** What was acknowledged; null: a change was asked and not answered. */
  desired: 'running' | 'paused' | null
  /** Where it lies, or lay. */
  dir: string
  id: number
  /** Bytes shown as done: recorded, so they never go back. */
  shown: number
  /** Pieces that the database had recorded when it was last read. */
  recorded: ReadonlySet<number>
  /** Pieces that its seed had sent whole when the ledger was frozen; null: look at the seed. */
  sent: ReadonlySet<number> | null
}

/** What one look at a dead home found. */
export interface Judgement {
  /** Sentences; empty where all is well. */
  readonly lost: readonly string[]
  readonly wrong: readonly string[]
  readonly backwards: readonly string[]
  /** Recorded pieces looked at, and those of them that do not lie on the disk as they should. */
  readonly recorded: number
  readonly wrongPieces: number
  /** Bytes that had come whole and that no record claims. */
  readonly unrecorded: number
  /** Pieces that lie on the disk whole and that no record claims. */
  readonly unclaimed: number
}

export class Ledger {
  readonly entries: readonly Entry[]

  constructor(torrents: readonly ProofTorrent[]) {
    this.entries = torrents.map((torrent) => ({
      torrent,
      presence: 'absent',
      desired: 'running',
      dir: '',
      id: 0,
      shown: 0,
      recorded: new Set<number>(),
      sent: null,
    }))
  }

  /** A copy that stays as it is while the daemon goes on. */
  freeze(): Ledger {
    const copy = new Ledger([])
    const entries = this.entries.map((entry) => ({ ...entry, sent: new Set(entry.torrent.seeder.whole) }))
    Object.assign(copy, { entries })
    return copy
  }

  /** A daemon that runs: acknowledged torrents that it does not list. */
  listed(views: readonly Listed[]): string[] {
    const lost: string[] = []
    for (const entry of this.entries) {
      const view = views.find(({ infoHash }) => infoHash === entry.torrent.made.infoHash)
      const { name } = entry.torrent.made
      if (entry.presence === 'there' && view === undefined) lost.push(`${name} is not listed`)
      if (entry.presence === 'removing' && view === undefined) entry.presence = 'absent'
      if (view !== undefined) this.saw(entry, view)
    }
    return lost
  }

  saw(entry: Entry, view: Listed): void {
    if (view.id !== entry.id) return
    entry.shown = Math.max(entry.shown, view.doneBytes ?? 0)
  }

  /**
   * Reads what is left, `at` being where a folder of the daemon is found from here; from then on what is there is
   * what counts.
   */
  judge(claims: readonly Claim[], at: (dir: string) => string = (dir) => dir): Judgement {
    const lost: string[] = []
    const wrong: string[] = []
    const backwards: string[] = []
    const sums = { recorded: 0, wrongPieces: 0, unrecorded: 0, unclaimed: 0 }
    for (const entry of this.entries) {
      const { made, payload, seeder } = entry.torrent
      const claim = claims.find(({ infoHash }) => infoHash === made.infoHash)
      lost.push(...judgePresence(entry, claim).map((sentence) => `${made.name}: ${sentence}`))
      if (claim === undefined) continue
      const good = piecesOnDisk(made, payload, at(claim.dir))
      const bad = [...claim.pieces].filter((piece) => !good.has(piece))
      if (bad.length > 0) wrong.push(`${made.name}: recorded and not on the disk: ${bad.join(' ')}`)
      sums.recorded += claim.pieces.size
      sums.wrongPieces += bad.length
      sums.unclaimed += [...good].filter((piece) => !claim.pieces.has(piece)).length
      if (entry.presence === 'there') {
        backwards.push(...judgeProgress(entry, claim))
        sums.unrecorded += bytesOf(
          made,
          [...(entry.sent ?? seeder.whole)].filter((piece) => !claim.pieces.has(piece)),
        )
      }
      entry.recorded = claim.pieces
      entry.shown = Math.min(entry.shown, bytesOf(made, claim.pieces))
    }
    const known = new Set(this.entries.map(({ torrent }) => torrent.made.infoHash))
    for (const { infoHash } of claims) if (!known.has(infoHash)) wrong.push(`${infoHash} was never added`)
    return { lost, wrong, backwards, ...sums }
  }
}

function judgePresence(entry: Entry, claim: Claim | undefined): string[] {
  const { presence } = entry
  if (claim === undefined) {
    entry.presence = 'absent'
    return presence === 'there' ? ['lost'] : []
  }
  if (presence === 'absent') return ['removed, and there again']
  const going = claim.desired.startsWith('removed')
  if (going) {
    const asked = presence === 'removing'
    entry.presence = 'removing'
    return asked ? [] : ['being removed, and nobody asked']
  }
  entry.id = claim.id
  const faults = claim.dir === entry.dir ? [] : [`lies in ${claim.dir}, not in ${entry.dir}`]
  const answered = presence === 'there' && entry.desired !== null
  if (answered && claim.desired !== entry.desired)
    faults.push(`${claim.desired}, not ${String(entry.desired)}`)
  entry.presence = 'there'
  entry.desired = claim.desired === 'paused' ? 'paused' : 'running'
  return faults
}

function judgeProgress(entry: Entry, claim: Claim): string[] {
  const { made } = entry.torrent
  const faults: string[] = []
  const gone = [...entry.recorded].filter((piece) => !claim.pieces.has(piece))
  if (gone.length > 0) faults.push(`${made.name}: recorded once and not now: ${gone.join(' ')}`)
  const done = bytesOf(made, claim.pieces)
  if (done < entry.shown)
    faults.push(`${made.name}: ${String(entry.shown)} bytes shown, ${String(done)} recorded`)
  return faults
}

/**
 * From loaded data to a torrent that may run: the files are looked at, what changed is hashed, finished files get
 * their names, folders are made. Ends in exactly one of `ready`, `lost` and `refused`, unless it is cancelled.
 */
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { DiskFault, FileFound } from '../ports/disk.js'
import { Check, type CheckGate } from './check.js'
import type { CheckReason, TorrentState } from './lifecycle.js'
import type { Live } from './live.js'
import { planSurvey, type SurveyPlan } from './survey.js'

export interface ReadinessInit {
  readonly live: Live
  /** The data were checked once since they were added. */
  readonly checked: boolean
  /** The user asked for a check of everything: missing files are missing pieces, and no fault. */
  readonly asked: boolean
  /** st_dev of the download folder: checks of one volume take turns. */
  readonly volume: string
}

export interface ReadinessPorts {
  readonly gate: CheckGate
  readonly state: (state: TorrentState) => void
  /** A check was done and committed. */
  readonly checked: (why: CheckReason, pieces: number) => void
  readonly ready: () => void
  /** Recorded files are not there. */
  readonly lost: (count: number, first: FileIndex) => void
  readonly refused: (fault: DiskFault) => void
}

export class Readiness {
  readonly #init: ReadinessInit
  readonly #ports: ReadinessPorts
  readonly #live: Live
  #check: Check | null = null
  #over = false

  constructor(init: ReadinessInit, ports: ReadinessPorts) {
    this.#init = init
    this.#ports = ports
    this.#live = init.live
    this.#then(this.#live.storage.survey(), (found) => {
      this.#judge(found)
    })
  }

  cancel(): void {
    this.#over = true
    this.#check?.cancel()
  }

  /** Goes on with the outcome unless it came too late. */
  #then<T>(outcome: Promise<T>, next: (value: T) => void): void {
    outcome.then(
      (value) => {
        if (!this.#over) next(value)
      },
      // Storage promises settle with faults as values; a rejection is a bug that its thread has told already.
      () => undefined,
    )
  }

  #judge(found: readonly FileFound[]): void {
    const { content, recorder } = this.#live
    if (this.#init.asked) return this.#hash(everyPiece(content.layout.pieceCount), 'asked')
    const plan = planSurvey(content, found, this.#init.checked)
    const first = plan.lost[0]
    if (first !== undefined) {
      this.#over = true
      return this.#ports.lost(plan.lost.length, first)
    }
    if (plan.finish.length > 0) recorder.finish(plan.finish)
    if (plan.sniff.length > 0) return this.#sniff(plan)
    if (plan.check.length > 0) return this.#hash(plan.check, plan.why)
    if (this.#init.checked) return this.#prepare()
    // Nothing lies there yet: that is a check, too, and a cheap one.
    recorder.recordCheck(found, () => {
      if (!this.#over) this.#checked('added', 0)
    })
  }

  #sniff(plan: SurveyPlan): void {
    this.#then(this.#live.storage.sniff(plan.sniff), (likely) => {
      const pieces = [...new Set([...plan.check, ...likely])].sort((a, b) => a - b)
      if (pieces.length === 0) this.#prepare()
      else this.#hash(pieces, plan.check.length > 0 ? plan.why : 'crash')
    })
  }

  #hash(pieces: readonly PieceIndex[], why: CheckReason): void {
    const total = pieces.length
    const { content, storage, recorder } = this.#live
    const progress = (done: number): void => {
      this.#ports.state({ kind: 'checking', done, total, why })
    }
    this.#ports.state({ kind: 'queued', for: 'check' })
    this.#check = new Check(
      { pieces, volume: this.#init.volume },
      {
        content,
        storage,
        recorder,
        gate: this.#ports.gate,
        begun: () => {
          progress(0)
        },
        progress,
        finished: (fault) => {
          this.#check = null
          if (this.#over) return
          if (fault === null) this.#checked(why, total)
          else this.#refuse(fault)
        },
      },
    )
  }

  #checked(why: CheckReason, pieces: number): void {
    this.#ports.checked(why, pieces)
    if (pieces === 0) return this.#prepare()
    // Complete files may still lie under their `.part` names.
    this.#then(this.#live.storage.survey(), (found) => {
      const { content, recorder } = this.#live
      const finish = found.filter((file) => file.name === 'part' && content.isFileComplete(file.file))
      if (finish.length > 0) recorder.finish(finish.map((file) => file.file))
      this.#prepare()
    })
  }

  #prepare(): void {
    const { content, storage } = this.#live
    if (!content.complete) storage.expect()
    this.#then(storage.prepare(content.wantedFiles()), (fault) => {
      if (fault !== null) return this.#refuse(fault)
      this.#over = true
      this.#ports.ready()
    })
  }

  #refuse(fault: DiskFault): void {
    this.#over = true
    this.#ports.refused(fault)
  }
}

function everyPiece(count: number): PieceIndex[] {
  return Array.from({ length: count }, (_, piece) => piece)
}

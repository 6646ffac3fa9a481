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
  /** Files that were changed as they lay there at the last look: not to be hashed again. */
  readonly ruined: Ruined | null
}

/** Finished files that somebody changed, and how they lay there then. */
export interface Ruined {
  readonly files: readonly FileIndex[]
  readonly found: readonly FileFound[]
}

export interface ReadinessPorts {
  readonly gate: CheckGate
  readonly state: (state: TorrentState) => void
  /** A check was done and committed. */
  readonly checked: (why: CheckReason, pieces: number) => void
  /** `completes`: the last file got its name only now. */
  readonly ready: (completes: boolean) => void
  /** Recorded files are not there. */
  readonly lost: (count: number, first: FileIndex) => void
  readonly refused: (fault: DiskFault) => void
  /** Finished files were changed by somebody. */
  readonly ruined: (ruined: Ruined) => void
}

export class Readiness {
  readonly #init: ReadinessInit
  readonly #ports: ReadinessPorts
  readonly #live: Live
  #check: Check | null = null
  /** What the first look found; empty before. */
  #found: readonly FileFound[] = []
  /** A file got its name, and with it everything wanted was complete. */
  #completes = false
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
    const { content } = this.#live
    this.#found = found
    if (this.#init.asked) return this.#hash(everyPiece(content.layout.pieceCount), 'asked', new Set())
    const plan = planSurvey(content, found, this.#init.checked)
    const first = plan.lost[0]
    if (first !== undefined) {
      this.#over = true
      return this.#ports.lost(plan.lost.length, first)
    }
    if (this.#stillRuined(plan)) return
    this.#name(plan.finish, () => {
      this.#go(plan)
    })
  }

  #go(plan: SurveyPlan): void {
    if (plan.sniff.length > 0) return this.#sniff(plan)
    if (plan.check.length > 0) return this.#hash(plan.check, plan.why, plan.guarded)
    if (this.#init.checked) return this.#prepare()
    // Nothing lies there yet: that is a check, too, and a cheap one.
    this.#live.recorder.recordCheck(this.#found, () => {
      if (!this.#over) this.#checked('added', 0)
    })
  }

  /** The same files lie there as at the last look: what they hold is known. */
  #stillRuined(plan: SurveyPlan): boolean {
    const { ruined } = this.#init
    const key = (found: FileFound | undefined): string => JSON.stringify(found)
    const same =
      ruined?.files.every(
        (file) => plan.guarded.has(file) && key(ruined.found[file]) === key(this.#found[file]),
      ) === true
    if (ruined === null || !same) return false
    this.#ruin(ruined)
    return true
  }

  #ruin(ruined: Ruined): void {
    this.#over = true
    this.#ports.ruined(ruined)
  }

  /** Gives complete files their names, then goes on. */
  #name(files: readonly FileIndex[], then: () => void): void {
    if (files.length === 0) return then()
    this.#live.recorder.finish(files, (fault, completes) => {
      if (this.#over) return
      if (fault !== null) return this.#refuse(fault)
      this.#completes ||= completes
      then()
    })
  }

  #sniff(plan: SurveyPlan): void {
    this.#then(this.#live.storage.sniff(plan.sniff), (likely) => {
      const pieces = [...new Set([...plan.check, ...likely])].sort((a, b) => a - b)
      if (pieces.length === 0) this.#prepare()
      else this.#hash(pieces, plan.check.length > 0 ? plan.why : 'crash', plan.guarded)
    })
  }

  #hash(pieces: readonly PieceIndex[], why: CheckReason, guarded: ReadonlySet<FileIndex>): void {
    const total = pieces.length
    const { content, storage, recorder } = this.#live
    const progress = (done: number): void => {
      this.#ports.state({ kind: 'checking', done, total, why })
    }
    this.#ports.state({ kind: 'queued', for: 'check' })
    this.#check = new Check(
      {
        pieces,
        volume: this.#init.volume,
        guarded,
        isPart: (file) => this.#found[file]?.name === 'part',
      },
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
        ruined: (files, found) => {
          if (!this.#over) this.#ruin({ files, found })
        },
      },
    )
  }

  #checked(why: CheckReason, pieces: number): void {
    this.#ports.checked(why, pieces)
    if (pieces === 0) return this.#prepare()
    // Complete files may still lie under their `.part` names.
    this.#then(this.#live.storage.survey(true), (found) => {
      const { content } = this.#live
      const finish = found.filter((file) => file.name === 'part' && content.isFileComplete(file.file))
      this.#name(
        finish.map((file) => file.file),
        () => {
          this.#prepare()
        },
      )
    })
  }

  #prepare(): void {
    const { content, storage } = this.#live
    if (!content.complete) storage.expect()
    this.#then(storage.prepare(content.wantedFiles()), (fault) => {
      if (fault !== null) return this.#refuse(fault)
      this.#over = true
      this.#ports.ready(this.#completes)
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

/**
 * What the files on the disk mean for the records: what is believed, what must be hashed again, what is gone. Bits
 * are believed where size, mtime and inode are as recorded; our own writes move the mtime before a kill, so a file
 * that carries the `writing` mark is believed too, and only what no record claims is looked at.
 */
import type { FileIndex, PieceIndex } from '../../shared/units.js'
import type { FileFound } from '../ports/disk.js'
import type { FileStatRow } from '../ports/store.js'
import type { Content } from './content.js'
import type { CheckReason } from './lifecycle.js'

export interface SurveyPlan {
  /** Files with recorded pieces that are not there, or shorter than recorded. */
  readonly lost: readonly FileIndex[]
  /** Pieces to hash before anything else, in order. */
  readonly check: readonly PieceIndex[]
  readonly why: CheckReason
  /** Pieces that may have been written by a run that was killed: worth a short look. */
  readonly sniff: readonly PieceIndex[]
  /** Complete files that still have their `.part` name. */
  readonly finish: readonly FileIndex[]
  /**
   * Finished files that are not as recorded: where their pieces are bad now, that is somebody's change, and only the
   * user may have it written over.
   */
  readonly guarded: ReadonlySet<FileIndex>
}

export function planSurvey(content: Content, found: readonly FileFound[], checked: boolean): SurveyPlan {
  const lost: FileIndex[] = []
  const check = new Set<PieceIndex>()
  const sniff = new Set<PieceIndex>()
  const finish: FileIndex[] = []
  const guarded = new Set<FileIndex>()
  for (const file of found) {
    const range = content.layout.filePieces(file.file)
    if (range === null || content.files[file.file]?.pad !== false) continue
    const fact = content.facts.get(file.file)
    const verdict = judge(file, fact, checked, hasRecorded(content, range))
    if (verdict === 'lost') lost.push(file.file)
    const whole = file.name === 'final' && content.isFileComplete(file.file)
    if (checked && verdict === 'check' && whole) guarded.add(file.file)
    for (let piece = range.first; piece <= range.last; piece++) {
      if (verdict === 'check') check.add(piece)
      if (verdict === 'believe' && fact?.writing === true && !content.recorded.get(piece)) sniff.add(piece)
    }
    if (verdict === 'believe' && file.name === 'part' && content.isFileComplete(file.file))
      finish.push(file.file)
  }
  const ordered = [...check].sort((a, b) => a - b)
  return { lost, check: ordered, why: checked ? 'changed' : 'added', sniff: [...sniff], finish, guarded }
}

type Verdict = 'believe' | 'check' | 'lost'

function judge(file: FileFound, fact: FileStatRow | undefined, checked: boolean, recorded: boolean): Verdict {
  if (file.name === 'missing' || file.size === 0) return recorded ? 'lost' : 'believe'
  if (!checked) return 'check'
  if (fact === undefined) return 'check'
  if (fact.writing) return 'believe'
  if (recorded && file.size < fact.size) return 'lost'
  const same = file.size === fact.size && file.mtimeNs === fact.mtimeNs && file.ino === fact.ino
  return same ? 'believe' : 'check'
}

function hasRecorded(content: Content, range: { first: PieceIndex; last: PieceIndex }): boolean {
  for (let piece = range.first; piece <= range.last; piece++) if (content.recorded.get(piece)) return true
  return false
}

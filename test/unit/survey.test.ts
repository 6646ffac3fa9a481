import { describe, expect, it } from 'vitest'
import type { FileFound } from '../../daemon/ports/disk.js'
import type { FileStatRow } from '../../daemon/ports/store.js'
import { Content } from '../../daemon/swarm/content.js'
import { planSurvey } from '../../daemon/swarm/survey.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { Layout } from '../../shared/torrent/layout.js'

const PIECE = 16_384
/** a: pieces 0..2, pad: the rest of 2, b: 3..4, empty: none. */
const FILES = [
  { path: 'a', length: PIECE * 2.5, pad: false },
  { path: '.pad/x', length: PIECE * 0.5, pad: true },
  { path: 'b', length: PIECE * 2, pad: false },
  { path: 'empty', length: 0, pad: false },
]

function content(recorded: readonly number[], facts: readonly FileStatRow[] = []): Content {
  const bits = new Bitfield(5)
  for (const piece of recorded) bits.set(piece)
  return new Content({ layout: new Layout(FILES, PIECE), files: FILES, recorded: bits, facts, wishes: [] })
}

const fact = (file: number, more: Partial<FileStatRow> = {}): FileStatRow => ({
  file,
  size: FILES[file]?.length ?? 0,
  mtimeNs: '5',
  ino: '1',
  writing: false,
  ...more,
})
const lies = (file: number, more: Partial<FileFound> = {}): FileFound => ({
  file,
  name: 'final',
  size: FILES[file]?.length ?? 0,
  mtimeNs: '5',
  ino: '1',
  ...more,
})
const gone = (file: number): FileFound => lies(file, { name: 'missing', size: 0, mtimeNs: '0', ino: '0' })

describe('a torrent that was never checked', () => {
  it('hashes what lies there, and nothing else', () => {
    const plan = planSurvey(content([]), [lies(0), gone(1), gone(2), gone(3)], false)
    expect(plan).toMatchObject({ lost: [], check: [0, 1, 2], why: 'added', sniff: [], finish: [] })
  })

  it('has nothing to hash in an empty folder', () => {
    const plan = planSurvey(content([]), [gone(0), gone(1), gone(2), gone(3)], false)
    expect(plan).toMatchObject({ lost: [], check: [], sniff: [], finish: [] })
  })

  it('asks nothing of empty files and pads', () => {
    const plan = planSurvey(content([]), [gone(0), lies(1), gone(2), lies(3)], false)
    expect(plan.check).toEqual([])
  })
})

describe('a recorded file', () => {
  it.each([
    ['another mtime', { mtimeNs: '6' }],
    ['another inode', { ino: '2' }],
    ['a larger size', { size: PIECE * 3 }],
  ])('with %s is hashed again', (_, more) => {
    const plan = planSurvey(content([0], [fact(0)]), [lies(0, more), gone(1), gone(2), gone(3)], true)
    expect(plan).toMatchObject({ lost: [], check: [0, 1, 2], why: 'changed' })
  })

  it('as it was is believed', () => {
    const plan = planSurvey(content([0, 3], [fact(0), fact(2)]), [lies(0), gone(1), lies(2), lies(3)], true)
    expect(plan).toMatchObject({ lost: [], check: [], sniff: [], finish: [] })
  })

  it.each([
    ['that is not there', gone(2)],
    ['that is empty now', lies(2, { size: 0 })],
    ['that is shorter now', lies(2, { size: PIECE })],
  ])('%s is lost', (_, found) => {
    const plan = planSurvey(content([3], [fact(2)]), [gone(0), gone(1), found, gone(3)], true)
    expect(plan.lost).toEqual([2])
  })

  it('that was finished and is another one now is guarded, one that was not is ours to repair', () => {
    const facts = [fact(0), fact(2)]
    const now = [lies(0, { mtimeNs: '6' }), gone(1), lies(2, { mtimeNs: '6' }), gone(3)]
    expect([...planSurvey(content([0, 1, 2, 3], facts), now, true).guarded]).toEqual([0])
    const part = [lies(0, { mtimeNs: '6', name: 'part' as const }), ...now.slice(1)]
    expect([...planSurvey(content([0, 1, 2, 3], facts), part, true).guarded]).toEqual([])
    expect([...planSurvey(content([0, 1, 2], facts), now, false).guarded]).toEqual([])
  })

  it('without facts is hashed', () => {
    const plan = planSurvey(content([3]), [gone(0), gone(1), lies(2), gone(3)], true)
    expect(plan.check).toEqual([3, 4])
  })

  it('gets its name where it is complete and has it not', () => {
    const plan = planSurvey(
      content([3, 4], [fact(2)]),
      [gone(0), gone(1), lies(2, { name: 'part' }), gone(3)],
      true,
    )
    expect(plan.finish).toEqual([2])
    expect(plan.check).toEqual([])
  })
})

describe('a file that was open for writing', () => {
  it('is believed whatever its mtime, and what no record claims is looked at', () => {
    const plan = planSurvey(
      content([0], [fact(0, { writing: true, mtimeNs: '0', size: 0 })]),
      [lies(0, { name: 'part', mtimeNs: '99' }), gone(1), gone(2), gone(3)],
      true,
    )
    expect(plan).toMatchObject({ lost: [], check: [], sniff: [1, 2], finish: [] })
  })

  it('and is not there has lost nothing where nothing was recorded', () => {
    const plan = planSurvey(
      content([], [fact(0, { writing: true })]),
      [gone(0), gone(1), gone(2), gone(3)],
      true,
    )
    expect(plan.lost).toEqual([])
  })
})

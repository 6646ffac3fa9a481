import { describe, expect, it } from 'vitest'
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import { isLabel, LABEL_LENGTH, MOST_LABELS, NO_LABELS, sortLabels } from '../../shared/labels.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

const caller = { via: 'test', name: 'test' } as const

async function scene() {
  const swarm = new Swarm()
  const node = swarm.node()
  const { session, store, log, disk, clock } = node
  const queries = new Queries({ session, store })
  const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
  const commands = new Commands({ clock, session, store, queries, jobs, log })
  for (const name of ['one', 'two']) await node.add(makeSource({ name, files: 20_000 }), { have: true })
  const labelsOf = (): (readonly string[])[] => session.all().map((torrent) => torrent.view().labels)
  return { node, commands, labelsOf }
}

describe('a label', () => {
  it('is a short word or some, and nothing that acts on a terminal', () => {
    for (const good of ['films', 'to keep', 'Ä', '映画', 'a'.repeat(LABEL_LENGTH)])
      expect(isLabel(good)).toBe(true)
    const bad = [
      '',
      ' a',
      'a ',
      'a,b',
      'a\nb',
      '\u001b[2J',
      'a\u202eb',
      '\u2066',
      '\ud800',
      'a'.repeat(LABEL_LENGTH + 1),
    ]
    for (const word of bad) expect([word, isLabel(word)]).toEqual([word, false])
  })

  it('has one place among others, once in any form', () => {
    expect(sortLabels(['b', 'a', 'b', 'A\u0308', '\u00c4'])).toEqual(['a', 'b', '\u00c4'])
    expect(sortLabels([])).toBe(NO_LABELS)
    expect(Object.isFrozen(NO_LABELS)).toBe(true)
  })
})

describe('labels of torrents', () => {
  it('come and go for several at once, in one call of the store, and each change is told once', async () => {
    const { node, commands, labelsOf } = await scene()
    await commands.label({ ids: 'all', add: ['films', 'b'] }, caller)
    expect(labelsOf()).toEqual([
      ['b', 'films'],
      ['b', 'films'],
    ])
    await commands.label({ ids: [1], remove: ['b'], add: ['keep'] }, caller)
    await commands.label({ ids: [1], add: ['keep'] }, caller)
    await commands.label({ ids: [2], clear: true }, caller)
    expect(labelsOf()).toEqual([['films', 'keep'], []])
    expect(labelsOf()[1]).toBe(NO_LABELS)
    expect(node.store.calls.filter((call) => call === 'setLabels')).toHaveLength(3)
    const told = (await node.store.eventsSince(0, 100)).filter(({ kind }) => kind === 'labelled')
    expect(told.map(({ torrent, data }) => [torrent, data['labels']])).toEqual([
      [1, ['b', 'films']],
      [2, ['b', 'films']],
      [1, ['films', 'keep']],
      [2, []],
    ])
  })

  it('are refused above the most, one by one; where they cannot be recorded none changes', async () => {
    const { node, commands, labelsOf } = await scene()
    const words = Array.from({ length: MOST_LABELS }, (_, at) => `label ${String(at)}`)
    await commands.label({ ids: [1], add: words }, caller)
    const { results } = await commands.label({ ids: [1, 2, 99], add: ['more'] }, caller)
    expect(results.map(({ ok }) => ok)).toEqual([false, true, false])
    expect(labelsOf()[0]).toHaveLength(MOST_LABELS)
    node.store.failNext('SQLITE_FULL', 'setLabels')
    await expect(commands.label({ ids: [2], clear: true }, caller)).rejects.toThrow('they stay as they were')
    expect(labelsOf()[1]).toEqual(['more'])
    await expect(commands.label({ ids: [2] }, caller)).rejects.toThrow('Say which labels')
  })
})

import { expect, it } from 'vitest'
import { residentMemory } from '../../daemon/io/memory.js'

it('what the process holds is told without a descriptor too, as it last was', () => {
  const answers: (() => number)[] = [
    () => 5,
    () => {
      throw new Error('EMFILE')
    },
    () => 7,
  ]
  const memory = residentMemory({ rss: () => answers.shift()?.() ?? 0 })
  expect([memory(), memory(), memory()]).toEqual([5, 5, 7])
  expect(residentMemory()()).toBeGreaterThan(1_000_000)
})

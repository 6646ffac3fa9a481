/** The short form of `npm run test:powercut`. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { useStage } from '../support/stage.js'
import { canCut, powercutRounds } from './powercut-rounds.js'
import { violationsOf } from './report.js'

const stage = useStage()

it.skipIf(!canCut)(
  'a power cut loses no torrent, and leaves no record without its bytes',
  async () => {
    const figures = await powercutRounds({ rounds: 4, seed: 1, dir: join(stage.dir, 'p') })
    expect(violationsOf(figures)).toEqual([])
    expect(figures.rounds).toBe(4)
    expect(figures.recorded).toBeGreaterThan(0)
    expect(figures.between).toBeGreaterThan(0)
  },
  180_000,
)

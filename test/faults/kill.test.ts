/** The short form of `npm run test:kill`. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { useStage } from '../support/stage.js'
import { killRounds } from './kill-rounds.js'
import { violationsOf } from './report.js'

const stage = useStage()

it('kill -9 loses no torrent, and leaves no record that the files do not bear out', async () => {
  const figures = await killRounds({ rounds: 4, seed: 1, dir: join(stage.dir, 'k') })
  expect(violationsOf(figures)).toEqual([])
  expect(figures.rounds).toBe(4)
  expect(figures.recorded).toBeGreaterThan(0)
}, 300_000)

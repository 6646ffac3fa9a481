/** The short form of `npm run test:order` is the whole of it. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { useStage } from '../support/stage.js'
import { canTrace } from '../support/strace.js'
import { orderRun } from './order-run.js'

const stage = useStage()

it.skipIf(!canTrace)(
  'nothing is claimed before it is synced, nothing deleted while it is claimed',
  async () => {
    const { proof, pieceCount } = await orderRun(join(stage.dir, 'o'))
    expect(proof).toMatchObject({ violations: [], claimed: pieceCount, deleted: 24, renamed: 24 })
    expect(proof.writes).toBeGreaterThanOrEqual(pieceCount)
    expect(proof.commits).toBeGreaterThan(1)
    // The 24 files, and of folders: down, new, ordered, a, b, c0, c1.
    expect(proof.made).toBe(24 + 7)
  },
  120_000,
)

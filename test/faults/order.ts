/** `npm run test:order` */
import { join } from 'node:path'
import { canTrace } from '../support/strace.js'
import { orderRun } from './order-run.js'
import { inFolder } from './report.js'

/** Violations that are printed; they are counted all. */
const MOST_SHOWN = 20

if (!canTrace) console.log('skipped: strace cannot trace here')
else {
  await inFolder(async (dir) => {
    const { proof } = await orderRun(join(dir, 'o'))
    for (const violation of proof.violations.slice(0, MOST_SHOWN)) console.log(violation)
    const { writes, commits, claimed, made, renamed, deleted, violations } = proof
    console.log(
      `${String(made)} files and folders made, ${String(renamed)} given their names, ${String(deleted)} deleted`,
    )
    console.log(
      `${String(writes)} data writes, ${String(commits)} commits, ${String(claimed)} pieces claimed: ` +
        `${String(violations.length)} violations`,
    )
    return violations.length === 0 ? 0 : 1
  })
}

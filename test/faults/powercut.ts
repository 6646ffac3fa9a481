/** `npm run test:powercut -- [--rounds N] [--seed S] [--verbose]`, as root. */
import { join } from 'node:path'
import { canCut, powercutRounds } from './powercut-rounds.js'
import { asked, figuresLine, inFolder, slowStarts, violationsOf } from './report.js'

const options = asked(process.argv.slice(2))
if (!canCut) console.log('skipped: this needs root, loop devices, mkfs.ext4 and strace')
else {
  await inFolder(async (dir) => {
    const figures = await powercutRounds({ ...options, dir: join(dir, 'p') })
    const violations = [...violationsOf(figures), ...slowStarts(figures)]
    if (figures.between === 0) violations.push('no cut fell between a sync and its commit: this shows little')
    for (const violation of violations) console.log(violation)
    console.log(
      `${figuresLine(figures)}, fsck clean, ${String(figures.between)} cuts between sync and commit`,
    )
    return violations.length === 0 ? 0 : 1
  })
}

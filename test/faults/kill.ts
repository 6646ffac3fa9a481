/** `npm run test:kill -- [--rounds N] [--seed S] [--verbose]` */
import { killRounds } from './kill-rounds.js'
import { asked, figuresLine, inFolder, slowStarts, violationsOf } from './report.js'

const options = asked(process.argv.slice(2))
await inFolder(async (dir) => {
  const figures = await killRounds({ ...options, dir })
  const violations = [...violationsOf(figures), ...slowStarts(figures)]
  for (const violation of violations) console.log(violation)
  console.log(figuresLine(figures))
  return violations.length === 0 ? 0 : 1
})

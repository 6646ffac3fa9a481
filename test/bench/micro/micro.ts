/** `npm run bench:micro`: what the parts of the hot path cost here. Prints a table; gates nothing. */
import { significant } from '../report/format.js'
import { brain } from './brain.js'
import { disk } from './disk.js'
import type { Line } from './measure.js'
import { send } from './send.js'

function print(lines: readonly Line[]): void {
  const width = Math.max(...lines.map(({ name }) => name.length))
  for (const { name, unit, spread } of lines) {
    const range = `${significant(spread.min)} to ${significant(spread.max)}`
    console.log(
      `${name.padEnd(width)}  ${significant(spread.median).padStart(8)} ${unit.padEnd(10)} ${range}`,
    )
  }
}

const lines = [...(await brain()), ...(await send()), ...(await disk())]
print(lines)

/** What docs/install.md has a person type: the tests of the packages run these words, and no copy of them. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const GUIDE = join(resolve(import.meta.dirname, '../..'), 'docs/install.md')

/** The lines of the first block of commands under a heading: the one that installs, and the one that is for good. */
export function commandsOf(heading: string): readonly [install: string, forGood: string] {
  const [, section = ''] = readFileSync(GUIDE, 'utf8').split(`\n## ${heading}\n`)
  const block = /^```sh\n(.*?)^```$/ms.exec(section.split('\n## ', 1)[0] ?? '')?.[1] ?? ''
  const [install, forGood, ...more] = block.trimEnd().split('\n')
  if (install === undefined || forGood === undefined || more.length > 0)
    throw new Error(`docs/install.md has not two commands under "${heading}".`)
  return [install, forGood]
}

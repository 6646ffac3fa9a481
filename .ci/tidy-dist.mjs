// Removes from dist/ what was compiled from a source that is gone: the compiler leaves it, and a package would have it.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

for (const name of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
  const source = name.replace(/\.(js|js\.map|d\.ts)$/, '')
  if (source === name || name === join('ctl', 'torrentinoctl.js')) continue
  if (!existsSync(`${source}.ts`)) rmSync(join('dist', name))
}

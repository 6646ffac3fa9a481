// `npm ci` builds; `npm ci --omit=dev` has no compiler and needs none where dist/ was shipped.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const compiler = existsSync('node_modules/typescript')
if (!compiler && existsSync('dist')) process.exit(0)
const run = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
process.exit(run.status ?? 1)

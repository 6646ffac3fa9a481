/** Before any test: workers, the daemon and the command are run from dist/, so it must be there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export function setup(): void {
  const root = join(import.meta.dirname, '../..')
  if (!existsSync(join(root, 'dist/tsconfig.tsbuildinfo')))
    throw new Error('dist/ is not built: run "npm run build" first')
}

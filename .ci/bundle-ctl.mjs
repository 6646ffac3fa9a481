// Makes dist/ctl/torrentinoctl.js: one file that starts fast, with yargs and json-rpc-2.0 inside. The schemas of
// the contract (zod), pino and better-sqlite3 must not get in: they are the daemon's, and triple the start.
import { chmodSync } from 'node:fs'
import { build } from 'esbuild'

const outfile = 'dist/ctl/torrentinoctl.js'
const unwanted = /node_modules\/(zod|pino|better-sqlite3)\//

const { metafile } = await build({
  entryPoints: ['ctl/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  metafile: true,
  legalComments: 'none',
  banner: {
    // yargs and its helpers still call require; the name is ours, so that it meets no other.
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as requireOfBundle } from 'node:module'",
      'const require = requireOfBundle(import.meta.url)',
    ].join('\n'),
  },
})

const found = Object.keys(metafile.inputs).filter((input) => unwanted.test(input))
if (found.length > 0) {
  console.error(`${outfile} must start without ${found[0]}`)
  process.exit(1)
}
chmodSync(outfile, 0o755)

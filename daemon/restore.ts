/** `torrentinoctl restore` where no daemon runs: makes a backup the database of the next start, and ends. */
import { homedir } from 'node:os'
import { resolveHome } from '../shared/home.js'
import { readDownloadDir } from './io/download-dir.js'
import { restoreStore } from './db/store.js'
import { StoreFault } from './ports/store.js'

const around = { env: process.env, platform: process.platform, homedir: homedir(), cwd: process.cwd() }
const args = process.argv.slice(2)
const home = resolveHome(around, args)

try {
  await restoreStore(
    {
      file: home.database,
      lockFile: home.lock,
      downloadDir: readDownloadDir(),
      workerUrl: new URL('./db/thread.js', import.meta.url),
    },
    args.at(-1) ?? '',
  )
} catch (error) {
  if (!(error instanceof StoreFault)) throw error
  process.stderr.write(`${error.message}\n`)
  // 2: the file cannot be taken; 1: everything else.
  process.exitCode = error.code === 'BAD_BACKUP' ? 2 : 1
}

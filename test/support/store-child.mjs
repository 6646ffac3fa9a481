// A process that has the store open, to be killed. Arguments: home, then `hold` or `write`.
// Prints `open`, or `refused CODE`; when writing, prints n once the n-th commit was answered.
import { join } from 'node:path'
import { openStore } from '../../dist/daemon/db/store.js'
import { systemClock } from '../../dist/daemon/io/clock.js'

const [home, mode] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${line}\n`)

try {
  const store = await openStore(
    {
      file: join(home, 'torrentino.db'),
      lockFile: join(home, 'lock'),
      workerUrl: new URL('../../dist/daemon/db/thread.js', import.meta.url),
      downloadDir: '/data',
      onDamaged: (fault) => say(`damaged ${fault.code}`),
      onBug: (error) => say(`bug ${error.message}`),
    },
    { clock: systemClock() },
  )
  say('open')
  if (mode === 'write')
    for (let n = 1; n <= 100_000; n += 1) {
      await Promise.all([
        store.setMeta('n', String(n)),
        store.appendEvent({ at: n, torrent: null, kind: 'k', caller: 'c', data: { n } }),
      ])
      say(n)
    }
} catch (error) {
  say(`refused ${error.code}`)
}

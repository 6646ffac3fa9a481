// Opens the database of a home with a migration more than there is, and kills itself at the n-th step of the opening.
// Arguments: home, n. Prints `open` when the opening came to its end.
import { join } from 'node:path'
import { openDatabase } from '../../dist/daemon/db/open.js'
import { MIGRATIONS } from '../../dist/daemon/db/migrations.js'
import { Reserve } from '../../dist/daemon/db/reserve.js'

const [home, n] = process.argv.slice(2)
const file = join(home, 'torrentino.db')
let points = 0
openDatabase(
  { file, downloadDir: '/downloads' },
  {
    now: () => Date.UTC(2026, 10, 22, 10),
    reserve: new Reserve(`${file}.reserve`, () => 0),
    steps: [...MIGRATIONS, 'ALTER TABLE torrent ADD COLUMN extra TEXT; UPDATE torrent SET extra = name'],
    point: () => {
      points += 1
      if (points === Number(n)) process.kill(process.pid, 'SIGKILL')
    },
  },
)
process.stdout.write('open\n')
process.exit(0)

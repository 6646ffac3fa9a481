/** The proof of order must complain: it is given traces in which one call is missing, late or failed. */
import { expect, it } from 'vitest'
import type { MadeTorrent } from '../support/make-torrent.js'
import { type Commit, judgeOrder } from '../support/proof/order.js'
import { parseTrace } from '../support/strace.js'

const torrent: MadeTorrent = {
  name: 't',
  file: '',
  dir: '',
  infoHash: '',
  totalBytes: 32_768,
  pieceLength: 16_384,
  pieceCount: 2,
  files: [
    { path: 't/a', length: 20_000, sha256: '' },
    { path: 't/b', length: 12_768, sha256: '' },
  ],
}

const WAL = '30</h/torrentino.db-wal>'
/** By a name for each line, so that a test can say which one it changes. */
const LINES = {
  dir: '9 mkdir("/p/d", 0777) = 0',
  dirSync: '9 fsync(19</p>) = 0',
  folder: '9 mkdir("/p/d/t", 0777) = 0',
  openA: '9 openat(AT_FDCWD</>, "/p/d/t/a.part", O_RDWR|O_CREAT|O_EXCL, 0666) = 21</p/d/t/a.part>',
  sizeA: '9 ftruncate(21</p/d/t/a.part>, 20000) = 0',
  openB: '9 openat(AT_FDCWD</>, "/p/d/t/b.part", O_RDWR|O_CREAT|O_EXCL, 0666) = 22</p/d/t/b.part>',
  sizeB: '9 ftruncate(22</p/d/t/b.part>, 12768) = 0',
  write0: '8 pwrite64(21</p/d/t/a.part>, ""..., 16384, 0) = 16384',
  write1a: '8 pwrite64(21</p/d/t/a.part>, ""..., 3616, 16384) = 3616',
  write1b: '8 pwrite64(22</p/d/t/b.part>, ""..., 12768, 0) = 12768',
  syncA: '9 fdatasync(21</p/d/t/a.part>) = 0',
  syncB: '9 fdatasync(22</p/d/t/b.part>) = 0',
  folderSync: '9 fsync(23</p/d/t>) = 0',
  aboveSync: '9 fsync(24</p/d>) = 0',
  claim: `7 pwrite64(${WAL}, ""..., 24, 32) = 24`,
  claimSync: `7 fsync(${WAL}) = 0`,
  renameA: '9 rename("/p/d/t/a.part", "/p/d/t/a") = 0',
  renameB: '9 rename("/p/d/t/b.part", "/p/d/t/b") = 0',
  nameSync: '9 fsync(23</p/d/t>) = 0',
  named: `7 pwrite64(${WAL}, ""..., 24, 4152) = 24`,
  namedSync: `7 fsync(${WAL}) = 0`,
  clear: `7 pwrite64(${WAL}, ""..., 24, 8272) = 24`,
  clearSync: `7 fsync(${WAL}) = 0`,
  unlinkA: '9 unlink("/p/d/t/a") = 0',
  unlinkB: '9 unlink("/p/d/t/b") = 0',
  rmdir: '9 rmdir("/p/d/t") = 0',
  goneSync: '9 fsync(24</p/d>) = 0',
  gone: `7 pwrite64(${WAL}, ""..., 24, 12392) = 24`,
  goneDone: `7 fsync(${WAL}) = 0`,
}
type Line = keyof typeof LINES

const COMMITS: readonly Commit[] = [
  { offset: 32, claimed: new Set([0, 1]), closed: new Set(), listed: true },
  { offset: 4152, claimed: new Set([0, 1]), closed: new Set([0, 1]), listed: true },
  { offset: 8272, claimed: new Set(), closed: new Set(), listed: true },
  { offset: 12_392, claimed: new Set(), closed: new Set(), listed: false },
]

function judge(order: readonly Line[], change: Partial<Record<Line, string>> = {}): readonly string[] {
  const calls = parseTrace(order.map((line) => change[line] ?? LINES[line]).join('\n'))
  return judgeOrder({ home: '/h', torrent, dir: '/p/d' }, COMMITS, calls).violations
}

const ALL = Object.keys(LINES) as Line[]
const without = (line: Line): Line[] => ALL.filter((each) => each !== line)
const moved = (line: Line, behind: Line): Line[] =>
  without(line).flatMap((each) => (each === behind ? [each, line] : [each]))

it('is content with the right order, and counts', () => {
  const calls = parseTrace(ALL.map((line) => LINES[line]).join('\n'))
  const proof = judgeOrder({ home: '/h', torrent, dir: '/p/d' }, COMMITS, calls)
  expect(proof).toEqual({
    writes: 3,
    commits: 1,
    claimed: 2,
    made: 4,
    renamed: 2,
    deleted: 2,
    violations: [],
  })
})

it.each<[Line, RegExp]>([
  ['dirSync', /folder of \/p\/d was synced/],
  ['folderSync', /folder of \/p\/d\/t\/a\.part was synced/],
  ['aboveSync', /folder of \/p\/d\/t was synced/],
  ['write0', /0 of 16384 bytes written/],
  ['syncA', /t\/a: claimed before it was synced/],
  ['syncB', /t\/b: claimed before it was synced/],
  ['nameSync', /said to have its name/],
  ['claim', /not seen once/],
  ['clear', /deleted while a record claimed it/],
  ['clearSync', /deleted while a record claimed it/],
  ['goneSync', /t\/a: said to be gone before the folder was synced/],
  ['rmdir', /t\/b: said to be gone before the folder was synced/],
])('complains where %s is missing', (line, sentence) => {
  expect(judge(without(line)).join('\n')).toMatch(sentence)
})

it.each<[Line, Line, RegExp]>([
  ['syncA', 'claim', /t\/a: claimed before it was synced/],
  ['folderSync', 'claim', /folder of \/p\/d\/t\/a\.part was synced/],
  ['write1b', 'syncB', /t\/b: claimed before it was synced/],
  ['write1b', 'claim', /t\/b: claimed before it was written/],
  ['sizeB', 'syncB', /t\/b: claimed before it was synced/],
  ['openB', 'folderSync', /folder of \/p\/d\/t\/b\.part was synced/],
  ['renameB', 'nameSync', /t\/b: said to have its name/],
  ['nameSync', 'named', /said to have its name/],
  ['clearSync', 'unlinkA', /t\/a: deleted while a record claimed it/],
  ['goneSync', 'gone', /said to be gone/],
])('complains where %s comes after %s', (line, behind, sentence) => {
  expect(judge(moved(line, behind)).join('\n')).toMatch(sentence)
})

it.each<[Line, string, RegExp]>([
  ['syncA', '9 fdatasync(21</p/d/t/a.part>) = -1 EIO (Input/output error)', /claimed before it was synced/],
  ['folderSync', '9 fsync(23</p/d/t>) = -1 EIO (Input/output error)', /folder of/],
  ['clearSync', `7 fsync(${WAL}) = -1 EIO (Input/output error)`, /deleted while/],
  ['write0', '8 pwrite64(21</p/d/t/a.part>, ""..., 16384, 0) = 4096', /4096 of 16384 bytes written/],
])('does not count %s where it failed or fell short', (line, call, sentence) => {
  expect(judge(ALL, { [line]: call }).join('\n')).toMatch(sentence)
})

it('does not count a sync that ends after the commit began', () => {
  const text = ALL.map((line) => LINES[line])
    .join('\n')
    .replace(LINES.syncB, '9 fdatasync(22</p/d/t/b.part> <unfinished ...>')
    .replace(LINES.claim, `${LINES.claim}\n9 <... fdatasync resumed>) = 0`)
  const { violations } = judgeOrder({ home: '/h', torrent, dir: '/p/d' }, COMMITS, parseTrace(text))
  expect(violations).toEqual(['piece 1, t/b: claimed before it was synced'])
})

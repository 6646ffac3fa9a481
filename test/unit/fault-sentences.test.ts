/** Every sentence that a blocked torrent may say, word for word. */
import { expect, it } from 'vitest'
import { type Fault, faultSentence } from '../../daemon/swarm/lifecycle.js'
import { faultOfDisk, retryDelay } from '../../daemon/swarm/trouble.js'

const disk = (code: string, operation = 'write'): Fault =>
  faultOfDisk({ code, operation, path: '/d/a.bin' }, '/d')

const GOLDEN: readonly (readonly [Fault, string])[] = [
  [disk('ENOSPC'), 'No space left in /d; the download goes on by itself when there is room.'],
  [disk('EDQUOT'), 'No space left in /d; the download goes on by itself when there is room.'],
  [
    { kind: 'space', dir: '/d', missing: 12 * 1024 * 1024 },
    'No space left in /d: 12 MiB more are needed; the download goes on by itself when there is room.',
  ],
  [
    disk('EIO', 'read'),
    'The disk failed to read /d/a.bin (EIO); it is tried again by itself, and should be looked at if that does not help.',
  ],
  [
    disk('EIO'),
    'The disk failed to write /d/a.bin (EIO); it is tried again by itself, and should be looked at if that does not help.',
  ],
  [
    disk('EIO', 'sync'),
    'The disk failed to sync /d/a.bin (EIO); it is tried again by itself, and should be looked at if that does not help.',
  ],
  [
    disk('EROFS'),
    'The volume of /d/a.bin is read-only; the download goes on by itself when it can be written to.',
  ],
  [disk('EACCES', 'open'), 'No permission to open /d/a.bin; change that and the torrent goes on by itself.'],
  [
    disk('EPERM', 'open'),
    'The system keeps torrentinod from /d/a.bin whatever its permissions say; on macOS allow its node under System Settings, Privacy & Security, Full Disk Access, and the torrent goes on by itself.',
  ],
  [disk('EMFILE', 'open'), 'Too many files are open, and /d/a.bin cannot be; it is tried again by itself.'],
  [disk('ESTALE', 'read'), '/d/a.bin was changed by another program; it is checked again.'],
  [
    disk('EEXIST', 'rename'),
    'Another file lies at /d/a.bin; move it away and the download finishes by itself.',
  ],
  [
    disk('ELOOP', 'mkdir'),
    'A symbolic link is in the way of /d/a.bin; Torrentino does not write through links.',
  ],
  [
    disk('ENODEV', 'stat'),
    'The volume of /d is not there, or another one is in its place; the torrent goes on by itself when it is back, or with what is there now after "torrentinoctl verify".',
  ],
  [
    { kind: 'folder', dir: '/d' },
    'The folder /d is not there; the download goes on by itself when it comes back.',
  ],
  [
    { kind: 'files', count: 1, example: 'a.bin' },
    'A file is missing or shorter than recorded (a.bin); put it back, or run "torrentinoctl verify" to fetch it again.',
  ],
  [
    { kind: 'files', count: 3, example: 'a.bin' },
    '3 files are missing or shorter than recorded (a.bin); put it back, or run "torrentinoctl verify" to fetch it again.',
  ],
  [
    { kind: 'changed', count: 1, example: 'a.bin' },
    'A finished file was changed by another program (a.bin); put the old content back, or run "torrentinoctl verify" to fetch it again over the change.',
  ],
  [
    { kind: 'changed', count: 2, example: 'a.bin' },
    '2 finished files were changed by another program (a.bin); put the old content back, or run "torrentinoctl verify" to fetch it again over the change.',
  ],
  [
    { kind: 'volume', dir: '/d', silent: true },
    '/d does not answer; see whether its volume is well: the torrent goes on by itself when it does.',
  ],
  [
    { kind: 'removal', dir: '/d', waits: 'volume' },
    'It is being removed with its files and waits for the volume of /d; "torrentinoctl remove" without --data forgets it at once.',
  ],
  [
    { kind: 'removal', dir: '/d', waits: 'answer' },
    'It is being removed, and /d has not answered yet; the removal goes on by itself.',
  ],
  [
    { kind: 'removal', dir: '/d', waits: 'store' },
    'It is being removed and waits for the database, which refused; the removal goes on by itself.',
  ],
]

it.each(GOLDEN)(
  '%j says its sentence, and is looked at again within a quarter of a minute',
  (fault, sentence) => {
    expect(faultSentence(fault)).toBe(sentence)
    expect(retryDelay(fault)).toBeLessThanOrEqual(15_000)
  },
)

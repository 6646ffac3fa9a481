/** `torrentinoctl select` against a real daemon: what is chosen, what survives a restart, and what is refused whole. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { FileView } from '../../shared/views.js'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const stage = useStage()

interface Said {
  readonly status: number
  readonly out: string
  readonly problem: string
}

async function ctl(home: string, ...args: readonly string[]): Promise<Said> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [CTL, '--home', home, ...args])
    return { status: 0, out: stdout, problem: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, out: stdout, problem: stderr }
  }
}

async function priorities(home: string): Promise<string[]> {
  const { out } = await ctl(home, 'files', '1', '--json')
  return (JSON.parse(out) as FileView[]).map(
    ({ path, priority }) => `${path.split('/').pop() ?? ''} ${priority}`,
  )
}

it('chooses by number, range and pattern, keeps it through a restart, and downloads only that', async () => {
  const { http } = await stage.tracker()
  const made = makeTorrent(stage.folder('made'), {
    name: 'show',
    content: ['e1.mkv', 'e1.srt', 'e2.mkv', 'e2.srt', 'notes.nfo'].map((path) => ({ path, length: 90_000 })),
    pieceLength: 32_768,
  })
  const metainfo = metainfoOf(made)
  const dir = stage.folder('down')
  const first = await stage.daemon('leech')
  const { home } = first
  await first.call('torrent.add', { metainfo, dir, trackers: [http], paused: true })

  expect(await ctl(home, 'select', '1', '*.mkv', '2')).toEqual({
    status: 0,
    out: '1 show: 3 files, 264 KiB to download\n',
    problem: '',
  })
  const chosen = ['e1.mkv normal', 'e1.srt normal', 'e2.mkv normal', 'e2.srt skip', 'notes.nfo skip']
  expect(await priorities(home)).toEqual(chosen)
  expect((await ctl(home, 'select', '1', '*.srt', '--priority', 'high')).status).toBe(0)
  expect((await ctl(home, 'select', '1', '3-3', '--priority', 'low', '--first-last', 'on')).status).toBe(0)
  expect((await ctl(home, 'select', '1', '--sequential', 'on')).out).toBe(
    '1 show: 4 files, 352 KiB to download, the first and last piece of each file first, then in order\n',
  )
  const wanted = ['e1.mkv normal', 'e1.srt high', 'e2.mkv low', 'e2.srt high', 'notes.nfo skip']
  expect(await priorities(home)).toEqual(wanted)

  for (const [args, problem] of [
    [['2', '9'], 'error: there is no file 9; torrentinoctl files shows those there are\n'],
    [['1', '*.avi'], 'error: no file fits "*.avi"; torrentinoctl files shows those there are\n'],
    [['e[1'], 'error: "e[1" is no pattern: a [ has no ]; write *.mkv, or 1,3-5\n'],
    [
      ['all', '--priority', 'skip', '--sequential', 'off'],
      'error: No file would be left to download; "torrentinoctl pause" stops a torrent.\n',
    ],
  ] as const) {
    expect(await ctl(home, 'select', '1', ...args)).toEqual({ status: 2, out: '', problem })
    expect(await priorities(home)).toEqual(wanted)
  }

  await first.stop()
  const again = await stage.daemon('leech')
  expect(await priorities(home)).toEqual(wanted)
  const { out } = await ctl(home, 'show', '1')
  expect(out).toMatch(/Order +the first and last piece of each file first, then in order\n/)

  const seed = await stage.daemon('seed')
  const { id } = await seed.call('torrent.add', { metainfo, dir: made.dir, trackers: [http] })
  await seed.seeds(id)
  await again.call('torrent.resume', { ids: [1] })
  await again.until(1, (view) => view.state === 'seeding' && existsSync(join(dir, 'show/e2.mkv')))
  expect(existsSync(join(dir, 'show/notes.nfo'))).toBe(false)
})

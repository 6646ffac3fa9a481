/** Every row of the corpus through the two doors a person has: `inspect` without a daemon, and `add` with one. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { InspectView } from '../../shared/torrent/inspect.js'
import { corpusDir, readCorpus, readTsv } from '../support/corpus.js'
import { refusal } from '../support/daemon.js'
import { useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const rows = readTsv('EXPECT.tsv')
const files = rows.map((row) => row['file'] ?? '')

interface Run {
  readonly status: number
  readonly out: string
  readonly err: string
}

async function ctl(...args: string[]): Promise<Run> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CTL, ...args])
    return { status: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, out: stdout, err: stderr }
  }
}

describe.skipIf(corpusDir() === null)('the corpus', () => {
  const stage = useStage()

  it('through inspect: one object a line, and one sentence for what is no torrent', async () => {
    const dir = corpusDir() ?? ''
    const { status, out, err } = await ctl('inspect', '--json', ...files.map((file) => join(dir, file)))
    const views = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as InspectView)
    const good = rows.filter((row) => row['expect'] === 'ok')
    expect(views.map((view) => told(view))).toEqual(good.map((row) => expected(row)))
    const bad = rows.filter((row) => row['expect'] === 'reject')
    expect(err.trimEnd().split('\n')).toHaveLength(bad.length)
    expect(status).toBe(2)
  })

  it('through add: taken under its hash, or refused with a sentence', { timeout: 60_000 }, async () => {
    const daemon = await stage.daemon('home')
    const hashes = new Set<string>()
    for (const row of rows) {
      const file = row['file'] ?? ''
      const dir = join(stage.dir, 'data', file)
      const metainfo = Buffer.from(readCorpus(file)).toString('base64')
      const add = daemon.call('torrent.add', { metainfo, dir, paused: true })
      if (row['expect'] === 'reject' || row['kind'] === 'v2') {
        const { code, message } = await refusal(add)
        expect([file, code]).toEqual([file, 1020])
        expect(message).toMatch(row['kind'] === 'v2' ? /v2-only/ : /^[A-Z].*\.$/)
        continue
      }
      const added = await add
      const hash = row['infohash_v1'] ?? ''
      expect([file, added.infoHash, added.infoHashV2 ?? '']).toEqual([file, hash, row['infohash_v2']])
      expect([file, added.duplicate]).toEqual([file, hashes.has(hash)])
      if (!added.duplicate) expect(String(added.totalBytes)).toBe(row['content_size'])
      hashes.add(hash)
    }
    const { torrents } = await daemon.call('torrent.list', {})
    expect(new Set(torrents.map((torrent) => torrent.infoHash))).toEqual(hashes)
    // Paused: nothing was made, and nothing lies outside the folders that were named.
    expect(readdirSync(stage.dir).sort()).toEqual(['data', 'home'])
  })

  it('each piece of a torrent that is cut off somewhere is refused, and the daemon goes on', async () => {
    const daemon = await stage.daemon('home')
    const whole = readCorpus('webtorrent-fixtures/leaves.torrent')
    for (let length = 0; length < whole.length; length += 64) {
      const metainfo = Buffer.from(whole.subarray(0, length)).toString('base64')
      const error = await refusal(daemon.call('torrent.add', { metainfo, dir: join(stage.dir, 'data') }))
      expect(error.code).toBe(1020)
    }
    expect((await daemon.call('session.status', {})).torrents.total).toBe(0)
  })
})

function told(view: InspectView): Record<string, unknown> {
  return {
    hash: view.infoHash ?? '',
    v2: view.infoHashV2 ?? '',
    name: view.name,
    total: view.totalSize,
    content: view.contentSize,
    pieceLength: view.pieceLength,
    pieces: view.pieceCount,
    files: view.files.length,
    pads: view.files.filter((file) => file.pad).length,
  }
}

function expected(row: Record<string, string>): Record<string, unknown> {
  return {
    hash: row['infohash_v1'],
    v2: row['infohash_v2'],
    name: JSON.parse(row['name'] ?? '""') as unknown,
    total: Number(row['total_size']),
    content: Number(row['content_size']),
    pieceLength: Number(row['piece_length']),
    pieces: Number(row['n_pieces']),
    files: Number(row['n_files']),
    pads: Number(row['n_pad']),
  }
}

/** The load generators against each other, as programs over loopback. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeTorrent, type MadeTorrent } from '../support/make-torrent.js'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
const children: ChildProcess[] = []
let dir = ''
let torrent: MadeTorrent

interface Started {
  readonly child: ChildProcess
  /** The next line it writes, as JSON. */
  readonly line: () => Promise<Record<string, unknown>>
}

function start(name: string, args: readonly string[]): Started {
  const script = `test/bench/tools/${name}.ts`
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let text = ''
  let wake = (): void => undefined
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    wake()
  })
  child.once('exit', () => {
    wake()
  })
  const line = async (): Promise<Record<string, unknown>> => {
    while (!text.includes('\n')) {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`)
      await new Promise<void>((resolve) => (wake = resolve))
    }
    const end = text.indexOf('\n')
    const found = JSON.parse(text.slice(0, end)) as Record<string, unknown>
    text = text.slice(end + 1)
    return found
  }
  return { child, line }
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'torrentino-bench-'))
  torrent = makeTorrent(dir, {
    name: 'many',
    content: [
      { path: 'a/first', length: 700_001 },
      { path: 'empty', length: 0 },
      { path: 'second', length: 16_384 },
      { path: 'b/third', length: 1_300_000 },
    ],
  })
})

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

it.each(['0', '1'])('a sink gets every piece whole from the seeder with %s MiB hot', async (hot) => {
  const files = ['--torrent', torrent.file, '--data', torrent.dir]
  const listen = ['--listen', '127.0.0.1:0', '--listen', '127.0.0.1:0']
  const seeder = start('seeder', [...files, ...listen, '--hot', hot])
  const { addresses, infoHashes } = (await seeder.line()) as {
    addresses: { port: number }[]
    infoHashes: string[]
  }
  expect(infoHashes).toEqual([torrent.infoHash])
  const target = `127.0.0.1:${addresses[1]?.port ?? 0}`
  const more = ['--connections', '3', '--once', '--verify', '--depth', '20']
  const sink = start('sink', ['--torrent', torrent.file, '--target', target, ...more])
  expect(await sink.line()).toMatchObject({ ready: true })
  const got = (await sink.line()) as { total: number; goodPieces: number; badPieces: number; drops: number }
  expect(got).toMatchObject({ badPieces: 0, drops: 0, connected: 3 })
  expect(got.total).toBeGreaterThanOrEqual(3 * torrent.totalBytes)
  expect(got.goodPieces).toBeGreaterThanOrEqual(3 * torrent.pieceCount - 3)
  seeder.child.kill('SIGTERM')
  const sent = (await seeder.line()) as {
    payload: number
    addresses: { payload: number; connections: number }[]
  }
  expect(sent.addresses.map(({ connections }) => connections)).toEqual([0, 3])
  expect(sent.payload).toBeGreaterThanOrEqual(got.total)
})

it('the tracker tells of fixed peers and of those who asked, and of nobody himself', async () => {
  const tracker = start('tracker', ['--listen', '127.0.0.1:0', '--peer', '127.0.0.1:7001', '--swarm'])
  const { url } = (await tracker.line()) as { url: string }
  const ask = async (port: number, event: string): Promise<string> => {
    const answer = await fetch(`${url}?info_hash=${'a'.repeat(20)}&port=${port}&event=${event}`)
    return Buffer.from(await answer.arrayBuffer())
      .toString('latin1')
      .replace('d8:intervali1800e5:peers', '')
  }
  const peer = (port: number): string => `\x7f\0\0\x01${String.fromCharCode(port >> 8, port & 255)}`
  expect(await ask(7001, 'started')).toBe('0:e')
  expect(await ask(7002, 'started')).toBe(`6:${peer(7001)}e`)
  expect(await ask(7003, '')).toBe(`12:${peer(7001)}${peer(7002)}e`)
  await ask(7002, 'stopped')
  expect(await ask(7003, 'completed')).toBe(`6:${peer(7001)}e`)
  tracker.child.kill('SIGTERM')
  expect(await tracker.line()).toEqual({ announces: 5, started: 2, completed: 1, stopped: 1 })
})

/** The process: one of them a home, gone when it is told to, and soon. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { makeHome, spawnDaemon } from '../support/daemon.js'
import { httpTracker } from '../support/fake-tracker.js'
import { makeTorrent } from '../support/make-torrent.js'
import { slowSeeder } from '../support/slow-seeder.js'
import { metainfoOf, useStage } from '../support/stage.js'

const stage = useStage()
const run = promisify(execFile)
const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const DAEMON = resolve(import.meta.dirname, '../../dist/daemon/bin.js')
const MIB = 1024 * 1024

function unreadable(): string {
  const home = makeHome(join(stage.dir, 'odd'))
  rmSync(join(home, 'config.toml'), { force: true })
  mkdirSync(join(home, 'config.toml'))
  return home
}

describe('one daemon a home', () => {
  it('turns a second one away: 6 by hand, 0 under a manager; the first goes on', async () => {
    const daemon = await stage.daemon('home')
    const byHand = spawnDaemon({ home: daemon.home })
    expect(await byHand.ended).toEqual({ code: 6, signal: null })
    expect(byHand.said()).toBe(`A torrentinod is already running on ${daemon.home}.\n`)
    const managed = spawnDaemon({ home: daemon.home, env: { TORRENTINO_OWNER: 'service' } })
    expect(await managed.ended).toEqual({ code: 0, signal: null })
    expect((await daemon.call('session.status', {})).pid).toBe(daemon.pid)
  })

  it('starts at once after kill -9, over the socket that was left', async () => {
    const first = await stage.daemon('home')
    await first.kill9()
    const socket = join(first.home, 'torrentino.sock')
    expect(existsSync(socket)).toBe(true)
    const second = await stage.daemon('home')
    expect(second.startMillis).toBeLessThan(2000)
    expect(second.pid).not.toBe(first.pid)
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    await second.stop()
    expect(existsSync(socket)).toBe(false)
  })

  it('is started on the socket that both of them are told in the environment', async () => {
    const home = makeHome(join(stage.dir, 'home'))
    const socket = join(stage.folder('run'), 'group.sock')
    const own = { PATH: process.env['PATH'], HOME: stage.dir, TORRENTINO_NET: 'loopback' }
    const env = { ...own, TORRENTINO_HOME: home, TORRENTINO_SOCKET: socket }
    const ctl = async (...words: string[]): Promise<string> =>
      (await run(process.execPath, [CTL, 'daemon', ...words], { env, timeout: 60_000 })).stdout
    expect(await ctl('start')).toMatch(/^torrentinod runs, process \d+\n$/)
    expect([existsSync(socket), existsSync(join(home, 'torrentino.sock'))]).toEqual([true, false])
    expect(await ctl('stop')).toBe('torrentinod has stopped\n')
  })

  it('lets one of two that start together win', async () => {
    const home = makeHome(join(stage.dir, 'home'))
    const other = spawnDaemon({ home })
    stage.after(() => other.child.kill('SIGKILL'))
    const one = spawnDaemon({ home })
    stage.after(() => one.child.kill('SIGKILL'))
    const { code } = await Promise.race([other.ended, one.ended])
    expect(code).toBe(6)
    const alive = [other, one].filter(({ child }) => child.exitCode === null)
    expect(alive).toHaveLength(1)
  })

  it.each([
    [
      'below a folder that nobody can make',
      () => '/proc/none',
      1,
      /its folder is not there and cannot be made; bring its volume/,
    ],
    ['below a file', () => join(CTL, 'home'), 1, /its folder is not there and cannot be made/],
    [
      'with settings that cannot be read',
      unreadable,
      2,
      /config\.toml: it cannot be read \(EISDIR\); mend its perm/,
    ],
    [
      'whose socket would have too long a path',
      () => stage.folder('x'.repeat(110)),
      2,
      /bytes and the system takes 103/,
    ],
  ])('refuses a home %s in one sentence', async (_, home, code, sentence) => {
    const daemon = spawnDaemon({ home: home() })
    expect(await daemon.ended).toEqual({ code, signal: null })
    expect(daemon.said()).toMatch(sentence)
    expect(daemon.said().trimEnd()).not.toContain('\n')
  })

  it('refuses a home on a volume that is read-only, in one sentence', async () => {
    const home = makeHome(join(stage.dir, 'home'))
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$1" "$2" --home "$0"'
    const args = ['-m', 'sh', '-c', script, home, process.execPath, DAEMON]
    const ended = await run('unshare', args).catch(
      (error: unknown) => error as { code: number; stderr: string },
    )
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/its volume is read-only; make it writable/) as string,
    })
  })

  it('says where its settings are wrong, exit 2', async () => {
    const home = makeHome(join(stage.dir, 'home'))
    writeFileSync(join(home, 'config.toml'), '[listen]\nport = "many"\n')
    const run = spawnDaemon({ home })
    expect((await run.ended).code).toBe(2)
    expect(run.said()).toMatch(/^\/.*config\.toml, line 2, column \d+: .+\n$/)
  })
})

describe('settings that are changed in an editor', () => {
  it('are in force within a moment; with a slip those of before stay, and the status tells of it', async () => {
    const daemon = await stage.daemon('home')
    const config = join(daemon.home, 'config.toml')
    const level = async (): Promise<unknown> => (await daemon.call('config.get', { key: 'log.level' })).value
    const mistake = async (): Promise<string | null> =>
      (await daemon.call('session.status', {})).settingsMistake
    const until = async <T>(look: () => Promise<T>, is: (seen: T) => boolean): Promise<T> => {
      for (;;) {
        const seen = await look()
        if (is(seen)) return seen
        await new Promise((go) => setTimeout(go, 20))
      }
    }
    writeFileSync(config, '[log]\nlevel = "debug"\n')
    await until(level, (seen) => seen === 'debug')
    // As many editors do it: a new file in the place of the old one.
    writeFileSync(`${config}~`, '[log]\nlevel = "warn"\nlevle = 1\n')
    renameSync(`${config}~`, config)
    expect(await until(mistake, (seen) => seen !== null)).toMatch(
      /^config\.toml, line 3, column 1: There is no setting "log\.levle": did you mean log\.level\? The settings of before stay in force\.$/,
    )
    expect(await level()).toBe('debug')
    writeFileSync(config, '[log]\nlevel = "warn"\n')
    process.kill(daemon.pid, 'SIGHUP')
    await until(level, (seen) => seen === 'warn')
    expect(await mistake()).toBeNull()
  })
})

describe('the end', () => {
  it('comes within 5 s of SIGTERM in the middle of a download, whatever the tracker does', async () => {
    const made = { name: 'big.bin', content: 32 * MIB }
    const seeder = await slowSeeder({ torrent: makeTorrent(stage.folder('made'), made), rate: 4 * MIB })
    stage.after(() => {
      seeder.close()
    })
    const silent = await httpTracker(() => undefined)
    stage.after(() => {
      silent.close()
    })
    const trackers = [
      [await stage.trackerOf(seeder.port)],
      [`http://127.0.0.1:${String(silent.port)}/announce`],
    ]
    const torrent = makeTorrent(stage.folder('made'), { ...made, trackers })
    const daemon = await stage.daemon('home')
    const dir = stage.folder('down')
    const { id } = await daemon.call('torrent.add', { metainfo: metainfoOf(torrent), dir })
    await daemon.until(id, (view) => view.downloaded > 2 * MIB)
    const begun = performance.now()
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - begun).toBeLessThan(5000)
    const again = await stage.daemon('home')
    const view = await again.until(id, ({ state }) => state === 'downloading')
    expect(view.doneBytes).toBeGreaterThan(MIB)
  })

  it('comes after session.shutdown has answered', async () => {
    const daemon = await stage.daemon('home')
    expect(await daemon.call('session.shutdown', {})).toEqual({ pid: daemon.pid })
    expect(await daemon.ended).toEqual({ code: 0, signal: null })
    expect(existsSync(join(daemon.home, 'torrentino.sock'))).toBe(false)
  })
})

describe('the port for peers', () => {
  it('is the next one where it is taken, and the status says so', async () => {
    const squatter = net.createServer()
    await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done))
    stage.after(() => squatter.close())
    const { port } = squatter.address() as net.AddressInfo
    const config = `[listen]\nhost = "127.0.0.1"\nport = ${String(port)}\n`
    const daemon = await stage.daemon('home', { config })
    const { listen } = await daemon.call('session.status', {})
    expect(listen.port).toBeGreaterThan(port)
    expect(listen.error).toBe(
      `Port ${String(port)} is taken; this run listens on ${String(listen.port)} until it is free.`,
    )
  })
})

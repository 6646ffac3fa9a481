import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { chmodSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { managerOf } from '../../launchd/choose.js'
import { systemHost } from '../../launchd/host.js'
import type { Host, ServiceInit } from '../../launchd/manager.js'
import { readShow } from '../../launchd/systemctl.js'
import { installUnit, startUnit, uninstallUnit, unitStatus } from '../../launchd/systemd.js'
import { unitName, unitText } from '../../launchd/unit.js'
import { placeSystemctl } from '../support/systemctl.js'

const ROOT = resolve(import.meta.dirname, '../..')
const plain = { node: '/usr/bin/node', entry: '/opt/t/bin.js', home: null, variables: {}, notifies: true }
const canVerify = spawnSync('systemd-analyze', ['--version']).status === 0

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tor-systemd-'))
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

/** What systemd says against a unit; it exits with 0 on a wrong one and tells on stderr only. */
function complaints(name: string, text: string, ...options: readonly string[]): string {
  const file = join(root, name)
  writeFileSync(file, text)
  const env = { ...process.env, XDG_RUNTIME_DIR: root }
  const ran = spawnSync('systemd-analyze', ['verify', ...options, file], { env, encoding: 'utf8' })
  return ran.stderr + (ran.status === 0 ? '' : `status ${String(ran.status)}`)
}

const lines = (text: string): string[] => text.split('\n')

describe('the user unit as text', () => {
  it('keeps a daemon running at login, by the rule of exits', () => {
    const text = lines(unitText(plain))
    for (const line of [
      'Type=notify',
      'NotifyAccess=all',
      'WatchdogSec=120',
      'StartLimitIntervalSec=0',
      'Restart=on-failure',
      'RestartPreventExitStatus=0',
      'RestartSec=10',
      'KillMode=mixed',
      'TimeoutStopSec=20',
      'LimitNOFILE=8192',
      'ExecStart="/usr/bin/node" "/opt/t/bin.js"',
      'Environment="UV_THREADPOOL_SIZE=8"',
      'Environment="NODE_OPTIONS=--max-semi-space-size=1"',
      'Environment="MALLOC_MMAP_THRESHOLD_=65536"',
      'Environment="MALLOC_TRIM_THRESHOLD_=131072"',
      'Environment="TORRENTINO_OWNER=service"',
      'WantedBy=default.target',
    ])
      expect(text).toContain(line)
  })

  it('waits for no word where there is no systemd-notify', () => {
    const text = unitText({ ...plain, notifies: false })
    expect(lines(text)).toContain('Type=exec')
    expect(text).not.toMatch(/Watchdog|Notify|TimeoutStartSec/)
  })

  it('narrows no folder: downloads may go anywhere', () => {
    expect(unitText(plain)).not.toMatch(
      /^(Protect(System|Home)|ReadWrite|ReadOnly|Inaccessible|Private|UMask)/m,
    )
  })

  it('quotes what systemd would read otherwise', () => {
    const text = lines(unitText({ ...plain, node: '/n $x/node', home: '/h/a "b" 100% $HOME \\n' }))
    expect(text).toContain(
      'ExecStart="/n $x/node" "/opt/t/bin.js" "--home" "/h/a \\"b\\" 100%% $$HOME \\\\n"',
    )
    expect(text).toContain('Environment="TORRENTINO_HOME=/h/a \\"b\\" 100%% $HOME \\\\n"')
  })

  it.each(['\n', '\u0000', '\u007f', '\uD800'])('refuses %j in a path', (bad) => {
    expect(() => unitText({ ...plain, home: `/a${bad}b` })).toThrow(RangeError)
  })

  it('has a name for each home', () => {
    expect(unitName(null)).toBe('torrentino.service')
    expect(unitName('/a')).toMatch(/^torrentino-[0-9a-f]{8}\.service$/)
    expect(unitName('/a')).not.toBe(unitName('/b'))
  })

  it.skipIf(!canVerify)('is taken by systemd without a word', () => {
    const node = process.execPath
    const odd = {
      ...plain,
      node,
      home: '/h/a "b" 100% $HOME \\n ünï',
      variables: { XDG_STATE_HOME: '/s %h' },
    }
    expect(complaints('torrentino.service', unitText({ ...plain, node }), '--user')).toBe('')
    expect(complaints('torrentino-1.service', unitText(odd), '--user')).toBe('')
    expect(complaints('torrentino-2.service', unitText({ ...odd, notifies: false }), '--user')).toBe('')
    expect(
      complaints('broken.service', unitText({ ...plain, node }).replace('=mixed', '=mixd'), '--user'),
    ).toMatch(/mixd/)
  })
})

describe('the system unit', () => {
  const text = readFileSync(join(ROOT, 'packaging/systemd/torrentino.service'), 'utf8')

  it.skipIf(!canVerify)('is taken by systemd without a word', () => {
    // Its program comes with the package.
    const here = text.replace('/usr/bin/torrentinod', process.execPath)
    expect(complaints('torrentino.service', here)).toBe('')
    expect(complaints('broken.service', here.replace('ProtectClock=yes', 'ProtectClok=yes'))).toMatch(
      /ProtectClok/,
    )
  })

  it('agrees with the user unit on how the daemon starts, ends and comes back', () => {
    const system = lines(text)
    const shared = lines(unitText(plain)).filter((line) =>
      /^(Type|Notify|Timeout|Watchdog|Restart[A-Z=]|KillMode|Limit|StartLimit|WorkingD)/.test(line),
    )
    expect(shared.length).toBeGreaterThan(10)
    for (const line of shared) if (!line.startsWith('RestrictN')) expect(system).toContain(line)
  })
})

describe('what systemctl shows', () => {
  const base = 'ActiveState=active\nSubState=running\nUnitFileState=enabled\n'

  it('is read while it runs', () => {
    const text = `${base}MainPID=42\nExecMainStartTimestampMonotonic=5000000\nExecMainCode=0\nExecMainStatus=0\nNRestarts=2\n`
    const shown = { state: 'active', detail: 'running', enabled: true, pid: 42, startedAt: 5_000_000 }
    expect(readShow(text)).toEqual({ ...shown, lastExit: null, lastSignal: null, restarts: 2 })
  })

  it.each([
    ['ExecMainCode=1\nExecMainStatus=0', 0, null],
    ['ExecMainCode=1\nExecMainStatus=78', 78, null],
    ['ExecMainCode=2\nExecMainStatus=9', null, 'SIGKILL'],
    ['ExecMainCode=3\nExecMainStatus=6', null, 'SIGABRT'],
    ['ExecMainCode=2\nExecMainStatus=63', null, 'signal 63'],
    ['???', null, null],
  ])('is read when it has ended: %j', (text, lastExit, lastSignal) => {
    expect(readShow(`MainPID=0\n${text}`)).toMatchObject({ pid: null, lastExit, lastSignal })
  })
})

describe('the service over a stand-in systemctl', () => {
  const LINGER = '/var/lib/systemd/linger/ann'
  let host: Host
  let init: ServiceInit
  let file = ''
  /** Paths of the machine that are said to be there. */
  let machine: Set<string>
  /** systemd-notify is there. Where it is not, a daemon needs no word to be ready. */
  let notifies = false

  beforeEach(() => {
    for (const folder of ['bin', 'state', 'ann']) mkdirSync(join(root, folder))
    placeSystemctl(join(root, 'bin'))
    notifies = true
    tool(
      'loginctl',
      '#!/bin/sh\necho "$*" >> "$STAND_IN/loginctl"\n[ ! -e "$STAND_IN/no-linger" ] || { echo "Could not enable linger: Access denied" >&2; exit 1; }\nrm -f "$STAND_IN/no-bus"\n',
    )
    notifies = false
    machine = new Set(['/run/systemd/system'])
    host = linux()
    init = {
      home: null,
      stateDir: join(root, 'ann/.local/state/torrentino'),
      logDir: join(root, 'ann/.local/state/torrentino/logs'),
      execPath: process.execPath,
      entry: join(root, 'daemon.js'),
    }
    file = join(root, 'ann/.config/systemd/user/torrentino.service')
    writeFileSync(init.entry, 'setInterval(() => {}, 1000); process.on("SIGTERM", () => process.exit(0))')
  })

  afterEach(async () => {
    rmSync(join(root, 'state/no-bus'), { force: true })
    await host.run('systemctl', ['--user', 'stop', 'torrentino.service'])
  })

  function tool(name: string, text: string): void {
    writeFileSync(join(root, 'bin', name), text)
    chmodSync(join(root, 'bin', name), 0o755)
  }
  function linux(more: NodeJS.ProcessEnv = {}): Host {
    const path = `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`
    const env = { PATH: path, HOME: join(root, 'ann'), STAND_IN: join(root, 'state'), ...more }
    const real = systemHost(env)
    return {
      ...real,
      platform: 'linux',
      uid: 1000,
      userName: 'ann',
      userHome: join(root, 'ann'),
      run: (name, args, added) =>
        name === 'systemd-notify'
          ? Promise.resolve({ status: notifies ? 0 : 127, stdout: '', stderr: '' })
          : real.run(name, args, added),
      exists: (at) => (at.startsWith(root) ? existsSync(at) : machine.has(at)),
      wait: () => Promise.resolve(),
    }
  }

  const set = (name: string, text = ''): void => writeFileSync(join(root, 'state', name), text)
  const said = (name: string): string[] =>
    readFileSync(join(root, 'state', name), 'utf8')
      .trim()
      .split('\n')
  const acting = (): string[] =>
    said('calls')
      .map((call) => call.split(' ').slice(2).join(' '))
      .filter((call) => !call.startsWith('show'))

  it('writes the unit with mode 0644, enables it and starts it', async () => {
    const installed = await installUnit(init, host)
    const { logDir } = init
    expect(installed).toEqual({
      unit: 'torrentino.service',
      file,
      node: process.execPath,
      lingers: false,
      logDir,
    })
    expect(acting()).toEqual(['daemon-reload', 'enable torrentino.service', 'start torrentino.service'])
    expect(statSync(file).mode & 0o777).toBe(0o644)
    expect(readdirSync(join(root, 'ann/.config/systemd/user')).sort()).toEqual([
      'default.target.wants',
      'torrentino.service',
    ])
    expect(await unitStatus(init, host)).toMatchObject({
      installed: true,
      enabled: true,
      state: 'active',
      problem: null,
    })
  })

  it('is installed again: stopped, written anew, started', async () => {
    await installUnit(init, host)
    const { pid } = await unitStatus(init, host)
    set('calls')
    await installUnit(
      { ...init, execPath: '/usr/bin/env' },
      {
        ...host,
        run: (name, args, more) =>
          args.includes('start')
            ? Promise.resolve({ status: 0, stdout: '', stderr: '' })
            : host.run(name, args, more),
      },
    )
    expect(acting()).toEqual(['daemon-reload', 'stop torrentino.service', 'enable torrentino.service'])
    expect(readFileSync(file, 'utf8')).toContain('ExecStart="/usr/bin/env"')
    expect(() => process.kill(pid!, 0)).toThrow()
  })

  it('is uninstalled: stopped, file and link gone, state kept; twice is once', async () => {
    await installUnit(init, host)
    mkdirSync(init.stateDir, { recursive: true })
    const { pid } = await unitStatus(init, host)
    expect(await uninstallUnit(init, host)).toMatchObject({ removed: true, stateDir: init.stateDir })
    expect(() => process.kill(pid!, 0)).toThrow()
    expect([existsSync(file), existsSync(init.stateDir)]).toEqual([false, true])
    expect(await uninstallUnit(init, host)).toMatchObject({ removed: false })
    expect(await unitStatus(init, host)).toMatchObject({ installed: false, state: null })
  })

  it('is uninstalled where no manager runs: file and link go', async () => {
    await installUnit(init, host)
    await host.run('systemctl', ['--user', 'stop', 'torrentino.service'])
    set('no-bus')
    expect(await uninstallUnit(init, host)).toMatchObject({ removed: true })
    expect(existsSync(file)).toBe(false)
    expect(() =>
      lstatSync(join(root, 'ann/.config/systemd/user/default.target.wants/torrentino.service')),
    ).toThrow()
  })

  it('is started where it is down, and left alone where it runs', async () => {
    await expect(startUnit(init, host)).rejects.toThrow(/No service is installed/)
    await installUnit(init, host)
    const { pid } = await unitStatus(init, host)
    await startUnit(init, host)
    expect((await unitStatus(init, host)).pid).toBe(pid)
    await host.run('systemctl', ['--user', 'stop', 'torrentino.service'])
    expect(await unitStatus(init, host)).toMatchObject({ pid: null, lastExit: 0, lastSignal: null })
    await startUnit(init, host)
    const again = await unitStatus(init, host)
    expect(again.pid).not.toBeNull()
    expect(again.uptime).toBeGreaterThanOrEqual(0)
    expect(again.uptime).toBeLessThan(600)
  })

  it.each([
    ['sudo -iu, where nothing is set', {}, '/run/user/1000'],
    ['su, where it is another one’s', { XDG_RUNTIME_DIR: '/run/user/0' }, '/run/user/1000'],
    ['ssh', { XDG_RUNTIME_DIR: '/run/user/1000' }, '/run/user/1000'],
    ['a folder elsewhere', { XDG_RUNTIME_DIR: '/somewhere' }, '/somewhere'],
  ])('reaches the person’s systemd from %s', async (_, env, dir) => {
    await unitStatus(init, linux(env))
    await managerOf(init, linux(env)).install()
    expect(new Set(said('calls').map((call) => call.split(' ')[0]))).toEqual(new Set([dir]))
  })

  it('carries the folders of the shell, which the manager does not know', async () => {
    await installUnit(init, linux({ XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: 'relative' }))
    expect(readFileSync(file, 'utf8')).toContain('Environment="XDG_STATE_HOME=/s"\n')
    expect(readFileSync(file, 'utf8')).not.toContain('relative')
  })

  it('switches lingering on where that is asked for, and waits for the manager it starts', async () => {
    set('no-bus')
    await expect(installUnit(init, host)).rejects.toThrow(
      /^No systemd runs for ann \(Failed to connect to bus: No medium found\); .*loginctl enable-linger ann/,
    )
    expect(existsSync(file)).toBe(false)
    await installUnit(init, host, { linger: true })
    expect(said('loginctl')).toEqual(['enable-linger ann'])
    machine.add(LINGER)
    expect((await installUnit(init, host, { linger: true })).lingers).toBe(true)
    expect(said('loginctl').length).toBe(1)
  })

  it('says what to do where lingering is refused, before anything is written', async () => {
    set('no-linger')
    await expect(installUnit(init, host, { linger: true })).rejects.toThrow(
      /Access denied\); run "sudo loginctl enable-linger ann" and then this again/,
    )
    expect(existsSync(file)).toBe(false)
  })

  it('tells once that it ends at logout, and not where it does not', async () => {
    expect(await managerOf(init, host).install()).toMatch(
      /^Without lingering it ends when you log out[^\n]*\.$/,
    )
    machine.add(LINGER)
    expect(await managerOf(init, host).install()).toBeNull()
  })

  it('says in one sentence that there is no systemd, in a container', async () => {
    machine.clear()
    const sentence = /^systemd does not run this system[^\n]*torrentinoctl daemon start[^\n]*\.$/
    await expect(installUnit(init, host)).rejects.toThrow(sentence)
    await expect(startUnit(init, host)).rejects.toThrow(sentence)
    expect((await unitStatus(init, host)).problem).toMatch(sentence)
    expect(managerOf(init, host).canInstall).toBe(false)
    expect(existsSync(join(root, 'state/calls'))).toBe(false)
  })

  it('says in one sentence that no user manager runs, in its status too', async () => {
    await installUnit(init, host)
    set('no-bus')
    expect((await unitStatus(init, host)).problem).toMatch(/^No systemd runs for ann[^\n]*\.$/)
    await expect(startUnit(init, host)).rejects.toThrow(/^No systemd runs for ann/)
  })

  it.each([
    ['EACCES', /you have no right to write there\.$/],
    ['EROFS', /its volume can only be read\.$/],
    ['ENOSPC', /its volume is full\.$/],
  ])('says in one sentence that the unit cannot be written (%s)', async (code, sentence) => {
    const refusing = { ...host, replaceFile: () => Promise.reject(Object.assign(new Error(code), { code })) }
    await expect(installUnit(init, refusing)).rejects.toThrow(sentence)
    await expect(installUnit(init, refusing)).rejects.toThrow(/^The unit cannot be written to \/.*: /)
  })

  it('says in one sentence that a file is where a folder should be', async () => {
    writeFileSync(join(root, 'ann/.config'), '')
    await expect(installUnit(init, host)).rejects.toThrow(/a file is where a folder should be\.$/)
  })

  it('refuses root, and a home that a unit cannot carry', async () => {
    await expect(installUnit(init, { ...host, uid: 0 })).rejects.toThrow(/without sudo/)
    await expect(uninstallUnit(init, { ...host, uid: 0 })).rejects.toThrow(/without sudo/)
    await expect(installUnit({ ...init, home: '/a\n' }, host)).rejects.toThrow(/cannot be written/)
    expect(existsSync(file)).toBe(false)
  })

  it('says that a daemon started by hand has the home', async () => {
    notifies = true
    writeFileSync(init.entry, 'process.exit(0)')
    await expect(installUnit(init, host)).rejects.toThrow(
      /started by hand has this home; "torrentinoctl daemon stop" and then "torrentinoctl service start"/,
    )
  })

  it('names the journal where the daemon does not start', async () => {
    notifies = true
    writeFileSync(init.entry, 'process.exit(2)')
    await expect(installUnit(init, host)).rejects.toThrow(
      /did not start \(.*\); read "journalctl --user -u torr/,
    )
  })
})

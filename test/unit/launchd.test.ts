import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemHost } from '../../launchd/host.js'
import { readPrint } from '../../launchd/launchctl.js'
import { agentLabel, agentPlist } from '../../launchd/plist.js'
import { install, installedService, start, status, uninstall } from '../../launchd/service.js'
import type { Host, ServiceInit } from '../../launchd/manager.js'
import { stableNode, stablePath } from '../../launchd/stable.js'
import { readPlist } from '../support/plist-reader.js'
import type { PlistDict } from '../support/plist-reader.js'

const plain = {
  label: agentLabel(null),
  node: '/opt/homebrew/opt/node@24/bin/node',
  entry: '/opt/homebrew/opt/torrentino/libexec/dist/daemon/bin.js',
  home: null,
  logDir: '/Users/ann/Library/Logs/torrentino',
}
const odd = { ...plain, home: '/Users/Ann & <Bob>/Zoë 日本 🌊/it\'s "here"/a\r\nb' }

const withPlistutil = spawnSync('plistutil', ['--version']).status === 0

/** XML to binary and back: what another implementation of the format makes of it. */
function throughPlistutil(xml: string): PlistDict {
  let text: Buffer = Buffer.from(xml)
  for (const form of ['bin', 'xml']) {
    const ran = spawnSync('plistutil', ['-i', '-', '-f', form, '-o', '-'], { input: text })
    // It exits with 0 on a wrong file and tells on stderr only.
    expect(ran.stderr.toString()).toBe('')
    expect(ran.status).toBe(0)
    expect(ran.stdout.length).toBeGreaterThan(0)
    text = ran.stdout
  }
  return readPlist(text.toString())
}

describe('the agent as a property list', () => {
  it('holds the values that keep a daemon running at login', () => {
    expect(readPlist(agentPlist(plain))).toEqual({
      Label: 'io.github.torrentino.daemon',
      ProgramArguments: [plain.node, plain.entry],
      EnvironmentVariables: {
        UV_THREADPOOL_SIZE: '8',
        NODE_OPTIONS: '--max-semi-space-size=1',
        TORRENTINO_OWNER: 'service',
      },
      WorkingDirectory: '/',
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ProcessType: 'Interactive',
      ThrottleInterval: 10,
      ExitTimeOut: 20,
      SoftResourceLimits: { NumberOfFiles: 8192 },
      HardResourceLimits: { NumberOfFiles: 8192 },
      StandardOutPath: '/Users/ann/Library/Logs/torrentino/torrentinod.out.log',
      StandardErrorPath: '/Users/ann/Library/Logs/torrentino/torrentinod.err.log',
    })
  })

  it('carries another home in the arguments and in the environment', () => {
    const agent = readPlist(agentPlist(odd))
    expect(agent['ProgramArguments']).toEqual([plain.node, plain.entry, '--home', odd.home])
    expect(agent['EnvironmentVariables']).toMatchObject({ TORRENTINO_HOME: odd.home })
  })

  it('labels each home apart, and the same home alike', () => {
    expect(agentLabel('/a')).toMatch(/^io\.github\.torrentino\.daemon\.[0-9a-f]{8}$/)
    expect(agentLabel('/a')).toBe(agentLabel('/a'))
    expect(new Set([agentLabel(null), agentLabel('/a'), agentLabel('/b')]).size).toBe(3)
  })

  it.each(['\u0000', '\u0007', '\u001b', '\uFFFE', '\uD800'])('refuses %j, which XML cannot carry', (bad) => {
    expect(() => agentPlist({ ...plain, home: `/a${bad}b` })).toThrow(RangeError)
  })

  it.skipIf(!withPlistutil)('is read by plistutil with the same values', () => {
    expect(throughPlistutil(agentPlist(plain))).toEqual(readPlist(agentPlist(plain)))
    expect(throughPlistutil(agentPlist({ ...odd, home: odd.home.replace('\r', '') }))).toEqual(
      readPlist(agentPlist({ ...odd, home: odd.home.replace('\r', '') })),
    )
  })

  it.skipIf(!withPlistutil)('is told from a broken one by plistutil', () => {
    expect(() => throughPlistutil(agentPlist(plain).replace('</key>', ''))).toThrow()
  })
})

describe('the small reader', () => {
  it.each([
    ['a tag it does not know', '<plist version="1.0"><date>x</date></plist>'],
    ['an open dict', '<plist version="1.0"><dict></plist>'],
    ['a key twice', '<plist version="1.0"><dict><key>a</key><true/><key>a</key><true/></dict></plist>'],
    ['text behind the end', '<plist version="1.0"><dict></dict></plist><true/>'],
    ['a fraction', '<plist version="1.0"><integer>1.5</integer></plist>'],
  ])('refuses %s', (_, xml) => {
    expect(() => readPlist(xml)).toThrow(/^plist: /)
  })
})

describe('the path that survives an upgrade', () => {
  const links: Record<string, string> = {
    '/opt/homebrew/bin/node': '/opt/homebrew/Cellar/node@24/24.1.0/bin/node',
    '/tmp/fnm_multishells/77_1/bin/node': '/Users/ann/.fnm/node-versions/v24.1.0/installation/bin/node',
  }
  const there = new Set([
    '/opt/homebrew/opt/node@24/bin/node',
    '/usr/local/opt/node/bin/node',
    '/opt/homebrew/opt/torrentino/libexec/dist/daemon/bin.js',
  ])
  const facts = { realpath: (path: string) => links[path] ?? path, exists: (path: string) => there.has(path) }

  it.each([
    ['/opt/homebrew/Cellar/node@24/24.1.0/bin/node', '/opt/homebrew/opt/node@24/bin/node'],
    ['/opt/homebrew/bin/node', '/opt/homebrew/opt/node@24/bin/node'],
    ['/usr/local/Cellar/node/25.0.0_1/bin/node', '/usr/local/opt/node/bin/node'],
    ['/tmp/fnm_multishells/77_1/bin/node', '/Users/ann/.fnm/node-versions/v24.1.0/installation/bin/node'],
    ['/usr/local/bin/node', '/usr/local/bin/node'],
    ['/opt/homebrew/Cellar/node@22/22.13.0/bin/node', '/opt/homebrew/Cellar/node@22/22.13.0/bin/node'],
  ])('of %s is %s', (execPath, expected) => {
    expect(stableNode(execPath, facts)).toBe(expected)
  })

  it('is found for the daemon itself', () => {
    expect(stablePath('/opt/homebrew/Cellar/torrentino/0.1.0/libexec/dist/daemon/bin.js', facts)).toBe(
      '/opt/homebrew/opt/torrentino/libexec/dist/daemon/bin.js',
    )
  })
})

describe('what launchctl prints', () => {
  it('is read one level deep', () => {
    const text = `gui/501/x = {\n\tactive count = 1\n\tstate = running\n\n\tpid = 4242\n\tendpoints = {\n\t\tstate = active\n\t\tpid = 1\n\t}\n\tlast exit code = 78: EX_CONFIG\n}\n`
    expect(readPrint(text)).toEqual({ state: 'running', pid: 4242, lastExit: 78, lastSignal: null })
  })

  it('has no exit before the first one, and words for a signal', () => {
    const text =
      'x = {\n\tstate = not running\n\tlast exit code = (never exited)\n\tlast terminating signal = Killed: 9\n}'
    expect(readPrint(text)).toEqual({
      state: 'not running',
      pid: null,
      lastExit: null,
      lastSignal: 'Killed: 9',
    })
  })

  it('may be in a form nobody foresaw', () => {
    expect(readPrint('???')).toEqual({ state: null, pid: null, lastExit: null, lastSignal: null })
  })
})

describe('the service over a stand-in launchctl', () => {
  const standIn = resolve(import.meta.dirname, '../support/launchctl.sh')
  let root = ''
  let host: Host
  let init: ServiceInit
  let plist = ''

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'torrentino launchd & '))
    mkdirSync(join(root, 'bin'))
    mkdirSync(join(root, 'state'))
    copyFileSync(standIn, join(root, 'bin/launchctl'))
    chmodSync(join(root, 'bin/launchctl'), 0o755)
    const env = { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, STAND_IN: join(root, 'state') }
    host = {
      ...systemHost(env),
      platform: 'darwin',
      uid: 501,
      userHome: join(root, 'ann'),
      wait: () => Promise.resolve(),
    }
    init = {
      home: null,
      stateDir: join(root, 'ann/Library/Application Support/torrentino'),
      logDir: join(root, 'ann/Library/Logs/torrentino'),
      execPath: '/usr/local/bin/node',
      entry: '/usr/local/lib/torrentino/dist/daemon/bin.js',
    }
    plist = join(root, 'ann/Library/LaunchAgents/io.github.torrentino.daemon.plist')
  })

  afterEach(() => {
    rmSync(root, { recursive: true, force: true })
  })

  const set = (name: string, text = ''): void => {
    writeFileSync(join(root, 'state', name), text)
  }
  const calls = (): string[] => readFileSync(join(root, 'state/calls'), 'utf8').trim().split('\n')
  const acting = (): string[] => calls().filter((call) => !call.startsWith('print'))

  it('writes the agent with mode 0644 and loads it into the gui domain', async () => {
    const installed = await install(init, host)
    expect(installed).toEqual({
      label: 'io.github.torrentino.daemon',
      plist,
      domain: 'gui/501',
      node: '/usr/local/bin/node',
      logDir: init.logDir,
    })
    expect(acting()).toEqual(['enable gui/501/io.github.torrentino.daemon', `bootstrap gui/501 ${plist}`])
    expect(statSync(plist).mode & 0o777).toBe(0o644)
    expect(readdirSync(join(root, 'ann/Library/LaunchAgents'))).toEqual(['io.github.torrentino.daemon.plist'])
    expect(readPlist(readFileSync(plist, 'utf8'))['ProgramArguments']).toEqual([init.execPath, init.entry])
    expect(statSync(init.logDir).isDirectory()).toBe(true)
  })

  it('writes 0644 under any umask', async () => {
    const before = process.umask(0o077)
    try {
      await install(init, host)
    } finally {
      process.umask(before)
    }
    expect(statSync(plist).mode & 0o777).toBe(0o644)
  })

  it('falls back to the user domain', async () => {
    set('no-gui')
    expect((await install(init, host)).domain).toBe('user/501')
    expect((await status(init, host)).domain).toBe('user/501')
  })

  it('says what launchctl said where both domains refuse', async () => {
    set('no-gui')
    set('no-user')
    await expect(install(init, host)).rejects.toThrow(
      /^launchctl did not take .*gui\/501: Bootstrap failed: 125.*user\/501.*next login/,
    )
    expect(existsSync(plist)).toBe(true)
  })

  it('says so where there is no launchctl', async () => {
    rmSync(join(root, 'bin/launchctl'))
    await expect(install(init, host)).rejects.toThrow(/launchctl did not take .*ENOENT/)
  })

  it('is installed again: the old agent goes first, and is waited for', async () => {
    await install(init, host)
    set('lingers', '3')
    set('calls')
    expect((await install(init, host)).domain).toBe('gui/501')
    expect(acting()).toEqual([
      'bootout gui/501/io.github.torrentino.daemon',
      'enable gui/501/io.github.torrentino.daemon',
      `bootstrap gui/501 ${plist}`,
    ])
    // Asked once, then looked at until it was gone from both domains.
    expect(calls().filter((call) => call.startsWith('print gui')).length).toBeGreaterThan(4)
  })

  it('gives up on an agent that does not go', async () => {
    await install(init, host)
    const quick: Host = {
      ...host,
      run: (_, args) =>
        Promise.resolve(
          args[0] === 'bootout'
            ? { status: 1, stdout: '', stderr: 'Boot-out failed: 1: Operation not permitted\n' }
            : { status: 0, stdout: '', stderr: '' },
        ),
    }
    await expect(uninstall(init, quick)).rejects.toThrow(/could not unload .* in 25 s: .*not permitted\.$/)
    expect(existsSync(plist)).toBe(true)
  })

  it('is uninstalled: unloaded, the file gone, state kept', async () => {
    await install(init, host)
    mkdirSync(init.stateDir, { recursive: true })
    writeFileSync(join(init.stateDir, 'state.db'), 'x')
    expect(await uninstall(init, host)).toMatchObject({ removed: true, stateDir: init.stateDir })
    expect(existsSync(plist)).toBe(false)
    expect(existsSync(join(init.stateDir, 'state.db'))).toBe(true)
    expect(existsSync(join(root, 'state/loaded'))).toBe(false)
    expect(await uninstall(init, host)).toMatchObject({ removed: false })
  })

  it('shows itself: not there, loaded and running, unloaded', async () => {
    expect(await status(init, host)).toMatchObject({
      supported: true,
      installed: false,
      loaded: false,
      pid: null,
    })
    await install(init, host)
    set('print', 'x = {\n\tstate = running\n\tpid = 77\n\tlast exit code = (never exited)\n}\n')
    expect(await status(init, host)).toEqual({
      supported: true,
      label: 'io.github.torrentino.daemon',
      plist,
      installed: true,
      loaded: true,
      domain: 'gui/501',
      state: 'running',
      pid: 77,
      lastExit: null,
      lastSignal: null,
      lastWords: null,
      damaged: false,
      homebrew: null,
    })
    rmSync(join(root, 'state/loaded'))
    expect(await status(init, host)).toMatchObject({ installed: true, loaded: false, state: null, pid: null })
  })

  it('is started: loaded where it was not, kicked where it is down, left alone where it runs', async () => {
    await expect(start(init, host)).rejects.toThrow(/No service is installed/)
    await install(init, host)
    rmSync(join(root, 'state/loaded'))
    set('calls')
    await start(init, host)
    expect(acting().at(-1)).toBe(`bootstrap gui/501 ${plist}`)
    set('print', 'x = {\n\tstate = not running\n}\n')
    await start(init, host)
    expect(acting().at(-1)).toBe('kickstart gui/501/io.github.torrentino.daemon')
    set('print', 'x = {\n\tstate = running\n\tpid = 77\n}\n')
    set('calls')
    await start(init, host)
    expect(acting()).toEqual([])
  })

  it('is found without asking launchctl', async () => {
    expect(installedService(init, host)).toBeNull()
    await install(init, host)
    set('calls')
    expect(installedService(init, host)).toEqual({ label: 'io.github.torrentino.daemon', plist })
    expect(readFileSync(join(root, 'state/calls'), 'utf8')).toBe('')
  })

  it('belongs to a home: two homes do not share an agent', async () => {
    await install(init, host)
    expect(installedService({ ...init, home: '/elsewhere' }, host)).toBeNull()
  })

  it('refuses a home that a property list cannot carry, before anything is written', async () => {
    await expect(install({ ...init, home: '/a\u0007' }, host)).rejects.toThrow(/cannot be written/)
    expect(existsSync(join(root, 'ann'))).toBe(false)
  })

  it('refuses root, and systems without launchd', async () => {
    await expect(install(init, { ...host, uid: 0 })).rejects.toThrow(/without sudo/)
    const linux = { ...host, platform: 'linux' }
    await expect(install(init, linux)).rejects.toThrow(/systemd.*torrentinoctl daemon start/)
    await expect(uninstall(init, linux)).rejects.toThrow(/systemd/)
    expect(await status(init, linux)).toMatchObject({ supported: false, installed: false, plist: null })
    expect(installedService(init, linux)).toBeNull()
    expect(existsSync(join(root, 'state/calls'))).toBe(false)
  })

  it('has a stand-in that parses as sh', () => {
    expect(execFileSync('sh', ['-n', standIn]).toString()).toBe('')
  })
})

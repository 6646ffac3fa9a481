import { describe, expect, it } from 'vitest'
import yargs from 'yargs'
import { runService, serviceCommand } from '../../ctl/commands/service.js'
import type { ServiceAction } from '../../ctl/commands/service.js'
import { type Host, type Ran, ServiceError, type ServiceInit } from '../../launchd/manager.js'
import { agentPlist } from '../../launchd/plist.js'
import { VERSION } from '../../shared/version.js'

const init: ServiceInit = {
  home: null,
  stateDir: '/Users/ann/Library/Application Support/torrentino',
  logDir: '/Users/ann/Library/Logs/torrentino',
  execPath: '/usr/local/bin/node',
  entry: '/usr/local/lib/torrentino/dist/daemon/bin.js',
}
const agent = '/Users/ann/Library/LaunchAgents/io.github.torrentino.daemon.plist'

/** A Mac in memory: files, and a launchd that keeps at most one agent. */
class Mac implements Host {
  readonly platform: string = 'darwin'
  readonly uid = 501
  readonly userHome = '/Users/ann'
  readonly userName = 'ann'
  readonly env = {}
  monotonic = (): number => 100e6
  readonly files = new Map<string, string>()
  /** 'gui/501/label' of what is loaded, or null. */
  loaded: string | null = null
  /** The words of launchctl's calls. */
  readonly calls: string[][] = []
  /** What print says of it. */
  printed = ''

  run = (_: string, [verb = '', target = '', plist = '']: readonly string[]): Promise<Ran> => {
    this.calls.push([verb, target, plist])
    if (verb === 'bootstrap') this.loaded = `${target}/${plist.replace(/^.*\//, '').replace('.plist', '')}`
    const known = target === this.loaded
    if (verb === 'bootout' && known) this.loaded = null
    const status = known || ['bootstrap', 'enable', 'kickstart'].includes(verb) ? 0 : 113
    return Promise.resolve({ status, stdout: verb === 'print' && known ? this.printed : '', stderr: '' })
  }
  exists = (path: string): boolean => this.files.has(path)
  realpath = (path: string): string => path
  readFile = (path: string): Promise<string | null> => Promise.resolve(this.files.get(path) ?? null)
  removeFile = (path: string): Promise<boolean> => Promise.resolve(this.files.delete(path))
  makeFolder = (): Promise<void> => Promise.resolve()
  wait = (): Promise<void> => Promise.resolve()
  replaceFile = (path: string, text: string): Promise<void> => {
    this.files.set(path, text)
    return Promise.resolve()
  }
}

/** A Linux in memory; `systemd` says whether that runs it, `shown` what it says of the unit. */
class Linux extends Mac {
  override readonly platform = 'linux'
  systemd = false
  shown = ''
  /** The last that the daemon printed. */
  journal = ''
  override exists = (path: string): boolean =>
    path === '/run/systemd/system' ? this.systemd : this.files.has(path)
  override run = (command: string, args: readonly string[]): Promise<Ran> => {
    this.calls.push([...args])
    const stdout = command === 'journalctl' ? this.journal : args.includes('show') ? this.shown : ''
    return Promise.resolve({ status: 0, stdout, stderr: '' })
  }
}

async function said(action: ServiceAction, mac: Mac): Promise<string> {
  return (await runService(action, init, mac)).lines.join('\n')
}

describe('torrentinoctl service', () => {
  it('tells a person what install did, and how to undo it', async () => {
    expect(await said('install', new Mac())).toBe(
      [
        'The daemon runs now and at every login.',
        `Agent        ${agent}`,
        'Node         /usr/local/bin/node',
        'Logs         /Users/ann/Library/Logs/torrentino',
        'To take it away: torrentinoctl service uninstall',
      ].join('\n'),
    )
  })

  it('answers programs with the same facts', async () => {
    expect((await runService('install', init, new Mac())).json).toEqual({
      label: 'io.github.torrentino.daemon',
      plist: agent,
      domain: 'gui/501',
      node: '/usr/local/bin/node',
      logDir: init.logDir,
    })
  })

  it('tells where the state stays, and that nothing was there the second time', async () => {
    const mac = new Mac()
    await said('install', mac)
    expect(await said('uninstall', mac)).toMatch(
      /^The service is uninstalled.*\nState stays +\/Users\/ann\/Lib/,
    )
    expect(await said('uninstall', mac)).toMatch(/^No service was installed/)
  })

  it('shows what is installed, loaded and running', async () => {
    const mac = new Mac()
    expect(await said('status', mac)).toMatch(/^Not installed\. .*torrentinoctl service install$/)
    await said('install', mac)
    mac.printed = 'x = {\n\tstate = running\n\tpid = 77\n\tlast exit code = 3\n}\n'
    expect(await said('status', mac)).toMatch(
      /Loaded +yes, in gui\/501\nRunning +yes, pid 77\nLast exit +3\n/,
    )
    mac.printed = 'x = {\n\tstate = not running\n\tlast terminating signal = Killed: 9\n}\n'
    expect(await said('status', mac)).toMatch(
      /Running +no \(not running\)\nLast exit +by a signal: Killed: 9/,
    )
    mac.files.clear()
    expect(await said('status', mac)).toMatch(/^Installed +no, but still loaded/)
    mac.loaded = null
    mac.files.set(agent, agentPlist({ ...init, label: 'x', node: '/n' }))
    expect(await said('status', mac)).toMatch(/^Installed +yes\nLoaded +no/)
    mac.files.set(agent, '<?xml version="1.0"?>\n<plist vers')
    expect(await said('status', mac)).toMatch(
      /^Installed +yes, but its file is not whole; .*install writes it anew/,
    )
  })

  it('tells why it ended, in its own words, and how long it runs', async () => {
    const mac = new Mac()
    await said('install', mac)
    mac.printed = 'x = {\n\tstate = not running\n\tlast exit code = 3\n}\n'
    mac.files.set(`${init.logDir}/torrentinod.err.log`, 'earlier\nThe home /Volumes/x is not there.\n\n')
    expect(await said('status', mac)).toMatch(/Last exit +3\nIt said +The home \/Volumes\/x is not there\.\n/)
    mac.printed = 'x = {\n\tstate = running\n\tpid = 77\n\tlast exit code = 3\n}\n'
    const daemon = () => Promise.resolve({ pid: 77, owner: 'service' as const, version: VERSION, uptime: 90 })
    const { json, lines } = await runService('status', init, mac, { daemon })
    expect(lines.join('\n')).toMatch(/Running +yes, pid 77, up 1m 30s\nLast exit +3\nAgent/)
    expect(json).toMatchObject({ owner: 'service', version: VERSION, lastWords: null })
  })

  it('tells of an upgrade that waits for a new start, and starts again', async () => {
    const mac = new Mac()
    await said('install', mac)
    mac.printed = 'x = {\n\tstate = running\n\tpid = 77\n}\n'
    const daemon = () => Promise.resolve({ pid: 77, owner: 'service' as const, version: '0.0.9', uptime: 1 })
    const { lines } = await runService('status', init, mac, { daemon })
    expect(lines.join('\n')).toContain(`0.0.9 runs, ${VERSION} is installed: torrentinoctl service restart`)
    expect(await said('restart', mac)).toBe('The service runs.')
    expect(mac.calls.at(-1)).toEqual(['kickstart', '-k', 'gui/501/io.github.torrentino.daemon'])
    const none = new Mac()
    await expect(runService('restart', init, none)).rejects.toThrow(/No service is installed/)
  })

  it.each([
    ['its agent is there', '/Users/ann/Library/LaunchAgents/homebrew.mxcl.torrentino.plist', init],
    [
      'the program is of its Cellar',
      '',
      { ...init, entry: '/opt/homebrew/Cellar/torrentino/1.0/libexec/bin.js' },
    ],
  ])(
    "leaves the service to Homebrew where %s, but not that of a home of one's own",
    async (_, file, from) => {
      const mac = new Mac()
      if (file !== '') mac.files.set(file, '')
      await expect(runService('install', from, mac)).rejects.toThrow(
        /run "brew services start torrentino" instead\.$/,
      )
      expect(mac.loaded).toBeNull()
      if (file !== '')
        expect(await said('status', mac)).toBe(
          `Homebrew     has its own: ${file}; see brew services info torrentino`,
        )
      await runService('install', { ...from, home: '/own' }, mac)
      expect(mac.loaded).not.toBeNull()
    },
  )

  it('makes what launchctl prints harmless for the terminal', async () => {
    const mac = new Mac()
    await said('install', mac)
    mac.printed = 'x = {\n\tstate = \u001b[31mred\n}\n'
    expect(await said('status', mac)).not.toContain('\u001b')
  })

  it('says in one sentence what holds on Linux', async () => {
    await expect(runService('install', init, new Linux())).rejects.toThrow(ServiceError)
    await expect(runService('start', init, new Linux())).rejects.toThrow(ServiceError)
    expect(await said('status', new Linux())).toMatch(
      /^[^\n]*systemd[^\n]*torrentinoctl daemon start[^\n]*\.$/,
    )
  })

  it('tells on Linux what happens at logout', async () => {
    const linux = new Linux()
    linux.systemd = true
    expect(await said('install', linux)).toMatch(
      /^The daemon runs now and at every login\.\nWithout lingering it ends when you log out.*enable-linger ann.*\nUnit +\/Users/,
    )
    linux.files.set('/Users/ann/.config/systemd/user/homebrew.torrentino.service', '')
    await expect(runService('install', init, linux)).rejects.toThrow(/brew services start torrentino/)
    linux.files.clear()
    linux.files.set('/var/lib/systemd/linger/ann', '')
    expect(await said('install', linux)).toMatch(/^The daemon runs now and from every boot on\.\nUnit/)
    expect(await said('start', linux)).toBe('The service runs.')
    expect(await said('restart', linux)).toBe('The service runs.')
    expect(linux.calls.at(-1)).toEqual(['--user', 'restart', 'torrentino.service'])
    expect(await said('uninstall', linux)).toMatch(/^The service is uninstalled.*\nState stays/)
    expect(await said('uninstall', linux)).toMatch(/^No service was installed/)
  })

  it('shows owner, pid, uptime and last exit on Linux', async () => {
    const linux = new Linux()
    linux.systemd = true
    expect(await said('status', linux)).toMatch(/^Not installed\. .*torrentinoctl service install$/)
    await said('install', linux)
    const about = 'ActiveState=active\nSubState=running\nUnitFileState=enabled\nNRestarts=2\n'
    linux.shown = `${about}MainPID=77\nExecMainStartTimestampMonotonic=10000000\n`
    expect(await said('status', linux)).toMatch(
      /^Installed +yes\nAt logout +ends; .*\nRunning +yes, pid 77, up 1m 30s, restarted 2 times\n/,
    )
    const daemon = () => Promise.resolve({ pid: 5, owner: 'person' as const, version: VERSION, uptime: 1 })
    linux.shown = 'ActiveState=failed\nSubState=failed\nMainPID=0\nExecMainCode=2\nExecMainStatus=9\n'
    linux.journal = 'The volume of the home is read-only.\n'
    const { json, lines } = await runService('status', init, linux, { daemon })
    expect(lines.join('\n')).toMatch(
      /Running +no \(failed, failed\)\nLast exit +by a signal: SIGKILL\nIt said +The volume of the home is read-only\.\nDaemon +process 5 has this home, started by hand\n/,
    )
    expect(json).toMatchObject({ owner: 'person', pid: null, lastSignal: 'SIGKILL' })
  })
})

describe('its arguments', () => {
  async function parse(...args: string[]): Promise<unknown> {
    const globals = yargs(args)
      .option('json', { type: 'boolean', default: false })
      .option('bytes', { type: 'boolean', default: false })
      .option('home', { type: 'string' })
    return globals.command(serviceCommand).strict().fail(false).exitProcess(false).parseAsync()
  }

  it('refuse another action, and none', async () => {
    await expect(parse('service', 'reload')).rejects.toThrow(/install.*uninstall.*status/s)
    await expect(parse('service')).rejects.toThrow(/Not enough/)
  })
})

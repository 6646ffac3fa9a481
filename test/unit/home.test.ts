import { describe, expect, it } from 'vitest'
import { defaultDownloadDir, HomeError, resolveHome, userDirsFile } from '../../shared/home.js'

const linux = { env: {}, platform: 'linux', homedir: '/home/ann', cwd: '/tmp/here' }
const mac = { ...linux, platform: 'darwin', homedir: '/Users/ann' }

describe('the home', () => {
  it('lies in the XDG folders on Linux', () => {
    expect(resolveHome(linux)).toEqual({
      state: '/home/ann/.local/state/torrentino',
      socket: '/home/ann/.local/state/torrentino/torrentino.sock',
      groupSocket: false,
      database: '/home/ann/.local/state/torrentino/torrentino.db',
      lock: '/home/ann/.local/state/torrentino/torrentino.lock',
      config: '/home/ann/.config/torrentino/config.toml',
      logs: '/home/ann/.local/state/torrentino/logs',
      named: false,
    })
  })

  it('follows the XDG variables, and ignores relative and empty ones', () => {
    const env = { XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' }
    const home = resolveHome({ ...linux, env })
    expect([home.state, home.config]).toEqual(['/s/torrentino', '/c/torrentino/config.toml'])
    for (const bad of ['', 'state', './s'])
      expect(resolveHome({ ...linux, env: { XDG_STATE_HOME: bad, XDG_CONFIG_HOME: bad } })).toEqual(
        resolveHome(linux),
      )
  })

  it('lies in ~/Library on macOS', () => {
    const home = resolveHome({ ...mac, env: { XDG_STATE_HOME: '/s' } })
    const support = '/Users/ann/Library/Application Support/torrentino'
    expect(home).toMatchObject({
      state: support,
      socket: `${support}/torrentino.sock`,
      config: `${support}/config.toml`,
      logs: '/Users/ann/Library/Logs/torrentino',
    })
  })

  it('lies under one folder where one is named', () => {
    const expected = {
      state: '/h',
      socket: '/h/torrentino.sock',
      groupSocket: false,
      database: '/h/torrentino.db',
      lock: '/h/torrentino.lock',
      config: '/h/config.toml',
      logs: '/h/logs',
      named: true,
    }
    const env = { TORRENTINO_HOME: '/h', XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' }
    for (const around of [linux, mac]) {
      expect(resolveHome({ ...around, env })).toEqual(expected)
      expect(resolveHome(around, ['list', '--home', '/h', '--json'])).toEqual(expected)
      expect(resolveHome({ ...around, env: { TORRENTINO_HOME: '/other' } }, ['--home=/h'])).toEqual(expected)
    }
    expect(resolveHome({ ...linux, env: { TORRENTINO_HOME: '' } })).toEqual(resolveHome(linux))
  })

  it('has its socket elsewhere, open to a group, where TORRENTINO_SOCKET says so', () => {
    const env = { TORRENTINO_HOME: '/h', TORRENTINO_SOCKET: '/run/t/t.sock' }
    const elsewhere = { socket: '/run/t/t.sock', groupSocket: true }
    expect(resolveHome({ ...linux, env })).toMatchObject({ ...elsewhere, state: '/h' })
    expect(resolveHome({ ...linux, env }, ['--home', '/g'])).toMatchObject({
      socket: '/g/torrentino.sock',
      groupSocket: false,
    })
    expect(() => resolveHome({ ...linux, env: { TORRENTINO_SOCKET: 'run/t.sock' } })).toThrow(/absolute path/)
    const long = { TORRENTINO_SOCKET: '/' + 'x'.repeat(103) }
    expect(() => resolveHome({ ...linux, env: long })).toThrow(/TORRENTINO_SOCKET to a shorter path/)
  })

  it('takes a relative folder from where the command was given', () => {
    expect(resolveHome(linux, ['--home', 'a/../b']).state).toBe('/tmp/here/b')
    expect(resolveHome({ ...linux, env: { TORRENTINO_HOME: 'x' } }).state).toBe('/tmp/here/x')
  })

  it('leaves what comes behind -- alone', () => {
    expect(resolveHome(linux, ['add', '--', '--home', '/h'])).toEqual(resolveHome(linux))
  })

  it.each([[['--home']], [['--home=']], [['--home', '']], [['--home', '--json']]])('refuses %j', (argv) => {
    expect(() => resolveHome(linux, argv)).toThrow(HomeError)
  })

  it('takes a socket path of 103 bytes and refuses one of 104, naming TORRENTINO_HOME', () => {
    const folder = (bytes: number) => `/${'x'.repeat(bytes - '/torrentino.sock'.length - 1)}`
    expect(Buffer.byteLength(resolveHome(linux, ['--home', folder(103)]).socket)).toBe(103)
    expect(() => resolveHome(linux, ['--home', folder(104)])).toThrow(/104 bytes.*TORRENTINO_HOME/)
    // 60 characters, 120 bytes.
    expect(() => resolveHome(linux, ['--home', `/${'é'.repeat(60)}`])).toThrow(HomeError)
  })
})

describe('the download folder', () => {
  const dirs = (line: string) => defaultDownloadDir(linux, `# made by xdg-user-dirs-update\n${line}\n`)

  it('is ~/Torrents on macOS, whatever a stray file says', () => {
    expect(defaultDownloadDir(mac, 'XDG_DOWNLOAD_DIR="/x"')).toBe('/Users/ann/Torrents')
  })

  it('is where the desktop says', () => {
    expect(dirs('XDG_DOWNLOAD_DIR="$HOME/Téléchargements"')).toBe('/home/ann/Téléchargements')
    expect(dirs('  XDG_DOWNLOAD_DIR = "/mnt/big/down loads/"')).toBe('/mnt/big/down loads')
    expect(dirs('XDG_DOWNLOAD_DIR="$HOME/a \\"b\\" \\$c"')).toBe('/home/ann/a "b" $c')
    expect(dirs('XDG_DOWNLOAD_DIR="/a"\nXDG_DOWNLOAD_DIR="/b"')).toBe('/b')
  })

  it.each([
    'XDG_DOWNLOAD_DIR="$HOME/"',
    'XDG_DOWNLOAD_DIR="$HOME"',
    'XDG_DOWNLOAD_DIR="relative"',
    '#XDG_DOWNLOAD_DIR="/x"',
    'XDG_DOWNLOAD_DIR="/x',
    'XDG_MUSIC_DIR="/x"',
  ])('is ~/Downloads where the desktop says %s', (line) => {
    expect(dirs(line)).toBe('/home/ann/Downloads')
  })

  it('is ~/Downloads without a desktop', () => {
    expect(defaultDownloadDir(linux, null)).toBe('/home/ann/Downloads')
  })

  it('is asked of the file where the desktop keeps it', () => {
    expect(userDirsFile(linux)).toBe('/home/ann/.config/user-dirs.dirs')
    expect(userDirsFile({ ...linux, env: { XDG_CONFIG_HOME: '/c' } })).toBe('/c/user-dirs.dirs')
  })
})

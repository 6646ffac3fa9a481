import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  lstatSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigFile } from '../../daemon/io/config-file.js'
import {
  ConfigError,
  effectiveSettings,
  parseConfig,
  readSetting,
  setInToml,
  variableOf,
  type ConfigValues,
} from '../../shared/config.js'
import { SETTING_KEYS, SETTINGS } from '../../shared/settings.js'

function valuesOf(text: string): ConfigValues {
  const parsed = parseConfig(text)
  if (parsed instanceof ConfigError) throw parsed
  return parsed.values
}

function errorOf(text: string): ConfigError {
  const parsed = parseConfig(text)
  if (parsed instanceof ConfigError) return parsed
  throw new Error('no error')
}

describe('reading', () => {
  it('reads nothing from nothing', () => {
    for (const text of ['', '\n', '# only words\r\n', '[download]\n']) expect(valuesOf(text)).toEqual({})
  })

  it('reads every setting, however it is written', () => {
    const text = `listen = { port = 6881, "host" = "::1" }
log.level = 'debug'
net.scope = "private"
[download]
dir = """/data"""
[peers]
max = 1_000
perTorrent = 0x10
[memory]
buffer = "64 MiB"
`
    expect(valuesOf(text)).toEqual({
      'download.dir': '/data',
      'listen.port': 6881,
      'listen.host': '::1',
      'log.level': 'debug',
      'net.scope': 'private',
      'peers.max': 1000,
      'peers.perTorrent': 16,
      'memory.buffer': 67_108_864,
    })
  })

  it.each([
    ['[download]\ndri = "/x"', 2, 1, 'download.dri', 'download.dir'],
    ['# c\n\n  listen.prot = 1', 3, 3, 'listen.prot', 'listen.port'],
    ['[peers]\nmax = 3\nper_torrent = 1', 3, 1, 'peers.per_torrent', 'peers.perTorrent'],
    ['"download.dir" = "/x"', 1, 1, 'download.dir', 'download.dir'],
    ['dir = "/x"', 1, 1, 'dir', 'download.dir'],
    ['__proto__ = 1', 1, 1, '__proto__', ''],
    ['[lissten]', 1, 1, 'lissten', 'listen.port'],
    ['[download]\ndir = "/x"\n[download.dirs]\na = 1', 4, 1, 'download.dirs.a', 'download.dir'],
    ['a.b = 1', 1, 1, 'a.b', ''],
  ])('names the place and the nearest key for %j', (text, line, column, key, nearest) => {
    const error = errorOf(text)
    expect([error.line, error.column]).toEqual([line, column])
    expect(error.message).toContain(JSON.stringify(key))
    const help = nearest === '' ? '; torrentinoctl config list shows all.' : `: did you mean ${nearest}?`
    expect(error.message).toContain(help)
  })

  it.each([
    ['[listen]\nport = "many"', 'listen.port must be a whole number from 0 to 65535.'],
    ['[listen]\nport = 65536', 'listen.port'],
    ['[listen]\nport = 80.5', 'listen.port'],
    ['[listen]\nport = 99999999999999999999', 'listen.port'],
    ['[listen]\nport = -1', 'listen.port'],
    ['[listen]\nhost = "example.org"', 'listen.host must be an IPv4 or IPv6 address'],
    ['[listen]\nhost = "256.1.1.1"', 'listen.host'],
    ['[listen]\nhost = "1::2::3"', 'listen.host'],
    ['[log]\nlevel = "loud"', 'log.level must be one of trace, debug, info, warn, error.'],
    ['[net]\nscope = true', 'net.scope must be one of internet, private, loopback.'],
    ['[download]\ndir = "data"', 'download.dir must be an absolute folder'],
    ['[download]\ndir = ["/x"]', 'download.dir'],
    ['[download]\ndir = 1979-05-27', 'download.dir'],
    ['[memory]\nbuffer = "1 MiB"', 'memory.buffer'],
    ['[memory]\nbuffer = "64 parrots"', 'memory.buffer'],
    ['[memory]\nbuffer = "64 MiB/s"', 'memory.buffer'],
    ['[limits]\nup = 100', 'limits.up must be "none" or a rate from 1 KiB/s'],
    ['[limits]\ndown = "fast"', 'limits.down must be'],
    ['[limits]\ndown = "1 MiB/h"', 'limits.down must be'],
    ['[limits]\ndown = -1', 'limits.down must be'],
    ['[limits]\ndown = "1024.5/s"', 'limits.down must be'],
    ['[peers]\nmax = 0', 'peers.max'],
  ])('refuses %j in one sentence, with its line', (text, message) => {
    const error = errorOf(text)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('\n')
    expect(error.line).toBe(2)
  })

  it('says where it stops being TOML', () => {
    const error = errorOf('[listen]\nport = 1\nport = 2\n')
    expect(error.message).toMatch(/^This is not TOML: .*\.$/)
    expect(error.line).toBe(3)
    expect(errorOf('a = [').message).not.toContain('\n')
  })

  it('takes the addresses that are addresses', () => {
    for (const host of [
      '0.0.0.0',
      '::',
      '::1',
      'fe80::1%eth0',
      '2001:db8:0:0:0:0:0:1',
      '::ffff:10.0.0.1',
      '1::',
    ])
      expect([host, SETTINGS['listen.host'].check(host).ok]).toEqual([host, true])
    for (const host of [
      '1.2.3',
      '01.2.3.4',
      ':::',
      '1:2',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      '::1%',
      'g::',
      ':1',
    ])
      expect([host, SETTINGS['listen.host'].check(host).ok]).toEqual([host, false])
  })
})

describe('a word from a command line', () => {
  it('is read as the kind that the key takes', () => {
    expect(readSetting('listen.port', '6881')).toEqual({ key: 'listen.port', value: 6881 })
    expect(readSetting('listen.port', 6881)).toEqual({ key: 'listen.port', value: 6881 })
    expect(readSetting('memory.buffer', '64m')).toEqual({ key: 'memory.buffer', value: 67_108_864 })
    expect(readSetting('log.level', 'warn')).toEqual({ key: 'log.level', value: 'warn' })
  })

  it.each([
    ['1.5 MiB/s', 1_572_864],
    ['10MiB/s', 10_485_760],
    ['10 MiB/s', 10_485_760],
    ['512 k', 524_288],
    ['1g', 1_073_741_824],
    ['65536', 65_536],
    ['65536 B/s', 65_536],
    ['none', 0],
    ['0', 0],
    [65_536, 65_536],
  ])('is a rate: %j', (word, value) => {
    expect(readSetting('limits.up', word)).toEqual({ key: 'limits.up', value })
    expect(readSetting('limits.down', word)).toEqual({ key: 'limits.down', value })
  })

  it.each([
    ['listen.port', '64m', /listen.port must be/],
    ['listen.port', '0x10', /listen.port must be/],
    ['listen.port', '', /listen.port must be/],
    ['listen.port', true, /listen.port must be/],
    ['download.dir', 5, /download.dir must be/],
    ['download.dir', '/\ud800', /download.dir must be/],
    ['download.dri', '/x', /did you mean download.dir\?/],
    ['constructor', '/x', /no setting "constructor"/],
  ])('refuses %s = %j', (key, value, message) => {
    expect(() => readSetting(key, value)).toThrow(message)
    expect(() => readSetting(key, value)).toThrow(ConfigError)
  })
})

describe('what holds', () => {
  const around = { env: {}, homedir: '/home/ann', downloadDir: '/home/ann/Downloads' }

  it('is the default where nothing is set', () => {
    const { settings, views } = effectiveSettings({}, around)
    expect(settings).toEqual({
      'download.dir': '/home/ann/Downloads',
      'listen.port': 0,
      'listen.host': '',
      'log.level': 'info',
      'net.scope': 'internet',
      'peers.max': 500,
      'peers.perTorrent': 80,
      'peers.encryption': 'allowed',
      'pex.enabled': true,
      'memory.buffer': 33_554_432,
      'disk.reserve': 67_108_864,
      'limits.down': 0,
      'limits.up': 0,
      'trash.keep': 604_800,
      'queue.downloads': 8,
      'queue.seeds': 0,
      'queue.stalled': 300,
      'seed.ratio': 0,
      'seed.time': 0,
      'seed.idle': 0,
      'dht.enabled': true,
      'dht.port': 0,
      'dht.bootstrap':
        'router.bittorrent.com:6881,dht.transmissionbt.com:6881,dht.libtorrent.org:25401,router.utorrent.com:6881',
      'dht.readOnly': false,
      'lsd.enabled': true,
    })
    expect(views.every((view) => view.source === 'default' && view.value === view.default)).toBe(true)
  })

  it('is the file over the default, and the environment over the file', () => {
    const env = { TORRENTINO_NET: 'loopback' }
    const { settings, views } = effectiveSettings(
      { 'download.dir': '~/x', 'net.scope': 'private' },
      { ...around, env },
    )
    expect(settings).toMatchObject({ 'download.dir': '/home/ann/x', 'net.scope': 'loopback' })
    expect(views.find((view) => view.key === 'net.scope')).toMatchObject({
      source: 'environment',
      default: 'internet',
    })
    expect(views.find((view) => view.key === 'download.dir')).toMatchObject({
      source: 'file',
      default: '/home/ann/Downloads',
    })
  })

  it('is the environment for any setting, in the words of config set', () => {
    expect(variableOf('peers.perTorrent')).toBe('TORRENTINO_PEERS_PER_TORRENT')
    expect(new Set(SETTING_KEYS.map(variableOf)).size).toBe(SETTING_KEYS.length)
    const env = {
      TORRENTINO_LIMITS_UP: '2 MiB/s',
      TORRENTINO_DOWNLOAD_DIR: '~/y',
      TORRENTINO_NET_SCOPE: 'private',
    }
    const { settings } = effectiveSettings(
      { 'limits.up': 1024 },
      { ...around, env: { ...env, TORRENTINO_NET: 'loopback' } },
    )
    expect(settings).toMatchObject({
      'limits.up': 2_097_152,
      'download.dir': '/home/ann/y',
      'net.scope': 'private',
    })
    expect(() => effectiveSettings({}, { ...around, env: { TORRENTINO_LIMITS_UP: 'much' } })).toThrow(
      /^TORRENTINO_LIMITS_UP must be/,
    )
  })

  it('refuses a scope that is none: a narrower one may have been meant', () => {
    expect(() => effectiveSettings({}, { ...around, env: { TORRENTINO_NET: 'lopback' } })).toThrow(
      /TORRENTINO_NET must/,
    )
    expect(effectiveSettings({}, { ...around, env: { TORRENTINO_NET: '' } }).settings['net.scope']).toBe(
      'internet',
    )
  })
})

describe('setting one value', () => {
  it.each([
    ['in an empty file', '', '[listen]\nport = 1\n'],
    ['behind other tables', '[a]\nb = 1\n', '[a]\nb = 1\n\n[listen]\nport = 1\n'],
    ['without a last line end', '[a]\nb = 1', '[a]\nb = 1\n\n[listen]\nport = 1\n'],
    ['in its line', '[listen]\nport = 22 # mine\nhost = ""\n', '[listen]\nport = 1 # mine\nhost = ""\n'],
    ['in its line, blanks kept', '[ listen ]\r\n\tport\t=\t22\t\r\n', '[ listen ]\r\n\tport\t=\t1\t\r\n'],
    ['in a dotted line', 'listen.port = 0xff#c', 'listen.port = 1#c'],
    ['under quoted names', '["listen"]\n\'port\' = 5', '["listen"]\n\'port\' = 1'],
    [
      'in its table',
      '[listen]\n  host = ""\n# c\n\n[log]\n',
      '[listen]\n  host = ""\n  port = 1\n# c\n\n[log]\n',
    ],
    ['in its empty table', '[listen] # c\n[log]\n', '[listen] # c\nport = 1\n[log]\n'],
    ['at the end of its table, no line end', '[listen]\nhost = ""', '[listen]\nhost = ""\nport = 1'],
    ['beside dotted lines', 'listen.host = ""\n[log]\n', 'listen.host = ""\nlisten.port = 1\n[log]\n'],
    ['with CRLF', '# c\r\n[log]\r\n', '# c\r\n[log]\r\n\r\n[listen]\r\nport = 1\r\n'],
    ['over a long string', '[listen]\nport = """a\n]#" """ # c\n', '[listen]\nport = 1 # c\n'],
    ['over a list', '[listen]\nport = [ # x\n 1, 2 ]\nhost = ""\n', '[listen]\nport = 1\nhost = ""\n'],
    [
      'past a string that looks like it',
      'a = """\n[listen]\nport = 5\n"""\n',
      'a = """\n[listen]\nport = 5\n"""\n\n[listen]\nport = 1\n',
    ],
    [
      'past the same name elsewhere',
      '[a]\nlisten.port = 5\n',
      '[a]\nlisten.port = 5\n\n[listen]\nport = 1\n',
    ],
    [
      'beside a table below it',
      '[listen.deep]\nport = 5\n',
      '[listen.deep]\nport = 5\n\n[listen]\nport = 1\n',
    ],
  ])('%s', (_name, before, after) => {
    expect(setInToml(before, 'listen.port', 1)).toBe(after)
  })

  it.each([
    ['listen = { port = 5 }', 1],
    ['# c\nlisten = {}', 2],
    ['listen = 5', 1],
    ['[[listen]]\nport = 5', 2],
    ['[listen.port]\nx = 5', 1],
    ['[listen]\nport.x = 5', 2],
    ['[listen]\nport = { x = 5 }', 2],
  ])('refuses %j rather than spoil it', (text, line) => {
    expect(() => setInToml(text, 'listen.port', 1)).toThrow(ConfigError)
    expect(() => setInToml(text, 'listen.port', 1)).toThrow(`line ${line}`)
  })

  it('refuses what is no TOML', () => {
    expect(() => setInToml('a = ', 'listen.port', 1)).toThrow(/not TOML/)
  })

  it('writes a ratio as it was said, and times in seconds', () => {
    const { key, value } = readSetting('seed.ratio', '1.5')
    expect(setInToml('', key, value)).toBe('[seed]\nratio = 1.5\n')
    expect(readSetting('seed.ratio', 2.25).value).toBe(2.25)
    expect(readSetting('seed.ratio', 'none').value).toBe(0)
    for (const wrong of ['0.001', '-1', 'much', '1.2345', 20_000])
      expect(() => readSetting('seed.ratio', wrong)).toThrow('must be "none" or a ratio')
    expect(
      ['90', '90s', '30m', '2h', '7d', '1w', 'none', '0'].map((word) => readSetting('seed.time', word).value),
    ).toEqual([90, 90, 1800, 7200, 604_800, 604_800, 0, 0])
    for (const wrong of ['-5m', '5 minutes', '99999d', 1.5])
      expect(() => readSetting('queue.stalled', wrong)).toThrow('must be "none" or a time')
    expect(['3', 'none', '0'].map((word) => readSetting('queue.downloads', word).value)).toEqual([3, 0, 0])
    expect(() => readSetting('queue.downloads', '3 KiB')).toThrow('must be "none" or a whole number')
  })

  it('refuses what TOML cannot hold', () => {
    expect(() => setInToml('', 'download.dir', '/\udc00')).toThrow(ConfigError)
    expect(() => setInToml('', 'listen.port', 0.5)).toThrow(ConfigError)
  })
})

describe('docs/config.md', () => {
  it('has a row for every setting, with kind, default and when it works, and no other', () => {
    const doc = readFileSync(resolve(import.meta.dirname, '../../docs/config.md'), 'utf8')
    const rows = [...doc.matchAll(/^\| `([a-z]+\.[a-zA-Z]+)` *\| ([a-z]+) *\| (.+?) *\| ([a-z]+) *\|/gm)]
    expect(rows.map(([, key]) => key).sort()).toEqual([...SETTING_KEYS].sort())
    for (const [, key, kind, standard, applies] of rows) {
      const setting = SETTINGS[key as (typeof SETTING_KEYS)[number]]
      const written =
        setting.default === null ? 'by platform, see below' : `\`${JSON.stringify(setting.default)}\``
      expect([key, kind, standard, applies]).toEqual([key, setting.kind, written, setting.applies])
    }
  })

  it('has an example that is right', () => {
    const doc = readFileSync(resolve(import.meta.dirname, '../../docs/config.md'), 'utf8')
    const example = /```toml\n([\s\S]*?)```/.exec(doc)?.[1] ?? 'none'
    expect(Object.keys(valuesOf(example))).toHaveLength(3)
  })
})

describe('the file', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'config-'))
  })
  afterEach(() => {
    rmSync(dir, { recursive: true })
  })

  it('is empty where there is none, and made with its folder, private', async () => {
    const path = join(dir, 'a', 'config.toml')
    const file = new ConfigFile({ path })
    expect(file.readSync()).toBe('')
    expect(await file.update((text) => `${text}x = 1\n`)).toBe('x = 1\n')
    expect(file.readSync()).toBe('x = 1\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(dir, 'a'))).toEqual(['config.toml'])
  })

  it('keeps its mode and what an editor wrote in the meantime', async () => {
    const path = join(dir, 'config.toml')
    writeFileSync(path, 'a = 1\n')
    chmodSync(path, 0o640)
    const file = new ConfigFile({ path })
    expect(file.readSync()).toBe('a = 1\n')
    writeFileSync(path, 'a = 2\n')
    await file.update((text) => `${text}b = 1\n`)
    expect(readFileSync(path, 'utf8')).toBe('a = 2\nb = 1\n')
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  it('leaves a link a link, to a file or to nothing yet', async () => {
    mkdirSync(join(dir, 'dotfiles'))
    const path = join(dir, 'config.toml')
    symlinkSync('dotfiles/t.toml', path)
    const file = new ConfigFile({ path })
    await file.update(() => 'a = 1\n')
    await file.update((text) => `${text}b = 1\n`)
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(dir, 'dotfiles', 't.toml'), 'utf8')).toBe('a = 1\nb = 1\n')
  })

  it('does changes one after the other, and a failed one harms none', async () => {
    const file = new ConfigFile({ path: join(dir, 'config.toml') })
    const results = await Promise.allSettled([
      file.update((text) => setInToml(text, 'listen.port', 1)),
      file.update((text) => setInToml(text, 'listen', 1)),
      file.update((text) => setInToml(text, 'log.level', 'debug')),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(valuesOf(file.readSync())).toEqual({ 'listen.port': 1, 'log.level': 'debug' })
  })

  it('is not touched where nothing changes', async () => {
    const path = join(dir, 'config.toml')
    writeFileSync(path, 'a = 1\n')
    const before = statSync(path, { bigint: true })
    await new ConfigFile({ path }).update((text) => text)
    expect(statSync(path, { bigint: true }).ino).toBe(before.ino)
  })

  it('leaves nothing behind when it cannot write', async () => {
    const path = join(dir, 'config.toml')
    mkdirSync(join(dir, '.config.toml.new'))
    await expect(new ConfigFile({ path }).update(() => 'a = 1\n')).rejects.toThrow()
    expect(existsSync(path)).toBe(false)
  })

  it('refuses bytes that are no UTF-8, and files that are too long', async () => {
    const path = join(dir, 'config.toml')
    const file = new ConfigFile({ path })
    writeFileSync(path, Buffer.from([0x61, 0xff]))
    expect(() => file.readSync()).toThrow(/not UTF-8/)
    await expect(file.update((text) => text)).rejects.toThrow(ConfigError)
    writeFileSync(path, ' '.repeat(1024 * 1024 + 1))
    expect(() => file.readSync()).toThrow(/1 MiB/)
  })
})

it('a time is read in one way, be "none" one of its words or not', () => {
  const words = ['0', '0s', '90', '1.5m', '2h', '7d', '1w', 3600]
  const read = (key: 'trash.keep' | 'seed.time'): unknown[] =>
    words.map((word) => readSetting(key, word).value)
  expect(read('trash.keep')).toEqual([0, 0, 90, 90, 7200, 604_800, 604_800, 3600])
  expect(read('seed.time')).toEqual(read('trash.keep'))
  for (const wrong of ['none', '7x', '', '-1', 0.5, '11000d', true])
    expect(() => readSetting('trash.keep', wrong)).toThrow('must be a time from 0 to 315360000 seconds')
})

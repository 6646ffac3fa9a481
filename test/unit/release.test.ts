/** What a release changes, and what it refuses. And the workflow for other machines says what .ci/run does. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { VERSION } from '../../shared/version.js'
import { commandsOf } from '../packages/guide.js'
import {
  constantWith,
  dated,
  guideWith,
  manifestWith,
  mayFollow,
  sums,
  wantedOf,
} from '../packages/versions.js'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8')

describe('what is asked for', () => {
  const at = 'https://example.org/ann/torrentino'

  it('is a version, with or without an address, for real or in a copy', () => {
    expect(wantedOf(['1.2.3'])).toEqual({ version: '1.2.3', at: null, dryRun: false })
    expect(wantedOf(['--dry-run', '1.2.3', '--at', at])).toEqual({ version: '1.2.3', at, dryRun: true })
  })

  it.each([
    [[], 'Give one version'],
    [['1.2.3', '1.2.4'], 'Give one version'],
    [['1.2.3', '--force'], 'Give one version'],
    [['1.2.3', '--at'], 'Give one version'],
    [['1.2'], 'is no version'],
    [['1.2.3', '--at', 'ann/torrentino'], 'is no https:// or file:// address'],
  ])('%j is refused before anything changes', (args, sentence) => {
    expect(() => wantedOf(args)).toThrow(sentence)
  })
})

describe('versions', () => {
  it.each(['0.1.0', '0.1.1', '0.2.0', '0.10.0', '1.0.0'])('%s may follow 0.1.0', (next) => {
    expect(() => {
      mayFollow('0.1.0', next)
    }).not.toThrow()
  })

  it.each([
    ['0.1.9', '0.1.8'],
    ['0.10.0', '0.9.9'],
    ['2.0.0', '1.99.99'],
  ])('after %s, %s is older', (present, next) => {
    expect(() => {
      mayFollow(present, next)
    }).toThrow(`${next} is older than ${present}`)
  })

  it.each(['', '1', '1.2', 'v1.2.3', '01.2.3', '1.2.3-rc.1', '1.2.3\n', '1.2.3 ', '--dry-run'])(
    '"%s" is no version',
    (next) => {
      expect(() => {
        mayFollow('0.1.0', next)
      }).toThrow('is no version')
    },
  )
})

describe('the changelog', () => {
  const text = (head: string): string =>
    `# Changelog\n\n${head}\n\n### Added\n\n- It works.\n\n## [0.0.9] - 2025-01-02\n`

  it.each(['## [1.2.3] - unreleased', '## [Unreleased]'])('dates "%s" and leaves the rest', (head) => {
    expect(dated(text(head), '1.2.3', '2026-02-03')).toBe(text('## [1.2.3] - 2026-02-03'))
  })

  it.each([
    ['## [1.2.4] - unreleased', '1.2.4 as unreleased, not 1.2.3'],
    ['## [1.2.3] - 2026-01-01', 'no unreleased section'],
    ['## [Unreleased]\n\n- x\n\n## [1.2.3] - unreleased', 'more than one'],
    ['## [Unreleased]\n\n- x\n\n## [1.2.3] - 2026-01-01', 'a date for 1.2.3 already'],
    ['## [Unreleased]\n\n## [1.2.2] - 2026-01-01', 'says nothing'],
  ])('refuses %j', (head, sentence) => {
    expect(() => dated(text(head), '1.2.3', '2026-02-03')).toThrow(sentence)
  })
})

describe('the files of this checkout', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }

  it('say one version', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      version: string
      packages: { '': { version: string } }
    }
    expect([VERSION, lock.version, lock.packages[''].version]).toEqual([version, version, version])
  })

  it('take another one, and nothing else of them changes', () => {
    const next = '98.76.54'
    for (const [name, count] of [
      ['package.json', 1],
      ['package-lock.json', 2],
    ] as const) {
      const text = manifestWith(read(name), version, next)
      expect(text.split(`"version": "${next}"`)).toHaveLength(count + 1)
      expect(text.replaceAll(next, version)).toBe(read(name))
    }
    const constant = constantWith(read('shared/version.ts'), version, next)
    const guide = guideWith(read('docs/install.md'), version, next)
    expect(guide).toContain(`sudo apt-get install ./torrentino_${next}-1_$(dpkg --print-architecture).deb`)
    expect(guide.replaceAll(next, version)).toBe(read('docs/install.md'))
    expect(() => guideWith('', version, next)).toThrow('does not name torrentino_')
    expect(constant).toContain(`VERSION = '${next}'`)
    expect(() => manifestWith('{}', version, next)).toThrow('is not where it should be')
    expect(() => constantWith('', version, next)).toThrow('does not say')
  })
})

it('sums are lines that sha256sum -c reads, by name', () => {
  expect(
    sums([
      ['b.tgz', '22'],
      ['a.deb', '11'],
    ]),
  ).toBe('11  a.deb\n22  b.tgz\n')
})

describe('.github/workflows/ci.yml', () => {
  const workflow = read('.github/workflows/ci.yml')

  it('runs the two commands of the README on two systems and three versions of Node', () => {
    for (const command of ['npm ci && npm run demo', 'npm ci && npm test']) {
      expect(read('README.md')).toContain(`\n${command} `)
      expect(workflow).toContain(`run: ${command}\n`)
    }
    expect(workflow).toContain('os: [ubuntu-latest, macos-latest]')
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    const majors = [...engines.node.matchAll(/(\d+)\.\d+\.\d+/g)].map(([, major = '']) => `'${major}'`)
    expect(workflow).toContain(`node: [${majors.join(', ')}]`)
  })

  it('installs the tap with the words of docs/install.md', () => {
    expect(workflow).toContain(`npm run build:tap\n          ${commandsOf('macOS')[0]}\n`)
  })

  it('installs the programs that .ci/run installs', () => {
    const words = (text = ''): string[] =>
      text
        .split(/[\s\\]+/)
        .filter((word) => word !== '')
        .sort()
    const here = words(/^packages=\(([^)]*)\)/m.exec(read('.ci/run'))?.[1])
    expect(here.length).toBeGreaterThan(10)
    expect(words(/--no-install-recommends((?:[ \t]*\\\n[^\n]*?)+)\n\n/.exec(workflow)?.[1])).toEqual(here)
  })
})

/** The documents name what is there: files, links, verbs, settings, and a row for each BEP. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SETTING_KEYS } from '../../shared/settings.js'
import { contract, notifications } from '../../shared/rpc/contract.js'
import { ERRORS, EXIT } from '../../shared/rpc/errors.js'
import { commandTree } from '../../ctl/verbs.js'
import { jsonOf } from '../docs/json.js'
import { made } from '../docs/made.js'
import { line } from '../docs/roff.js'
import { commentsOf, fieldsOf, SHAPES } from '../docs/shapes.js'

const ROOT = resolve(import.meta.dirname, '../..')
const DOCS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/protocol.md',
  'docs/config.md',
  'docs/cli.md',
  'docs/rpc.md',
  'docs/memory.md',
  'docs/macos.md',
  'docs/linux.md',
  'docs/install.md',
]

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
/** What stands in single backticks. */
const spans = (file: string): string[] =>
  [...read(file).matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text)

describe.each(DOCS)('%s', (file) => {
  it('names files that exist', () => {
    const named = spans(file).filter((text) =>
      /^(?:daemon|ctl|shared|launchd|packaging|test|docs|\.ci)\/[\w./-]*$/.test(text),
    )
    // Examples of a command, and what a test run makes.
    const missing = named.filter((path) => !path.includes('/x.') && !existsSync(join(ROOT, path)))
    expect(missing).toEqual([])
  })

  it('links to files that exist', () => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to = '']) => to)
    const missing = links.filter((to) => !existsSync(join(ROOT, dirname(file), to)))
    expect(missing).toEqual([])
  })

  it('has no heading that a link of its own misses', () => {
    const text = read(file)
    const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    )
    for (const [, anchor = ''] of text.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(anchor)
  })
})

describe('README.md', () => {
  const help = spawnSync(process.execPath, [join(ROOT, 'dist/ctl/torrentinoctl.js'), '--help'], {
    encoding: 'utf8',
    timeout: 20_000,
  }).stdout
  const verbs = new Set([...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, verb = '']) => verb))
  const shown = spans('README.md').flatMap((text) => /^torrentinoctl ([a-z]+)\b(?!\.)/.exec(text)?.[1] ?? [])

  it('shows every verb that exists, and no other', () => {
    expect(verbs.size).toBeGreaterThan(15)
    expect([...new Set(shown)].sort()).toEqual([...verbs].sort())
  })

  it('tells every exit status', () => {
    const codes = /Exit codes: ([^.]*)\./.exec(read('README.md').replace(/\s+/g, ' '))?.[1] ?? ''
    expect([...codes.matchAll(/(?:^|, )(\d)/g)].map(([, code]) => Number(code))).toEqual(Object.values(EXIT))
  })
})

const madeNow = await made()
/** It is part of Debian's groff-base. */
const hasGroff = spawnSync('groff', ['--version'], { timeout: 20_000 }).status === 0

describe('what is made from the code', () => {
  it.each(madeNow)('%s is as the code is; npm run docs writes it', (file, text) => {
    expect(read(file)).toBe(text)
  })

  it('docs/rpc.md has every method, notification, error and shape, and no type without a name', () => {
    const doc = read('docs/rpc.md')
    for (const name of [...Object.keys(contract), ...Object.keys(notifications)])
      expect(doc).toContain(`\n### ${name}\n`)
    for (const name of Object.keys(ERRORS)) expect(doc).toContain(`| \`${name}\` `)
    for (const { name } of SHAPES) expect(doc.split(`(#${name.toLowerCase()})`).length).toBeGreaterThan(1)
  })

  it('says of every field of a torrent and its parts what it is', () => {
    for (const shape of SHAPES.filter(({ name }) => name !== 'Daemon' && name !== 'Dht')) {
      const silent = fieldsOf(shape, commentsOf(shape.type)).filter(({ what }) => what === '')
      expect(silent, shape.name).toEqual([])
    }
  })

  it('torrentinoctl(1) has every verb and option', () => {
    const text = read('docs/man/torrentinoctl.1')
    for (const { usage, options } of commandTree().flatMap((group) => group.verbs)) {
      expect(text).toContain(`.B "${line(usage)}"`)
      for (const { name } of options) expect(text).toContain(line(`--${name}`))
    }
  })

  it.skipIf(!hasGroff)('groff reads the manual pages without a word', () => {
    for (const [file, text] of madeNow.filter(([name]) => name.startsWith('docs/man/'))) {
      const args = ['-man', '-Tutf8', '-ww', '-z']
      const { status, stderr } = spawnSync('groff', args, { input: text, encoding: 'utf8', timeout: 20_000 })
      expect({ file, status, stderr }).toEqual({ file, status: 0, stderr: '' })
    }
  })

  it('a manual page takes no word for a request, an escape or a sign', () => {
    expect(line('it\'s C:\\x --a,b ~/`b` "q"')).toBe(
      'it\\(aqs C:\\ex \\-\\-a,\\:b \\(ti/\\(gab\\(ga \\(dqq\\(dq',
    )
    expect(line('.torrent files')).toBe('\\&.torrent files')
  })

  it('docs/cli.md has every verb, and tells what --json of it prints', () => {
    for (const { name } of commandTree().flatMap((group) => group.verbs)) {
      expect(read('docs/cli.md')).toContain(`\n### ${name}\n`)
      expect(jsonOf(name), name).not.toEqual([])
    }
  })
})

it('docs/install.md types commands and options that exist', () => {
  const typed = [...read('docs/install.md').matchAll(/torrentinoctl ([a-z]+)((?: --?[\w-]+| [\w.]+)*)/g)]
  const verbs = commandTree().flatMap((group) => group.verbs)
  expect(typed.length).toBeGreaterThan(5)
  for (const [all, name = '', rest = ''] of typed) {
    const verb = verbs.find((each) => each.name === name)
    for (const [, option] of rest.matchAll(/--([\w-]+)/g))
      expect(
        verb?.options.map((each) => each.name),
        all,
      ).toContain(option)
    expect(verb, all).toBeDefined()
  }
})

it('docs/config.md has every setting', () => {
  for (const key of SETTING_KEYS) expect(spans('docs/config.md')).toContain(key)
})

it('docs/protocol.md has a row for each BEP, once, and proves what it calls done', () => {
  const beps = [3, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 23, 24, 27, 29, 31, 32, 33, 40, 41, 42]
  const more = [43, 44, 47, 48, 51, 52, 53, 54, 55]
  const rows = read('docs/protocol.md')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, bep = '']) => /^(\d+|MSE)$/.test(bep))
  expect(rows.map(([, bep]) => bep)).toEqual([...beps, ...more, 'MSE'].map(String))
  for (const [, bep, , state, , files = '', tests = ''] of rows) {
    expect(['done', 'partly', 'not yet'], bep).toContain(state)
    if (state === 'not yet') continue
    expect(files, bep).toMatch(/`(daemon|shared)\//)
    expect(tests, bep).toMatch(/`test\//)
  }
})

it('docs/architecture.md names classes and methods that exist', () => {
  const source = ['daemon', 'ctl'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => read(join(room, file))),
  )
  const named = spans('docs/architecture.md').flatMap((text) => {
    const [, owner = '', method = ''] = /^([A-Z]\w+)\.(#?\w+)$/.exec(text) ?? []
    return owner === '' || owner === 'Date' || owner === 'Math' ? [] : [{ owner, method }]
  })
  expect(named.length).toBeGreaterThan(10)
  const missing = named.filter(
    ({ owner, method }) =>
      !source.some(
        (text) => new RegExp(`(class|interface) ${owner}\\b`).test(text) && text.includes(`${method}(`),
      ),
  )
  expect(missing).toEqual([])
})

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closing } from '../support/closing-line.js'

describe('the closing line', () => {
  it.each([
    ['all is well', { passed: 3, failed: [], skipped: [] }, false, '3 passed, 0 failed', 0],
    ['one failed', { passed: 3, failed: ['a'], skipped: [] }, false, '3 passed, 1 failed', 1],
    ['one was skipped', { passed: 3, failed: [], skipped: ['a'] }, false, '3 passed, 0 failed, 1 skipped', 0],
    ['skips are forbidden', { passed: 3, failed: [], skipped: ['a'] }, true, '3 passed, 1 failed', 1],
    ['nothing ran', { passed: 0, failed: [], skipped: [] }, false, '0 passed, 1 failed', 1],
    ['the run died', null, false, '0 passed, 1 failed', 1],
  ])('where %s', (_, tally, noSkip, line, status) => {
    const said = closing(tally, noSkip)
    expect(said.lines.at(-1)).toBe(line)
    expect(said.status).toBe(status)
  })

  it('names what was skipped and what failed', () => {
    const { lines } = closing({ passed: 0, failed: ['x.test.ts > f'], skipped: ['x.test.ts > s'] }, false)
    expect(lines).toEqual([
      'Skipped:',
      '  x.test.ts > s',
      'Failed:',
      '  x.test.ts > f',
      '0 passed, 1 failed, 1 skipped',
    ])
  })
})

describe('a run of vitest', () => {
  const vitest = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
  const reporter = resolve(import.meta.dirname, '../support/closing-line.ts')
  let root = ''

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'torrentino-closing-'))
    const test = { globals: true, reporters: ['default', reporter] }
    writeFileSync(join(root, 'vitest.config.mjs'), `export default ${JSON.stringify({ test })}\n`)
  })

  afterEach(() => {
    rmSync(root, { recursive: true, force: true })
  })

  /** Runs the files; the last line that was printed, and the exit status. */
  function run(
    files: Readonly<Record<string, string>>,
    noSkip = '',
  ): { last: string; status: number | null } {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text)
    const ran = spawnSync(process.execPath, [vitest, 'run', '--root', root], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: root, TORRENTINO_NO_SKIP: noSkip },
      encoding: 'utf8',
    })
    return { last: ran.stdout.trimEnd().split('\n').at(-1) ?? '', status: ran.status }
  }

  it('counts what failed outside a test', () => {
    const files = {
      'good.test.mjs': "test('a', () => {})\ntest('b', () => { expect(1).toBe(2) })\n",
      'syntax.test.mjs': 'test(\n',
      'throws.test.mjs': "throw new Error('at load')\n",
      'hook.test.mjs':
        "describe('s', () => { afterAll(() => { throw new Error('x') }); test('in', () => {}) })\n",
      'loose.test.mjs': "test('c', async () => { void Promise.reject(new Error('loose')); await 0 })\n",
    }
    expect(run(files)).toEqual({ last: '3 passed, 5 failed', status: 1 })
  })

  it('passes with a skip, and fails where skips are forbidden', () => {
    const files = { 'skip.test.mjs': "test('a', () => {})\ntest.skip('b', () => {})\ntest.todo('c')\n" }
    expect(run(files)).toEqual({ last: '1 passed, 0 failed, 2 skipped', status: 0 })
    expect(run(files, '1')).toEqual({ last: '1 passed, 2 failed', status: 1 })
  })

  it('fails where no test is found', () => {
    expect(run({})).toEqual({ last: '0 passed, 1 failed', status: 1 })
  })
})

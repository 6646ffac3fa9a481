/**
 * Prints `N passed, N failed` (and `, N skipped` where any) as the last line of a run. A file that does not load,
 * a hook that throws, an error outside every test and a run without tests count as failed, and so does every
 * skipped test where TORRENTINO_NO_SKIP=1.
 */
import type { Reporter, SerializedError, TestModule, TestSuite } from 'vitest/node'

interface Tally {
  passed: number
  /** One line each. */
  readonly failed: string[]
  readonly skipped: string[]
}

/** The default export: vitest makes a reporter that is given by path from it. */
export default class ClosingLine implements Reporter {
  /** Null until the run has ended: a run that dies before that is a failure of its own. */
  private tally: Tally | null = null

  onInit(): void {
    // At exit, because vitest and its other reporters still write after their last hook.
    process.once('exit', () => {
      const { lines, status } = closing(this.tally, process.env['TORRENTINO_NO_SKIP'] === '1')
      process.stdout.write(`${lines.join('\n')}\n`)
      if (status !== 0) process.exitCode = status
    })
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const tally: Tally = { passed: 0, failed: [], skipped: [] }
    for (const module of modules) count(module, tally)
    for (const error of errors) tally.failed.push(`an error outside every test: ${error.message}`)
    this.tally = tally
  }
}

/** What to print, the closing line last, and the status the run must end with if it would have been 0. */
export function closing(tally: Tally | null, noSkip: boolean): { lines: string[]; status: number } {
  const { passed, failed, skipped } = tally ?? { passed: 0, failed: ['the run did not end'], skipped: [] }
  const lines: string[] = []
  const none = passed + failed.length + skipped.length === 0
  if (none) lines.push('No test ran, and that is a failure.')
  if (skipped.length > 0)
    lines.push(noSkip ? 'Skipped, which is forbidden here:' : 'Skipped:', ...indent(skipped))
  if (failed.length > 0) lines.push('Failed:', ...indent(failed))
  const failures = failed.length + (noSkip ? skipped.length : 0) + (none ? 1 : 0)
  const rest = noSkip || skipped.length === 0 ? '' : `, ${skipped.length} skipped`
  return { lines: [...lines, `${passed} passed, ${failures} failed${rest}`], status: failures > 0 ? 1 : 0 }
}

function indent(names: readonly string[]): string[] {
  return names.map((name) => `  ${name}`)
}

function count(module: TestModule, tally: Tally): void {
  const file = module.relativeModuleId
  for (const error of module.errors()) tally.failed.push(`${file}: ${error.message}`)
  for (const suite of module.children.allSuites()) hooks(suite, file, tally)
  for (const test of module.children.allTests()) {
    const name = `${file} > ${test.fullName}`
    const { state } = test.result()
    if (state === 'passed') tally.passed += 1
    else if (state === 'skipped') tally.skipped.push(name)
    else tally.failed.push(state === 'failed' ? name : `${name}: never ran`)
  }
}

function hooks(suite: TestSuite, file: string, tally: Tally): void {
  for (const error of suite.errors()) tally.failed.push(`${file} > ${suite.fullName}: ${error.message}`)
}

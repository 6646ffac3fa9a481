/** A native module that does not fit the Node that runs is told in one sentence, and is no bug of ours. */
import { expect, it } from 'vitest'
import { faultOf } from '../../daemon/db/sqlite.js'

const SENTENCE =
  'its driver, better-sqlite3, is not built for this Node; install torrentino again, or run "npm rebuild better-sqlite3"'

it.each([
  // As Node says it, for another ABI and for another processor.
  Object.assign(
    new Error("The module '/x/better_sqlite3.node'\nwas compiled against a different Node.js version"),
    {
      code: 'ERR_DLOPEN_FAILED',
    },
  ),
  Object.assign(new Error('/x/better_sqlite3.node: invalid ELF header'), { code: 'ERR_DLOPEN_FAILED' }),
  // As `bindings` says it, where npm ran no install scripts.
  new Error('Could not locate the bindings file. Tried:\n → /x/build/better_sqlite3.node'),
])('%s', (error) => {
  expect(faultOf(error)).toEqual({ code: 'DRIVER', message: SENTENCE })
})

it('any other error with a code of Node is a bug, and tells where it was', () => {
  const { code, message } = faultOf(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }))
  expect(code).toBe('BUG')
  expect(message).toContain('db-driver.test.ts')
})

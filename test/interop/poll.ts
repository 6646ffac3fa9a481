import { setTimeout as sleep } from 'node:timers/promises'

export interface PollInit {
  /** Said when it did not come true, with the last thing seen. */
  readonly what: string
  /** Milliseconds. */
  readonly timeout: number
  /** Milliseconds between looks; 200 where left out. */
  readonly every?: number
}

/**
 * Looks until `check` gives something other than null, undefined or false; errors of a look count as "not yet".
 * Processes of others tell nobody when they are ready: looking is all there is.
 */
export async function poll<T>(
  init: PollInit,
  check: () => Promise<T | null | undefined | false>,
): Promise<T> {
  const end = Date.now() + init.timeout
  let last: unknown = 'no answer'
  while (Date.now() < end) {
    try {
      const seen = await check()
      if (seen !== null && seen !== undefined && seen !== false) return seen
      last = 'not yet'
    } catch (error) {
      last = error
    }
    await sleep(init.every ?? 200)
  }
  throw new Error(`${init.what}: not within ${init.timeout} ms (${String(last)})`)
}

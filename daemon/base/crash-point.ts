/**
 * Named places at which a test kills the daemon: nothing, unless the environment variable TORRENTINO_CRASH_AT has a
 * name, or `name:n` for the n-th time. What a place is called is said where it is.
 */
export type CrashPoint = (name: string) => void

const inert: CrashPoint = () => undefined

/** `wanted` is the variable; `kill` ends the process at once, as kill -9 does. */
export function crashPointOf(wanted: string | undefined, kill: () => void): CrashPoint {
  if (wanted === undefined || wanted === '') return inert
  const [at, times = '1'] = wanted.split(':')
  let left = Number(times)
  return (name) => {
    if (name === at && --left === 0) kill()
  }
}

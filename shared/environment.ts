/**
 * Variables that every daemon is started with. Who reads them does so before any code of ours runs: set from inside,
 * they come too late.
 */

/** For libuv: name lookups and the files of the log share this pool, and a slow one must not hold the other up. */
const POOL = { UV_THREADPOOL_SIZE: '8' }

/**
 * For glibc: a buffer of 64 KiB or more comes from the system and goes back to it. Else large ones come to lie between
 * small ones that stay, and the heap of a daemon that runs for weeks grows around them (docs/reliability.md).
 */
const GLIBC = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' }

/**
 * For V8: the nursery of each thread stays at its first MiB. Set from inside (daemon/io/v8.ts) it holds only until the
 * next thread is made, and what the main thread's has grown to by then, 32 MiB at most, it keeps.
 */
const NURSERY = { NODE_OPTIONS: '--max-semi-space-size=1' }

export function daemonVariables(platform: NodeJS.Platform): Readonly<Record<string, string>> {
  return platform === 'linux' ? { ...POOL, ...NURSERY, ...GLIBC } : { ...POOL, ...NURSERY }
}

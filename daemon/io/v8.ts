/**
 * Settings of V8 for a process that runs for weeks on little. Imported first: they hold for what is made later. They
 * are the process's, so the threads inherit them.
 *
 * What is allocated later is little and short-lived, yet V8 lets its nursery grow to 32 MB a thread. Kept at its first
 * size it costs no measurable time here, and the daemon stays small. Who starts a daemon says so in NODE_OPTIONS
 * (shared/environment.ts); this here is for one that was started by hand. V8 sets it back to 2 whenever it makes an
 * isolate, so it is set anew for each thread, and the main thread's nursery may grow in between.
 *
 * A new thread's first full collection comes at 8 MiB, where V8 would let its garbage gather for ten minutes. The next
 * ones come when the heap is half as large again as what the last one left. V8 itself waits for four times as much where
 * collecting is cheap: 20,000 small files took 252 MB in place of 190, for a twentieth of their CPU.
 *
 * Code is optimized once it has run six times as long as V8 would have it: what is known of it by then is what stays
 * true, so that fewer functions are compiled, and few of them twice. From V8 12 on (Node 22) calls are counted instead,
 * to a limit that is as patient by itself.
 */
import { subscribe } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'

/** Bytes of bytecode that a function runs before it is optimized; V8 11 has 67,584. */
const INTERRUPT_BUDGET = 400_000
/** MiB of a thread's heap before its first full collection. */
const FIRST_OLD_SPACE = 8
/** Percent that a heap grows by, over what the last full collection left, before the next. */
const GROWTH = 50
const COUNTS_BYTECODE = Number.parseInt(process.versions.v8, 10) < 12

function keepNurserySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

setFlagsFromString(`--initial-old-space-size=${String(FIRST_OLD_SPACE)}`)
setFlagsFromString(`--heap-growing-percent=${String(GROWTH)}`)
if (COUNTS_BYTECODE) setFlagsFromString(`--interrupt-budget=${String(INTERRUPT_BUDGET)}`)
keepNurserySmall()
subscribe('worker_threads', (message) => {
  const { worker } = message as { readonly worker?: unknown }
  if (worker instanceof Worker) worker.once('online', keepNurserySmall)
})

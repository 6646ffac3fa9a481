/**
 * Imported first: what is allocated later is little and short-lived, yet V8 lets its nursery grow to 32 MB a thread.
 * Kept at its first size it costs no measurable time here, and the daemon stays small. Flags are the process's: the
 * threads inherit it. V8 sets this one back to 2 whenever it makes an isolate, so it is set anew for each thread.
 */
import { subscribe } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'

function keepNurserySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

keepNurserySmall()
subscribe('worker_threads', (message) => {
  const { worker } = message as { readonly worker?: unknown }
  if (worker instanceof Worker) worker.once('online', keepNurserySmall)
})

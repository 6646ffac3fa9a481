/** Entry of a thread that hashes for checks, behind everything else that wants the processor. */
import { setPriority } from 'node:os'
import { Digester } from './digester.js'
import type { DigestJobs } from './jobs.js'
import { serve } from './serve.js'

const NICE = 10

// Linux counts niceness by thread; elsewhere this would slow the whole process down.
if (process.platform === 'linux') {
  try {
    setPriority(NICE)
  } catch {
    // A sandbox may forbid it; then a check is only less polite.
  }
}

serve<DigestJobs>(new Digester().handlers)

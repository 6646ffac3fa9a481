#!/usr/bin/env node
/** The first file of `torrentinod`: what must hold before the rest is even read. */
import './io/v8.js'

// Nothing has begun yet: there is nothing to end.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))

await import('./program.js')

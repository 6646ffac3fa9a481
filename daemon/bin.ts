#!/usr/bin/env node
/** The first file of `torrentinod`: what must hold before the rest is even read. */
import './io/v8.js'

await import('./program.js')

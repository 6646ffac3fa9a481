/**
 * Imported first: what is allocated later is little and short-lived, yet V8 lets its nursery grow to 32 MB a thread.
 * Kept at its first size it costs no measurable time here, and the daemon stays small. Flags are the process's: the
 * threads inherit it.
 */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--semi-space-growth-factor=1')

/** Refused system calls as values. Worker side. */
import * as fs from 'node:fs'
import type { DiskFault } from '../ports/disk.js'

export type Operation = 'open' | 'read' | 'write' | 'sync' | 'rename' | 'mkdir' | 'unlink' | 'stat'

/** A refused call on its way up inside a worker; it never leaves it as an exception. */
export class FaultError extends Error {
  constructor(readonly fault: DiskFault) {
    super(`${fault.code}: ${fault.operation} ${fault.path}`)
  }
}

export function refuse(code: string, operation: Operation, path: string): never {
  throw new FaultError({ code, operation, path })
}

/** Runs a system call; what it refuses becomes a FaultError, what is not a refusal is a bug and passes. */
export function attempt<T>(operation: Operation, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    const code = codeOf(error)
    if (code === null) throw error
    return refuse(code, operation, path)
  }
}

/** Runs it; answers the fault, or null when all went well. */
export function faultOf(run: () => void): DiskFault | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof FaultError) return error.fault
    throw error
  }
}

/** Runs it; null when the call was refused with one of these codes. */
export function unless<T>(codes: readonly string[], run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (error instanceof FaultError && codes.includes(error.fault.code)) return null
    throw error
  }
}

/** Node's own argument errors (ERR_...) are bugs, not refusals. */
function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return error.code.startsWith('ERR_') ? null : error.code
}

export function closing<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd)
  } finally {
    fs.closeSync(fd)
  }
}

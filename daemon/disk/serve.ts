/**
 * The worker's end of a thread: does what is asked, in order, and answers each. Jobs come several to a message, and
 * answers go back so, unless the jobs take long: who waits for the first need not wait for the last.
 */
import { performance } from 'node:perf_hooks'
import { parentPort } from 'node:worker_threads'
import type { Envelope, Handlers, Table } from './jobs.js'

/** Answers are held back no longer than this, in ms. */
const HOLD = 1

export function serve<J extends Table<J>>(handlers: Handlers<J>): void {
  const port = parentPort
  if (port === null) throw new Error('this file is the entry of a worker thread')
  port.on('message', (messages: readonly Envelope<J>[]) => {
    let answers: unknown[] = []
    let since = performance.now()
    for (const { kind, ask } of messages) {
      answers.push(handlers[kind](ask))
      const now = performance.now()
      if (now - since < HOLD && answers.length < messages.length) continue
      port.postMessage(answers)
      answers = []
      since = now
    }
    if (answers.length > 0) port.postMessage(answers)
    if (messages.at(-1)?.kind === 'stop') port.close()
  })
}

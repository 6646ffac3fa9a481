/** The worker's end of a thread: does what is asked, in order, and answers each. */
import { parentPort } from 'node:worker_threads'
import type { Envelope, Handlers, Table } from './jobs.js'

export function serve<J extends Table<J>>(handlers: Handlers<J>): void {
  const port = parentPort
  if (port === null) throw new Error('this file is the entry of a worker thread')
  port.on('message', (message: Envelope<J>) => {
    const handler = handlers[message.kind]
    port.postMessage(handler(message.ask))
    if (message.kind === 'stop') port.close()
  })
}

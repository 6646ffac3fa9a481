/** The store's thread: takes the lock, opens the database (or makes that of the next start), then serves calls. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { carrierOf } from './carrier.js'
import { lookoutOf } from './lookout.js'
import { openDatabase, toolsOf } from './open.js'
import { placesOf } from './places.js'
import type { ThreadInit, ToThread } from './protocol.js'
import { stageRestore } from './recovery.js'
import { Reserve } from './reserve.js'
import { Server, type ThreadPort } from './serve.js'
import { type Connection, factsOf, faultOf, takeLock } from './sqlite.js'

const elapsed = (): number => performance.now()
const now = (): number => Date.now()

function portOfThread(): ThreadPort {
  const port = parentPort
  if (port === null) throw new Error('the store runs in a worker thread')
  return {
    post: (message) => {
      port.postMessage(message)
    },
    next: () => (receiveMessageOnPort(port) as { message: ToThread } | undefined)?.message,
    onMessage: (listener) => {
      port.on('message', listener)
    },
    end: () => {
      port.close()
    },
  }
}

function start(init: ThreadInit): void {
  const port = portOfThread()
  let lock: Connection | null = null
  try {
    lock = takeLock(init.lockFile)
    if (init.restore === null) serve(init, port, lock)
    else {
      stageRestore(toolsOf(init, { now }), init.restore)
      lock.close()
      port.post({ kind: 'stored' })
      port.end()
    }
  } catch (error) {
    lock?.close()
    port.post({ kind: 'refused', ...faultOf(error) })
    port.end()
  }
}

function serve(init: ThreadInit, port: ThreadPort, lock: Connection): void {
  const reserve = new Reserve(placesOf(init.file).reserve, elapsed)
  const opened = openDatabase(init, { now, reserve })
  port.post({ kind: 'opened', facts: factsOf(opened.db), notice: opened.notice })
  const soon = (call: () => void): void => void setImmediate(call)
  const after = (delay: number, call: () => void): (() => void) => {
    const timer = setTimeout(call, delay).unref()
    return () => {
      clearTimeout(timer)
    }
  }
  const end = (): void => void process.kill(process.pid, 'SIGKILL')
  const wake = lookoutOf(init.lookout, { sql: opened.sql, after, now, end })
  new Server(port, opened, { lock, reserve, elapsed, soon, after, carry: carrierOf(after), wake }).begin()
}

start(workerData as ThreadInit)

/** The journal of the daemon, read on from a number: past events, and those to come, through its restarts. */
import { setTimeout as delay } from 'node:timers/promises'
import type { EventView } from '../shared/rpc/contract.js'
import type { Client } from './client.js'
import type { Context } from './context.js'
import { EXIT, Failure } from './exit.js'

const PAGE = 500
/** Milliseconds until the next look for a daemon that went away. */
const LOOK_EVERY = 500

export interface Reading {
  /** Events after this number. */
  readonly after: number
  /** The most of them; Infinity: all. */
  readonly limit: number
  readonly show: (event: EventView) => void
}

/** The number of the newest event. */
export async function newestEvent(client: Client): Promise<number> {
  return (await client.call('events.subscribe', {})).seq
}

/** Shows what there is now; the number of the last one shown. */
export async function readEvents(client: Client, { after, limit, show }: Reading): Promise<number> {
  let last = after
  for (let left = limit; left > 0;) {
    const page = await client.call('events.since', { seq: last, limit: Math.min(PAGE, left) })
    for (const event of page.events) {
      show(event)
      last = event.seq
    }
    left -= page.events.length
    if (!page.more || page.events.length === 0) break
  }
  return last
}

/** Ways to the daemon of a follower. */
export interface Followed {
  /** Null where nobody answers. */
  readonly connect: () => Promise<Client | null>
  /** Resolves when it is to end. */
  readonly stop: Promise<'stop'>
}

/**
 * Shows what comes until `stop`. A notification only says that there is something to read: what is shown comes from
 * the journal itself, in order and each once, whatever was missed.
 */
export async function followEvents(
  context: Context,
  first: Client,
  reading: Reading,
  { connect, stop }: Followed,
): Promise<void> {
  let client: Client | null = first
  let last = reading.after
  for (;;) {
    const read: Outcome = await followOne(client, { ...reading, after: last }, stop, client !== first)
    last = read.last
    client.close()
    if (read.end === 'stop') return
    context.note('torrentinod went away; it is waited for\n')
    client = await connectAgain(connect, stop)
    if (client === null) return
  }
}

interface Outcome {
  readonly end: 'stop' | 'gone'
  readonly last: number
}

async function followOne(
  client: Client,
  reading: Reading,
  stop: Promise<'stop'>,
  again: boolean,
): Promise<Outcome> {
  let last = reading.after
  let wake = (): void => undefined
  let news = Promise.resolve()
  const arm = (): void => {
    news = new Promise((resolve) => (wake = resolve))
  }
  const gone = client.gone.then(() => 'gone' as const)
  client.on('event', () => wake())
  client.on('gap', () => wake())
  const show = (event: EventView): void => {
    reading.show(event)
    last = event.seq
  }
  try {
    arm()
    const newest = await newestEvent(client)
    // A journal that is behind what was shown is an older one, out of a backup: it is read from where it stands.
    if (again && newest < last) last = newest
    for (;;) {
      await readEvents(client, { after: last, limit: Infinity, show })
      const end = await Promise.race([stop, gone, news])
      if (end !== undefined) return { end, last }
      arm()
    }
  } catch (error) {
    if (!isAway(error)) throw error
    return { end: 'gone', last }
  }
}

/** Null: it is to end. */
async function connectAgain(connect: Followed['connect'], stop: Promise<'stop'>): Promise<Client | null> {
  for (;;) {
    const end = await Promise.race([stop, delay(LOOK_EVERY, null)])
    if (end === 'stop') return null
    try {
      const client = await connect()
      if (client !== null) return client
    } catch (error) {
      if (!isAway(error)) throw error
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof Failure && error.exit === EXIT.noDaemon
}

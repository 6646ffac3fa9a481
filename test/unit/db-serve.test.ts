/** The store's thread at work, without the thread: backups that fail, and files that never answer. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Carrier, carrierOf } from '../../daemon/db/carrier.js'
import type { FromThread, ToThread } from '../../daemon/db/protocol.js'
import { Reserve } from '../../daemon/db/reserve.js'
import { Server, type ServeTools, type ThreadPort } from '../../daemon/db/serve.js'
import type { OpenedDatabase } from '../../daemon/db/open.js'
import { FakeClock } from '../support/fake-clock.js'
import { copyUnclosed, DatabaseKit, NOON, realTorrent } from '../support/database-kit.js'

const kit = new DatabaseKit()
const MINUTE = 60_000
const never: Carrier = () => ({ done: new Promise(() => undefined), abandon: () => undefined })

let home: string
beforeEach(() => {
  home = kit.folder()
})

class Thread {
  readonly clock = new FakeClock(NOON)
  readonly told: FromThread[] = []
  readonly opened: OpenedDatabase
  tell: (message: ToThread) => void = () => undefined
  #writes = 0

  constructor(
    carry: Carrier = never,
    readonly dir = home,
    soon: (call: () => void) => void = () => undefined,
  ) {
    this.opened = kit.open(dir, { now: () => this.clock.wall() })
    const port: ThreadPort = {
      post: (message) => this.told.push(message),
      next: () => undefined,
      onMessage: (listener) => (this.tell = listener),
      end: () => undefined,
    }
    const tools: ServeTools = {
      lock: this.opened.db,
      reserve: new Reserve(join(dir, 'reserve'), () => 0),
      elapsed: () => this.clock.now(),
      soon,
      after: (delay, call) => this.clock.after(delay, call),
      carry,
      wake: () => undefined,
    }
    new Server(port, this.opened, tools).begin()
  }

  write(): void {
    const name = `t${String((this.#writes += 1))}`
    this.tell({
      kind: 'call',
      request: { id: 1000 + this.#writes, method: 'add', args: [realTorrent(name)] },
    })
  }

  /** Lets the copy of a backup come to its end, which takes turns of the real loop. */
  async until(what: () => boolean): Promise<void> {
    const end = performance.now() + 20_000
    while (!what()) {
      if (performance.now() > end) throw new Error(`never: ${what.toString()}`)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  get backup(): string | null {
    const states = this.told.flatMap((message) => (message.kind === 'state' ? [message.state] : []))
    return states.at(-1)?.backup ?? null
  }
}

describe('a daily backup that cannot be made', () => {
  it('is told of once, tried later each time, and not at each write', async () => {
    // A file is in the way of the folder.
    writeFileSync(join(home, 'backups'), '')
    const thread = new Thread()
    thread.write()
    thread.clock.advance(10 * MINUTE)
    expect(thread.backup).toContain('backups')
    const tries = [10, 20, 40, 80]
    for (const minutes of tries) {
      thread.write()
      expect(thread.clock.untilNext).toBe(minutes * MINUTE)
      thread.clock.advance(minutes * MINUTE)
      thread.write()
    }
    thread.clock.advance(30 * 24 * 60 * MINUTE)
    expect(thread.clock.untilNext).toBeLessThanOrEqual(24 * 60 * MINUTE)
    expect(thread.told.filter(({ kind }) => kind === 'state')).toHaveLength(1)
    rmSync(join(home, 'backups'))
    thread.clock.advance(24 * 60 * MINUTE)
    await thread.until(() => thread.backup === null)
    expect(thread.clock.pending).toBe(0)
    thread.opened.db.close()
  })
})

it('a note that a kill left older than its row is written anew by the next start, and the others stay', () => {
  const first = new Thread(never, home, (call) => {
    call()
  })
  first.write()
  first.write()
  first.opened.db.close()
  const killed = new Thread()
  const label = { torrent: 2 as never, labels: ['kept'] }
  killed.tell({ kind: 'call', request: { id: 1, method: 'setLabels', args: [[label]] } })
  const copy = kit.folder()
  copyUnclosed(home, copy)
  killed.opened.db.close()
  const notes = (): string[] => readdirSync(join(copy, 'torrents')).filter((name) => name.endsWith('.json'))
  const inodes = (): bigint[] =>
    notes().map((name) => statSync(join(copy, 'torrents', name), { bigint: true }).ino)
  const labelled = (): number =>
    notes().filter((name) => readFileSync(join(copy, 'torrents', name), 'utf8').includes('"kept"')).length
  const before = inodes()
  expect(labelled()).toBe(0)
  const again = new Thread(never, copy, (call) => {
    call()
  })
  expect(labelled()).toBe(1)
  expect(inodes().filter((ino) => before.includes(ino))).toHaveLength(1)
  again.opened.db.close()
})

it('waits a quarter of a second for a stranger who holds the database, and no longer', () => {
  const { db } = kit.open(home)
  expect(db.pragma('busy_timeout', { simple: true })).toBe(250)
  db.close()
})

describe('a file that a person names and that never answers', () => {
  it.each(['backup', 'restore'] as const)('holds no other call and not the end (%s)', async (kind) => {
    const asked: string[] = []
    const thread = new Thread((ask) => {
      asked.push(ask.way)
      return never(ask)
    })
    thread.tell({ kind, id: 1, path: '/dead/list.db' })
    await thread.until(() => asked.length === 1)
    thread.write()
    expect(thread.told).toContainEqual({ kind: 'answer', id: 1001, value: 1 })
    thread.tell({ kind, id: 2, path: '/dead/list.db' })
    await thread.until(() => thread.told.some((message) => message.kind === 'fault' && message.id === 2))
    thread.tell({ kind: 'close' })
    await thread.until(() => thread.told.at(-1)?.kind === 'closed')
  })

  it.each([
    ['put', '/dead/list.db'],
    ['take', '/dead/list.db'],
  ] as const)('is given up after 20 s without a word, with a sentence (%s)', async (way, path) => {
    const waits: number[] = []
    const carry = carrierOf((delay, call) => {
      waits.push(delay)
      call()
      return () => undefined
    })
    const [from, to] = way === 'put' ? ['/home/x', path] : [path, '/home/x']
    await expect(carry({ way, from, to, own: '' }).done).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: '/dead/list.db does not answer; see whether its volume is well, or name another file',
    })
    expect(waits).toEqual([20_000])
  })

  it('leaves nothing in the home when it was given up', async () => {
    const gone: Carrier = () => ({
      done: Promise.reject(new Error('gone')),
      abandon: () => undefined,
    })
    const thread = new Thread(gone)
    thread.tell({ kind: 'backup', id: 1, path: '/dead/list.db' })
    await thread.until(() => thread.told.some(({ kind }) => kind === 'fault'))
    expect(existsSync(thread.opened.tools.places.outgoing)).toBe(false)
    thread.opened.db.close()
  })
})

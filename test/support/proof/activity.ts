/** Commands at random to a daemon, written down in a ledger: adds, pauses, checks and removals, some at once. */
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import type { Daemon } from '../daemon.js'
import type { FakeRandom } from '../fake-random.js'
import type { Entry, Ledger } from './ledger.js'

export interface ActivityInit {
  readonly daemon: Daemon
  readonly ledger: Ledger
  readonly random: FakeRandom
  /** Where downloads go, as the daemon sees it; each add gets a folder of its own in it. */
  readonly down: string
  /** Some removals leave the data; where there is no room for that, none does. */
  readonly leaves?: boolean
}

/** Milliseconds between two looks at the list. */
const LOOK = 40

export class Activity {
  /** No call is made any more. */
  #over = false
  /** What a call failed with before the end. */
  #failure: Error | null = null
  /** Torrents with a call on its way. */
  readonly #busy = new Set<Entry>()
  readonly #init: ActivityInit

  constructor(init: ActivityInit) {
    this.#init = init
    this.#go(() => this.#act())
    this.#go(() => this.#look())
  }

  /** From now on nothing is asked; what is on its way stays unanswered in the ledger. Throws where a call failed. */
  stop(): void {
    this.#over = true
    if (this.#failure !== null) throw this.#failure
  }

  /** A call that fails because its daemon was killed ends its loop. */
  #go(loop: () => Promise<void>): void {
    loop().catch((error: unknown) => {
      if (this.#over) return
      this.#over = true
      this.#failure = error instanceof Error ? error : new Error(String(error))
    })
  }

  async #look(): Promise<void> {
    while (!this.#over) {
      const { torrents } = await this.#init.daemon.call('torrent.list', {})
      if (this.#isOver()) return
      for (const view of torrents) {
        const entry = this.#init.ledger.entries.find(({ torrent }) => torrent.made.infoHash === view.infoHash)
        if (entry?.presence === 'there') this.#init.ledger.saw(entry, view)
      }
      await delay(LOOK)
    }
  }

  async #act(): Promise<void> {
    const { ledger, random } = this.#init
    while (!this.#over) {
      const free = ledger.entries.filter((entry) => !this.#busy.has(entry) && entry.presence !== 'removing')
      const entry = free[random.int(free.length)]
      if (entry !== undefined) {
        this.#busy.add(entry)
        this.#go(() => this.#actOn(entry).finally(() => this.#busy.delete(entry)))
      }
      await delay(10 + random.int(150))
    }
  }

  async #actOn(entry: Entry): Promise<void> {
    const chance = this.#init.random.float()
    if (entry.presence !== 'there') await this.#add(entry)
    else if (entry.desired === 'paused') await this.#want(entry, 'running')
    else if (chance < 0.1) await this.#remove(entry, true)
    else if (chance < 0.13) await this.#remove(entry, this.#init.leaves === false)
    else if (chance < 0.3) await this.#want(entry, 'paused')
    else if (chance < 0.34) await this.#init.daemon.call('torrent.verify', { ids: [entry.id] })
  }

  async #add(entry: Entry): Promise<void> {
    const { daemon, down, random } = this.#init
    const { torrent } = entry
    // Where it lay before, at times: what was left there must be found.
    const again = entry.dir !== '' && random.float() < 0.5
    const dir = again ? entry.dir : join(down, `${torrent.made.name} ${String(random.int(1_000_000))}`)
    torrent.seeder.forget()
    Object.assign(entry, { presence: 'adding', desired: 'running', dir, shown: 0, recorded: new Set() })
    const { id } = await daemon.call('torrent.add', { metainfo: torrent.metainfo, dir })
    if (this.#isOver()) return
    entry.id = id
    entry.presence = 'there'
  }

  async #want(entry: Entry, desired: 'running' | 'paused'): Promise<void> {
    const method = desired === 'paused' ? 'torrent.pause' : 'torrent.resume'
    entry.desired = null
    const { durable } = await this.#init.daemon.call(method, { ids: [entry.id] })
    if (!this.#isOver() && durable) entry.desired = desired
  }

  async #remove(entry: Entry, data: boolean): Promise<void> {
    entry.presence = 'removing'
    const { results } = await this.#init.daemon.call('torrent.remove', { ids: [entry.id], data, now: true })
    if (this.#isOver()) return
    entry.presence = results[0]?.ok === true ? 'absent' : 'there'
  }

  #isOver(): boolean {
    return this.#over
  }
}

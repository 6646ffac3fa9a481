/** A swarm of several clients fed by one seed that does not stay. */
import type { MadeTorrent } from '../support/make-torrent.js'
import type { Client, PeerBytes } from './clients/client.js'
import { poll } from './poll.js'

/** Sums what a client counts by connection into what it counts by host: a new connection starts at zero. */
export class Ledger {
  /** Sums of ended connections and the last count of the living one, by host. */
  readonly #hosts = new Map<string, { past: PeerBytes; now: PeerBytes }>()

  feed(rows: readonly PeerBytes[]): void {
    for (const row of rows) {
      const known = this.#hosts.get(row.host) ?? { past: zero(row.host), now: zero(row.host) }
      const again = row.downloaded < known.now.downloaded || row.uploaded < known.now.uploaded
      this.#hosts.set(row.host, { past: again ? plus(known.past, known.now) : known.past, now: row })
    }
  }

  with(host: string): PeerBytes {
    const known = this.#hosts.get(host)
    return known === undefined ? zero(host) : plus(known.past, known.now)
  }
}

const zero = (host: string): PeerBytes => ({ host, downloaded: 0, uploaded: 0 })

const plus = (a: PeerBytes, b: PeerBytes): PeerBytes => ({
  host: a.host,
  downloaded: a.downloaded + b.downloaded,
  uploaded: a.uploaded + b.uploaded,
})

export interface SwarmInit {
  readonly torrent: MadeTorrent
  readonly seed: Client
  readonly members: readonly Client[]
  /** The member whose counters of each peer are kept. */
  readonly watched: Client
  /** The seed leaves when it has sent so many times the content. */
  readonly copies: number
  /** Milliseconds for everything. */
  readonly timeout: number
}

export interface SwarmOutcome {
  readonly ledger: Ledger
  /** Payload bytes the seed had sent when it left. */
  readonly seedSent: number
  /** Seconds until each member had everything, by name. */
  readonly finished: ReadonlyMap<string, number>
}

/** The members have the torrent added already. Rejects, with each one's progress, when time runs out. */
export async function runSwarm(init: SwarmInit): Promise<SwarmOutcome> {
  const { torrent, seed, members } = init
  const start = Date.now()
  const ledger = new Ledger()
  const finished = new Map<string, number>()
  let seedSent = 0
  let left = false
  let progress = ''

  const round = async (): Promise<boolean> => {
    if (!left) {
      seedSent = (await seed.transfer(torrent)).uploaded
      if (seedSent >= init.copies * torrent.totalBytes) {
        await seed.stop()
        left = true
      }
    }
    ledger.feed((await init.watched.peers(torrent)) ?? [])
    const states = await Promise.all(members.map((member) => member.transfer(torrent)))
    members.forEach((member, index) => {
      if (states[index]?.progress === 1 && !finished.has(member.name)) {
        finished.set(member.name, (Date.now() - start) / 1000)
      }
    })
    progress = members.map((member, index) => `${member.name} ${states[index]?.progress}`).join(', ')
    return left && finished.size === members.length
  }
  await poll({ what: 'the swarm finishes', timeout: init.timeout, every: 300 }, round).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}; seed sent ${seedSent} of ${torrent.totalBytes}; ${progress}`)
    },
  )
  return { ledger, seedSent, finished }
}

/** A swarm of several clients fed by one seed that does not stay. */
import type { MadeTorrent } from '../support/make-torrent.js'
import type { Client, PeerBytes } from './clients/client.js'
import type { LibtorrentClient } from './clients/libtorrent.js'
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
  /** Super-seeding (BEP 16): a plain seed has not given away every piece after 1.2 copies, whoever asks it. */
  readonly seed: LibtorrentClient
  readonly members: readonly Client[]
  /** The member whose counters of each peer are kept. */
  readonly watched: Client
  /** The seed leaves when every piece is with somebody else, and at the latest after so many copies. */
  readonly copies: number
  /** Milliseconds for everything. */
  readonly timeout: number
}

export interface SwarmOutcome {
  readonly ledger: Ledger
  /** Payload bytes the seed had sent when it left. */
  readonly seedSent: number
  /** Bytes all the members together still lacked then. */
  readonly lacked: number
  /** Seconds until each member had everything, by address. */
  readonly finished: ReadonlyMap<string, number>
}

/** The members have the torrent added already. Rejects, with each one's progress, when time runs out. */
export async function runSwarm(init: SwarmInit): Promise<SwarmOutcome> {
  const { torrent, members } = init
  const start = Date.now()
  const ledger = new Ledger()
  const finished = new Map<string, number>()
  let left: { sent: number; lacked: number } | undefined
  let story = ''

  const round = async (): Promise<boolean> => {
    const progress = await Promise.all(members.map(async (each) => (await each.transfer(torrent)).progress))
    story = members.map((member, index) => `${member.name} ${progress[index]}`).join(', ')
    if (left === undefined) {
      const sent = await seedMayLeave(init, progress.includes(1))
      if (sent !== null) {
        await init.seed.stop()
        left = { sent, lacked: progress.reduce((sum, part) => sum + (1 - part) * torrent.totalBytes, 0) }
      }
    }
    ledger.feed((await init.watched.peers(torrent)) ?? [])
    members.forEach((member, index) => {
      if (progress[index] === 1 && !finished.has(member.address)) {
        finished.set(member.address, (Date.now() - start) / 1000)
      }
    })
    return left !== undefined && finished.size === members.length
  }

  await poll({ what: 'the swarm finishes', timeout: init.timeout, every: 300 }, round).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}; the seed left after ${left?.sent ?? '-'}; ${story}`)
    },
  )
  return { ledger, seedSent: left?.sent ?? 0, lacked: left?.lacked ?? 0, finished }
}

/** The bytes the seed has sent if it has done its part, or null. */
async function seedMayLeave(init: SwarmInit, someoneHasAll: boolean): Promise<number | null> {
  const { seed, torrent, copies } = init
  const sent = (await seed.transfer(torrent)).uploaded
  const out = await seed.piecesOut(torrent)
  return someoneHasAll || out === torrent.pieceCount || sent >= copies * torrent.totalBytes ? sent : null
}

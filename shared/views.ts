/** What is shown of a torrent, its parts and the daemon: the shapes that cross the socket. */
import type { Bytes, FileIndex, Millis, Rate, TorrentId } from './units.js'

/** The user's word, durable. */
export type Desired = 'running' | 'forced' | 'paused' | 'removed' | 'removedWithData' | 'trashed'

/** When seeding ends: at a figure; 'none': not for this reason; 'default': as the settings say. */
export type SeedGoal = number | 'none' | 'default'

/** What is reached first pauses a torrent that seeds. */
export interface SeedGoals {
  /** Of what is sent to what was received. */
  readonly ratio: SeedGoal
  /** Seconds of seeding. */
  readonly time: SeedGoal
  /** Seconds of seeding in which next to nothing was sent. */
  readonly idle: SeedGoal
}

/** What is true now, as the kind of daemon/swarm/lifecycle's TorrentState. */
export type StateKind =
  | 'paused'
  | 'queued'
  | 'fetchingMetadata'
  | 'checking'
  | 'downloading'
  | 'seeding'
  | 'moving'
  | 'stopping'
  | 'blocked'

export interface TorrentView {
  /** Never given to another. */
  readonly id: TorrentId
  /** Of version 1, 40 hex digits. */
  readonly infoHash: string | null
  /** Of version 2, 64 hex digits. */
  readonly infoHashV2: string | null
  /** Of the file or folder. */
  readonly name: string
  /** What it is doing. */
  readonly state: StateKind
  /** What the user wants; it outlives a restart. */
  readonly desired: Desired
  /** 0..1: wanted bytes that are verified and recorded, over wanted bytes. While checking too. */
  readonly progress: number
  /** 0..1 while state is 'checking', else null. */
  readonly checkProgress: number | null
  /** 0..1 while state is 'moving', else null. */
  readonly moveProgress: number | null
  /** Of all files. */
  readonly totalBytes: Bytes
  /** Of the files that are wanted. */
  readonly wantedBytes: Bytes
  /** Wanted bytes that are verified and recorded. */
  readonly doneBytes: Bytes
  /** Payload, bytes a second. */
  readonly downRate: Rate
  /** Payload, bytes a second. */
  readonly upRate: Rate
  /** Payload over the life of the torrent. */
  readonly downloaded: Bytes
  /** Payload over the life of the torrent. */
  readonly uploaded: Bytes
  /** uploaded / downloaded, or over doneBytes where nothing was downloaded; null where neither is known. */
  readonly ratio: number | null
  /** Connected peers, seeds among them. */
  readonly peers: number
  /** Peers that have everything. */
  readonly seeds: number
  /** Seconds, or null. */
  readonly eta: number | null
  /** The folder that its files lie in. */
  readonly dir: string
  /** Peers come from its trackers only (BEP 27). */
  readonly private: boolean
  /** Of a piece; 0 while only the magnet link is known. */
  readonly pieceLength: Bytes
  /** 0 while only the magnet link is known. */
  readonly pieceCount: number
  /** Pieces are fetched in their order in the torrent. */
  readonly sequential: boolean
  /** The first and the last piece of each file come before the others. */
  readonly firstLast: boolean
  /** Words that a person gave it, sorted. */
  readonly labels: readonly string[]
  /** While state is 'queued': what it waits for, else null. */
  readonly queuedFor: 'check' | 'download' | 'seed' | null
  /** While it waits to download or to seed: its place from 1 among all torrents that do the same, else null. */
  readonly queueRank: number | null
  /** Seconds it has seeded, over its life. */
  readonly seedingTime: number
  /** When its seeding ends. */
  readonly seedGoals: SeedGoals
  /** The goal that paused it ("ratio 2.00"), or null. */
  readonly goalReached: string | null
  /** Its own limit, bytes a second; null: only the one of all torrents together, if there is one. */
  readonly downLimit: Rate | null
  /** Its own limit, bytes a second; null: only the one of all torrents together, if there is one. */
  readonly upLimit: Rate | null
  /** Milliseconds since 1970. */
  readonly addedAt: Millis
  /** Milliseconds since 1970, or null. */
  readonly completedAt: Millis | null
  /** One sentence, or null. */
  readonly error: string | null
}

/** A torrent that was removed and can come back. */
export interface TrashView {
  /** It has it again when it comes back. */
  readonly id: TorrentId
  /** SHA-1 of its info dictionary, or null. */
  readonly infoHash: string | null
  /** SHA-256 of its info dictionary (BEP 52), or null. */
  readonly infoHashV2: string | null
  /** Of the torrent. */
  readonly name: string
  /** Its files lie in the trash too. */
  readonly data: boolean
  /** What these hold, as far as it was recorded; 0 without files. */
  readonly bytes: Bytes
  /** The folder that it was removed from. */
  readonly dir: string
  /** Milliseconds since 1970. */
  readonly removedAt: Millis
  /** When it goes for good. Milliseconds since 1970. */
  readonly until: Millis
  /** Who removed it. */
  readonly by: string
}

/** Long work of the daemon: it goes on without the one who asked, and after a restart. */
export interface JobView {
  /** Never given to another. */
  readonly id: number
  /** What it does. */
  readonly kind: 'move' | 'remove' | 'rename'
  /** The id of the torrent. */
  readonly torrent: TorrentId
  /** Of the torrent. */
  readonly name: string
  /** `waiting`: a volume is away, and it goes on by itself when that comes back. */
  readonly state: 'running' | 'waiting' | 'done' | 'failed' | 'cancelled'
  /** The folder of the torrent when it began; of a rename the name before, or the path of the file. */
  readonly from: string
  /** Where its files go, or what is renamed is called; null: nowhere. */
  readonly to: string | null
  /** 0..1 */
  readonly progress: number
  /** One sentence where it failed or waits, else null. */
  readonly error: string | null
}

export interface DoomedFileView {
  /** As it is named now: relative to the folder, perhaps with `.part` at its end. */
  readonly path: string
  /** Its length. */
  readonly bytes: Bytes
  /** It has a name elsewhere too, so that its bytes stay. */
  readonly linked: boolean
}

/** What `remove --data` would do to the files of a torrent. */
export interface RemovalPlanView {
  /** The id of the torrent. */
  readonly id: TorrentId
  /** Of the torrent. */
  readonly name: string
  /** The folder that its files lie in; paths are relative to it. */
  readonly dir: string
  /** They would be deleted. */
  readonly files: readonly DoomedFileView[]
  /** Of these files, all together. */
  readonly bytes: Bytes
  /** Of these, what would come free. */
  readonly freedBytes: Bytes
  /** What lies in its folders and is not its own: it stays. A folder ends with a slash. */
  readonly stays: readonly string[]
  /** So many more stay and are not named. */
  readonly moreStays: number
}

/** How much a file is wanted; `skip`: not at all. */
export type Priority = 'skip' | 'low' | 'normal' | 'high'

export interface FileView {
  /** From 0; `files` and `select` of torrentinoctl count from 1. */
  readonly index: FileIndex
  /** With '/' between components, relative to the torrent's folder. */
  readonly path: string
  /** Bytes. */
  readonly length: Bytes
  /** Verified bytes. */
  readonly doneBytes: Bytes
  /** It is downloaded. */
  readonly wanted: boolean
  /** What is high is asked for before what is normal, that before what is low. */
  readonly priority: Priority
}

export interface PeerView {
  /** host:port, IPv6 in brackets. */
  readonly address: string
  /** Client name and version as it calls itself (BEP 10 `v`, BEP 20), or ''. */
  readonly client: string
  /** Who called whom. */
  readonly direction: 'in' | 'out'
  /** Where we heard of it. */
  readonly source: 'tracker' | 'dht' | 'lsd' | 'pex' | 'incoming' | 'resume' | 'user' | 'magnet'
  /** 'handshake': it began in secret (MSE), and goes on as it is; 'rc4': all of it is encrypted. */
  readonly encryption: 'none' | 'handshake' | 'rc4'
  /** 0..1 */
  readonly progress: number
  /** Payload, bytes a second. */
  readonly downRate: Rate
  /** Payload, bytes a second. */
  readonly upRate: Rate
  /** Payload bytes with this connection. */
  readonly downloaded: Bytes
  /** Payload bytes with this connection. */
  readonly uploaded: Bytes
  /** We give nothing to it now. */
  readonly amChoking: boolean
  /** It has what we want. */
  readonly amInterested: boolean
  /** It gives nothing to us now. */
  readonly peerChoking: boolean
  /** We have what it wants. */
  readonly peerInterested: boolean
}

export interface TrackerView {
  /** From 0; an earlier one is asked first. */
  readonly tier: number
  /** Passkeys are redacted. */
  readonly url: string
  /** 'waiting': its announce waits for its turn among those of all torrents. */
  readonly status: 'idle' | 'waiting' | 'announcing' | 'working' | 'failing'
  /** The last error or warning, one line, or null. */
  readonly message: string | null
  /** Failures in a row since the last answer. */
  readonly failures: number
  /** Milliseconds since 1970 of the last answer, or null. */
  readonly lastAnswerAt: Millis | null
  /** Milliseconds since 1970 of the last failure, or null. */
  readonly lastFailureAt: Millis | null
  /** Milliseconds since 1970, or null. */
  readonly nextAnnounceAt: Millis | null
  /** In the swarm, as it counts; null: it did not say. */
  readonly seeds: number | null
  /** In the swarm, as it counts; null: it did not say. */
  readonly leechers: number | null
  /** Milliseconds since 1970 of the last counts that were asked for without an announce, or null. */
  readonly scrapedAt: Millis | null
  /** How often the content was downloaded whole, as it counts; null: it did not say. */
  readonly downloads: number | null
  /** Peers in the last answer. */
  readonly peers: number | null
  /** Announces of all torrents that go before its own, while that is 'waiting'; else null. */
  readonly before: number | null
}

/** A torrent in the order of the queue. */
export interface QueueEntryView {
  /** Its place, from 1, among those that do the same. */
  readonly rank: number
  readonly for: 'download' | 'seed'
  /** It goes on, and hardly moves: its place is given to another. */
  readonly stalled: boolean
  readonly torrent: TorrentView
}

/** Who may go on, and who waits. */
export interface QueueView {
  /** Torrents that download at once; null: all. */
  readonly downloads: number | null
  /** Torrents that seed at once; null: all. */
  readonly seeds: number | null
  /** Seconds after which one that hardly moves takes no place; null: never. */
  readonly stalled: number | null
  /** By rank, those that download first; paused ones too. */
  readonly order: readonly QueueEntryView[]
}

/** What can be in the way of a torrent. */
export const CAUSE_KINDS = [
  'paused',
  'goal',
  'held',
  'queued',
  'checking',
  'moving',
  'stopping',
  'removal',
  'space',
  'volume',
  'folder',
  'files',
  'disk',
  'bug',
  'database',
  'metadata',
  'noPeers',
  'noAnswer',
  'allChoke',
  'missingPieces',
  'limit',
  'slowDisk',
  'tracker',
  'unreachable',
] as const
export type CauseKind = (typeof CAUSE_KINDS)[number]

/** One thing that is in the way. */
export interface CauseView {
  /** For programs; one of a closed list. */
  readonly kind: CauseKind
  /** Nothing goes on because of it; else it goes on, more slowly or not to its end. */
  readonly stops: boolean
  /** What it is, and what helps. */
  readonly sentence: string
}

/** Why a torrent is where it is. */
export interface WhyView {
  /** As it is now. */
  readonly torrent: TorrentView
  /** The one that matters most comes first; none: nothing is wrong. */
  readonly causes: readonly CauseView[]
  /** How it goes, in a sentence. */
  readonly summary: string
}

export interface DaemonView {
  readonly version: string
  readonly contract: string
  readonly pid: number
  readonly home: string
  readonly owner: 'service' | 'person'
  /** Seconds. */
  readonly uptime: number
  readonly listen: { readonly host: string; readonly port: number; readonly error: string | null }
  readonly torrents: {
    readonly total: number
    readonly byState: Readonly<Partial<Record<StateKind, number>>>
  }
  readonly connections: number
  readonly downRate: Rate
  readonly upRate: Rate
  readonly downloadDir: string
  readonly scope: 'internet' | 'private' | 'loopback'
  /** Local discovery (BEP 14). */
  readonly lsd: {
    readonly enabled: boolean
    /** Why nothing is sent and heard there, one sentence; null: it is on. */
    readonly reason: string | null
    /** Torrents that are announced. */
    readonly torrents: number
    /** Groups that are joined. */
    readonly families: readonly (4 | 6)[]
    /** Messages of ours, announces of others, and peers found by them, since the start. */
    readonly sent: number
    readonly heard: number
    readonly found: number
  }
  readonly rssBytes: Bytes
  /** How late the main loop came to things in the last minute with payload; null without any. */
  readonly loopDelay: {
    readonly p99: Millis | null
    readonly max: Millis | null
    readonly samples: number
  }
  /** Memory for payload that is in use now. */
  readonly buffers: {
    /** Arriving data, and the most of it (`memory.buffer`). */
    readonly slab: Bytes
    readonly slabLimit: Bytes
    /** Data read for peers: not yet taken by their sockets, or kept for the next who wants them. */
    readonly frames: Bytes
    readonly checks: Bytes
  }
  /** Jobs waiting or under way in threads, and the age of the oldest. */
  readonly queues: {
    readonly hash: number
    readonly lanes: number
    /** Reads that wait for memory. */
    readonly reads: number
    readonly checks: number
    readonly oldest: Millis
  }
  /** What was removed and can come back. */
  readonly trash: { readonly torrents: number; readonly bytes: Bytes }
  /** Why config.toml as it is now is not in force, with line and column, or null. */
  readonly settingsMistake: string | null
  readonly database: {
    /** One sentence while it cannot be written as it should be, or null. */
    readonly problem: string | null
    /** One sentence for a day after it was recovered or restored, or null. */
    readonly notice: string | null
  }
  /** How long the disk and the database took: the last time, and the slowest of the last minute; null without one. */
  readonly latency: {
    /** A part of a piece, from its hand-over to its hash and its place in the page cache. */
    readonly write: TookView
    /** The sync of a round: from here on the disk itself has it. */
    readonly sync: TookView
    /** A call of the database. */
    readonly store: TookView
  }
  /** Turns of the main loop that took over 200 ms, since the start: the log has a line for each. */
  readonly stalls: {
    readonly count: number
    readonly longest: Millis
    /** What it was at in the longest one: peer, disk, store, timer, tracker, rpc, other; null without any. */
    readonly phase: string | null
  }
  /** Faults of Torrentino's own since the start that were contained: each is in the log. */
  readonly faults: {
    /** Each ended one connection. */
    readonly peers: number
    /** Each blocked one torrent for a while. */
    readonly torrents: number
  }
}

export interface TookView {
  readonly last: Millis | null
  readonly slowest: Millis | null
}

/** The DHT of the daemon. */
export interface DhtView {
  readonly enabled: boolean
  /** UDP; 0 where it has none. */
  readonly port: number
  /** The system's code where one of the families has no socket. */
  readonly error: string | null
  /** Torrents that look for peers there. */
  readonly torrents: number
  /** Searches that run or wait. */
  readonly searches: number
  /** Packets that came since it was turned on. */
  readonly received: number
  /** Questions of ours. */
  readonly asked: number
  /** Questions of others that were answered, and those that were left because they or we had sent too much. */
  readonly answered: number
  readonly ignored: number
  /** Mean, milliseconds. */
  readonly roundTrip: number
  readonly families: readonly DhtFamilyView[]
}

export interface DhtFamilyView {
  readonly family: 4 | 6
  /** Our node's, 40 hex digits. */
  readonly id: string
  readonly nodes: number
  /** Of these, answered lately. */
  readonly good: number
  readonly buckets: number
  /** Ours, as others see it; null while they do not agree. */
  readonly address: string | null
  /** It is looking for its neighbours. */
  readonly booting: boolean
  /** Swarms, and peers of them, that are kept for others. */
  readonly hashes: number
  readonly peers: number
}

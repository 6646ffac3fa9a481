/** The trackers of one torrent: when they are told what, and what they answer. */
import type { Encryption } from '../../shared/settings.js'
import { redactText, redactTracker } from '../../shared/torrent/redact.js'
import type { Bytes, Millis, SwarmKey } from '../../shared/units.js'
import type { TrackerView } from '../../shared/views.js'
import type { PeerAddress } from '../base/address.js'
import type { AnnounceEvent, AnnounceRequest } from '../codec/announce.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { Campaign } from './campaign.js'
import type { CampaignOwner, Need } from './campaign.js'
import type { Standing } from './standing.js'
import { Tiers } from './tiers.js'
import type { Tracker } from './tiers.js'
import type { CountSource, NetworkNews, TrackerTransport } from './transport.js'

export interface AnnouncerInit {
  /** Each is announced for itself. */
  readonly swarmKeys: readonly SwarmKey[]
  /** With their tiers (BEP 12), in any order. */
  readonly trackers: readonly Tracker[]
  /** 20 bytes. */
  readonly peerId: Uint8Array
  /** The port we listen on, now. */
  readonly port: () => number
  /** 32 bits that stay the same for the session. */
  readonly key: number
  /** How far peers are spoken to in secret, now; not there: not at all. */
  readonly encryption?: () => Encryption
}

/** Payload over the life of the torrent, and what is missing of it. */
export interface AnnounceStats {
  readonly uploaded: Bytes
  readonly downloaded: Bytes
  readonly left: Bytes
}

export interface AnnouncerListener {
  stats(): AnnounceStats
  /** Peers of an answer, unfiltered but for port 0: scope and our own address are for the listener to check. */
  peers(peers: readonly PeerAddress[], key: SwarmKey): void
  /** A view may have changed. */
  changed(): void
  /**
   * For the log: what is told of a tracker is another thing than before. Both are redacted; without a message all is
   * well again.
   */
  said?(tracker: string, failing: boolean, message: string | null): void
}

export interface AnnouncerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly transport: TrackerTransport & Partial<CountSource & NetworkNews>
  readonly listener: AnnouncerListener
}

/** Peers asked for at once. */
const NUMWANT = 80

export class Announcer implements CampaignOwner {
  private readonly init: AnnouncerInit
  private readonly ports: AnnouncerPorts
  /** Shared by the swarm keys: a tracker that answers one is tried first for the other too. */
  private readonly tiers: Tiers
  /** One a swarm key, in their order. */
  private readonly campaigns: readonly Campaign[]
  /** Totals when the session began: trackers are told what came since (BEP 3). */
  private baseline: AnnounceStats = { uploaded: 0, downloaded: 0, left: 0 }
  private need: Need = 'some'
  /** A session is open: between `start` and `stop`. */
  private running = false

  constructor(init: AnnouncerInit, ports: AnnouncerPorts) {
    this.init = init
    this.ports = ports
    this.tiers = new Tiers(init.trackers, ports.random)
    const { clock, random, transport } = ports
    const campaignPorts = { clock, random, transport, owner: this }
    this.campaigns = init.swarmKeys.map(
      (swarmKey) => new Campaign({ swarmKey, tiers: this.tiers }, campaignPorts),
    )
  }

  /** Begins a session: `started` goes out at once. Does nothing while one runs. */
  start(): void {
    if (!this.running) this.baseline = this.ports.listener.stats()
    this.running = true
    for (const campaign of this.campaigns) campaign.start()
  }

  /** The whole torrent has been downloaded and is on the disk. Not to be called for one that was whole at `start`. */
  complete(): void {
    for (const campaign of this.campaigns) campaign.complete()
  }

  /** Ends the session with `stopped`; `done` is called once, `cap` milliseconds later at most, maybe at once. */
  stop(cap: Millis, done: () => void): void {
    this.running = false
    let open = this.campaigns.length
    if (open === 0) done()
    for (const campaign of this.campaigns) {
      campaign.stop(cap, () => {
        open -= 1
        if (open === 0) done()
      })
    }
  }

  /** How much peers are wanted; 'some' at first. */
  setNeed(need: Need): void {
    this.need = need
    for (const campaign of this.campaigns) campaign.setNeed(need)
  }

  /** For a network that came back, or a machine that woke up; urgent: before other torrents, since a person asked. */
  announceNow(urgent = false): void {
    for (const campaign of this.campaigns) campaign.announceNow(urgent)
  }

  /** At the end of their tiers; known URLs are left out. They are asked at once, whatever the others answered. */
  addTrackers(trackers: readonly Tracker[]): void {
    const added = this.tiers.add(trackers)
    if (added.length === 0) return
    for (const campaign of this.campaigns) campaign.trackersAdded(added)
    this.ports.listener.changed()
  }

  /** They hear `stopped` where they were told `started`, and nothing after it. */
  removeTrackers(urls: readonly string[]): void {
    for (const url of urls) {
      const tracker = this.tiers.remove(url)
      if (tracker !== null) for (const campaign of this.campaigns) campaign.trackerRemoved(tracker)
    }
    this.ports.listener.changed()
  }

  /** Asks each tracker for its counts, whether we announce or not; `done` hears once which did not give them, and why. */
  scrape(done: (failed: readonly { readonly url: string; readonly message: string }[]) => void): void {
    const failed: { url: string; message: string }[] = []
    const trackers = this.tiers.order()
    let open = trackers.length * this.campaigns.length
    if (open === 0) done(failed)
    for (const tracker of trackers) {
      for (const campaign of this.campaigns) {
        campaign.scrape(tracker, true, (why) => {
          if (why !== null) failed.push({ url: redactTracker(tracker.url), message: redactText(why) })
          open -= 1
          if (open === 0) done(failed)
        })
      }
    }
  }

  /** Announces on their way. */
  get busy(): number {
    return this.campaigns.reduce((sum, campaign) => sum + campaign.busy, 0)
  }

  /** In the order of trial. */
  views(): TrackerView[] {
    return this.tiers.order().map((tracker) => this.view(tracker))
  }

  private view(tracker: Tracker): TrackerView {
    const standings: Standing[] = []
    let next: Millis | null = null
    for (const campaign of this.campaigns) {
      const standing = campaign.standing(tracker)
      if (standing === undefined) continue
      standings.push(standing)
      next = least(next, campaign.nextFor(standing))
    }
    const tried = standings.find((each) => each.failures > 0) ?? standings[0]
    const answered = standings.map((each) => each.answeredAt).reduce(most, null)
    return {
      tier: tracker.tier,
      url: redactTracker(tracker.url),
      status: statusOf(standings),
      message: tried?.message == null ? null : redactText(tried.message),
      failures: standings.map((each) => each.failures).reduce(most, 0) ?? 0,
      lastAnswerAt: this.wall(answered),
      lastFailureAt: this.wall(standings.map((each) => each.failedAt).reduce(most, null)),
      nextAnnounceAt: tried?.askedAt == null ? null : this.wall(next),
      seeds: standings.map((each) => each.seeds).reduce(most, null),
      leechers: standings.map((each) => each.leechers).reduce(most, null),
      scrapedAt: this.wall(standings.map((each) => each.scrapedAt).reduce(most, null)),
      downloads: standings.map((each) => each.downloads).reduce(most, null),
      peers: standings.map((each) => each.peers).reduce(most, null),
      before: standings.map((each) => each.before?.() ?? null).reduce(most, null),
    }
  }

  private wall(moment: Millis | null): Millis | null {
    return moment === null ? null : this.ports.clock.wall() + (moment - this.ports.clock.now())
  }

  // --- what its campaigns ask

  request(swarmKey: SwarmKey, event: AnnounceEvent | null, trackerId: Uint8Array | null): AnnounceRequest {
    const { uploaded, downloaded, left } = this.ports.listener.stats()
    const wanted = event !== 'stopped' && this.need !== 'none'
    return {
      swarmKey,
      peerId: this.init.peerId,
      port: this.init.port(),
      uploaded: Math.max(0, uploaded - this.baseline.uploaded),
      downloaded: Math.max(0, downloaded - this.baseline.downloaded),
      left,
      event,
      numwant: wanted ? NUMWANT : 0,
      key: this.init.key,
      ...cryptoOf(this.init.encryption?.() ?? 'off'),
      trackerId,
    }
  }

  answered(key: SwarmKey, peers: readonly PeerAddress[]): void {
    if (peers.length > 0) this.ports.listener.peers(peers, key)
  }

  changed(): void {
    this.ports.listener.changed()
  }

  said(tracker: Tracker, { failures, message }: Standing): void {
    const told = message === null ? null : redactText(message)
    this.ports.listener.said?.(redactTracker(tracker.url), failures > 0, told)
  }
}

function cryptoOf(mode: Encryption): Pick<AnnounceRequest, 'crypto'> {
  return mode === 'off' ? {} : { crypto: mode === 'required' ? 'required' : 'supported' }
}

function statusOf(standings: readonly Standing[]): TrackerView['status'] {
  if (standings.some((each) => each.busy && each.before === null)) return 'announcing'
  if (standings.some((each) => each.before !== null)) return 'waiting'
  if (standings.some((each) => each.failures > 0)) return 'failing'
  return standings.some((each) => each.answeredAt !== null) ? 'working' : 'idle'
}

function most(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b)
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}

/** Announces one swarm key: a round tries trackers in order until one answers, then waits (BEP 3, 12). */
import { formatDuration } from '../../shared/text.js'
import type { Millis, SwarmKey } from '../../shared/units.js'
import type { PeerAddress } from '../base/address.js'
import type { AnnounceAnswer, AnnounceEvent, AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import { SCRAPE_REST, Standing } from './standing.js'
import type { Tiers, Tracker } from './tiers.js'
import type { CountSource, NetworkNews, Retry, TrackerTransport, Waits } from './transport.js'

/**
 * How much a torrent wants peers from trackers. 'none': it has enough, and asks for none. 'some': it takes what the
 * regular announces bring. 'urgent': it asks again as early as the tracker allows.
 */
export type Need = 'none' | 'some' | 'urgent'

export interface CampaignInit {
  readonly swarmKey: SwarmKey
  readonly tiers: Tiers
}

export interface CampaignPorts {
  readonly clock: Clock
  readonly random: Random
  readonly transport: TrackerTransport & Partial<CountSource & NetworkNews>
  readonly owner: CampaignOwner
}

export interface CampaignOwner {
  /** The request of now, with the counts of this session. */
  request(key: SwarmKey, event: AnnounceEvent | null, trackerId: Uint8Array | null): AnnounceRequest
  answered(key: SwarmKey, peers: readonly PeerAddress[]): void
  changed(): void
  /** What is told of a tracker is another thing than before: it fails, or for another reason, or answers again. */
  said(tracker: Tracker, standing: Standing): void
}

/** Peers are asked for again after this at the earliest, doubled each time, where the tracker names no minimum. */
const FIRST_HUNGER = 60_000
/** A round that comes so late was slept over, and so were those of all other torrents: each waits for a while. */
const OVERSLEPT = 30_000
const SPREAD = 60_000
/** Counts that were scraped are good for so long. */
const COUNTED = 900_000
/** One that failed although the network was back is not asked again for that reason before this. */
const RETRIED = 3_600_000
/** A person who asks again and again is held to this. */
const IMPATIENCE = 10_000

export class Campaign {
  private readonly key: SwarmKey
  private readonly tiers: Tiers
  private readonly ports: CampaignPorts
  /** How we stand with each tracker that was ever tried. */
  private readonly standings = new Map<Tracker, Standing>()
  /** 'off' and 'stopping' make no rounds; a 'waiting' campaign may have a timer; 'announcing' has one attempt. */
  private phase: 'off' | 'waiting' | 'announcing' | 'stopping' = 'off'
  /** Trackers of the round that have not been tried. */
  private queue: Tracker[] = []
  /** Ends the attempt of the phase 'announcing'. */
  private attempt: Cancel | null = null
  /** The tracker of that attempt. */
  private trying: Tracker | null = null
  /** A person asked: what is announced until the round ends goes before what others announce. */
  private urgent = false
  /** Ends the timer of the phase 'waiting'. */
  private timer: Cancel | null = null
  /** Moment on `clock.now` of the next round, or null where none is planned. */
  private nextAt: Millis | null = null
  /** The tracker whose answer ended the last round, or null where the last round failed. */
  private last: Standing | null = null
  /** Urgent announces in a row. */
  private hunger = 0
  private need: Need = 'some'
  /** The download was completed in this session. */
  private completed = false
  /** Known to whoever hears that the network is back, while nobody is reached; made when that first happens. */
  private retry: Retry | null = null
  /** Moment on `clock.now` when it was last asked again because the network was back, and answered by nobody since. */
  private retriedAt: Millis = -Infinity
  /** Trackers that were added and were not asked yet; null: none. */
  private fresh: Tracker[] | null = null
  /** The queue is of such: each is asked, and the wait after the last round goes on as it was. */
  private greeting = false
  /** `stopped` announces of trackers that were removed; null: none ever. */
  private parting: Set<Cancel> | null = null
  /** Ends the `stopped` announces and reports; only in the phase 'stopping'. */
  private finishStop: (() => void) | null = null

  constructor(init: CampaignInit, ports: CampaignPorts) {
    this.key = init.swarmKey
    this.tiers = init.tiers
    this.ports = ports
  }

  start(): void {
    if (this.phase === 'waiting' || this.phase === 'announcing') return
    this.finishStop?.()
    for (const standing of this.standings.values()) standing.reset()
    this.completed = false
    this.urgent = false
    this.last = null
    this.hunger = 0
    this.fresh = null
    this.round()
  }

  /** The download is whole: the trackers that know us as incomplete are told at once. */
  complete(): void {
    if (this.completed) return
    this.completed = true
    let owed = false
    for (const standing of this.standings.values()) {
      standing.owesCompleted ||= standing.started
      owed ||= standing.owesCompleted
    }
    if (owed && this.phase === 'waiting' && this.last !== null) this.round()
  }

  setNeed(need: Need): void {
    if (need === this.need) return
    this.need = need
    if (this.phase === 'waiting') this.plan()
  }

  /** Asks again as early as the trackers allow, whatever went wrong before. */
  announceNow(urgent: boolean): void {
    if (urgent && this.phase === 'announcing') this.hurry()
    if (this.phase !== 'waiting') return
    this.urgent ||= urgent
    const now = this.ports.clock.now()
    for (const standing of this.standings.values()) {
      const earliest = Math.max(now, (standing.askedAt ?? -IMPATIENCE) + IMPATIENCE)
      if (standing.notBefore !== Infinity) standing.notBefore = Math.min(standing.notBefore, earliest)
    }
    if (this.last === null) {
      this.plan()
      return
    }
    const since = this.last.answeredAt ?? now
    this.wake(Math.max(now, since + Math.max(this.last.minInterval, IMPATIENCE)))
  }

  /** An announce that waits for its turn is put before others. */
  private hurry(): void {
    const tracker = this.trying
    if (this.urgent || tracker === null || this.standingOf(tracker).before === null) return
    this.urgent = true
    this.attempt?.()
    this.standingOf(tracker).before = null
    this.queue.unshift(tracker)
    this.tryNext()
  }

  /** Trackers were added: they are asked at once. */
  trackersAdded(added: readonly Tracker[]): void {
    if (this.phase !== 'waiting' && this.phase !== 'announcing') return
    this.fresh = [...(this.fresh ?? []), ...added]
    if (this.phase === 'waiting') this.rest()
  }

  /** A tracker was removed: it hears `stopped` where it knows us, and is asked no more. */
  trackerRemoved(tracker: Tracker): void {
    const standing = this.standings.get(tracker)
    this.standings.delete(tracker)
    this.queue = this.queue.filter((each) => each !== tracker)
    this.fresh = this.fresh?.filter((each) => each !== tracker) ?? null
    if (this.phase !== 'waiting' && this.phase !== 'announcing') return
    if (standing?.started === true) this.part(tracker, standing)
    const wasLast = standing !== undefined && this.last === standing
    if (wasLast) this.last = this.latest()
    if (this.phase === 'announcing') {
      if (this.trying !== tracker) return
      this.attempt?.()
      this.attempt = null
      this.tryNext()
    } else if (wasLast && this.last === null) this.round()
    else this.plan()
  }

  /** Who answered last of those that know us and did not fail since, or null. */
  private latest(): Standing | null {
    let latest: Standing | null = null
    for (const standing of this.standings.values()) {
      if (!standing.started || standing.failures > 0) continue
      if ((standing.answeredAt ?? 0) > (latest?.answeredAt ?? -Infinity)) latest = standing
    }
    return latest
  }

  /** Tells a removed tracker `stopped`, once. */
  private part(tracker: Tracker, standing: Standing): void {
    const open = (this.parting ??= new Set())
    const request = this.ports.owner.request(this.key, 'stopped', standing.trackerId)
    const cancel = this.ports.transport.announce(tracker.url, request, () => {
      open.delete(cancel)
      if (open.size === 0) this.finishStop?.()
    })
    open.add(cancel)
  }

  /** Tells `stopped` where `started` was told; `done` is called once, after `cap` milliseconds at most. */
  stop(cap: Millis, done: () => void): void {
    this.finishStop?.()
    this.attempt?.()
    this.attempt = null
    this.quiet()
    if (this.retry !== null) this.ports.transport.gone?.(this.retry)
    this.phase = 'stopping'
    const open = this.parting ?? new Set<Cancel>()
    let timer: Cancel | null = null
    const finish = (): void => {
      if (this.finishStop !== finish) return
      this.finishStop = null
      this.phase = 'off'
      timer?.()
      for (const cancel of open) cancel()
      open.clear()
      for (const standing of this.standings.values()) standing.busy = false
      for (const standing of this.standings.values()) standing.before = null
      done()
      this.ports.owner.changed()
    }
    this.finishStop = finish
    for (const [tracker, standing] of this.standings) {
      standing.busy = false
      standing.before = null
      if (!standing.started) continue
      standing.busy = true
      const cancel = this.ports.transport.announce(
        tracker.url,
        this.ports.owner.request(this.key, 'stopped', standing.trackerId),
        (result) => {
          standing.busy = false
          standing.before = null
          standing.started &&= !result.ok
          open.delete(cancel)
          if (open.size === 0) finish()
        },
        this.waitsOf(standing),
      )
      open.add(cancel)
    }
    if (open.size === 0) finish()
    else timer = this.ports.clock.after(cap, finish)
    this.ports.owner.changed()
  }

  /** Asks one tracker for its counts without an announce; `done` hears null, or why there are none. */
  scrape(tracker: Tracker, urgent: boolean, done: (why: string | null) => void): void {
    const standing = this.standingOf(tracker)
    const now = this.ports.clock.now()
    const wait = standing.noScrapeBefore - now
    if (this.ports.transport.counts === undefined || wait > 0) {
      done(
        `It was asked for its counts just now, and is asked again in ${formatDuration(wait / 1000)} at the earliest.`,
      )
      return
    }
    standing.noScrapeBefore = now + SCRAPE_REST
    this.ports.transport.counts(tracker.url, this.key, urgent, (result) => {
      const counts = result.ok ? result.counts.get(this.key) : undefined
      if (result.ok && counts !== undefined) standing.scraped(counts, result.again, this.ports.clock.now())
      if (!result.ok) done(result.fault.message)
      else done(counts === undefined ? 'The tracker counts nobody in this swarm.' : null)
      this.ports.owner.changed()
    })
  }

  /** Where the answer to an announce had no counts, they are asked for; seldom, and with those of other torrents. */
  private count(tracker: Tracker, standing: Standing, answer: AnnounceAnswer): void {
    if (answer.seeds !== null || answer.leechers !== null) return
    if (
      this.ports.clock.now() < Math.max(standing.noScrapeBefore, (standing.scrapedAt ?? -COUNTED) + COUNTED)
    )
      return
    this.scrape(tracker, false, () => undefined)
  }

  /** How we stand with a tracker, or undefined where it was never tried. */
  standing(tracker: Tracker): Standing | undefined {
    return this.standings.get(tracker)
  }

  /** Moment on `clock.now` at which the tracker is asked again, or null where that is not planned. */
  nextFor(standing: Standing): Millis | null {
    if (this.phase !== 'waiting' || this.nextAt === null || standing.notBefore === Infinity) return null
    return Math.max(this.nextAt, standing.notBefore)
  }

  /** Announces on their way, `stopped` ones among them. */
  get busy(): number {
    let count = this.phase === 'stopping' ? 0 : (this.parting?.size ?? 0)
    for (const standing of this.standings.values()) if (standing.busy) count += 1
    return count
  }

  /** An announce for each tracker in turn, until one answers. */
  private round(): void {
    this.quiet()
    const now = this.ports.clock.now()
    this.queue = this.tiers.order().filter((tracker) => this.standingOf(tracker).notBefore <= now)
    this.greeting = false
    this.hunger = this.need === 'urgent' ? this.hunger + 1 : 0
    this.tryNext()
  }

  private tryNext(): void {
    const tracker = this.queue.shift()
    this.trying = tracker ?? null
    if (tracker === undefined) {
      this.urgent = false
      if (!this.greeting) {
        this.last = null
        this.lost()
      }
      this.rest()
      this.ports.owner.changed()
      return
    }
    this.fresh = this.fresh?.filter((each) => each !== tracker) ?? null
    const standing = this.standingOf(tracker)
    const event = eventFor(standing)
    const request = this.ports.owner.request(this.key, event, standing.trackerId)
    this.phase = 'announcing'
    standing.busy = true
    standing.askedAt = this.ports.clock.now()
    this.attempt = this.ports.transport.announce(
      tracker.url,
      request,
      (result) => {
        this.attempt = null
        standing.busy = false
        standing.before = null
        this.settle(tracker, standing, request, result)
      },
      this.waitsOf(standing),
      this.urgent,
    )
    this.ports.owner.changed()
  }

  /** A round reached nobody. Where it was the network, whoever hears that it is back tells. */
  private lost(): void {
    const { transport, clock } = this.ports
    const cutOff = [...this.standings.values()].filter((each) => each.cutOff)
    const offline = cutOff.some((each) => each.offline)
    // One that failed though the network was back waits its own time: it is not the network.
    if (cutOff.length === 0 || (!offline && clock.now() - this.retriedAt < RETRIED)) return
    this.retry ??= (delay, back) => {
      this.again(delay, back)
    }
    transport.lost?.(this.retry, offline)
  }

  /** Asks again after `delay`: the network is back, or it is to be seen whether it is. */
  private again(delay: Millis, back: boolean): void {
    if (this.phase !== 'waiting' || this.last !== null) return
    const now = this.ports.clock.now()
    if (back) this.retriedAt = now
    for (const standing of this.standings.values()) standing.forgive(now + delay, back)
    this.plan()
    this.ports.owner.changed()
  }

  private waitsOf(standing: Standing): Waits {
    return (before) => {
      standing.before = before
      if (before === null) standing.askedAt = this.ports.clock.now()
      this.ports.owner.changed()
    }
  }

  private settle(
    tracker: Tracker,
    standing: Standing,
    request: AnnounceRequest,
    result: AnnounceResult,
  ): void {
    const now = this.ports.clock.now()
    const before = standing.message
    if (!result.ok) {
      standing.failed(result.fault, now, this.ports.random)
      if (standing.message !== before) this.ports.owner.said(tracker, standing)
      this.tryNext()
      return
    }
    standing.answered(result.answer, now)
    if (standing.message !== before) this.ports.owner.said(tracker, standing)
    standing.started = true
    this.retriedAt = -Infinity
    this.ports.transport.heard?.(this.retry)
    this.count(tracker, standing, result.answer)
    if (request.event === 'completed') standing.owesCompleted = false
    // Completed while `started` was on its way: the tracker counts us as incomplete.
    if (request.event === 'started') standing.owesCompleted = this.completed && request.left > 0
    if (this.greeting) this.greeted(tracker, standing)
    else {
      this.tiers.promote(tracker)
      this.last = standing
      this.urgent = false
      this.queue = []
      this.rest()
    }
    this.ports.owner.answered(this.key, result.answer.peers)
    this.ports.owner.changed()
  }

  /** One that was added answered: the round that was there before goes on waiting for what it waited for. */
  private greeted(tracker: Tracker, standing: Standing): void {
    this.last ??= standing
    if (standing.owesCompleted) this.queue.unshift(tracker)
    this.tryNext()
  }

  /** Between two rounds: what was added meanwhile is asked, then the next round is waited for. */
  private rest(): void {
    this.phase = 'waiting'
    this.greeting = false
    this.trying = null
    if (this.last?.owesCompleted === true) {
      this.round()
      return
    }
    const { fresh } = this
    this.fresh = null
    if (fresh === null || fresh.length === 0) {
      this.plan()
      return
    }
    this.quiet()
    this.greeting = true
    this.queue = fresh
    this.tryNext()
  }

  /** Sets the timer for the next round. */
  private plan(): void {
    if (this.last !== null) {
      const since = this.last.answeredAt ?? this.ports.clock.now()
      this.wake(since + this.pause(this.last))
      return
    }
    let at = Infinity
    for (const tracker of this.tiers.order()) at = Math.min(at, this.standingOf(tracker).notBefore)
    if (at === Infinity) this.quiet()
    else this.wake(at)
  }

  private pause(standing: Standing): Millis {
    if (this.need !== 'urgent') return standing.interval
    const hungry = FIRST_HUNGER * 2 ** Math.min(Math.max(this.hunger - 1, 0), 12)
    return Math.min(standing.interval, Math.max(standing.minInterval, hungry))
  }

  private wake(at: Millis): void {
    this.quiet()
    const now = this.ports.clock.now()
    this.nextAt = Math.max(at, now)
    this.timer = this.ports.clock.after(this.nextAt - now, () => {
      const due = this.nextAt ?? 0
      const woken = this.ports.clock.now()
      if (woken - due > OVERSLEPT) this.wake(woken + this.ports.random.int(SPREAD))
      else this.round()
    })
  }

  private quiet(): void {
    this.timer?.()
    this.timer = null
    this.nextAt = null
  }

  private standingOf(tracker: Tracker): Standing {
    let standing = this.standings.get(tracker)
    if (standing === undefined) {
      standing = new Standing()
      this.standings.set(tracker, standing)
    }
    return standing
  }
}

/** `started` comes first, to each tracker for itself; `completed` only to one that knows us as incomplete. */
function eventFor(standing: Standing): AnnounceEvent | null {
  if (!standing.started) return 'started'
  return standing.owesCompleted ? 'completed' : null
}

/**
 * When seeding ends: what is reached first pauses the torrent. Ratio and silence are looked at when payload stirs it,
 * times by one timer for all torrents, which is set to the next moment that matters. Nothing is polled.
 */
import { formatDuration } from '../../shared/text.js'
import type { Bytes, Millis, TorrentId } from '../../shared/units.js'
import type { SeedGoal, SeedGoals } from '../../shared/views.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Seeding, Torrent } from '../swarm/torrent.js'

/** Goals in force: null is none. */
export interface Goals {
  readonly ratio: number | null
  /** Seconds. */
  readonly time: number | null
  /** Seconds. */
  readonly idle: number | null
}

export const NO_GOALS: Goals = { ratio: null, time: null, idle: null }

/** What a torrent's goals are where the settings say `standard`. */
export function goalsInForce(own: SeedGoals | null, standard: Goals): Goals {
  if (own === null) return standard
  const one = (goal: SeedGoal, usual: number | null): number | null =>
    goal === 'default' ? usual : goal === 'none' ? null : goal
  return {
    ratio: one(own.ratio, standard.ratio),
    time: one(own.time, standard.time),
    idle: one(own.idle, standard.idle),
  }
}

/** Which goal is reached, as people read it; `silent`: for so long nothing was sent. Null: none. */
export function reachedGoal(goals: Goals, seeding: Seeding, silent: Millis): string | null {
  const { ratio, time } = seeding
  if (goals.ratio !== null && ratio !== null && ratio >= goals.ratio) return `ratio ${ratio.toFixed(2)}`
  if (goals.time !== null && time >= goals.time * 1000) return `${formatDuration(goals.time)} of seeding`
  if (goals.idle !== null && silent >= goals.idle * 1000)
    return `${formatDuration(goals.idle)} without an upload`
  return null
}

/** A person lets a torrent seed on that is over its goals: these hold no more, the others do. Null: none was reached. */
export function waived(own: SeedGoals | null, standard: Goals, seeding: Seeding): SeedGoals | null {
  const goals = goalsInForce(own, standard)
  const ratio = reachedGoal({ ...NO_GOALS, ratio: goals.ratio }, seeding, 0) !== null
  const time = reachedGoal({ ...NO_GOALS, time: goals.time }, seeding, 0) !== null
  if (!ratio && !time) return null
  return {
    ratio: ratio ? 'none' : (own?.ratio ?? 'default'),
    time: time ? 'none' : (own?.time ?? 'default'),
    idle: own?.idle ?? 'default',
  }
}

/** Timers are not set farther away than this. */
const FARTHEST: Millis = 86_400_000

export interface GoalPorts {
  readonly clock: Clock
  readonly torrents: () => readonly Torrent[]
  /** It is over: pauses it, durably. */
  readonly reached: (torrent: Torrent, goal: string) => void
}

/** When a torrent sent something last. */
interface Sent {
  readonly at: Millis
  readonly uploaded: Bytes
}

export class SeedingGoals {
  readonly #ports: GoalPorts
  #standard: Goals
  /** Of those that seed and have a goal of silence. */
  readonly #sent = new Map<TorrentId, Sent>()
  /** Told, and not paused yet. */
  readonly #told = new Set<TorrentId>()
  #timer: Cancel | null = null
  /** When the timer fires; Infinity: there is none. */
  #due: Millis = Infinity
  #closed = false

  constructor(standard: Goals, ports: GoalPorts) {
    this.#standard = standard
    this.#ports = ports
  }

  get standard(): Goals {
    return this.#standard
  }

  apply(standard: Goals): void {
    this.#standard = standard
    for (const torrent of this.#ports.torrents()) this.look(torrent)
  }

  close(): void {
    this.#closed = true
    this.#timer?.()
  }

  /** Something of it changed. */
  look(torrent: Torrent): void {
    const { id } = torrent
    if (torrent.state.kind !== 'seeding') {
      this.#sent.delete(id)
      this.#told.delete(id)
      return
    }
    const goals = goalsInForce(torrent.goals, this.#standard)
    if (goals.ratio === null && goals.time === null && goals.idle === null) return
    if (this.#told.has(id) || this.#closed) return
    const now = this.#ports.clock.now()
    const seeding = torrent.seeding()
    const silent = goals.idle === null ? 0 : now - this.#lastSent(id, seeding.uploaded, now)
    const goal = reachedGoal(goals, seeding, silent)
    if (goal === null) return this.#lookAgain(now + untilDue(goals, seeding, silent))
    this.#told.add(id)
    this.#ports.reached(torrent, goal)
  }

  #lastSent(id: TorrentId, uploaded: Bytes, now: Millis): Millis {
    const sent = this.#sent.get(id)
    if (sent?.uploaded === uploaded) return sent.at
    this.#sent.set(id, { at: now, uploaded })
    return now
  }

  #lookAgain(due: Millis): void {
    if (due >= this.#due || due === Infinity) return
    const { clock, torrents } = this.#ports
    this.#timer?.()
    this.#due = due
    this.#timer = clock.after(Math.min(FARTHEST, Math.max(0, due - clock.now())), () => {
      this.#timer = null
      this.#due = Infinity
      for (const torrent of torrents()) this.look(torrent)
    })
  }
}

/** Until a goal can be reached by time alone. */
function untilDue({ time, idle }: Goals, seeding: Seeding, silent: Millis): Millis {
  return Math.min(
    time === null ? Infinity : time * 1000 - seeding.time,
    idle === null ? Infinity : idle * 1000 - silent,
  )
}

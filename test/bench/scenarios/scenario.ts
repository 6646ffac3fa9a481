/** What a scenario is to the runner. */
import type { ClientId, Figures, ScenarioInfo } from '../results.js'
import type { Stage } from '../stage.js'
import type { World } from '../world.js'

export interface Scale {
  /** Payloads are multiplied by it. */
  readonly factor: number
  readonly quick: boolean
}

export const MIB = 1024 * 1024

/** Bytes of a payload of `mib` at this scale: whole MiB, 4 at least. */
export function scaled(mib: number, scale: Scale): number {
  return Math.max(4, Math.round(mib * scale.factor)) * MIB
}

export interface Scenario<Prepared = unknown> {
  readonly info: ScenarioInfo
  /** Rounds of a client that is not slow. */
  readonly rounds: number
  /** Whether the peers get a core and the client another. */
  readonly pinned: boolean
  /** Seconds after which a run is given up. */
  readonly timeout: number
  /** Takes part in --quick. */
  readonly quick: boolean
  /** Runs only where it is named. */
  readonly onlyByName?: boolean
  /** Bytes that a run writes to the volume in memory. */
  readonly writes: number
  /** Names of the contents it uses: they are kept for it. */
  readonly contents: readonly string[]
  /** Why a client cannot take part, or null. */
  readonly without?: (client: ClientId) => string | null
  readonly prepare: (world: World) => Prepared
  readonly run: (stage: Stage, prepared: Prepared) => Promise<Figures>
}

/** The scenario with its own type of preparation hidden: the runner hands `run` what `prepare` gave. */
export function scenario<Prepared>(init: Scenario<Prepared>): Scenario {
  const { prepare, run } = init
  return { ...init, prepare, run: (stage, prepared) => run(stage, prepared as Prepared) }
}

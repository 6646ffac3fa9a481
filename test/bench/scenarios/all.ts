/** Every scenario, in the order they run. */
import { UsageError } from '../options.js'
import { cold } from './cold.js'
import { idle, recheck } from './quiet.js'
import { crowd, duplex, seeds } from './seed.js'
import { eight, singles, small, start } from './single.js'
import { fifty, mesh, slowPeers } from './swarm.js'
import type { Scale, Scenario } from './scenario.js'

export function allScenarios(scale: Scale): Scenario[] {
  return [
    ...singles(scale),
    eight(scale),
    ...seeds(scale),
    crowd(scale),
    duplex(scale),
    start(),
    small(scale),
    recheck(scale),
    mesh(scale),
    slowPeers(scale),
    fifty(scale),
    cold(scale),
    idle(scale),
  ]
}

/** Those that these options ask for. Throws where a name is none. */
export function chosen(all: readonly Scenario[], only: readonly string[] | null, quick: boolean): Scenario[] {
  if (only === null) {
    return all.filter((each) => each.onlyByName !== true && (each.quick || !quick))
  }
  const unknown = only.find((name) => !all.some(({ info }) => info.id === name || info.group === name))
  if (unknown !== undefined) throw new UsageError(`There is no scenario ${unknown}.`)
  return all.filter(({ info }) => only.includes(info.id) || only.includes(info.group))
}

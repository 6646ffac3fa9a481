/** Every scenario, in the order they run. */
import { eight, singles, small, start } from './single.js'
import type { Scale, Scenario } from './scenario.js'

export function allScenarios(scale: Scale): Scenario[] {
  return [...singles(scale), eight(scale), small(scale), start()]
}

/** Those that these options ask for. Throws where a name is none. */
export function chosen(all: readonly Scenario[], only: readonly string[] | null, quick: boolean): Scenario[] {
  if (only === null) return all.filter((each) => (quick ? each.quick : each.onlyByName !== true))
  const unknown = only.find((name) => !all.some(({ info }) => info.id === name || info.group === name))
  if (unknown !== undefined) throw new Error(`There is no scenario ${unknown}.`)
  return all.filter(({ info }) => only.includes(info.id) || only.includes(info.group))
}

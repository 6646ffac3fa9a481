/** Homebrew's own service for the formula: two agents on one home would be one too many. */
import type { Host, ServiceInit } from './manager.js'

const PLIST = 'homebrew.mxcl.torrentino.plist'

/** What to say instead of installing; null where the service is ours to install. A named home is always ours. */
export function homebrewSentence(init: ServiceInit, host: Host): string | null {
  if (init.home !== null) return null
  const there = homebrewService(host)
  if (there !== null)
    return `Homebrew has a service for this home (${there}); run "brew services start torrentino" instead.`
  const isFormula = /\/(Cellar|opt)\/torrentino\//.test(host.realpath(init.entry))
  return isFormula ? 'Torrentino came with Homebrew; run "brew services start torrentino" instead.' : null
}

/** Where Homebrew's agent lies, or null. */
export function homebrewService(host: Host): string | null {
  const places = [`${host.userHome}/Library/LaunchAgents/${PLIST}`, `/Library/LaunchDaemons/${PLIST}`]
  return places.find((path) => host.exists(path)) ?? null
}

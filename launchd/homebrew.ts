/** Homebrew's own service for the formula: two services on one home would be one too many. */
import type { Host, ServiceInit } from './manager.js'

const PLIST = 'homebrew.mxcl.torrentino.plist'
const UNIT = 'homebrew.torrentino.service'
const INSTEAD = 'run "brew services start torrentino" instead.'

/** What to say instead of installing; null where the service is ours to install. A named home is always ours. */
export function homebrewSentence(init: ServiceInit, host: Host): string | null {
  if (init.home !== null) return null
  const there = homebrewService(host)
  if (there !== null) return `Homebrew has a service for this home (${there}); ${INSTEAD}`
  const isFormula =
    host.platform === 'darwin' && /\/(Cellar|opt)\/torrentino\//.test(host.realpath(init.entry))
  return isFormula ? `Torrentino came with Homebrew; ${INSTEAD}` : null
}

/** Where Homebrew's agent or unit lies, or null. */
export function homebrewService(host: Host): string | null {
  const places =
    host.platform === 'darwin'
      ? [`${host.userHome}/Library/LaunchAgents/${PLIST}`, `/Library/LaunchDaemons/${PLIST}`]
      : [`${host.userHome}/.config/systemd/user/${UNIT}`]
  return places.find((path) => host.exists(path)) ?? null
}

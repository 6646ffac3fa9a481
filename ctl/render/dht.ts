/** The DHT, and what a search in it found. */
import type { Result } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import type { DhtFamilyView, DhtView } from '../../shared/views.js'
import { plural, type Style } from './style.js'
import { renderPairs } from './table.js'

export function renderDht(view: DhtView, style: Style): string {
  if (!view.enabled) {
    return view.error === null
      ? 'The DHT is off; torrentinoctl config set dht.enabled true turns it on.\n'
      : `The DHT has no port (${escapeText(view.error)}); choose another with torrentinoctl config set dht.port.\n`
  }
  const pairs: [string, string][] = [
    ['Port', `${view.port}, UDP`],
    ...view.families.map((family): [string, string] => [`IPv${family.family}`, familyLine(family)]),
    ['Torrents', `${view.torrents}, searches running or waiting: ${view.searches}`],
    ['Asked', `${plural(view.asked, 'question')}, ${view.roundTrip} ms each`],
    ['Answered', `${plural(view.answered, 'question')}, ${view.ignored} left because there were too many`],
  ]
  return renderPairs(pairs, style)
}

function familyLine(family: DhtFamilyView): string {
  const { nodes, good, address, booting, hashes, peers, id } = family
  const known = `${plural(nodes, 'node')}, ${good} of them good`
  const kept = hashes > 0 ? `, keeps ${plural(peers, 'peer')} of ${plural(hashes, 'swarm')}` : ''
  const seen = address === null ? '' : `, seen as ${escapeText(address)}`
  return `${known}${booting ? ', looking for neighbours' : ''}${kept}${seen}, id ${id.slice(0, 8)}`
}

export function renderLookup(found: Result<'dht.lookup'>): string {
  const peers = found.peers.map((peer) => `${escapeText(peer)}\n`).join('')
  const searches = found.searches.map(
    ({ family, asked, answered, hops, seeds, leechers }) =>
      `IPv${family}: ${answered} of ${plural(asked, 'question')} answered, ${plural(hops, 'hop')}` +
      (seeds === null || leechers === null
        ? ''
        : `, about ${plural(seeds, 'seed')} and ${plural(leechers, 'leecher')}`),
  )
  const note = searches.length === 0 ? 'no answer yet' : searches.join('; ')
  return `${peers}${plural(found.peers.length, 'peer')} in ${(found.took / 1000).toFixed(1)} s (${note}).\n`
}

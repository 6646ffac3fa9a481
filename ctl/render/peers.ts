/** The peers of a torrent. */
import { escapeText, formatPercent } from '../../shared/text.js'
import type { PeerView } from '../../shared/views.js'
import { bytesText, rateText, type Style } from './style.js'
import { type Column, renderTable } from './table.js'

const rate = (value: number, style: Style): string => (value === 0 ? '-' : rateText(value, style))

const COLUMNS: readonly Column<PeerView>[] = [
  { title: 'PEER', cell: (peer) => escapeText(peer.address) },
  { title: 'CLIENT', flexible: true, cell: (peer) => escapeText(peer.client) || '-' },
  { title: 'HAS', align: 'right', cell: (peer) => formatPercent(peer.progress) },
  { title: 'DOWN', align: 'right', cell: (peer, style) => rate(peer.downRate, style) },
  { title: 'UP', align: 'right', cell: (peer, style) => rate(peer.upRate, style) },
  { title: 'GOT', align: 'right', from: 100, cell: (peer, style) => bytesText(peer.downloaded, style) },
  { title: 'GAVE', align: 'right', from: 100, cell: (peer, style) => bytesText(peer.uploaded, style) },
  { title: 'FLAGS', cell: flags },
  { title: 'FROM', from: 100, cell: (peer) => peer.source },
]

const LEGEND =
  'FLAGS: D gives to us, d not yet; U takes from us, u not yet; I called us;\n' +
  'E encrypted, e only its handshake\n'

export function renderPeers(peers: readonly PeerView[], style: Style): string {
  return peers.length === 0 ? 'No peers are connected.\n' : renderTable(peers, COLUMNS, style) + LEGEND
}

/** The letters that other clients use. */
function flags(peer: PeerView): string {
  let letters = ''
  if (peer.amInterested) letters += peer.peerChoking ? 'd' : 'D'
  if (peer.peerInterested) letters += peer.amChoking ? 'u' : 'U'
  if (peer.direction === 'in') letters += 'I'
  if (peer.encryption !== 'none') letters += peer.encryption === 'rc4' ? 'E' : 'e'
  return letters === '' ? '-' : letters
}

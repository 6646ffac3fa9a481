/** What `add` tells: what it is, where it goes, whether there is room, and what to type next. */
import type { Result } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import { bytesText, paint, plural, type Style } from './style.js'

export function renderAdded(added: Result<'torrent.add'>, style: Style): string {
  const name = paint(escapeText(added.name), 'bold', style)
  if (added.fromTrash) {
    return `Torrent ${added.id}, ${name}, is back from the trash, in ${escapeText(added.dir)}.\n  torrentinoctl show ${added.id}\n`
  }
  if (added.duplicate) {
    const trackers = added.addedTrackers === 0 ? '' : `; ${plural(added.addedTrackers, 'tracker')} added`
    return `Torrent ${added.id}, ${name}, is a duplicate: it was here already${trackers}.\n  torrentinoctl show ${added.id}\n`
  }
  if (added.totalBytes === 0) {
    return (
      `Added torrent ${added.id}: ${name}, a magnet link; its files are known when a peer has sent the metadata\n` +
      `  into ${escapeText(added.dir)} (${bytesText(added.freeBytes, style)} free)\n` +
      `  torrentinoctl show ${added.id}\n`
    )
  }
  const size =
    added.wantedBytes === added.totalBytes
      ? bytesText(added.totalBytes, style)
      : `${bytesText(added.wantedBytes, style)} of ${bytesText(added.totalBytes, style)}`
  return (
    `Added torrent ${added.id}: ${name}, ${size}\n` +
    `  into ${escapeText(added.dir)} (${bytesText(added.freeBytes, style)} free)\n` +
    `  torrentinoctl show ${added.id}\n`
  )
}

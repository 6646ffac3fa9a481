/** What is in the way of a torrent, the most important first. */
import { escapeText } from '../../shared/text.js'
import type { WhyView } from '../../shared/views.js'
import { paint, type Style } from './style.js'

export function renderWhy({ torrent, causes, summary }: WhyView, style: Style): string {
  const head = `${escapeText(torrent.name)}: ${escapeText(summary)}\n`
  const lines = causes.map(({ stops, sentence }) => {
    const mark = paint(stops ? '!' : '-', stops ? 'red' : 'yellow', style)
    return `  ${mark} ${escapeText(sentence)}\n`
  })
  return head + lines.join('')
}

/** What is in the way of a torrent, the most important first. */
import { escapeText } from '../../shared/text.js'
import type { WhyView } from '../../shared/views.js'
import { foldSentence, paint, type Style } from './style.js'

export function renderWhy({ torrent, causes, summary }: WhyView, style: Style): string {
  const head = foldSentence(`${escapeText(torrent.name)}: ${escapeText(summary)}`, '  ', style)
  const lines = causes.map(({ stops, sentence }) => {
    const mark = paint(stops ? '!' : '-', stops ? 'red' : 'yellow', style)
    return `  ${mark} ${foldSentence(escapeText(sentence), '    ', style)}`
  })
  return head + lines.join('')
}

/** Text to the macros of man(7), so that any man program shows it and every word can be copied into a shell. */

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  '`': '\\(ga',
  "'": '\\(aq',
  '^': '\\(ha',
  '~': '\\(ti',
  '"': '\\(dq',
}

/** A line of text: nothing in it is a request, an escape, or becomes a typographic sign; long lists break. */
export function line(text: string): string {
  return text
    .replace(/[\\\-`'^~"]/g, (sign) => ESCAPES[sign] ?? sign)
    .replace(/^\./, '\\&.')
    .replace(/,(?=\S)/g, ',\\:')
}

export const bold = (text: string): string => `.B "${line(text)}"`

/** A macro with one argument. */
export const heading = (macro: 'SH' | 'SS', text: string): string => `.${macro} "${line(text)}"`

/** A word that stands out, and what it is, indented below. */
export function entry(name: string, ...lines: readonly string[]): string {
  return ['.TP', bold(name), ...lines].join('\n')
}

/** What stands inside an entry, one step further in. */
export function inner(...lines: readonly string[]): string {
  return lines.length === 0 ? '' : ['.RS', ...lines, '.RE'].join('\n')
}

/** Paragraphs with an empty line between them, each on a line of its own. */
export function prose(text: string): string {
  return text
    .split('\n\n')
    .map((part) => line(part.replaceAll('\n', ' ')))
    .join('\n.PP\n')
}

/** The page, without lines that would be empty: roff takes those for a break. */
export function page(head: { name: string; section: 1 | 8; book: string }, parts: readonly string[]): string {
  const title = `.TH ${head.name.toUpperCase()} ${head.section} "" "Torrentino" "${head.book}"`
  const note = '.\\" Made by `npm run docs` from the command tree; a change here is lost.'
  // Words and names are neither hyphenated nor stretched: they are there to be copied.
  return `${[note, title, '.nh', '.ad l', ...parts].filter((part) => part !== '').join('\n')}\n`
}

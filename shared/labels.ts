/** The labels of a torrent: words of a person, in one order everywhere. */

/** Characters of a label, and labels of a torrent. */
export const LABEL_LENGTH = 64
export const MOST_LABELS = 32

/** Shared by all torrents without one: most have none. */
export const NO_LABELS: readonly string[] = Object.freeze([])

/** No control characters, no marks that turn text around, no space at either end, no comma. */
export function isLabel(word: string): boolean {
  return word.length > 0 && word.length <= LABEL_LENGTH && !/[\p{C}\p{Zl}\p{Zp},]|^\s|\s$/u.test(word)
}

/** Each once, by code points. */
export function sortLabels(words: Iterable<string>): readonly string[] {
  const each = [...new Set([...words].map((word) => word.normalize('NFC')))]
  if (each.length === 0) return NO_LABELS
  return each.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

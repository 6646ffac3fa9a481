/** Which known word somebody meant who wrote another. */

/** Letters to change, add or leave out (Levenshtein's distance), row by row. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j += 1) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** More letters than any word that is known. */
const LONGEST = 64

/** The known word nearest to `word`, or null where none is near: half of its letters, or a beginning, must be right. */
export function nearest(word: string, known: readonly string[]): string | null {
  const wrong = word.toLowerCase().slice(0, LONGEST)
  let best: string | null = null
  let least = Infinity
  for (const each of known) {
    const begins = wrong.length > 1 && each.startsWith(wrong)
    const far = begins ? 0.5 : distance(each, wrong)
    if (far < least && (begins || far <= Math.max(1, Math.floor(Math.min(each.length, wrong.length) / 2)))) {
      best = each
      least = far
    }
  }
  return best
}

/** The second name of a file that is not finished. */

const PART = '.part'
/** A torrent made to defeat this would need as many names. */
const MOST_TRIES = 1000

/**
 * What is appended to a path while the file is not finished: `.part`, or, in a torrent in which that would be the name
 * of another of its files or folders, `.1.part`, `.2.part`, ... The same answer for the same torrent each time.
 */
export function partSuffix(paths: readonly string[]): string {
  if (!paths.some((path) => /\.part(\/|$)/i.test(path))) return PART
  const taken = new Set<string>()
  for (const path of paths) {
    const folded = fold(path)
    taken.add(folded)
    for (let end = folded.indexOf('/'); end > 0; end = folded.indexOf('/', end + 1))
      taken.add(folded.slice(0, end))
  }
  for (let i = 0; i < MOST_TRIES; i += 1) {
    const suffix = i === 0 ? PART : `.${String(i)}${PART}`
    if (!paths.some((path) => taken.has(fold(path) + suffix))) return suffix
  }
  throw new RangeError('no name is left for unfinished files')
}

/** File systems of macOS fold case and normalise. */
function fold(path: string): string {
  return path.normalize('NFC').toLowerCase()
}

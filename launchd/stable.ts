/** Which path of a program still works after the program was upgraded. Pure over two questions to the disk. */

export interface PathFacts {
  /** The path with every symbolic link resolved; the path itself where it does not exist. */
  readonly realpath: (path: string) => string
  readonly exists: (path: string) => boolean
}

/** `<prefix>/Cellar/<formula>/<version>/<rest>`: Homebrew's folder of one version, deleted by the next upgrade. */
const CELLAR = /^(?<prefix>\/.*)\/Cellar\/(?<formula>[^/]+)\/[^/]+\/(?<rest>.+)$/

/**
 * The path under Homebrew's `opt`, which follows upgrades, for a file in its Cellar; any other path as it is.
 * The formula keeps its name: `node@24` stays on 24, `node` moves to the next major version.
 */
export function stablePath(path: string, facts: PathFacts): string {
  for (const candidate of [path, facts.realpath(path)]) {
    const groups = CELLAR.exec(candidate)?.groups
    if (groups === undefined) continue
    const linked = `${groups['prefix'] ?? ''}/opt/${groups['formula'] ?? ''}/${groups['rest'] ?? ''}`
    if (facts.exists(linked)) return linked
  }
  return path
}

/** `stablePath` for node itself; fnm's folder of one shell ends with that shell, so its target is taken. */
export function stableNode(execPath: string, facts: PathFacts): string {
  const path = stablePath(execPath, facts)
  return path.includes('/fnm_multishells/') ? facts.realpath(path) : path
}

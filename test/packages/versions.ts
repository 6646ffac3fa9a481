/** What a release changes in the files that name the version. Pure: text in, text out, one sentence where it cannot be. */

import { parseArgs } from 'node:util'
import { addressOf, checkAddresses } from './formula.js'

/** Told to the person as it stands. */
export class CannotRelease extends Error {}

export interface Wanted {
  readonly version: string
  /** Where the repository is, or null: then there is no tap. */
  readonly at: string | null
  readonly dryRun: boolean
}

const USAGE =
  'Give one version: npm run release -- 1.2.3 [--at https://github.com/OWNER/torrentino] [--dry-run].'

/** What is asked for. An address that cannot be is refused here, before anything changes. */
export function wantedOf(args: readonly string[]): Wanted {
  const { values, positionals } = parsed(args)
  const [version, ...more] = positionals
  if (version === undefined || more.length > 0) throw new CannotRelease(USAGE)
  numbersOf(version)
  const at = values.at ?? null
  if (at !== null) checkAddresses(at, addressOf(at, version))
  return { version, at, dryRun: values['dry-run'] ?? false }
}

function parsed(args: readonly string[]) {
  const options = { at: { type: 'string' }, 'dry-run': { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch {
    throw new CannotRelease(USAGE)
  }
}

/** Three numbers without leading zeros (Semantic Versioning 2.0.0, item 2); what comes before a release is not made here. */
function numbersOf(version: string): readonly [number, number, number] {
  const found = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/.exec(version)
  if (found === null) throw new CannotRelease(`"${version}" is no version: give three numbers, as in 1.2.3.`)
  return [Number(found[1]), Number(found[2]), Number(found[3])]
}

/** Throws where `next` is below `present`. The same again is right: the first release is of the version that stands there. */
export function mayFollow(present: string, next: string): void {
  const [before, after] = [numbersOf(present), numbersOf(next)]
  const at = after.findIndex((number, index) => number !== before[index])
  if (at !== -1 && (after[at] ?? 0) < (before[at] ?? 0))
    throw new CannotRelease(`${next} is older than ${present}, which package.json has.`)
}

/**
 * The changelog with its open section dated: `## [1.2.3] - unreleased` or `## [Unreleased]`. `date` is YYYY-MM-DD. A
 * section of the version that has a date already, or one that is empty, is not released again.
 */
export function dated(changelog: string, version: string, date: string): string {
  const open = [...changelog.matchAll(/^## (?:\[(\d[\w.]*)\] - unreleased|\[Unreleased\])[ \t]*$/gim)]
  const [section] = open
  if (section === undefined) throw new CannotRelease('CHANGELOG.md has no unreleased section.')
  if (open.length > 1) throw new CannotRelease('CHANGELOG.md has more than one unreleased section.')
  const [title, named = version] = section
  if (named !== version) throw new CannotRelease(`CHANGELOG.md has ${named} as unreleased, not ${version}.`)
  const after = changelog.slice(section.index + title.length)
  if (after.startsWith('\n') && !/^- /m.test(after.split(/^## /m, 1)[0] ?? ''))
    throw new CannotRelease('The unreleased section of CHANGELOG.md says nothing.')
  if (changelog.includes(`\n## [${version}] - 2`))
    throw new CannotRelease(`CHANGELOG.md has a date for ${version} already.`)
  return `${changelog.slice(0, section.index)}## [${version}] - ${date}${after}`
}

/** package.json or package-lock.json with another version of this package; every other byte stays. */
export function manifestWith(text: string, present: string, next: string): string {
  // The lockfile has it twice: at its top, and for the package at the root, whose name stands right before it.
  const own = new RegExp(`("name": "torrentino",\\s+"version": )"${escaped(present)}"`, 'g')
  if (!own.test(text))
    throw new CannotRelease(`The version of torrentino, ${present}, is not where it should be.`)
  return text.replace(own, `$1"${next}"`)
}

/** shared/version.ts likewise. */
export function constantWith(text: string, present: string, next: string): string {
  const before = `export const VERSION = '${present}'`
  if (!text.includes(before)) throw new CannotRelease(`shared/version.ts does not say ${present}.`)
  return text.replace(before, `export const VERSION = '${next}'`)
}

/** docs/install.md with another version in the names of the Debian packages. */
export function guideWith(text: string, present: string, next: string): string {
  const name = `torrentino_${present}-`
  if (!text.includes(name)) throw new CannotRelease(`docs/install.md does not name ${name}1.`)
  return text.replaceAll(name, `torrentino_${next}-`)
}

/** The lines that `sha256sum -c` reads, by name. */
export function sums(files: readonly (readonly [name: string, sha256: string])[]): string {
  return [...files]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, digest]) => `${digest}  ${name}\n`)
    .join('')
}

const escaped = (text: string): string => text.replaceAll('.', '\\.')

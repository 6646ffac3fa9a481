/** The formula of the tap with what a release knows: packaging/homebrew/Formula/torrentino.rb. Pure: text in, text out. */

export interface Release {
  /** Where people read of it. */
  readonly homepage: string
  /** Where the package of npm lies; its name has the version: torrentino-1.2.3.tgz. */
  readonly url: string
  /** Of its bytes, 64 hex digits. */
  readonly sha256: string
}

/** Told to the person as it stands. */
export class CannotFill extends Error {}

/** Where the releases of a repository at `homepage` have their files: the form of GitHub and of Forgejo. */
export function addressOf(homepage: string, version: string): string {
  return `${homepage.replace(/\/+$/, '')}/releases/download/v${version}/torrentino-${version}.tgz`
}

/** No quote, backslash or hash sign: Ruby would read on in them. */
const ADDRESS = /^(?:https:\/\/|file:\/\/\/)[\w.~%/:@+-]+$/

/** Throws where one would break the Ruby around it, or Homebrew would find no version in it. */
export function checkAddresses(homepage: string, url: string): void {
  for (const address of [homepage, url])
    if (!ADDRESS.test(address)) throw new CannotFill(`"${address}" is no https:// or file:// address.`)
  if (!/\/torrentino-\d+\.\d+\.\d+\.tgz$/.test(url))
    throw new CannotFill(`"${url}" does not end in torrentino-VERSION.tgz.`)
}

/** The template with its three words replaced. Throws where it has others, or a value would break the Ruby around it. */
export function filledFormula(template: string, { homepage, url, sha256 }: Release): string {
  checkAddresses(homepage, url)
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new CannotFill(`"${sha256}" is no SHA-256.`)
  const values: Readonly<Record<string, string>> = { HOMEPAGE: homepage, URL: url, SHA256: sha256 }
  const found = [...template.matchAll(/@([A-Z0-9]+)@/g)].map(([, name = '']) => name)
  if (found.sort().join() !== Object.keys(values).sort().join())
    throw new CannotFill(`The formula has the words ${found.join(', ')} to fill in.`)
  return template.replaceAll(/@([A-Z0-9]+)@/g, (word, name: string) => values[name] ?? word)
}

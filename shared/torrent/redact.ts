/** Tracker URLs carry a person's passkey: it is hidden wherever one is shown or logged. */

/** What stands for a part that is not shown. */
export const HIDDEN = '***'
const PARTS = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is
/** Names of query values that are a key, or name a person. */
const SECRET_NAME = /key|pass|auth|token|secret|sess|sig|user|hash|^(?:pid|uid|sid|id|uk|k|p|u|t|pk)$/i
const URL_IN_TEXT = /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi

/** The URL with passkeys, tokens and user names as `***`; scheme, host and shape stay readable. */
export function redactTracker(url: string): string {
  const [, scheme, authority, path, query, fragment] = PARTS.exec(url.trim()) ?? []
  if (scheme === undefined) return redactPath(url)
  return (
    scheme +
    redactAuthority(authority ?? '') +
    redactPath(path ?? '') +
    redactQuery(query ?? '') +
    redactQuery(fragment ?? '')
  )
}

/** A web seed's URL: its path names files and stays, user and query values are hidden. */
export function redactWebSeed(url: string): string {
  const [, scheme, authority, path, query, fragment] = PARTS.exec(url.trim()) ?? []
  if (scheme === undefined) return url
  return scheme + redactUser(authority ?? '') + (path ?? '') + redactQuery(query ?? '') + (fragment ?? '')
}

/** A message of others, an error or a tracker's word, with the URLs in it redacted. */
export function redactText(text: string): string {
  return text.replace(URL_IN_TEXT, redactTracker)
}

function redactUser(authority: string): string {
  const at = authority.lastIndexOf('@')
  const host = plainHost(authority.slice(at + 1))
  return at < 0 ? host : `${HIDDEN}@${host}`
}

/** What is asked for is shown (punycode): letters of other scripts look like those of a name that people trust. */
function plainHost(host: string): string {
  const foreign = /[^\x20-\x7e]/.test(host) && URL.canParse(`http://${host}`)
  return foreign ? new URL(`http://${host}`).host : host
}

/** Some trackers put the key into a subdomain. */
function redactAuthority(authority: string): string {
  const host = redactUser(authority)
  return host.replace(/[^.:@[\]]+/g, (label) =>
    looksSecret(label) && !/^xn--/i.test(label) ? HIDDEN : label,
  )
}

function redactPath(path: string): string {
  return path.replace(/[^/;]+/g, (segment) => {
    const equals = segment.indexOf('=')
    if (equals > 0) return redactPair(segment)
    return looksSecret(segment) ? HIDDEN : segment
  })
}

function redactQuery(query: string): string {
  return query.replace(/[^?#&;]+/g, redactPair)
}

function redactPair(pair: string): string {
  const equals = pair.indexOf('=')
  if (equals < 0) return looksSecret(pair) ? HIDDEN : pair
  const name = pair.slice(0, equals)
  const value = pair.slice(equals + 1)
  const secret = value !== '' && (SECRET_NAME.test(name) || looksSecret(value))
  return `${name}=${secret ? HIDDEN : value}`
}

/** Hex, base32 or base64 of some length: nothing that a person would name a folder or a script. */
function looksSecret(part: string): boolean {
  if (/^[0-9a-f]{8,}$/i.test(part)) return /\d/.test(part)
  if (/^[a-z0-9]{20,}$/i.test(part)) return true
  return /^(?=.*\d)(?=.*[a-z])[a-z0-9_=~%+-]{16,}$/i.test(part)
}

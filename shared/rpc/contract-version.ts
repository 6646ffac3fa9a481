/** major.minor. A client of another major is refused by `session.hello`; a minor only adds. */
export const CONTRACT_VERSION = '1.0'

/** The part before the dot: what client and daemon must share. */
export function contractMajor(version: string): string {
  return version.split('.', 1)[0] ?? ''
}

import { statSync } from 'node:fs'

/** The volume that a folder lies on: its st_dev, in digits. Read once, at the start; throws as `stat` does. */
export function volumeOf(folder: string): string {
  return String(statSync(folder, { bigint: true }).dev)
}

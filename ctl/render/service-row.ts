/** What both managers' sentences share. */
import { escapeText } from '../../shared/text.js'

/** Who answers on the socket. */
export interface RunningDaemon {
  readonly pid: number
  readonly owner: 'service' | 'person'
}

/** One fact of a service: its name and its value in columns. */
export function serviceRow(label: string, value: string): string {
  return `${label.padEnd(13)}${escapeText(value)}`
}

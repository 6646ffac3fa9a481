/** The four foreign clients, and whether each is here. */
import { installed, type Lab, labMissing } from '../namespace.js'
import { startAria2 } from './aria2.js'
import { type Client, type ClientName, SEATS } from './client.js'
import { libtorrentInstalled, startLibtorrent } from './libtorrent.js'
import { startQbittorrent } from './qbittorrent.js'
import { startTransmission } from './transmission.js'

export type ForeignName = Exclude<ClientName, 'torrentino'>

export const FOREIGN: readonly ForeignName[] = ['libtorrent', 'transmission', 'aria2', 'qbittorrent']

const INSTALLED: Readonly<Record<ForeignName, () => boolean>> = {
  libtorrent: libtorrentInstalled,
  transmission: () => installed('transmission-daemon'),
  aria2: () => installed('aria2c'),
  qbittorrent: () => installed('qbittorrent-nox'),
}

/** What is missing for a test with these clients, in a few words for the test's name, or ''. */
export function lacking(...names: readonly ForeignName[]): string {
  const lab = labMissing()
  if (lab !== null) return lab
  if (!installed('opentracker')) return 'opentracker is not installed'
  const absent = names.filter((name) => !INSTALLED[name]())
  return absent.length === 0 ? '' : `${absent.join(', ')} not installed`
}

/** Starts a client at its seat in the lab. `secret`: it speaks encrypted alone. */
export async function startForeign(lab: Lab, name: ForeignName, secret = false): Promise<Client> {
  const host = await lab.host(SEATS[name])
  switch (name) {
    case 'libtorrent':
      return startLibtorrent(host, '', false, secret)
    case 'transmission':
      return startTransmission(host, false, false, [], secret)
    case 'aria2':
      return startAria2(host, secret)
    case 'qbittorrent':
      return startQbittorrent(host, false, false, secret)
  }
}

/** The title of a test with what keeps it from running, where something does. */
export function titled(text: string, without: string): string {
  return without === '' ? text : `${text} (${without})`
}

/** Counts that a person asks for. */
import type { Result } from '../../shared/rpc/contract.js'
import { redactTracker } from '../../shared/torrent/redact.js'
import type { Millis } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Torrent } from '../swarm/torrent.js'
import type { TrackerFault } from '../swarm/tracker-port.js'

/** A person waits no longer: a UDP tracker that is silent is given up after a minute and a half only. */
const CAP: Millis = 20_000

/** The trackers after all have answered, or after 20 seconds. */
export function scrape(torrent: Torrent, clock: Clock): Promise<Result<'torrent.scrape'>> {
  return new Promise((resolve) => {
    const asked = clock.wall()
    const end = (failed: readonly TrackerFault[]): void => {
      stop()
      resolve({ trackers: torrent.trackers(), failed: [...failed] })
    }
    const stop = clock.after(CAP, () => {
      const silent = torrent.trackers().filter(({ scrapedAt }) => scrapedAt === null || scrapedAt < asked)
      end(
        silent.map(({ url }) => ({ url: redactTracker(url), message: 'The tracker has not answered yet.' })),
      )
    })
    torrent.scrape(end)
  })
}

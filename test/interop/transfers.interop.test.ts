/** We download from each of four clients, and each downloads from us. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectContent, expectSameFiles } from '../support/make-torrent.js'
import { FOREIGN, type ForeignName, lacking, startForeign, titled } from './clients/all.js'
import { type Client, SEATS } from './clients/client.js'
import { startTorrentino, type Torrentino } from './clients/torrentino.js'
import { startTracker, type Tracker } from './clients/tracker.js'
import { type Lab, openLab } from './namespace.js'
import { record, type Row, type Section } from './record.js'
import { fetchOne, makePairs, type Pair, seedOne } from './transfers.js'

const here = FOREIGN.filter((name) => lacking(name) === '')

/** A lab with our daemon and every client that is installed; the slow ones start side by side. */
class Stage {
  readonly lab: Lab
  readonly pairs: readonly Pair[]
  readonly tracker: Tracker
  readonly ours: Torrentino
  readonly #clients: ReadonlyMap<ForeignName, Client>
  /** What docs/interop.md will say. */
  readonly #rows: Row[] = []
  /** What was begun for every pair at once; each test waits for its own. */
  readonly #begun = new Map<Pair, Promise<void>>()

  private constructor(lab: Lab, pairs: Pair[], tracker: Tracker, ours: Torrentino, clients: Client[]) {
    this.lab = lab
    this.pairs = pairs
    this.tracker = tracker
    this.ours = ours
    this.#clients = new Map(clients.map((client) => [client.name as ForeignName, client]))
  }

  static async open(): Promise<Stage> {
    const lab = await openLab()
    const pairs = makePairs(lab, here)
    const torrents = pairs.map((pair) => pair.torrent)
    const tracker = await startTracker(await lab.host(SEATS.tracker), torrents)
    const [ours, ...clients] = await Promise.all([
      lab.host(SEATS.torrentino).then(startTorrentino),
      ...here.map((name) => startForeign(lab, name)),
    ])
    return new Stage(lab, pairs, tracker, ours, clients)
  }

  client(name: ForeignName): Client {
    const client = this.#clients.get(name)
    if (client === undefined) throw new Error(`${name} is not on this stage`)
    return client
  }

  /** Begins the work of every pair, side by side; failures are kept, with our log, for the tests that ask. */
  begin(work: (pair: Pair) => Promise<void>): void {
    for (const pair of this.pairs) {
      const done = work(pair).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${this.ours.diary()}`, { cause: error })
      })
      done.catch(() => undefined)
      this.#begun.set(pair, done)
    }
  }

  async outcome(name: ForeignName): Promise<void> {
    for (const pair of this.pairs) if (pair.name === name) await this.#begun.get(pair)
  }

  note(pair: Pair, direction: string, seconds: number): void {
    const bytes = pair.torrent.totalBytes
    this.#rows.push({ client: this.client(pair.name), direction, content: pair.content, bytes, seconds })
  }

  async close(section: Section): Promise<void> {
    await Promise.allSettled(this.#begun.values())
    await this.lab.close()
    const order = (row: Row): string => `${row.client.name} ${row.content}`
    await record(
      section,
      this.#rows.toSorted((a, b) => order(a).localeCompare(order(b))),
    )
  }
}

/** A named test for each client, skipped where that one is missing. */
function each(text: (name: ForeignName) => string, stage: () => Stage): void {
  for (const name of FOREIGN) {
    const without = lacking(name)
    it.skipIf(without !== '')(titled(text(name), without), () => stage().outcome(name), 180_000)
  }
}

describe('we download', () => {
  let stage: Stage

  beforeAll(async () => {
    if (here.length === 0) return
    stage = await Stage.open()
    stage.begin(async (pair) => {
      await seedOne(stage.client(pair.name), pair.torrent, stage.tracker)
      const dir = stage.lab.folder(`ours-${pair.torrent.name}`)
      const seconds = await fetchOne(stage.ours, pair.torrent, dir)
      expectSameFiles(pair.torrent, dir)
      stage.note(pair, 'it seeds, we download', seconds)
    })
  }, 60_000)
  afterAll(async () => {
    if (here.length > 0) await stage.close('Downloads from')
  }, 60_000)

  each(
    (name) => `from ${name}, one file and several, over HTTP and UDP trackers`,
    () => stage,
  )
})

describe('we upload after a restart', () => {
  let stage: Stage

  beforeAll(async () => {
    if (here.length === 0) return
    stage = await Stage.open()
    const { ours, tracker } = stage
    await Promise.all(stage.pairs.map((pair) => seedOne(ours, pair.torrent, tracker)))
    await ours.stop()
    await ours.start()
    await tracker.seedsKnown(
      stage.pairs.map((pair) => pair.torrent),
      30_000,
    )
    stage.begin(async (pair) => {
      const dir = stage.lab.folder(`theirs-${pair.torrent.name}`)
      const seconds = await fetchOne(stage.client(pair.name), pair.torrent, dir)
      expectContent(pair.torrent, dir)
      stage.note(pair, 'we seed, it downloads', seconds)
    })
  }, 120_000)
  afterAll(async () => {
    if (here.length > 0) await stage.close('Uploads to')
  }, 60_000)

  each(
    (name) => `to ${name}, one file and several, over HTTP and UDP trackers`,
    () => stage,
  )
})

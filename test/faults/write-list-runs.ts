/**
 * Power cuts in process, by a seed: the real brain (sessions, torrents, recorder, survey) on a disk that forgets at
 * random what was not synced, and a store that forgets what was not committed. After each cut every record must be
 * borne out by what is left, every torrent must be there, and in the end the download comes whole.
 */
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import type { PieceIndex } from '../../shared/units.js'
import { FakeRandom } from '../support/fake-random.js'
import { LateStore } from '../support/late-store.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'
import { type Lies, WriteList } from '../support/write-list.js'

const PIECE = 32_768
const source = makeSource({
  name: 'album',
  pieceLength: PIECE,
  files: [
    { path: 'a', length: 100_000 },
    { path: 'empty', length: 0 },
    { path: 'c/b', length: 70_001 },
    { path: 'c/d/e', length: 9000 },
    { path: 'last', length: 50_000 },
  ],
})
/** Milliseconds of virtual time between two power cuts. */
const LONGEST_RUN = 6000
const MOST_CUTS = 3

export interface RunFigures {
  readonly cuts: number
  /** Records looked at after a cut. */
  readonly recorded: number
  /** One sentence each. */
  readonly violations: readonly string[]
}

export async function runOf(seed: number, lies: Lies = {}): Promise<RunFigures> {
  const run = new Run(seed, lies)
  await run.go()
  return run
}

class Run implements RunFigures {
  cuts = 0
  recorded = 0
  readonly violations: string[] = []
  private readonly random: FakeRandom
  private readonly swarm: Swarm
  private readonly seeder: Node
  private readonly node: Node
  /** The torrent's presence as it was acknowledged; null: asked and not answered. */
  private there: boolean | null = false

  constructor(
    private readonly seed: number,
    lies: Lies,
  ) {
    this.random = new FakeRandom(seed)
    this.swarm = new Swarm({ step: 50, seed })
    this.seeder = this.swarm.node()
    this.node = this.swarm.node({ slow: () => this.random.int(12) })
    const files = new WriteList(lies)
    files.mkdirs('/data')
    files.settleAll()
    Object.assign(this.node.disk, { fs: files })
    this.swarm.network.limit(this.seeder.init.host, 30_000 + this.random.int(400_000), this.swarm.clock)
  }

  async go(): Promise<void> {
    const { seeder, random } = this
    await seeder.add(source, { have: true })
    const cuts = 1 + random.int(MOST_CUTS)
    for (let cut = 0; cut < cuts; cut++) {
      await this.live(random.int(LONGEST_RUN))
      await this.cut()
    }
    if (this.violations.length === 0) await this.finish()
  }

  /** Commands at random for a while. */
  private async live(millis: number): Promise<void> {
    const { swarm, random, node } = this
    const end = swarm.clock.now() + millis
    while (swarm.clock.now() < end) {
      if (this.there === false) this.add()
      else if (this.there === true) this.act()
      if (node.session.all().length > 0) node.meet(this.seeder)
      await swarm.run(Math.min(end - swarm.clock.now(), 100 + random.int(1500)))
    }
  }

  private add(): void {
    this.there = null
    this.node.add(source).then(
      () => {
        this.there = true
      },
      () => undefined,
    )
  }

  private act(): void {
    const chance = this.random.float()
    const [torrent] = this.node.session.all()
    if (torrent === undefined) return
    if (chance < 0.1) torrent.pause()
    else if (chance < 0.3) torrent.start()
    else if (chance < 0.35) torrent.verify()
    else if (chance < 0.42) this.remove(torrent.id)
  }

  private remove(id: number): void {
    this.there = null
    this.commands()
      .remove({ ids: [id], data: true }, { via: 'test', name: '' })
      .then(
        ({ results }) => {
          this.there = results[0]?.ok !== true
        },
        () => undefined,
      )
  }

  private commands(): Commands {
    const { session, store, log, clock, disk } = this.node
    const queries = new Queries({ session, store })
    const jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
    return new Commands({ clock, session, store, queries, jobs, log })
  }

  /** The power fails and comes back. */
  private async cut(): Promise<void> {
    const { node, swarm, random } = this
    node.kill()
    if (node.store instanceof LateStore) node.store.crash(random)
    const { fs } = node.disk
    if (!(fs instanceof WriteList)) throw new Error('no write list')
    Object.assign(node.disk, { fs: fs.crash(random) })
    this.cuts++
    await this.judge(node.store.reopen())
    const again = { over: false }
    const begun = node.again().then(async () => {
      // As the daemon does at its start.
      for (const torrent of node.session.all()) {
        if (torrent.desired.startsWith('removed')) await this.commands().finishRemoval(torrent)
      }
      again.over = true
    })
    for (let i = 0; i < 200 && !again.over; i++) await Promise.race([begun, swarm.run(50)])
    if (!again.over) throw new Error('it does not start again')
    this.there = node.session.all().length > 0
  }

  /** What the store has against what the disk has. */
  private async judge(store: Node['store']): Promise<void> {
    const rows = await store.torrents()
    if (this.there === true && rows.length === 0) this.complain('a torrent is lost')
    if (this.there === false && rows.length > 0) this.complain('a torrent that was removed is there')
    for (const { id } of rows) {
      const { bits } = await store.have(id)
      for (let piece = 0; piece < source.meta.pieceCount; piece++) {
        if (((bits?.[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) === 0) continue
        this.recorded++
        if (!this.lies(piece)) this.complain(`piece ${String(piece)} is recorded and not on the disk`)
      }
    }
  }

  /** Whether a piece lies on the disk as it should. */
  private lies(piece: PieceIndex): boolean {
    const { fs } = this.node.disk
    const from = piece * PIECE
    const to = Math.min(from + PIECE, source.whole.length)
    let at = 0
    return source.meta.files.every(({ path, length }) => {
      const start = Math.max(from, at) - at
      const end = Math.min(to, at + length) - at
      const offset = at
      at += length
      if (end <= start) return true
      const bytes = fs.content(`/data/${path}.part`) ?? fs.content(`/data/${path}`)
      const wanted = source.whole.subarray(offset + start, offset + end)
      return bytes?.subarray(start, end).equals(wanted) === true
    })
  }

  private complain(sentence: string): void {
    this.violations.push(`seed ${String(this.seed)}, cut ${String(this.cuts)}: ${sentence}`)
  }

  /** On what is left the download comes whole, by itself and without a check by hand. */
  private async finish(): Promise<void> {
    const { node, swarm, seeder } = this
    if (node.session.all().length === 0) this.add()
    for (let i = 0; i < 60; i++) {
      await swarm.run(1000)
      if (node.session.all().length === 0) continue
      node.torrent.start()
      if (node.torrent.state.kind === 'seeding' && node.hasAll(source)) return
      node.meet(seeder)
    }
    const { state, error } = node.torrent.view()
    this.complain(`the download does not come whole: ${state} ${String(error)}`)
  }
}

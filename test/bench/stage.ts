/** One run: its programs, folders and clocks, all gone again at the end. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, ClientKind } from './clients/client.js'
import { type BenchTorrent, digestOf } from './content.js'
import { type Cost, loopbackBytes, Meter } from './meter.js'
import { Program, REPOSITORY } from './program.js'
import type { Figures } from './results.js'
import { addressOf, portOf, SEATS, TRACKER_PORT, type Volumes, type World } from './world.js'

const TSX = ['--import', 'tsx']
/** Milliseconds a started client is left alone before it is measured. */
const SETTLE = 400

/** Bytes on the interface that no handshakes or announces come to. */
const FLOW = 512 * 1024

export interface ClientOptions {
  /** Last octet of its address; the client's own seat where left out. */
  readonly seat?: number
  readonly crowd?: boolean
  readonly under?: readonly string[]
  /** Where left out: the client's core where the run is pinned. */
  readonly cpus?: string | null
}

export interface SeederReport {
  readonly payload: number
  readonly wire: number
  readonly firstRequestAt: number | null
  readonly lastBlockAt: number | null
}

export interface SinkReport {
  /** From the first request to the last block. */
  readonly seconds: number
  readonly total: number
  /** The bytes of the connection with the least over those of the one with the most. */
  readonly fairness: number
}

export class Generator<Report> {
  readonly #program: Program
  /** performance.now() when it was ready. */
  readonly since: number

  constructor(program: Program) {
    this.#program = program
    this.since = performance.now()
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Its last line, when it ends by itself. */
  async report(): Promise<Report> {
    return (await this.#program.json()) as Report
  }

  /** Ends it where it has not ended; its last line. */
  async end(): Promise<Report> {
    const report = this.report()
    await this.#program.stop()
    return report
  }
}

export interface Download {
  readonly client: Client
  readonly torrent: BenchTorrent
  readonly dir: string
}

/** What a watched stretch of time showed. */
export interface Watched {
  /** Milliseconds on performance.now's clock. */
  readonly begun: number
  readonly ended: number
  readonly cost: Cost
  /** Seconds from the beginning. */
  readonly firstPiece: number | null
  /** Seconds until each download was complete. */
  readonly finishes: readonly number[]
}

export class Stage {
  readonly world: World
  readonly kind: ClientKind
  readonly #pinned: boolean
  readonly #dir: string
  readonly #ends: (() => Promise<unknown>)[] = []
  #closed = false
  /** Folders that are removed at the end. */
  readonly #folders: string[] = []

  constructor(world: World, kind: ClientKind, pinned: boolean) {
    this.world = world
    this.kind = kind
    this.#pinned = pinned
    // On a disk: a client's own database is where a person has it.
    this.#dir = mkdtempSync(join(world.volumes.disk, 'run-'))
    this.#folders.push(this.#dir)
  }

  folder(name: string, volume: keyof Volumes = 'memory'): string {
    const made = mkdtempSync(join(this.world.volumes[volume], `${name}-`))
    this.#folders.push(made)
    return made
  }

  /** A client of this run's kind, or of another. */
  async client(options: ClientOptions = {}, kind = this.kind): Promise<Client> {
    const seat = options.seat ?? SEATS.client
    const home = join(this.#dir, `c${seat}`)
    mkdirSync(home)
    const cpus = options.cpus === undefined ? (this.#pinned ? this.world.cores.client : null) : options.cpus
    const { crowd = false, under = [] } = options
    const place = { address: addressOf(seat), port: portOf(seat), control: 30_000 + seat }
    const client = await kind.start({ ...place, home, cpus, crowd, under })
    this.#ends.push(() => client.stop())
    return client
  }

  /** The tracker names everybody in `seats` to whoever asks. */
  async tracker(seats: readonly number[]): Promise<void> {
    const peers = seats.flatMap((seat) => ['--peer', `${addressOf(seat)}:${portOf(seat)}`])
    await this.#tool('tracker', ['--listen', `${addressOf(SEATS.tracker)}:${TRACKER_PORT}`, ...peers])
  }

  /** A process that serves the torrents at each of the seats, at most at so many bytes a second where given. */
  seeder(
    torrents: readonly BenchTorrent[],
    seats: readonly { readonly seat: number; readonly rate?: number }[] = [{ seat: SEATS.seeder }],
  ): Promise<Generator<SeederReport>> {
    const listen = seats.flatMap(({ seat, rate }) => {
      const limit = rate === undefined ? '' : `@${Math.round(rate)}`
      return ['--listen', `${addressOf(seat)}:${portOf(seat)}${limit}`]
    })
    const sources = torrents.flatMap(({ file, content }) => ['--torrent', file, '--data', content.dir])
    return this.#tool<SeederReport>('seeder', [...sources, ...listen])
  }

  /** Leechers that throw away what they get from the client at `seat`. */
  sink(
    torrents: readonly BenchTorrent[],
    init: {
      readonly seat?: number
      readonly connections: number
      readonly addresses?: number
      readonly seconds?: number
      /** Each connection asks for the whole torrent, once. */
      readonly once?: boolean
    },
  ): Promise<Generator<SinkReport>> {
    const seat = init.seat ?? SEATS.client
    const locals = Array.from({ length: init.addresses ?? 1 }, (_, at) => addressOf(SEATS.leecher + at))
    return this.#tool<SinkReport>('sink', [
      ...torrents.flatMap(({ file }) => ['--torrent', file]),
      ...['--target', `${addressOf(seat)}:${portOf(seat)}`, '--connections', String(init.connections)],
      ...locals.flatMap((local) => ['--local', local]),
      ...(init.seconds === undefined ? [] : ['--seconds', String(init.seconds)]),
      ...(init.once === true ? ['--once'] : []),
    ])
  }

  /** Measures the clients while `work` goes on; the end is what it answers, on performance.now's clock. */
  async watch(clients: readonly Client[], work: (begun: number) => Promise<number>): Promise<Watched> {
    await sleep(SETTLE)
    for (const client of clients) await client.loopDelay()
    const meter = new Meter(clients.map(({ pid }) => pid))
    try {
      const begun = performance.now()
      const ended = await work(begun)
      return { begun, ended, cost: meter.stop(), firstPiece: null, finishes: [] }
    } finally {
      meter.stop()
    }
  }

  /** Adds the torrents and watches until all are complete, or for `window` milliseconds from the first data on. */
  async download(what: readonly Download[], window: number | null = null): Promise<Watched> {
    const ends = what.map(({ client, torrent }) => client.completed(torrent))
    let first: number | null = null
    let finishes: readonly number[] = []
    const clients = [...new Set(what.map(({ client }) => client))]
    const watched = await this.watch(clients, async (begun) => {
      await Promise.all(what.map(({ client, torrent, dir }) => client.add(torrent, dir)))
      void firstPieceOf(what[0], begun, () => this.#closed).then((seconds) => (first = seconds))
      if (window !== null) {
        await this.flowing()
        await sleep(window)
        return performance.now()
      }
      finishes = (await Promise.all(ends)).map((at) => (at - begun) / 1000)
      return begun + 1000 * Math.max(...finishes)
    })
    return { ...watched, firstPiece: first, finishes }
  }

  /** Adds torrents whose data lie there already and settles when they are offered. */
  async seed(client: Client, torrents: readonly BenchTorrent[], dir?: string): Promise<void> {
    for (const torrent of torrents) await client.add(torrent, dir ?? torrent.content.dir)
    for (const torrent of torrents) await offered(client, torrent, 50, () => this.#closed)
  }

  /** Adds a torrent whose data lie there and watches until it is offered. */
  check(client: Client, torrent: BenchTorrent): Promise<Watched> {
    return this.watch([client], async () => {
      await client.add(torrent, torrent.content.dir)
      await offered(client, torrent, 10, () => this.#closed)
      return performance.now()
    })
  }

  /** Settles when data flow; fails where none do in 30 s. */
  async flowing(): Promise<void> {
    const before = loopbackBytes()
    for (let look = 0; look < 600 && !this.#closed; look++) {
      if (loopbackBytes() - before > FLOW) return
      await sleep(50)
    }
    throw new Error('the leechers get nothing')
  }

  /** Fails where what lies in `dir` is not the torrent's content. */
  verify(torrent: BenchTorrent, dir: string): void {
    const { content } = torrent
    if (digestOf(content, dir) !== content.sha256)
      throw new Error('the SHA-256 of what was downloaded is wrong')
  }

  /** Stops everything, the youngest first. */
  async stop(): Promise<void> {
    this.#closed = true
    for (const end of this.#ends.splice(0).reverse()) await end().catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.stop()
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
  }

  async #tool<Report>(name: string, args: readonly string[]): Promise<Generator<Report>> {
    const program = new Program({
      command: process.execPath,
      args: [...TSX, join(REPOSITORY, `test/bench/tools/${name}.ts`), ...args],
      home: REPOSITORY,
      cpus: this.#pinned ? this.world.cores.peers : null,
      log: join(this.#dir, `${name}.log`),
    })
    this.#ends.push(() => program.stop())
    await program.json()
    return new Generator<Report>(program)
  }
}

async function offered(
  client: Client,
  torrent: BenchTorrent,
  every: number,
  over: () => boolean,
): Promise<void> {
  while (!over()) {
    // Right after the add some do not know it yet.
    if (await client.seeding(torrent).catch(() => false)) return
    await sleep(every)
  }
  throw new Error('the run was ended')
}

/** Seconds from `begun` to the first verified piece, null where the client does not tell in time. */
async function firstPieceOf(
  what: Download | undefined,
  begun: number,
  over: () => boolean,
): Promise<number | null> {
  if (what === undefined || !what.client.prompt) return null
  while (!over()) {
    const done = await what.client.done(what.torrent).catch(() => null)
    if (done === null) return null
    if (done > 0) return (performance.now() - begun) / 1000
    await sleep(10)
  }
  return null
}

/** The figures that every scenario has. */
export async function figuresOf(
  watched: Watched,
  payload: number,
  rest: {
    readonly client?: Client
    readonly torrent?: BenchTorrent
    readonly seeder?: SeederReport
    readonly wall?: number
    readonly extra?: Figures['extra']
  } = {},
): Promise<Figures> {
  const { client, torrent, seeder } = rest
  const { cost } = watched
  const loop = client === undefined ? null : await client.loopDelay()
  const totals = client === undefined || torrent === undefined ? null : await client.totals(torrent)
  const firstAt = seeder?.firstRequestAt ?? null
  return {
    wall: rest.wall ?? (watched.ended - watched.begun) / 1000,
    cpu: cost.cpu,
    payload,
    peakAnon: cost.peakAnon,
    peakRss: cost.peakRss,
    wireOverhead: payload === 0 ? null : cost.wire / payload - 1,
    wasted: totals?.wasted ?? null,
    firstRequest: firstAt === null ? null : (firstAt - performance.timeOrigin - watched.begun) / 1000,
    firstPiece: watched.firstPiece,
    loopP99: loop?.p99 ?? null,
    loopMax: loop?.max ?? null,
    extra: rest.extra ?? {},
  }
}

/** Looks at the interface every few milliseconds: when had which part of it all gone by? */
export class Tide {
  readonly #marks: { readonly at: number; readonly bytes: number }[] = []
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => {
      this.#mark()
    }, 10)
    this.#mark()
  }

  /** Ends it; milliseconds (performance.now) when `part` (0..1) of all bytes had gone by. */
  end(part: number): number {
    clearInterval(this.#timer)
    this.#mark()
    return whenPart(this.#marks, part)
  }

  #mark(): void {
    this.#marks.push({ at: performance.now(), bytes: loopbackBytes() })
  }
}

/** The time of the first mark by which `part` of the growth from first to last was reached. */
export function whenPart(
  marks: readonly { readonly at: number; readonly bytes: number }[],
  part: number,
): number {
  const first = marks[0]
  const last = marks.at(-1)
  if (first === undefined || last === undefined) return Number.NaN
  const wanted = first.bytes + part * (last.bytes - first.bytes)
  return (marks.find(({ bytes }) => bytes >= wanted) ?? last).at
}

/**
 * Removals, the trash and moves at each of their steps: each write of the database on the way is the last one before a
 * kill, or fails once, or fails with all that follow for a while. Whatever comes, the torrent ends where it was, where
 * it was to go, in the trash, or gone for good: whole, with nothing under way and nothing to be done by hand.
 */
import { describe, expect, it } from 'vitest'
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import { Trash } from '../../daemon/session/trash.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const caller = { via: 'socket', name: 'test' } as const
const WEEK = 7 * 86_400_000
const ID = 1

class Scene {
  readonly swarm = new Swarm()
  readonly node: Node = this.swarm.node()
  readonly source: Source = makeSource({
    name: 'tree',
    files: [
      { path: 'one', length: 70_000 },
      { path: 'sub/two', length: 20_000 },
    ],
  })
  jobs!: Jobs
  trash!: Trash
  commands!: Commands
  /** Writes of the database since `count`. */
  writes = 0

  constructor() {
    this.#room()
  }

  #room(): void {
    const { session, store, log, disk, clock } = this.node
    const { random } = this.swarm
    const queries = new Queries({ session, store })
    const crashPoint = (): void => undefined
    this.jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint })
    const { jobs } = this
    this.trash = new Trash({ clock, random, log, disk, store, session, jobs, crashPoint, keep: () => WEEK })
    this.commands = new Commands({ clock, session, store, queries, jobs, log, trash: this.trash })
  }

  /** A seed, in the trash already where that is wanted. */
  async seed(inTrash: 'no' | 'with its files' | 'without its files'): Promise<void> {
    await this.node.session.restore()
    await this.node.add(this.source, { have: true })
    await this.swarm.run(2000)
    if (inTrash === 'no') return
    await this.run(this.commands.remove({ ids: [ID], data: inTrash === 'with its files' }, caller))
    expect(this.trash.list()).toHaveLength(1)
  }

  /** From now on the nth write is met so. */
  meet(nth: number, how: 'killed before' | 'killed after' | 'fails once' | 'fails for a while'): void {
    const { store } = this.node
    const write = store['write'].bind(store)
    let dead = false
    const die = <T>(): Promise<T> => {
      dead = true
      this.node.kill()
      return new Promise<T>(() => undefined)
    }
    store['write'] = (method, work) => {
      if (dead) return new Promise(() => undefined)
      this.writes += 1
      const isIt = this.writes === nth
      if (isIt && how === 'killed before') return die()
      if (isIt && how === 'fails once') store.failNext('SQLITE_FULL', method)
      if (isIt && how === 'fails for a while') {
        store.failWrites('SQLITE_FULL')
        this.swarm.clock.after(40_000, () => {
          store.failWrites(null)
        })
      }
      const answer = write(method, work)
      return isIt && how === 'killed after' ? answer.then(() => die()) : answer
    }
  }

  /** As a start of the daemon does. */
  again(): Promise<void> {
    return this.node.again(async () => {
      this.#room()
      const { session, store } = this.node
      const rows = await store.jobs()
      const moving = rows.filter(({ kind }) => kind === 'move').map(({ torrent }) => torrent)
      await this.trash.open()
      const rests = this.trash.rests.bind(this.trash)
      await session.restore(() => undefined, new Set(moving), rests)
      for (const torrent of session.all())
        if (torrent.desired === 'removed') await this.commands.finishRemoval(torrent)
      await this.jobs.restore(rows)
      this.trash.resume()
    })
  }

  /** Waits for it, not for ever; what it says is of no matter. */
  async run(work: Promise<unknown>): Promise<void> {
    work.catch(() => undefined)
    await this.swarm.run(5000)
  }

  /** Where it is, with what is wrong about it. */
  async look(): Promise<string> {
    const { node, source } = this
    const rows = await node.store.torrents()
    const torrent = node.session.get(rows[0]?.id ?? (0 as never))
    const trashed = await node.store.trash()
    const wrong: string[] = []
    const jobs = await node.store.jobs()
    if (jobs.length > 0) wrong.push(`job ${JSON.stringify(jobs)}`)
    const left = [...node.disk.fs.nodes.keys()].filter((path) => /^\/data\/.torrentino-trash-\w+$/.test(path))
    const dir = trashed[0]?.data === true ? `${left[0] ?? ''}/1` : (rows[0]?.dir ?? '/data')
    const whole = source.meta.files.every(({ path }, index) =>
      node.disk.fs.content(`${dir}/${path}`)?.equals(source.contents[index] ?? Buffer.alloc(0)),
    )
    if (rows.length === 0) return [node.hasAll(source) ? 'gone' : 'gone with its files', ...wrong].join(', ')
    if (!whole) wrong.push('not whole')
    if (trashed.length === 0) {
      if (left.length > 0) wrong.push('a folder is left')
      if (torrent?.state.kind !== 'seeding') wrong.push(torrent?.state.kind ?? 'not in the list')
      if (rows[0]?.desired !== 'running') wrong.push(`to be ${rows[0]?.desired ?? ''}`)
      if (torrent?.dir !== rows[0]?.dir) wrong.push('not where its record says')
      return [dir === '/data' ? 'seeding' : 'seeding elsewhere', ...wrong].join(', ')
    }
    if (trashed[0]?.phase !== 'there') wrong.push(`phase ${trashed[0]?.phase ?? ''}`)
    if (torrent !== undefined) wrong.push('in the list')
    if (this.trash.list().length !== 1) wrong.push('not in the list of the trash')
    return [trashed[0]?.data === true ? 'in the trash' : 'in the trash without files', ...wrong].join(', ')
  }
}

const remove = (data: boolean) => (scene: Scene) => scene.commands.remove({ ids: [ID], data }, caller)
const now = (data: boolean) => (scene: Scene) => scene.commands.remove({ ids: [ID], data, now: true }, caller)
const move = (scene: Scene): Promise<unknown> => scene.jobs.move({ id: ID, dir: '/new' }, caller)
const copy = (scene: Scene): Promise<unknown> => scene.jobs.move({ id: ID, dir: '/other' }, caller)
const undo = (scene: Scene): Promise<unknown> => scene.trash.undo(ID, caller)
const empty = (scene: Scene): Promise<unknown> => scene.trash.empty('all', caller)

const WAYS = [
  ['into the trash with its files', 'no', remove(true), ['seeding', 'in the trash']],
  ['into the trash without them', 'no', remove(false), ['seeding', 'in the trash without files']],
  ['out of it with its files', 'with its files', undo, ['in the trash', 'seeding']],
  ['out of it without them', 'without its files', undo, ['in the trash without files', 'seeding']],
  ['for good with its files', 'with its files', empty, ['in the trash', 'gone with its files']],
  ['for good without them', 'without its files', empty, ['in the trash without files', 'gone']],
  ['removed at once with its files', 'no', now(true), ['seeding', 'gone with its files']],
  ['removed at once without them', 'no', now(false), ['seeding', 'gone']],
  ['moved on its volume', 'no', move, ['seeding', 'seeding elsewhere']],
  ['moved to another volume', 'no', copy, ['seeding', 'seeding elsewhere']],
] as const

describe.each(WAYS)('%s', (_, from, act, ends) => {
  it.each(['killed before', 'killed after', 'fails once', 'fails for a while'] as const)(
    'each write %s',
    async (how) => {
      let nth = 0
      for (let more = true; more;) {
        nth += 1
        const scene = new Scene()
        await scene.seed(from)
        scene.meet(nth, how)
        await scene.run(act(scene))
        const killed = how.startsWith('killed')
        more = scene.writes >= nth && nth < 40
        if (killed && more) await scene.again()
        await scene.swarm.run(120_000)
        const at = `write ${String(nth)}`
        const found = await scene.look()
        expect([at, ends.includes(found as never) ? 'well' : found]).toEqual([at, 'well'])
        // As it is, the next start finds it.
        scene.node.kill()
        await scene.again()
        await scene.swarm.run(60_000)
        expect([at, await scene.look()]).toEqual([at, found])
        // What is in the trash can come back.
        if (!found.startsWith('in the trash')) continue
        await scene.run(undo(scene))
        expect([at, await scene.look()]).toEqual([at, 'seeding'])
      }
      expect(nth).toBeGreaterThan(1)
    },
  )
})

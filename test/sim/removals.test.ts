/** Removals that hang, wait, meet each other or are given up: what is told of them, and what is left. */
import { describe, expect, it, vi } from 'vitest'
import { Commands } from '../../daemon/session/commands.js'
import { Jobs } from '../../daemon/session/jobs.js'
import { Queries } from '../../daemon/session/queries.js'
import type { Storage } from '../../daemon/ports/disk.js'
import type { Torrent } from '../../daemon/swarm/torrent.js'
import type { PerTorrent } from '../../shared/rpc/contract.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'

const caller = { via: 'socket', name: 'test' } as const

class Scene {
  readonly swarm = new Swarm()
  readonly node: Node
  readonly jobs: Jobs
  readonly commands: Commands

  constructor() {
    this.node = this.swarm.node()
    const { session, store, log, disk, clock } = this.node
    const queries = new Queries({ session, store })
    this.jobs = new Jobs({ clock, log, disk, store, session, queries, crashPoint: () => undefined })
    this.commands = new Commands({ clock, session, store, queries, jobs: this.jobs, log })
  }

  async seeds(...names: string[]): Promise<Torrent[]> {
    const torrents: Torrent[] = []
    for (const name of names) {
      const source = makeSource({ name, files: [{ path: name, length: 20_000 }] })
      torrents.push(await this.node.add(source, { have: true }))
    }
    await this.swarm.run(1000)
    return torrents
  }

  /** The volume under the files of this torrent does not answer until the result is called. */
  hang(torrent: Torrent, what: 'remove' | 'close' = 'remove'): () => void {
    const { disk } = this.node
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const hold = (storage: Storage): Storage => {
      const { remove, close } = storage
      if (what === 'remove') storage.remove = () => gate.then(() => remove.call(storage))
      else storage.close = () => gate.then(() => close.call(storage))
      return storage
    }
    for (const storage of disk.storages) if (storage.spec.torrent === torrent.id) hold(storage)
    const open = disk.open.bind(disk)
    disk.open = (spec, events) =>
      spec.torrent === torrent.id ? hold(open(spec, events)) : open(spec, events)
    return go
  }

  /** Answers, once they are there. */
  remove(data: boolean, ...torrents: Torrent[]): { results: readonly PerTorrent[] | null } {
    const answer: { results: readonly PerTorrent[] | null } = { results: null }
    void this.commands.remove({ ids: torrents.map(({ id }) => id), data }, caller).then(({ results }) => {
      answer.results = results
    })
    return answer
  }

  get left(): string[] {
    return this.node.session.all().map(({ name }) => name)
  }
  async events(): Promise<string[]> {
    return (await this.node.store.eventsSince(0, 100)).map(({ kind }) => kind)
  }
}

describe('a removal whose volume does not answer', () => {
  it('holds up no other one, of the same call or a later one', async () => {
    const scene = new Scene()
    const names = Array.from({ length: 20 }, (_, at) => `t${String(at)}`)
    const torrents = await scene.seeds(...names)
    for (const torrent of torrents.slice(0, 12)) scene.hang(torrent)
    scene.remove(true, ...torrents)
    await scene.swarm.run(5000)
    expect(scene.left).toEqual(names.slice(0, 12))
  })

  it.each([
    { data: true, what: 'remove' as const },
    { data: true, what: 'close' as const },
    { data: false, what: 'close' as const },
  ])('is answered after 20 s, and goes on by itself ($what, data: $data)', async ({ data, what }) => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const answers = scene.hang(torrent, what)
    const asked = scene.remove(data, torrent)
    await scene.swarm.run(19_000)
    expect(asked.results).toBeNull()
    await scene.swarm.run(1000)
    expect(asked.results).toMatchObject([
      {
        ok: true,
        torrent: {
          state: 'blocked',
          desired: 'paused',
          error: 'It is being removed, and /data has not answered yet; the removal goes on by itself.',
        },
      },
    ])
    torrent.start()
    answers()
    await scene.swarm.run(1000)
    expect(scene.left).toEqual([])
    expect((await scene.events()).filter((kind) => kind === 'removed')).toHaveLength(1)
  })

  it('that fails at last leaves the torrent paused, and it can be started', async () => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const answers = scene.hang(torrent)
    scene.remove(true, torrent)
    await scene.swarm.run(20_000)
    expect(torrent.state.kind).toBe('blocked')
    scene.node.disk.fail({ operation: 'unlink', code: 'EACCES' })
    answers()
    await scene.swarm.run(1000)
    expect(torrent.state.kind).toBe('paused')
    scene.node.disk.heal()
    torrent.start()
    await scene.swarm.run(5000)
    expect(torrent.state.kind).toBe('seeding')
  })
})

describe('two removals of one torrent', () => {
  it.each([
    [true, true],
    [false, false],
    [true, false],
    [false, true],
  ])('asked at once are one (data: %s, then %s)', async (first, second) => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const [one, two] = [scene.remove(first, torrent), scene.remove(second, torrent)]
    await scene.swarm.run(10_000)
    expect(one.results).toMatchObject([{ ok: true }])
    expect(two.results).toMatchObject([{ ok: true }])
    expect(scene.left).toEqual([])
    expect(scene.jobs.list().jobs.map(({ state }) => state)).toEqual(first || second ? ['done'] : [])
    expect((await scene.events()).filter((kind) => kind === 'removed')).toHaveLength(1)
    expect(scene.node.file('x/x')).toEqual(first || second ? null : expect.any(Buffer))
    expect(await scene.node.store.jobs()).toEqual([])
  })

  it('one with files while another without them hangs takes the files along', async () => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const answers = scene.hang(torrent, 'close')
    const one = scene.remove(false, torrent)
    await scene.swarm.run(5000)
    const two = scene.remove(true, torrent)
    await scene.swarm.run(1000)
    answers()
    await scene.swarm.run(10_000)
    expect([one.results, two.results]).toMatchObject([[{ ok: true }], [{ ok: true }]])
    expect(scene.node.file('x/x')).toBeNull()
    expect(await scene.node.store.torrents()).toEqual([])
  })

  it('one with files that comes too late is told that they stay', async () => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const { store } = scene.node
    const remove = store.remove.bind(store)
    let late: ReturnType<Scene['remove']> | undefined
    store.remove = (id) => {
      late ??= scene.remove(true, torrent)
      return remove(id)
    }
    scene.remove(false, torrent)
    await scene.swarm.run(10_000)
    expect(late?.results).toMatchObject([
      { ok: false, error: { message: 'x was removed already, without its files; they stay in /data.' } },
    ])
    expect(scene.node.file('x/x')).not.toBeNull()
  })
})

describe('a removal that waits for its volume', () => {
  async function waiting(): Promise<{ scene: Scene; torrent: Torrent }> {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    scene.node.disk.fail({ operation: 'stat', code: 'ENOENT' })
    const asked = scene.remove(true, torrent)
    await scene.swarm.run(1000)
    expect(asked.results).toMatchObject([{ ok: true, torrent: { state: 'blocked' } }])
    return { scene, torrent }
  }

  it('is given up by job.cancel: the torrent is paused, and can be started', async () => {
    const { scene, torrent } = await waiting()
    const [job] = scene.jobs.list().jobs
    expect(await scene.jobs.cancel(job?.id ?? 0)).toMatchObject({ state: 'cancelled' })
    expect(torrent.view()).toMatchObject({ state: 'paused', error: null })
    expect(await scene.node.store.jobs()).toEqual([])
    expect((await scene.node.store.torrents()).map(({ desired }) => desired)).toEqual(['paused'])
    scene.node.disk.heal()
    torrent.start()
    await scene.swarm.run(10_000)
    expect(torrent.state.kind).toBe('seeding')
    expect(scene.left).toEqual(['x'])
  })

  it('waits on where the database refuses to give it up', async () => {
    const { scene, torrent } = await waiting()
    scene.node.store.failNext('SQLITE_FULL', 'setDesired')
    const [job] = scene.jobs.list().jobs
    await expect(scene.jobs.cancel(job?.id ?? 0)).rejects.toThrow('could not be recorded (SQLITE_FULL)')
    expect(scene.jobs.list().jobs).toMatchObject([{ state: 'waiting' }])
    expect(torrent.state.kind).toBe('blocked')
    scene.node.disk.heal()
    await scene.swarm.run(10_000)
    expect(scene.left).toEqual([])
  })

  it('becomes one without files when that is asked', async () => {
    const { scene, torrent } = await waiting()
    const asked = scene.remove(false, torrent)
    await scene.swarm.run(1000)
    expect(asked.results).toMatchObject([{ ok: true }])
    expect(scene.left).toEqual([])
    expect(scene.node.file('x/x')).not.toBeNull()
  })
})

describe('a move that waits for its volume', () => {
  it('and is given up looks for it no more, however long that takes to record', async () => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    const { store, disk } = scene.node
    // The second names are made, and the old ones cannot be taken away.
    disk.fail({ operation: 'unlink', code: 'EIO' })
    const { job } = await scene.jobs.move({ id: torrent.id, dir: '/new' }, caller)
    await scene.swarm.run(1000)
    expect(scene.jobs.list().jobs).toMatchObject([{ state: 'waiting' }])
    let recorded = (): void => undefined
    const real = store.endJob.bind(store)
    store.endJob = (id) => new Promise<void>((resolve) => (recorded = resolve)).then(() => real(id))
    const given = scene.jobs.cancel(job?.id ?? 0)
    const look = vi.spyOn(disk, 'mover')
    await scene.swarm.run(15_000)
    recorded()
    expect(await given).toMatchObject({ state: 'cancelled' })
    disk.heal()
    await scene.swarm.run(60_000)
    expect(look).not.toHaveBeenCalled()
    expect(scene.jobs.list().jobs).toMatchObject([{ state: 'cancelled' }])
    expect(torrent.state.kind).toBe('seeding')
  })

  it('waits on where the database refuses to give it up', async () => {
    const scene = new Scene()
    const [torrent] = await scene.seeds('x')
    if (torrent === undefined) throw new Error('no torrent')
    scene.node.disk.fail({ operation: 'unlink', code: 'EIO' })
    const { job } = await scene.jobs.move({ id: torrent.id, dir: '/new' }, caller)
    await scene.swarm.run(1000)
    scene.node.store.failNext('SQLITE_FULL', 'endJob')
    await expect(scene.jobs.cancel(job?.id ?? 0)).rejects.toThrow('could not be recorded (SQLITE_FULL)')
    scene.node.disk.heal()
    await scene.swarm.run(10_000)
    expect(scene.jobs.list().jobs).toMatchObject([{ state: 'done' }])
  })
})

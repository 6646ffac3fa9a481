import { describe, expect, it } from 'vitest'
import { Adder } from '../../daemon/session/add.js'
import { unselected } from '../../daemon/session/choice.js'
import type { Caller } from '../../shared/rpc/contract.js'
import { encode } from '../../shared/torrent/bencode.js'
import { RpcError } from '../../shared/rpc/errors.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const CALLER: Caller = { via: 'socket', name: 'test' }

function bench(): { swarm: Swarm; node: Node; adder: Adder } {
  const swarm = new Swarm()
  const node = swarm.node()
  const { clock, disk, store, session } = node
  return { swarm, node, adder: new Adder({ clock, disk, store, session, downloadDir: () => '/data' }) }
}

const base64 = (source: Source): string => Buffer.from(source.torrent).toString('base64')

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof RpcError) return error.errorName
    throw error
  }
  throw new Error('nothing was refused')
}

const ALBUM = makeSource({
  name: 'album',
  files: [
    { path: 'a', length: 100_000 },
    { path: '.pad/31072', length: 31_072, pad: true },
    { path: 'b', length: 50_000 },
  ],
})

describe('adding', () => {
  it('answers who it is and how much it wants, and begins', async () => {
    const { swarm, node, adder } = bench()
    const answer = await adder.add({ metainfo: base64(ALBUM) }, CALLER)
    expect(answer).toMatchObject({
      id: 1,
      infoHash: ALBUM.key,
      name: 'album',
      duplicate: false,
      dir: '/data',
      totalBytes: 150_000,
      wantedBytes: 150_000,
    })
    await swarm.settle()
    expect(node.torrent.state.kind).toBe('downloading')
    expect(await node.store.eventsSince(0, 1)).toMatchObject([{ kind: 'added', caller: 'test' }])
  })

  it('keeps in memory what the store tells of a torrent, and not its bytes', async () => {
    const { swarm, node, adder } = bench()
    await adder.add({ metainfo: base64(ALBUM), paused: true }, CALLER)
    await swarm.settle()
    const [stored] = await node.store.torrents()
    expect(node.torrent.record).toEqual(stored)
  })

  it('takes part of it, paused', async () => {
    const { swarm, node, adder } = bench()
    const answer = await adder.add({ metainfo: base64(ALBUM), select: [2], paused: true }, CALLER)
    expect(answer.wantedBytes).toBe(50_000)
    await swarm.settle()
    expect(node.torrent.state.kind).toBe('paused')
    expect((await node.store.have(node.torrent.id)).wishes).toEqual([{ file: 0, priority: 0 }])
  })

  it('twice gives trackers alone, and says duplicate', async () => {
    const { node, adder } = bench()
    await adder.add({ metainfo: base64(ALBUM) }, CALLER)
    const again = await adder.add(
      { metainfo: base64(ALBUM), trackers: ['http://t.example/announce'] },
      CALLER,
    )
    expect(again).toMatchObject({ id: 1, duplicate: true, addedTrackers: 1 })
    const third = await adder.add(
      { metainfo: base64(ALBUM), trackers: ['http://t.example/announce'] },
      CALLER,
    )
    expect(third.addedTrackers).toBe(0)
    expect(node.session.all().length).toBe(1)
    expect(node.tracker.told).toContain('add')
  })

  it('twice gives a private torrent nothing: its own trackers are the only ones (BEP 27)', async () => {
    const { node, adder } = bench()
    const info = encode({
      length: 1,
      name: 'p',
      'piece length': 16_384,
      pieces: Buffer.alloc(20),
      private: 1,
    })
    const metainfo = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]).toString('base64')
    await adder.add({ metainfo }, CALLER)
    const again = await adder.add({ metainfo, trackers: ['http://t.example/announce'] }, CALLER)
    expect(again).toMatchObject({ duplicate: true, addedTrackers: 0 })
    expect(node.tracker.told).not.toContain('add')
    expect((await node.store.torrents())[0]?.trackers).toEqual([])
  })

  it('at once twice makes one torrent', async () => {
    const { node, adder } = bench()
    const answers = await Promise.all([1, 2, 3].map(() => adder.add({ metainfo: base64(ALBUM) }, CALLER)))
    expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, true, true])
    expect(node.session.all().length).toBe(1)
  })
})

describe('many at once', () => {
  const named = (name: string): Source => makeSource({ name, files: [{ path: 'a', length: 20_000 }] })

  /** An adder whose commits wait for `commit`. */
  function held(): { node: Node; adder: Adder; begun: string[]; commit: () => void; swarm: Swarm } {
    const { swarm, node } = bench()
    const { clock, disk, session } = node
    const begun: string[] = []
    const waiting: (() => void)[] = []
    const store = Object.assign(Object.create(node.store) as typeof node.store, {
      add: async (row: Parameters<typeof node.store.add>[0]) => {
        begun.push(row.name)
        await new Promise<void>((resolve) => waiting.push(resolve))
        return node.store.add(row)
      },
    })
    const adder = new Adder({ clock, disk, store, session, downloadDir: () => '/data' })
    const commit = (): void => {
      for (const go of waiting.splice(0)) go()
    }
    return { swarm, node, adder, begun, commit }
  }

  it('do not wait for each other to be recorded', async () => {
    const { swarm, adder, begun, commit } = held()
    const answers = ['x', 'y', 'z'].map((name) => adder.add({ metainfo: base64(named(name)) }, CALLER))
    await swarm.settle()
    expect(begun).toEqual(['x', 'y', 'z'])
    commit()
    expect((await Promise.all(answers)).map(({ id }) => id)).toEqual([1, 2, 3])
  })

  it('wait where they are the same torrent, or may write the same files', async () => {
    const { swarm, node, adder, begun, commit } = held()
    const first = adder.add({ metainfo: base64(ALBUM) }, CALLER)
    const same = adder.add({ metainfo: base64(ALBUM), dir: '/elsewhere' }, CALLER)
    const other = makeSource({ name: 'album', files: [{ path: 'a', length: 77 }] })
    const clash = refusal(adder.add({ metainfo: base64(other) }, CALLER))
    await swarm.settle()
    expect(begun).toEqual(['album'])
    commit()
    expect(await same).toMatchObject({ id: (await first).id, duplicate: true, dir: '/data' })
    expect(await clash).toBe('pathTaken')
    expect(node.session.all()).toHaveLength(1)
  })
})

describe('a volume that does not answer', () => {
  const one = (name: string): Source => makeSource({ name, files: [{ path: 'a', length: 20_000 }] })

  /** An adder over a disk on which every call for a folder below /dead hangs, until `wake`. */
  function hanging(): { swarm: Swarm; node: Node; adder: Adder; wake: () => void } {
    const { swarm, node } = bench()
    const { clock, store, session } = node
    const waiting: (() => void)[] = []
    const hang = async (dir: string): Promise<void> => {
      if (dir.startsWith('/dead')) await new Promise<void>((resolve) => waiting.push(resolve))
    }
    const disk = Object.assign(Object.create(node.disk) as typeof node.disk, {
      prepareDir: (dir: string) => hang(dir).then(() => node.disk.prepareDir(dir)),
      space: (dir: string) => hang(dir).then(() => node.disk.space(dir)),
    })
    const wake = (): void => {
      for (const go of waiting.splice(0)) go()
    }
    return {
      swarm,
      node,
      adder: new Adder({ clock, disk, store, session, downloadDir: () => '/data' }),
      wake,
    }
  }

  it('holds up what is added there, and nothing that is added elsewhere', async () => {
    const { swarm, node, adder, wake } = hanging()
    const dead = [
      adder.add({ metainfo: base64(one('x')), dir: '/dead/x' }, CALLER),
      adder.add({ magnet: `magnet:?xt=urn:btih:${'a'.repeat(40)}`, dir: '/dead/y' }, CALLER),
    ]
    const refused = Promise.all(dead.map((add) => add.catch((error: unknown) => error)))
    await swarm.settle()
    expect(await adder.add({ metainfo: base64(ALBUM) }, CALLER)).toMatchObject({ id: 1, duplicate: false })
    await swarm.run(20_000)
    for (const [at, error] of (await refused).entries()) {
      expect(error).toMatchObject({
        errorName: 'badFolder',
        data: { reason: 'ETIMEDOUT' },
        message: `/dead/${at === 0 ? 'x' : 'y'} does not answer; see whether its volume is well, or choose another folder with --dir.`,
      })
    }
    wake()
    await swarm.settle()
    expect(node.session.all()).toHaveLength(1)
  })

  it('does not hold up the answer that a torrent is there already', async () => {
    const { swarm, node, adder, wake } = hanging()
    const there = adder.add({ metainfo: base64(one('x')), dir: '/dead/x' }, CALLER)
    await swarm.settle()
    wake()
    await there
    const again = adder.add({ metainfo: base64(one('x')), trackers: ['http://t.example/a'] }, CALLER)
    await swarm.settle()
    await adder.add({ metainfo: base64(ALBUM) }, CALLER)
    await swarm.run(20_000)
    expect(await again).toMatchObject({ duplicate: true, addedTrackers: 1, freeBytes: 0 })
    expect(node.session.all()).toHaveLength(2)
  })

  it('sees the paths of what was added while it did not answer', async () => {
    const { swarm, adder, wake } = hanging()
    const late = adder.add({ metainfo: base64(one('same')), dir: '/dead' }, CALLER)
    const other = makeSource({ name: 'same', files: [{ path: 'A', length: 77 }] })
    const taken = refusal(adder.add({ metainfo: base64(other), dir: '/dead' }, CALLER))
    await swarm.settle()
    wake()
    expect((await late).duplicate).toBe(false)
    expect(await taken).toBe('pathTaken')
  })
})

describe('a refusal', () => {
  it('of what is no torrent', async () => {
    const { node, adder } = bench()
    expect(await refusal(adder.add({ metainfo: 'aGVsbG8=' }, CALLER))).toBe('badTorrent')
    expect(await refusal(adder.add({ metainfo: '' }, CALLER))).toBe('badTorrent')
    expect(node.session.all()).toEqual([])
  })

  it.each([['4'], ['*.none'], ['[a'], ['3-1']])('of a choice in words that is none: %s', async (word) => {
    const { node, adder } = bench()
    const metainfo = base64(ALBUM)
    expect(await refusal(adder.add({ metainfo, choose: [word] }, CALLER))).toBe('badSelection')
    expect(node.session.all()).toEqual([])
  })

  it('of words in a magnet link that no torrent can have', async () => {
    const { adder } = bench()
    const magnet = `magnet:?xt=urn:btih:${'ab'.repeat(20)}`
    expect(await refusal(adder.add({ magnet, choose: ['[a'] }, CALLER))).toBe('badSelection')
  })

  it.each([[[3]], [[1]], [[-1]]])('of a choice that is none: %j', async (select) => {
    const { adder } = bench()
    expect(await refusal(adder.add({ metainfo: base64(ALBUM), select }, CALLER))).toBe('badSelection')
  })

  it('of a folder that cannot be written', async () => {
    const { node, adder } = bench()
    node.disk.fail({ operation: 'mkdir', code: 'EACCES' })
    expect(await refusal(adder.add({ metainfo: base64(ALBUM), dir: '/root' }, CALLER))).toBe('badFolder')
  })

  it('of a torrent without room, but not of one that lies there already', async () => {
    const { node, adder } = bench()
    node.disk.freeBytes = 10_000
    expect(await refusal(adder.add({ metainfo: base64(ALBUM) }, CALLER))).toBe('noSpace')
    node.putContent(ALBUM)
    expect((await adder.add({ metainfo: base64(ALBUM) }, CALLER)).duplicate).toBe(false)
  })

  it('of a path that another torrent writes', async () => {
    const { node, adder } = bench()
    await adder.add({ metainfo: base64(ALBUM) }, CALLER)
    const other = makeSource({ name: 'ALBUM', files: [{ path: 'B', length: 70_000 }] })
    expect(await refusal(adder.add({ metainfo: base64(other) }, CALLER))).toBe('pathTaken')
    const apart = makeSource({ name: 'album', files: [{ path: 'c', length: 70_000 }] })
    expect((await adder.add({ metainfo: base64(apart) }, CALLER)).duplicate).toBe(false)
    expect(node.session.all().length).toBe(2)
  })

  it('by the store leaves nothing, and the next add works', async () => {
    const { node, adder } = bench()
    node.store.failNext('SQLITE_FULL', 'add')
    expect(await refusal(adder.add({ metainfo: base64(ALBUM) }, CALLER))).toBe('storeFailed')
    expect(node.session.all()).toEqual([])
    expect((await adder.add({ metainfo: base64(ALBUM) }, CALLER)).id).toBe(1)
  })
})

it('the files that a choice leaves out are those not named, pads never', () => {
  const files = [
    { length: 1, pad: false },
    { length: 1, pad: true },
    { length: 1, pad: false },
  ]
  expect([...unselected(files, [0, 0])]).toEqual([2])
  expect(() => unselected(files, [1])).toThrow(RpcError)
})

/** Trackers that a person adds and removes: what is refused, in which words, and what is kept. */
import { describe, expect, it } from 'vitest'
import { Adder } from '../../daemon/session/add.js'
import { Queries } from '../../daemon/session/queries.js'
import { TrackerEdits } from '../../daemon/session/tracker-edits.js'
import type { Caller, Params } from '../../shared/rpc/contract.js'
import { RpcError } from '../../shared/rpc/errors.js'
import { encode } from '../../shared/torrent/bencode.js'
import { type Node, Swarm } from '../support/swarm-kit.js'

const CALLER: Caller = { via: 'socket', name: 'test' }
const KEYED = 'https://t.example/0123456789abcdef0123456789abcdef/announce'
const OTHER_KEY = 'https://t.example/fedcba9876543210fedcba9876543210/announce'
const SHOWN = 'https://t.example/***/announce'

type Edit = Omit<Params<'torrent.editTrackers'>, 'id'>

async function bench(tiers: readonly (readonly string[])[], isPrivate = false) {
  const swarm = new Swarm()
  const node: Node = swarm.node()
  const { clock, disk, store, session } = node
  const adder = new Adder({ clock, disk, store, session, downloadDir: () => '/data' })
  const info = { length: 1, name: 'p', 'piece length': 16_384, pieces: Buffer.alloc(20) }
  const file = encode({
    'announce-list': tiers.map((urls) => [...urls]),
    info: isPrivate ? { ...info, private: 1 } : info,
  })
  await adder.add({ metainfo: Buffer.from(file).toString('base64') }, CALLER)
  await swarm.settle()
  const edits = new TrackerEdits({ session, store, queries: new Queries({ session, store }) })
  const edit = (change: Edit) => edits.edit({ id: 1, ...change }, CALLER)
  const rows = async () => {
    const [stored] = await store.torrents()
    expect(node.torrent.record.trackers).toEqual(stored?.trackers)
    return stored?.trackers.map(({ tier, url }) => `${String(tier)} ${url}`)
  }
  const refused = async (change: Edit): Promise<string> => {
    const before = await rows()
    const said = await edit(change).then(
      () => 'nothing was refused',
      (error: unknown) =>
        error instanceof RpcError ? `${error.errorName}: ${error.message}` : String(error),
    )
    expect(await rows()).toEqual(before)
    return said
  }
  return { node, edit, rows, refused }
}

describe('adding', () => {
  it('gives each a tier of its own, or the one that is named, and tells the owner and the journal', async () => {
    const { node, edit, rows } = await bench([['http://a/announce']])
    await edit({ add: [' http://b/announce ', 'udp://c:6969'] })
    await edit({ add: ['http://d/announce'], tier: 0 })
    expect(await rows()).toEqual([
      '0 http://a/announce',
      '0 http://d/announce',
      '1 http://b/announce',
      '2 udp://c:6969',
    ])
    expect(node.tracker.told.filter((each) => each === 'add')).toHaveLength(2)
    expect((await node.store.eventsSince(0, 10)).at(-1)).toMatchObject({
      kind: 'trackers',
      caller: 'test',
      data: { name: 'p', added: 1, removed: 0 },
    })
  })

  it('a private torrent is its user’s business: it takes what its user adds, and nothing from a second add', async () => {
    const { edit, rows } = await bench([['http://a/announce']], true)
    await edit({ add: ['http://b/announce'], remove: ['http://a/announce'] })
    expect(await rows()).toEqual(['0 http://b/announce'])
  })

  it.each([
    [
      'ftp://a/announce',
      'is no address of a tracker: it begins with http://, https:// or udp:// and names a host.',
    ],
    [
      'tracker.example',
      'is no address of a tracker: it begins with http://, https:// or udp:// and names a host.',
    ],
    ['http://', 'is no address of a tracker: it begins with http://, https:// or udp:// and names a host.'],
    ['udp://a', 'names no port, which a UDP tracker needs: write udp://HOST:PORT.'],
    [
      'http://b/announce?info_hash=x',
      "carries info_hash or event, which are Torrentino's to set; leave them out.",
    ],
    ['http://a/announce', 'is a tracker of this torrent already, in tier 1.'],
  ])('%s is refused in a sentence', async (url, why) => {
    const { refused } = await bench([['http://a/announce']])
    expect(await refused({ add: ['http://fine/announce', url] })).toBe(`badTracker: "${url}" ${why}`)
  })

  it('more than there is room for are refused, and nothing at all too', async () => {
    const { edit, refused } = await bench([['http://a/announce']])
    for (let round = 0; round < 4; round++)
      await edit({ add: Array.from({ length: 100 }, (_, at) => `http://t${String(round * 100 + at)}/`) })
    const more = Array.from({ length: 100 }, (_, at) => `http://u${String(at)}/`)
    expect(await refused({ add: more })).toBe(
      'badTracker: A torrent has 500 trackers at most; remove some first.',
    )
    expect(await refused({})).toBe('badTracker: No tracker was named to be added or removed.')
  })
})

describe('removing', () => {
  it('takes the address in full or as it is shown, and the other tiers keep their numbers', async () => {
    const { node, edit, rows } = await bench([['http://a/announce'], [KEYED], ['http://c/announce']])
    await edit({ remove: [SHOWN] })
    expect(await rows()).toEqual(['0 http://a/announce', '2 http://c/announce'])
    await edit({ remove: ['http://a/announce'] })
    expect(await rows()).toEqual(['2 http://c/announce'])
    expect(node.tracker.told.filter((each) => each === 'remove')).toHaveLength(2)
  })

  it('what fits several is refused, unless the tier tells which', async () => {
    const { edit, refused, rows } = await bench([[KEYED], [OTHER_KEY]])
    expect(await refused({ remove: [SHOWN] })).toBe(
      `badTracker: "${SHOWN}" fits several trackers of this torrent; write the whole address with its key, or name the tier.`,
    )
    await edit({ remove: [SHOWN], tier: 1 })
    expect(await rows()).toEqual([`0 ${KEYED}`])
  })

  it('names the nearest of one that is not there, without its key', async () => {
    const { refused } = await bench([[KEYED], ['http://a.example/announce']])
    expect(await refused({ remove: ['https://t.exmaple/***/announce'] })).toBe(
      `badTracker: This torrent has no tracker "https://t.exmaple/***/announce"; did you mean "${SHOWN}"?`,
    )
    expect(await refused({ remove: ['zzzzzzzz'] })).toBe(
      'badTracker: This torrent has no tracker "zzzzzzzz"; "torrentinoctl trackers" shows them.',
    )
    const none = await bench([])
    expect(await none.refused({ remove: ['http://a/'] })).toBe('badTracker: This torrent has no trackers.')
  })

  it('one that is removed may be added again in the same breath, elsewhere', async () => {
    const { edit, rows } = await bench([['http://a/announce', 'http://b/announce']])
    const order = await rows()
    await edit({ remove: ['http://a/announce'], add: ['http://c/announce'] })
    expect(order).toHaveLength(2)
    expect(await rows()).toEqual(['0 http://b/announce', '1 http://c/announce'])
  })

  it('stays as it was where the store fails', async () => {
    const { node, refused } = await bench([['http://a/announce']])
    node.store.failNext('SQLITE_FULL', 'changeTrackers')
    expect(await refused({ remove: ['http://a/announce'] })).toBe(
      'storeFailed: The trackers could not be recorded (SQLITE_FULL); they stay as they were.',
    )
    expect(node.tracker.told).not.toContain('remove')
  })
})

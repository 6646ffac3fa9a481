/** A torrent that begins as a magnet link (BEP 9): with honest peers, liars, restarts and other ways to its files. */
import { describe, expect, it } from 'vitest'
import {
  decodeMetadata,
  encodeMetadataData,
  encodeMetadataReject,
  METADATA_BLOCK,
} from '../../daemon/codec/metadata.js'
import type { Caller } from '../../shared/rpc/contract.js'
import { encode } from '../../shared/torrent/bencode.js'
import * as raw from '../support/raw-peer.js'
import { makeSource, type Node, type Source, Swarm } from '../support/swarm-kit.js'

const CALLER: Caller = { via: 'socket', name: 'test' }
const SMALL = makeSource({ name: 'small', files: 500_000 })
/** Its metadata have three blocks. */
const LARGE = makeSource({
  name: 'large',
  files: Array.from({ length: 200 }, (_, at) => ({ path: `${'x'.repeat(180)}${String(at)}`, length: 1000 })),
})
const ALBUM = makeSource({ name: 'album', files: ['a', 'b', 'c'].map((path) => ({ path, length: 150_000 })) })

const infoOf = ({ torrent, meta }: Source): Buffer =>
  Buffer.from(torrent.subarray(meta.infoStart, meta.infoEnd))
const link = (source: Source, more = ''): string => `magnet:?xt=urn:btih:${source.key}&dn=wanted${more}`
const state = (node: Node): string => node.torrent.state.kind

async function pair(source: Source, more = ''): Promise<{ swarm: Swarm; seed: Node; leecher: Node }> {
  const swarm = new Swarm()
  const seed = swarm.node()
  const leecher = swarm.node()
  swarm.network.limit(seed.init.host, 200_000, swarm.clock)
  await seed.add(source, { have: true })
  await swarm.until(() => state(seed) === 'seeding')
  await leecher.adder.add({ magnet: link(source, more) }, CALLER)
  await swarm.settle()
  return { swarm, seed, leecher }
}

/** A peer of the test's own that speaks of metadata: `answer` gives the payload for a block, or null for silence. */
function metadataPeer(
  swarm: Swarm,
  node: Node,
  source: Source,
  host: string,
  init: { readonly size?: number; readonly answer: (block: number) => Uint8Array | null },
): raw.RawPeer {
  const peer = raw.rawPeer(swarm, node, source, host, { extensions: true })
  const told = encode({ m: { ut_metadata: 7 }, metadata_size: init.size ?? infoOf(source).length })
  peer.send(raw.message(20, Buffer.from([0]), told))
  return peer.on(({ id, payload }) => {
    if (id !== 20 || payload[0] !== 7) return
    const message = decodeMetadata(payload.subarray(1))
    if (message?.kind !== 'request') return
    const answer = init.answer(message.piece)
    // Under the id that we named for it.
    if (answer !== null) peer.send(raw.message(20, Buffer.from([1]), answer))
  })
}

const honest =
  (source: Source) =>
  (block: number): Uint8Array => {
    const info = infoOf(source)
    return encodeMetadataData(
      block,
      info.length,
      info.subarray(block * METADATA_BLOCK, (block + 1) * METADATA_BLOCK),
    )
  }

const lying =
  (source: Source) =>
  (block: number): Uint8Array => {
    const bytes = Buffer.from(honest(source)(block))
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    return bytes
  }

describe('a magnet link', () => {
  it.each([
    ['one block', SMALL],
    ['three blocks', LARGE],
  ])('becomes a download, over the same connection: metadata of %s', async (_, source) => {
    const { swarm, seed, leecher } = await pair(source)
    expect(leecher.torrent.view()).toMatchObject({
      name: 'wanted',
      state: 'fetchingMetadata',
      infoHash: source.key,
      progress: 0,
      totalBytes: 0,
    })
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.peers()).toMatchObject([{ source: 'tracker' }])
    await swarm.until(() => state(leecher) === 'seeding')
    await swarm.settle()
    expect(leecher.hasAll(source)).toBe(true)
    expect(leecher.torrent.view()).toMatchObject({ name: source.meta.name, totalBytes: source.whole.length })
    // One connection for all of it.
    expect(leecher.reasons).toEqual(['both-complete'])
  })

  it('is addressable and has an answer for every question before its metadata are there', async () => {
    const { swarm, leecher } = await pair(SMALL)
    const { torrent } = leecher
    expect(leecher.tracker.asks.stats().left).toBeGreaterThan(0)
    expect(leecher.tracker.told).toContain('start')
    expect(torrent.peers()).toEqual([])
    torrent.verify()
    await swarm.settle()
    expect(state(leecher)).toBe('fetchingMetadata')
    torrent.pause()
    await swarm.settle()
    expect(state(leecher)).toBe('paused')
    torrent.start()
    expect(state(leecher)).toBe('fetchingMetadata')
    expect(
      await new Promise((done) => {
        torrent.removeData(done)
      }),
    ).toBeNull()
  })

  it('dials the peers that it names', async () => {
    const { swarm, leecher } = await pair(SMALL, '&x.pe=10.0.0.1:6881')
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.peers()).toMatchObject([{ source: 'magnet', address: '10.0.0.1:6881' }])
  })

  it('dials those again whose attempt was under way when the metadata came', async () => {
    const { swarm, seed, leecher } = await pair(SMALL)
    let dials = 0
    // Takes the connection and says nothing.
    const mute = { address: raw.hostAddress('10.9.0.1') }
    swarm.network.listen(mute.address, () => {
      dials++
    })
    leecher.meet(mute)
    await swarm.settle()
    expect(dials).toBe(1)
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'downloading')
    await swarm.run(2000)
    expect(dials).toBe(2)
  })

  it('takes only the files that it names (BEP 53)', async () => {
    const { swarm, seed, leecher } = await pair(ALBUM, '&so=1,99')
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.torrent.view()).toMatchObject({ wantedBytes: 150_000, totalBytes: 450_000 })
    expect([leecher.file('album/a'), leecher.file('album/b')?.length]).toEqual([null, 150_000])
  })

  it('asks no peer again after a restart once its metadata came', async () => {
    const { swarm, seed, leecher } = await pair(SMALL)
    leecher.meet(seed)
    await swarm.until(() => !leecher.torrent.lacksMetadata)
    await swarm.settle()
    leecher.kill()
    await leecher.again()
    expect(leecher.torrent.lacksMetadata).toBe(false)
    expect(leecher.torrent.name).toBe('small')
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.hasAll(SMALL)).toBe(true)
  })

  it('goes on fetching after a restart, from the peers it names', async () => {
    const swarm = new Swarm()
    const leecher = swarm.node()
    await leecher.adder.add({ magnet: link(SMALL, '&x.pe=10.0.0.2:6881') }, CALLER)
    await swarm.settle()
    leecher.kill()
    const seed = swarm.node()
    await seed.add(SMALL, { have: true })
    await leecher.again()
    expect(state(leecher)).toBe('fetchingMetadata')
    await swarm.until(() => state(leecher) === 'seeding', 120_000)
  })

  it('gets its files from a .torrent that is added later', async () => {
    const { swarm, seed, leecher } = await pair(ALBUM)
    const answer = await leecher.adder.add(
      { metainfo: Buffer.from(ALBUM.torrent).toString('base64'), select: [0] },
      CALLER,
    )
    expect(answer).toMatchObject({ id: 1, duplicate: true, name: 'album', wantedBytes: 150_000 })
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.file('album/a')?.length).toBe(150_000)
  })

  it('of a torrent that is there adds its trackers and nothing else', async () => {
    const { leecher } = await pair(SMALL)
    const again = await leecher.adder.add({ magnet: link(SMALL, '&tr=http://127.0.0.1:1/announce') }, CALLER)
    expect(again).toMatchObject({ id: 1, duplicate: true, addedTrackers: 1 })
    expect(leecher.session.all()).toHaveLength(1)
  })

  it('whose paths another torrent writes is blocked with the reason, and goes on when that one is gone', async () => {
    const { swarm, seed, leecher } = await pair(ALBUM)
    const other = makeSource({ name: 'album', files: [{ path: 'b', length: 7 }] })
    await leecher.adder.add({ metainfo: Buffer.from(other.torrent).toString('base64'), paused: true }, CALLER)
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'blocked')
    expect(leecher.torrent.view().error).toMatch(/already writes/)
    const second = leecher.session.all()[1]
    if (second === undefined) throw new Error('no second torrent')
    await leecher.store.remove(second.id)
    leecher.session.forget(second)
    await swarm.until(() => !leecher.torrent.lacksMetadata, 120_000)
  })
})

describe('peers of a magnet link', () => {
  it('that lie alone are banned, and the honest one is asked', async () => {
    const { swarm, seed, leecher } = await pair(SMALL)
    const liar = metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { answer: lying(SMALL) })
    await swarm.until(() => liar.ended !== null)
    expect(leecher.reasons).toContain('sent-bad-metadata')
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
  })

  it('that told the truth are not blamed where our own database cannot look at it', async () => {
    const { swarm, seed, leecher } = await pair(SMALL)
    for (let i = 0; i < 3; i++) leecher.store.failNext('SQLITE_IOERR', 'verifyInfo')
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.reasons).not.toContain('sent-bad-metadata')
  })

  it('that lie among others are found out', async () => {
    const { swarm, leecher } = await pair(LARGE)
    const peers = ['10.0.9.1', '10.0.9.2', '10.0.9.3'].map((host, at) =>
      metadataPeer(swarm, leecher, LARGE, host, { answer: (at === 1 ? lying : honest)(LARGE) }),
    )
    await swarm.until(() => !leecher.torrent.lacksMetadata, 120_000)
    // Whether the liar was found out depends on who was asked first; nobody else may be.
    expect([peers[0]?.ended, peers[2]?.ended]).toEqual([null, null])
  })

  it.each([
    ['huge', 2 ** 31, 'metadata-size'],
    ['above the cap', 10_000_001, 'metadata-size'],
  ])('that claim a size that is %s are let go or left alone', async (_, size) => {
    const { swarm, seed, leecher } = await pair(SMALL)
    const peer = metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { size, answer: honest(SMALL) })
    await swarm.settle()
    expect(peer.messages.filter(({ id, payload }) => id === 20 && payload[0] === 7)).toEqual([])
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
  })

  it.each([
    ['a size that is too small', SMALL.torrent.length - 50],
    ['a size that is too large', SMALL.torrent.length + 50],
  ])('that claim %s hold nothing up', async (_, size) => {
    const { swarm, seed, leecher } = await pair(SMALL)
    metadataPeer(swarm, leecher, SMALL, '10.0.9.1', {
      size,
      answer: (block) => encodeMetadataData(block, size, new Uint8Array(Math.min(METADATA_BLOCK, size))),
    })
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
  })

  it('that have none, or say nothing, are passed over', async () => {
    const { swarm, seed, leecher } = await pair(SMALL)
    metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { answer: encodeMetadataReject })
    metadataPeer(swarm, leecher, SMALL, '10.0.9.2', { answer: () => null })
    raw.rawPeer(swarm, leecher, SMALL, '10.0.9.3', { fast: false })
    leecher.meet(seed)
    await swarm.until(() => state(leecher) === 'seeding')
    expect(leecher.hasAll(SMALL)).toBe(true)
  })

  it.each([
    ['a block', raw.message(7, raw.int(0), raw.int(0), Buffer.alloc(100)), 'piece-unexpected'],
    ['a reject', raw.message(16, raw.int(0), raw.int(0), raw.int(100)), 'reject-unexpected'],
    ['an extension handshake that is none', raw.extended(0, 'x'), 'extension-handshake-malformed'],
    ['a message that is too long', Buffer.concat([raw.int(2 ** 31), Buffer.from([20])]), 'message-too-long'],
  ])('that send %s are let go', async (_, bytes, reason) => {
    const { swarm, leecher } = await pair(SMALL)
    const peer = raw.rawPeer(swarm, leecher, SMALL, '10.0.9.1', { extensions: true }).send(bytes)
    await swarm.until(() => peer.ended !== null)
    expect(leecher.reasons).toContain(reason)
  })

  it('are let go when they tell more than can be remembered', async () => {
    const { swarm, leecher } = await pair(SMALL)
    const peer = raw.rawPeer(swarm, leecher, SMALL, '10.0.9.1')
    for (let at = 0; at < 25; at++) peer.send(...Array.from({ length: 1000 }, (_, piece) => raw.have(piece)))
    await swarm.until(() => peer.ended !== null)
    expect(leecher.reasons).toContain('says-too-much')
  })

  it('keep what they said before: interest, pieces and unchokes count afterwards', async () => {
    const { swarm, leecher } = await pair(SMALL)
    const peer = metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { answer: honest(SMALL) })
    peer.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => peer.asked.length > 0)
    expect(peer.count(2)).toBe(1)
    // We have nothing, and had said so once.
    expect(peer.count(15)).toBe(1)
  })

  it('that leave while the files are looked at are given up', async () => {
    const { swarm, leecher } = await pair(SMALL)
    const peer = metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { answer: honest(SMALL) })
    leecher.disk.hold('stat')
    await swarm.until(() => !leecher.torrent.lacksMetadata)
    peer.end.close('left')
    await swarm.settle()
    leecher.disk.letGo('stat')
    await swarm.until(() => state(leecher) === 'downloading')
    expect(leecher.torrent.peers()).toEqual([])
    expect(leecher.session.budget.used).toBe(0)
  })

  it('are no burden after a pause in the middle', async () => {
    const { swarm, leecher } = await pair(SMALL)
    metadataPeer(swarm, leecher, SMALL, '10.0.9.1', { answer: () => null })
    await swarm.settle()
    expect(leecher.session.budget.used).toBe(1)
    leecher.torrent.pause()
    await swarm.settle()
    expect(leecher.session.budget.used).toBe(0)
    expect(leecher.clock.pending).toBe(0)
  })
})

describe('metadata for others', () => {
  it('are announced with their size and served block by block', async () => {
    const swarm = new Swarm()
    const seed = swarm.node()
    await seed.add(LARGE, { have: true })
    await swarm.until(() => state(seed) === 'seeding')
    const peer = raw.rawPeer(swarm, seed, LARGE, '10.0.9.1', { extensions: true })
    const told = encode({ m: { ut_metadata: 7 } })
    peer.send(raw.HAVE_NONE, raw.message(20, Buffer.from([0]), told))
    await swarm.settle()
    const size = infoOf(LARGE).length
    const hello = peer.messages.find(({ id, payload }) => id === 20 && payload[0] === 0)
    expect(hello?.payload.toString('latin1')).toContain(`metadata_sizei${String(size)}e`)
    for (const piece of [0, 1, 2, 3, 9]) {
      peer.send(raw.message(20, Buffer.from([1]), encode({ msg_type: 0, piece })))
    }
    await swarm.settle()
    const answers = peer.messages
      .filter(({ id, payload }) => id === 20 && payload[0] === 7)
      .map(({ payload }) => decodeMetadata(payload.subarray(1)))
    expect(answers.map((answer) => [answer?.kind, answer?.piece])).toEqual(
      [0, 1, 2, 3, 9]
        .map((piece) => [piece * METADATA_BLOCK < size ? 'data' : 'reject', piece])
        .sort(([a], [b]) => (a === b ? 0 : a === 'reject' ? -1 : 1)),
    )
    const data = answers.flatMap((answer) => (answer?.kind === 'data' ? [answer.data] : []))
    expect(Buffer.concat(data).equals(infoOf(LARGE))).toBe(true)
  })

  it('are refused to one that asks again and again', async () => {
    const swarm = new Swarm()
    const seed = swarm.node()
    await seed.add(SMALL, { have: true })
    await swarm.until(() => state(seed) === 'seeding')
    const peer = raw.rawPeer(swarm, seed, SMALL, '10.0.9.1', { extensions: true })
    peer.send(raw.HAVE_NONE, raw.message(20, Buffer.from([0]), encode({ m: { ut_metadata: 7 } })))
    for (let at = 0; at < 20; at++) {
      peer.send(raw.message(20, Buffer.from([1]), encode({ msg_type: 0, piece: 0 })))
    }
    await swarm.settle()
    const kinds = peer.messages
      .filter(({ id, payload }) => id === 20 && payload[0] === 7)
      .map(({ payload }) => decodeMetadata(payload.subarray(1))?.kind)
    expect(kinds.filter((kind) => kind === 'data')).toHaveLength(3)
    expect(kinds.filter((kind) => kind === 'reject')).toHaveLength(17)
  })
})

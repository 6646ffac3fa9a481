/** Rules of a torrent's peers that are easily lost: each of these was broken once. */
import { describe, expect, it } from 'vitest'
import * as raw from '../support/raw-peer.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

describe('requests', () => {
  it('takes a request back from a peer when another sends the block late', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const slow = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    expect(slow.asked.length).toBe(4)
    // The first block is waited for 20 s; then it is asked of another.
    await swarm.run(21_000)
    const other = raw.rawPeer(swarm, node, source, '10.1.0.2').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    expect(other.asked.length).toBe(4)
    const [first] = slow.asked
    if (first === undefined) throw new Error('nothing asked')
    slow.send(slow.block(first))
    await swarm.settle()
    expect(other.cancelled).toEqual([first])
  })

  it('counts a request once though its block came while another copy was arriving', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 10 * 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const slow = raw.rawPeer(swarm, node, source, '10.1.0.1')
    slow.send(raw.bitfield(Buffer.from([0x80, 0])), raw.UNCHOKE)
    await swarm.settle()
    const [first] = slow.asked
    if (first === undefined) throw new Error('nothing asked')
    const block = slow.block(first)
    // One byte is missing while the other peer sends the same block.
    slow.send(block.subarray(0, -1))
    await swarm.run(25_000)
    const other = raw.rawPeer(swarm, node, source, '10.1.0.2', { extensions: true })
    other.send(raw.extended(0, 'd4:reqqi2ee'), raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    const open = new Set(other.asked.map(({ piece, begin }) => `${piece}/${begin}`))
    expect(open.size).toBe(2)
    let most = 0
    other.on(({ id, payload }) => {
      if (id === 6) open.add(`${payload.readUInt32BE(0)}/${payload.readUInt32BE(4)}`)
      most = Math.max(most, open.size)
    })
    for (let answered = 0; answered < other.asked.length && answered < 39; answered++) {
      const asked = other.asked[answered]
      if (asked === undefined) break
      open.delete(`${asked.piece}/${asked.begin}`)
      other.send(other.block(asked))
      await swarm.settle()
      if (answered === 8) slow.send(block.subarray(-1))
    }
    expect(most).toBeLessThanOrEqual(2)
  })
})

describe('blame', () => {
  it('never falls on the one who is left of several', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const liar = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    const [first] = liar.asked
    if (first === undefined) throw new Error('nothing asked')
    liar.send(liar.block(first, (bytes) => bytes.fill(7)))
    await swarm.settle()
    liar.end.close('gone')
    const honest = raw.rawPeer(swarm, node, source, '10.1.0.2')
    honest.on(({ id, payload }) => {
      if (id !== 6) return
      const [piece, begin, length] = [0, 4, 8].map((at) => payload.readUInt32BE(at))
      honest.send(honest.block({ piece: piece ?? 0, begin: begin ?? 0, length: length ?? 0 }))
    })
    honest.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    expect(node.reasons).not.toContain('sent-bad-data')
  })

  it.each(['chokes', 'says nothing'])('does not leave a piece to one peer that %s', async (how) => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    // Two make the piece bad together; the next try is one peer's alone.
    const everything = raw.bitfield(Buffer.from([0x80]))
    const a = raw.rawPeer(swarm, node, source, '10.1.0.1', { fast: false }).send(everything, raw.UNCHOKE)
    await swarm.settle()
    const [first] = a.asked
    if (first === undefined) throw new Error('nothing asked')
    a.send(
      a.block(first, (bytes) => bytes.fill(7)),
      raw.CHOKE,
    )
    const b = raw.rawPeer(swarm, node, source, '10.1.0.2', { fast: false }).send(everything, raw.UNCHOKE)
    await swarm.settle()
    const before = b.asked.length
    b.send(...b.asked.map((asked) => b.block(asked)))
    await swarm.settle()
    // Bad: it is b's turn alone, and b sends one block and no more.
    expect(b.asked.length).toBe(before + 4)
    b.send(...b.asked.slice(before, before + 1).map((asked) => b.block(asked)))
    if (how === 'chokes') b.send(raw.CHOKE)
    await swarm.settle()
    const honest = raw.rawPeer(swarm, node, source, '10.1.0.3')
    honest.on(({ id, payload }) => {
      if (id !== 6) return
      const [piece, begin, length] = [0, 4, 8].map((at) => payload.readUInt32BE(at))
      honest.send(honest.block({ piece: piece ?? 0, begin: begin ?? 0, length: length ?? 0 }))
    })
    honest.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.until(() => node.torrent.state.kind === 'seeding', 60_000)
  })
})

describe('connections', () => {
  it('gives back once what a cancelled dial had taken', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const other = makeSource({ files: 65_536, name: 'other' })
    const node = swarm.node()
    await node.add(source)
    const second = await node.add(other)
    const silent = raw.hostAddress('10.1.0.9')
    swarm.network.listen(silent, () => undefined)
    await swarm.settle()
    raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
    node.trackers.get(second.id)?.asks.found([silent])
    await swarm.settle()
    expect(node.session.budget.used).toBe(2)
    second.pause()
    await swarm.settle()
    expect(node.session.budget.used).toBe(1)
  })

  it('keeps no peer whose connection ended while the torrent woke', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source, { have: true })
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    await swarm.run(120_000)
    node.disk.hold('stat')
    const gone = raw.rawPeer(swarm, node, source, '10.1.0.1')
    await swarm.settle()
    gone.end.cut()
    await swarm.settle()
    node.disk.letGo('stat')
    await swarm.settle()
    expect(node.torrent.connected).toBe(0)
    expect(node.session.budget.used).toBe(0)
  })

  it('does not dial a peer that is connected', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 8_000_000 })
    const seed = swarm.node()
    const leecher = swarm.node()
    await seed.add(source, { have: true })
    await leecher.add(source)
    swarm.network.limit(seed.init.host, 20_000, swarm.clock)
    await swarm.settle()
    leecher.meet(seed)
    await swarm.run(90_000)
    seed.meet(leecher)
    await swarm.run(90_000)
    expect(swarm.network.lines.length).toBe(1)
    expect(leecher.torrent.connected).toBe(1)
  })

  it('ends one that asks and reads nothing, and its frames are free again', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 4_000_000 })
    const node = swarm.node()
    await node.add(source, { have: true })
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    const greedy = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE, raw.INTERESTED)
    await swarm.settle()
    expect(greedy.count(1)).toBe(1)
    greedy.end.pause()
    for (let piece = 0; piece < 60; piece++)
      for (let at = 0; at < 4; at++) greedy.send(raw.request(piece, at * 16_384, 16_384))
    await swarm.settle()
    expect(node.disk.pinned).toBeGreaterThan(0)
    for (let i = 0; i < 5; i++) {
      greedy.send(Buffer.alloc(4))
      await swarm.run(30_000)
    }
    expect(node.reasons).toEqual(['reads-nothing'])
    expect(node.disk.pinned).toBe(0)
  })

  it('closes between two that completed each other', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 8 * 65_536 })
    const node = swarm.node()
    await node.add(source, { have: true })
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
    await swarm.settle()
    for (let piece = 0; piece < 8; piece++) peer.send(raw.have(piece))
    await swarm.settle()
    expect(node.reasons).toEqual(['both-complete'])
  })

  it('tells a peer that it wants nothing any more', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const watcher = raw.rawPeer(swarm, node, source, '10.1.0.1', { extensions: true }).send(raw.HAVE_NONE)
    const seed = raw.rawPeer(swarm, node, source, '10.1.0.2').send(raw.HAVE_ALL, raw.UNCHOKE)
    const told = (): string[] =>
      watcher.messages.filter(({ id }) => id === 20).map(({ payload }) => payload.toString('latin1'))
    await swarm.settle()
    expect(told().map((text) => text.includes('11:upload_onlyi1e'))).toEqual([false])
    for (const asked of seed.asked) seed.send(seed.block(asked))
    await swarm.until(() => node.torrent.state.kind === 'seeding')
    await swarm.settle()
    expect(told().map((text) => text.includes('11:upload_onlyi1e'))).toEqual([false, true])
  })

  it('keeps a quiet connection alive within two minutes (BEP 3)', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const peer = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_NONE)
    await swarm.run(90_000)
    expect(peer.keepAlives).toBe(0)
    await swarm.run(29_000)
    expect(peer.keepAlives).toBe(1)
    expect(peer.ended).toBeNull()
  })
})

describe('a fast peer', () => {
  it('is not asked again for a block that is arriving from a slow one', async () => {
    const swarm = new Swarm()
    const source = makeSource({ files: 65_536 })
    const node = swarm.node()
    await node.add(source)
    await swarm.settle()
    const slow = raw.rawPeer(swarm, node, source, '10.1.0.1').send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.settle()
    const [first, ...rest] = slow.asked
    if (first === undefined) throw new Error('nothing asked')
    slow.send(...rest.map((asked) => slow.block(asked)), slow.block(first).subarray(0, 1000))
    await swarm.run(1000)
    const fast = raw.rawPeer(swarm, node, source, '10.1.0.2')
    let answered = 0
    fast.on(({ id, payload }) => {
      if (id !== 6 || ++answered > 1000) return
      const asked = {
        piece: payload.readUInt32BE(0),
        begin: payload.readUInt32BE(4),
        length: payload.readUInt32BE(8),
      }
      fast.send(fast.block(asked))
    })
    fast.send(raw.HAVE_ALL, raw.UNCHOKE)
    await swarm.run(3000)
    expect(answered).toBeLessThanOrEqual(1)
    slow.end.cut()
    await swarm.until(() => node.torrent.state.kind === 'seeding', 60_000)
  })
})

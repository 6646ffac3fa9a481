/** Whatever is done to a torrent in whatever order: it ends with the right files, and leaves nothing behind. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { USUAL_ORDER } from '../../daemon/swarm/wishes.js'
import * as raw from '../support/raw-peer.js'
import { makeSource, Swarm } from '../support/swarm-kit.js'

const STEPS = [
  'start',
  'pause',
  'verify',
  'restart',
  'kill',
  'choose',
  'chooseAll',
  'meet',
  'wait',
  'waitLong',
  'writeFails',
  'syncFails',
  'readFails',
  'renameFails',
  'storeFails',
  'heal',
  'look',
  'cut',
  'liar',
  'lose',
] as const

const source = makeSource({
  name: 'album',
  pieceLength: 32_768,
  files: [
    { path: 'a', length: 300_000 },
    { path: 'empty', length: 0 },
    { path: 'b', length: 200_001 },
    { path: 'c/d', length: 50_000 },
  ],
})

it('comes to a good end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: 25 }), async (steps) => {
      const swarm = new Swarm({ step: 100 })
      const seed = swarm.node()
      const node = swarm.node()
      swarm.network.limit(seed.init.host, 100_000, swarm.clock)
      await seed.add(source, { have: true })
      await node.add(source)
      await swarm.settle()
      let liars = 0
      const heal = async (): Promise<void> => {
        node.disk.heal()
        node.store.failWrites(null)
        await swarm.settle()
      }
      const choose = async (unwanted: readonly number[]): Promise<void> => {
        node.torrent.withLive(() => undefined)
        await swarm.settle()
        const wishes = unwanted.map((file) => ({ file, priority: 0 }))
        await node.store.setWishes(node.torrent.id, wishes, 0, 0).then(
          () => {
            node.torrent.select({ wishes, order: USUAL_ORDER })
          },
          () => undefined,
        )
      }
      const act: Record<(typeof STEPS)[number], () => unknown> = {
        start: () => {
          node.torrent.start()
        },
        pause: () => {
          node.torrent.pause()
        },
        verify: () => {
          node.torrent.verify()
        },
        restart: () => node.restart(),
        kill: async () => {
          node.kill()
          await node.again()
        },
        choose: () => choose([2]),
        chooseAll: () => choose([]),
        meet: () => {
          node.meet(seed)
        },
        wait: () => swarm.run(700),
        waitLong: () => swarm.run(70_000),
        writeFails: () => {
          node.disk.fail({ operation: 'write', code: 'ENOSPC' })
        },
        syncFails: () => {
          node.disk.fail({ operation: 'sync', code: 'EIO', times: 1 })
        },
        readFails: () => {
          node.disk.fail({ operation: 'read', code: 'EIO', times: 1 })
        },
        renameFails: () => {
          node.disk.fail({ operation: 'rename', code: 'EACCES', times: 1 })
        },
        storeFails: () => {
          node.store.failWrites('SQLITE_FULL')
        },
        heal,
        look: () => {
          node.torrent.withLive(() => undefined)
        },
        cut: () => {
          for (const end of swarm.network.open(node.init.host)) end.cut()
        },
        liar: () => {
          const liar = raw.rawPeer(swarm, node, source, `10.2.0.${String(++liars)}`)
          liar.on(({ id, payload }) => {
            if (id !== 6) return
            const asked = {
              piece: payload.readUInt32BE(0),
              begin: payload.readUInt32BE(4),
              length: payload.readUInt32BE(8),
            }
            liar.send(liar.block(asked, (bytes) => bytes.fill(liars)))
          })
          liar.send(raw.HAVE_ALL, raw.UNCHOKE)
        },
        lose: () => {
          // Under a running torrent only the real disk notices, by the inode.
          if (node.torrent.state.kind === 'paused') node.disk.fs.nodes.delete('/data/album/a.part')
        },
      }
      for (const step of steps) {
        // A restart reads the database: that it can is another test's matter.
        if (step === 'restart' || step === 'kill') await heal()
        await act[step]()
        await swarm.run(100)
      }
      await heal()
      await choose([])
      await swarm.run(1000)
      // What was lost is given up, as the person is told to do.
      if (node.torrent.view().error?.includes('missing') === true) node.torrent.verify()
      node.torrent.start()
      let finished = false
      for (let i = 0; i < 60 && !finished; i++) {
        if (node.torrent.view().error?.includes('missing') === true) node.torrent.verify()
        node.meet(seed)
        await swarm.run(10_000)
        finished = node.torrent.state.kind === 'seeding' && node.torrent.view().progress === 1
      }
      expect(node.torrent.state.kind).toBe('seeding')
      expect(node.hasAll(source)).toBe(true)
      await node.stop()
      expect(node.disk.slab.available).toBe(node.disk.slab.capacity)
      expect(node.disk.pinned).toBe(0)
      expect(node.session.budget.used).toBe(0)
      expect(node.clock.pending).toBe(0)
      const { bits } = await node.store.have(node.torrent.id)
      expect(bits?.every((byte, index) => byte === (index === 2 ? 0x80 : 0xff))).toBe(true)
    }),
    { numRuns: 150, endOnFailure: false, examples: [[['writeFails', 'meet', 'waitLong', 'start']]] },
  )
}, 120_000)

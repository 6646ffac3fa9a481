/** A start after the daemon came down three times: who is held back, and who is started when. */
import { describe, expect, it } from 'vitest'
import { CRASHES_KEY, writeCrashes } from '../../daemon/base/crash-notes.js'
import { makeSource, type Node, Swarm } from '../support/swarm-kit.js'

const source = (name: string) => makeSource({ name, files: [{ path: 'a', length: 20_000 }] })

/** Three torrents that seed, and a start after the daemon ended three times with this one at work (0: nobody knows). */
async function after(torrent: number): Promise<{ readonly swarm: Swarm; readonly node: Node }> {
  const swarm = new Swarm()
  const node = swarm.node()
  for (const name of ['x', 'y', 'z']) await node.add(source(name), { have: true })
  await swarm.run(1000)
  await node.stop()
  const crash = { at: node.clock.wall(), torrent, alone: false }
  await node.store.setMeta(CRASHES_KEY, writeCrashes([crash, crash, crash]))
  await node.again()
  return { swarm, node }
}

const running = ({ session }: Node): number[] =>
  session.all().flatMap((torrent) => (torrent.isRunning ? [torrent.id] : []))

describe('a crash loop', () => {
  it('of one torrent: it comes back paused, durably, and says why; the others run', async () => {
    const { swarm, node } = await after(2)
    await swarm.run(1000)
    expect(running(node)).toEqual([1, 3])
    const view = node.session
      .all()
      .find(({ id }) => id === 2)
      ?.view()
    expect(view).toMatchObject({ state: 'paused', desired: 'paused' })
    expect(view?.error).toBe(
      'Torrentino came down three times while it worked on this torrent, so it was paused; "torrentinoctl resume" tries it again.',
    )
    await node.restart()
    await swarm.run(1000)
    expect(running(node)).toEqual([1, 3])
  })

  it('of nobody knows whom: they are started one after the other, two seconds apart', async () => {
    const { swarm, node } = await after(0)
    const seen: number[][] = []
    for (let step = 0; step < 3; step++) {
      await swarm.run(step === 0 ? 500 : 2000)
      seen.push(running(node))
    }
    expect(seen).toEqual([[1], [1, 2], [1, 2, 3]])
  })
})

import { describe, expect, it } from 'vitest'
import { Volumes } from '../../daemon/session/volumes.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeDisk } from '../support/fake-disk.js'
import { FakeRandom } from '../support/fake-random.js'
import { FakeStore } from '../support/fake-store.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A disk that does what it is asked by itself and tells which folders were looked at. */
function world(homeVolume: string) {
  const disk = new FakeDisk({ auto: true })
  const asked: string[] = []
  const seen = {
    space: (dir: string) => {
      asked.push(dir)
      return disk.space(dir)
    },
    mark: disk.mark.bind(disk),
  }
  const clock = new FakeClock()
  const ports = { disk: Object.assign(Object.create(disk) as FakeDisk, seen), store: new FakeStore(), clock }
  return { disk, asked, clock, volumes: new Volumes({ homeVolume }, { ...ports, random: new FakeRandom(1) }) }
}

describe('the volume of a folder', () => {
  it('is looked at in that folder alone: each other one would need a thread that finds its lane', async () => {
    const { disk, asked, volumes } = world('1')
    await disk.prepareDir('/data')
    expect(await volumes.look('/data')).toMatchObject({ volume: '1', marker: null })
    expect(asked).toEqual(['/data'])
  })

  it('gets a mark where it is not that of the home', async () => {
    const { disk, volumes } = world('7')
    await disk.prepareDir('/data')
    await volumes.look('/data')
    expect(await disk.space('/data')).toMatchObject({
      marker: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    })
    disk.volumeOf = () => '7'
    disk.fs.unlink('/data/.torrentino-volume')
    expect(await volumes.look('/data')).toEqual({ kind: 'volume', dir: '/data' })
  })

  it('is adopted as that of the home when it is named anew there', async () => {
    const { disk, volumes } = world('7')
    await disk.prepareDir('/data')
    await volumes.look('/data')
    disk.volumeOf = () => '7'
    await volumes.look('/data', true)
    expect(await volumes.away('/data')).toBeNull()
  })

  it('that does not answer is told of, and asked once until it does', async () => {
    const { disk, asked, clock, volumes } = world('1')
    await disk.prepareDir('/data')
    disk.hold('stat')
    const first = volumes.look('/data')
    await turn()
    clock.advance(1000)
    await turn()
    disk.silentAt = (dir) => dir === '/data'
    clock.advance(1000)
    const silent = { kind: 'volume', dir: '/data', silent: true }
    expect(await first).toEqual(silent)
    const again = volumes.look('/data')
    await turn()
    clock.advance(1000)
    expect(await again).toEqual(silent)
    expect(asked).toEqual(['/data'])
    disk.silentAt = () => false
    disk.letGo('stat')
    expect(await volumes.look('/data')).toMatchObject({ volume: '1' })
    expect(clock.pending).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { Volumes } from '../../daemon/session/volumes.js'
import { FakeDisk } from '../support/fake-disk.js'
import { FakeRandom } from '../support/fake-random.js'
import { FakeStore } from '../support/fake-store.js'

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
  const ports = { disk: Object.assign(Object.create(disk) as FakeDisk, seen), store: new FakeStore() }
  return { disk, asked, volumes: new Volumes({ homeVolume }, { ...ports, random: new FakeRandom(1) }) }
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
})

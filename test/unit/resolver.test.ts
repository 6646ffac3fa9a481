import { describe, expect, it } from 'vitest'
import { Resolver } from '../../daemon/io/resolver.js'
import type { Resolved } from '../../daemon/io/resolver.js'
import { FakeClock } from '../support/fake-clock.js'

function lab(
  answer: () => Resolved = () => ({ addresses: [{ host: '10.0.0.1', family: 4 }], reason: null }),
) {
  const clock = new FakeClock()
  const asked: string[] = []
  const resolver = new Resolver(
    {
      lookup: async (host) => {
        asked.push(host)
        return answer()
      },
    },
    { clock },
  )
  return { clock, asked, resolver }
}

describe('Resolver', () => {
  it('answers literal addresses without a question', async () => {
    const { asked, resolver } = lab()
    expect((await resolver.resolve('[::1]')).addresses).toEqual([{ host: '::1', family: 6 }])
    expect((await resolver.resolve('127.0.0.1')).addresses).toEqual([{ host: '127.0.0.1', family: 4 }])
    expect(asked).toEqual([])
  })

  it('asks once for a name, whatever its case, while the question is open and for five minutes', async () => {
    const { clock, asked, resolver } = lab()
    const [one, two] = await Promise.all([
      resolver.resolve('Tracker.example'),
      resolver.resolve('tracker.EXAMPLE.'),
    ])
    expect(one).toBe(two)
    clock.advance(299_999)
    await resolver.resolve('tracker.example')
    expect(asked).toEqual(['tracker.example'])
    clock.advance(1)
    await resolver.resolve('tracker.example')
    expect(asked).toHaveLength(2)
    resolver.forget()
    await resolver.resolve('tracker.example')
    expect(asked).toHaveLength(3)
  })

  it('remembers for half a minute that a name is not there', async () => {
    const { clock, asked, resolver } = lab(() => ({ addresses: [], reason: 'ENOTFOUND' }))
    expect(await resolver.resolve('nowhere')).toEqual({ addresses: [], reason: 'ENOTFOUND' })
    clock.advance(29_999)
    await resolver.resolve('nowhere')
    expect(asked).toHaveLength(1)
    clock.advance(1)
    await resolver.resolve('nowhere')
    expect(asked).toHaveLength(2)
  })

  it('keeps a bounded number of names', async () => {
    const { asked, resolver } = lab()
    for (let i = 0; i < 2001; i += 1) await resolver.resolve(`n${i}`)
    await resolver.resolve('n2000')
    await resolver.resolve('n0')
    expect(asked.length).toBe(2002)
  })
})

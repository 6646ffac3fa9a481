/** An attempt to reach a peer, which may be two calls: as it is, and in secret (MSE). */
import { describe, expect, it } from 'vitest'
import { handshakeBytes } from '../../daemon/codec/handshake.js'
import { swarmMark } from '../../daemon/codec/mse-keys.js'
import type { Random } from '../../daemon/ports/random.js'
import { dialPeer } from '../../daemon/swarm/dial.js'
import { Link } from '../../daemon/swarm/link.js'
import type { Secrecy } from '../../daemon/swarm/secrecy.js'
import type { Transport } from '../../daemon/swarm/transport.js'
import type { Encryption } from '../../shared/settings.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { FakeNetwork } from '../support/fake-transport.js'
import { fakeWatch } from '../support/fake-watch.js'
import { hostAddress } from '../support/raw-peer.js'

const KEY = 'aa'.repeat(20) as SwarmKey
const OURS = Buffer.alloc(20, 1)
const THEIRS = Buffer.alloc(20, 2)
const HERE = hostAddress('10.0.0.1')
const THERE = hostAddress('10.0.0.2')

function secrecy(mode: Encryption, random: Random = new FakeRandom(5)): Secrecy {
  const swarmOf = (mark: string): SwarmKey | null => (mark === swarmMark(KEY) ? KEY : null)
  return { random, mode: () => mode, swarmOf, admits: () => true }
}

/** What the other side does with each call. */
type Manner = (transport: Transport, first: Buffer) => void
const hangsUp: Manner = (transport) => {
  transport.close('no')
}
const silent: Manner = () => undefined
const greets: Manner = (transport) => {
  transport.write(handshakeBytes(KEY, THEIRS))
}

function bench(mode: Encryption, random?: Random, secret: boolean | null = null) {
  const clock = new FakeClock()
  const network = new FakeNetwork()
  const said: string[] = []
  const links: Link[] = []
  const calls: ('plain' | 'secret')[] = []
  const begin = (): (() => void) =>
    dialPeer(
      { address: THERE, key: KEY, peerId: OURS, secret },
      {
        clock,
        watch: fakeWatch(),
        dialer: network.dialer(HERE),
        secrecy: secrecy(mode, random),
        dht: () => false,
        ready: (link) => {
          links.push(link)
          said.push('ready')
        },
        failed: () => void said.push('failed'),
        broke: () => void said.push('broke'),
      },
    )
  /** Answers calls by hand. */
  const answers = (manner: Manner): void => {
    network.listen(THERE, (transport) => {
      let known = false
      const data = (view: Buffer): void => {
        if (known) return
        known = true
        calls.push(view[0] === 19 ? 'plain' : 'secret')
        manner(transport, view)
      }
      transport.start({ data, closed: () => undefined })
    })
  }
  /** Somebody of our own kind answers. */
  const answersAs = (theirs: Encryption): void => {
    network.listen(THERE, (transport) => {
      new Link(
        { transport, peerId: THEIRS, key: null },
        {
          clock,
          watch: fakeWatch(),
          secrecy: secrecy(theirs),
          serves: (key) => key === KEY,
          ready: () => undefined,
          failed: () => undefined,
          broke: () => undefined,
        },
      )
    })
  }
  return { clock, network, said, links, calls, begin, answers, answersAs }
}

async function settle(): Promise<void> {
  for (let at = 0; at < 30; at++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a peer that hangs up on what it reads', () => {
  it.each([
    ['off', ['plain']],
    ['allowed', ['plain', 'secret']],
    ['preferred', ['secret', 'plain']],
    ['required', ['secret']],
  ] as const)('%s: is called %j, never again, and fails once', async (mode, expected) => {
    const { begin, answers, calls, said, clock } = bench(mode)
    answers(hangsUp)
    begin()
    await settle()
    clock.advance(120_000)
    await settle()
    expect(calls).toEqual(expected)
    expect(said).toEqual(['failed'])
    expect(clock.pending).toBe(0)
  })
})

describe('a peer of which it is known how it takes calls', () => {
  it.each([
    ['off', true, ['plain']],
    ['allowed', true, ['secret', 'plain']],
    ['allowed', false, ['plain', 'secret']],
    ['preferred', true, ['secret', 'plain']],
    ['preferred', false, ['plain', 'secret']],
    ['required', false, ['secret']],
  ] as const)('%s, %s: is called %j', async (mode, secret, expected) => {
    const { begin, answers, calls, said } = bench(mode, undefined, secret)
    answers(hangsUp)
    begin()
    await settle()
    expect(calls).toEqual(expected)
    expect(said).toEqual(['failed'])
  })

  it('is called once where it takes the first call', async () => {
    const { begin, answersAs, said, links, network } = bench('allowed', undefined, true)
    answersAs('required')
    begin()
    await settle()
    expect([said, links[0]?.encryption]).toEqual([['ready'], 'handshake'])
    expect(network.lines.length).toBe(1)
  })
})

describe('a peer that says nothing', () => {
  it.each([
    ['allowed', ['plain']],
    ['preferred', ['secret', 'plain']],
    ['required', ['secret']],
  ] as const)('%s: is called %j, for 15 s each', async (mode, expected) => {
    const { begin, answers, calls, said, clock, network } = bench(mode)
    answers(silent)
    begin()
    await settle()
    for (const _ of expected) {
      expect(said).toEqual([])
      clock.advance(15_000)
      await settle()
    }
    expect(calls).toEqual(expected)
    expect(said).toEqual(['failed'])
    expect(network.open(HERE.host)).toEqual([])
  })
})

describe('a peer of our own kind', () => {
  it.each([
    ['allowed', 'required', 'handshake', 2],
    ['preferred', 'allowed', 'handshake', 1],
    ['preferred', 'off', 'none', 2],
    ['allowed', 'off', 'none', 1],
  ] as const)('we %s, it %s: %s after %d calls', async (mode, theirs, encryption, count) => {
    const { begin, answersAs, said, links, network } = bench(mode)
    answersAs(theirs)
    begin()
    await settle()
    expect(said).toEqual(['ready'])
    expect(links.map((link) => link.encryption)).toEqual([encryption])
    expect(network.lines.length).toBe(count)
  })
})

it('nobody is called again for what happens after the handshake', async () => {
  const { begin, answers, calls, said, links } = bench('allowed')
  answers(greets)
  begin()
  await settle()
  expect(said).toEqual(['ready'])
  links[0]?.close('closed-by-peer')
  await settle()
  expect(calls).toEqual(['plain'])
})

it('a second call ends with its attempt', async () => {
  const { begin, answers, network, said, calls } = bench('allowed')
  answers((transport, first) => {
    if (first[0] === 19) transport.close('no')
  })
  const cancel = begin()
  await settle()
  expect(calls).toEqual(['plain', 'secret'])
  cancel()
  await settle()
  expect(network.open(HERE.host)).toEqual([])
  expect(said).toEqual(['failed'])
})

it('an attempt that was given up calls nobody more', async () => {
  const { begin, answers, calls } = bench('allowed')
  let cancel = (): void => undefined
  answers((transport) => {
    transport.close('no')
    cancel()
  })
  cancel = begin()
  await settle()
  expect(calls).toEqual(['plain'])
})

it('where no secret can be made, that call ends, and nothing else', async () => {
  const random = new FakeRandom(1)
  random.bytes = () => {
    throw new Error('no such keys here')
  }
  const { begin, answers, said, calls } = bench('allowed', random)
  answers(hangsUp)
  begin()
  await settle()
  expect(calls).toEqual(['plain'])
  expect(said).toEqual(['broke', 'failed'])
})

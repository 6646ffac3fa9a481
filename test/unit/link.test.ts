import { describe, expect, it } from 'vitest'
import { type Greeting, Link } from '../../daemon/swarm/link.js'
import { swarmMark } from '../../daemon/codec/mse-keys.js'
import type { Secrecy } from '../../daemon/swarm/secrecy.js'
import type { Encryption } from '../../shared/settings.js'
import type { SwarmKey } from '../../shared/units.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeRandom } from '../support/fake-random.js'
import { fakeWatch } from '../support/fake-watch.js'
import { type FakeEnd, fakeLine } from '../support/fake-transport.js'
import { hostAddress } from '../support/raw-peer.js'
import { handshakeBytes } from '../../daemon/codec/handshake.js'

const KEY = 'aa'.repeat(20) as SwarmKey
const OTHER = 'bb'.repeat(20) as SwarmKey
const OURS = Buffer.alloc(20, 1)
const THEIRS = Buffer.alloc(20, 2)

interface Bench {
  readonly clock: FakeClock
  readonly link: Link
  /** The peer's end. */
  readonly peer: FakeEnd
  readonly got: Buffer[]
  readonly ready: Greeting[]
  readonly failed: string[]
}

function bench(init: { readonly dialled: boolean; readonly chunk?: number }): Bench {
  const clock = new FakeClock()
  const line = fakeLine(hostAddress('10.0.0.1'), hostAddress('10.0.0.2'), { chunk: init.chunk ?? 65_536 })
  const [ours, peer] = init.dialled ? [line.out, line.into] : [line.into, line.out]
  const got: Buffer[] = []
  peer.start({ data: (view) => void got.push(Buffer.from(view)), closed: () => undefined })
  const ready: Greeting[] = []
  const failed: string[] = []
  const link = new Link(
    { transport: ours, peerId: OURS, key: init.dialled ? KEY : null },
    {
      clock,
      watch: fakeWatch(),
      serves: (key) => key === KEY,
      ready: (_, greeting) => void ready.push(greeting),
      failed: (_, reason) => void failed.push(reason),
      broke: () => undefined,
    },
  )
  return { clock, link, peer, got, ready, failed }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('one that we dialled', () => {
  it('greets first, and is ready with the answer', async () => {
    const { peer, got, ready, clock } = bench({ dialled: true })
    await turn()
    expect(Buffer.concat(got)).toEqual(handshakeBytes(KEY, OURS))
    peer.write(handshakeBytes(KEY, THEIRS))
    await turn()
    expect(ready).toMatchObject([{ key: KEY, peerId: THEIRS, features: { fast: true, extension: true } }])
    expect(clock.pending).toBe(0)
  })

  it('ends where another swarm answers', async () => {
    const { peer, failed, clock } = bench({ dialled: true })
    peer.write(handshakeBytes(OTHER, THEIRS))
    await turn()
    expect(failed).toEqual(['another-info-hash'])
    expect(clock.pending).toBe(0)
  })
})

describe('one that was accepted', () => {
  it('says nothing until the peer names a swarm of ours', async () => {
    const { peer, got } = bench({ dialled: false })
    const bytes = handshakeBytes(KEY, THEIRS)
    peer.write(bytes.subarray(0, 47))
    await turn()
    expect(got).toEqual([])
    peer.write(bytes.subarray(47, 48))
    await turn()
    expect(Buffer.concat(got)).toEqual(handshakeBytes(KEY, OURS))
  })

  it('ends for a swarm that is not ours, without a word', async () => {
    const { peer, got, failed } = bench({ dialled: false })
    peer.write(handshakeBytes(OTHER, THEIRS))
    await turn()
    expect(failed).toEqual(['unknown-info-hash'])
    expect(got).toEqual([])
  })

  it('has 15 s, however it dribbles', async () => {
    const { peer, failed, clock } = bench({ dialled: false })
    for (const byte of handshakeBytes(KEY, THEIRS).subarray(0, 30)) {
      peer.write(Buffer.from([byte]))
      await turn()
      clock.advance(500)
    }
    await turn()
    expect(failed).toEqual(['handshake-timeout'])
    expect(peer.ended).toBe(true)
  })
})

describe('what comes behind the handshake', () => {
  it.each([1, 7, 68, 69, 65_536])('waits for whoever takes over, in chunks of %d', async (chunk) => {
    const { link, peer, ready } = bench({ dialled: true, chunk })
    const more = Buffer.from('what comes next')
    peer.write(Buffer.concat([handshakeBytes(KEY, THEIRS), more]))
    await turn()
    expect(ready.length).toBe(1)
    const taken: Buffer[] = []
    const ended: string[] = []
    const handler = {
      data: (view: Buffer) => void taken.push(Buffer.from(view)),
      transportClosed: (why: string) => void ended.push(why),
      broke: () => undefined,
    }
    link.take(handler, 1)
    await turn()
    expect(Buffer.concat(taken).toString()).toBe(more.toString())
    peer.close('gone')
    await turn()
    expect(ended).toEqual(['closed-by-peer'])
  })

  it('never comes where the connection ended before', async () => {
    const { link, peer, failed } = bench({ dialled: true })
    peer.write(Buffer.concat([handshakeBytes(KEY, THEIRS), Buffer.from('more')]))
    await turn()
    peer.cut()
    await turn()
    expect(failed).toEqual(['cut'])
    expect(link.ended).toBe(true)
    const handler = {
      data: () => {
        throw new Error('data after the end')
      },
      transportClosed: () => undefined,
      broke: () => undefined,
    }
    link.take(handler, 1)
    await turn()
  })
})

it('fails once, whoever ends it', async () => {
  const { link, failed, clock } = bench({ dialled: true })
  link.close('test')
  link.close('again')
  await turn()
  expect(failed).toEqual(['test'])
  expect(clock.pending).toBe(0)
})

describe('in secret', () => {
  function secrecy(mode: Encryption, admits = true): Secrecy {
    const swarmOf = (mark: string): SwarmKey | null => (mark === swarmMark(KEY) ? KEY : null)
    return { random: new FakeRandom(3), mode: () => mode, swarmOf, admits: () => admits }
  }

  /** Two links at the ends of one line, the caller in secret. */
  function pair(modes: {
    readonly called: Encryption
    readonly admits?: boolean
    readonly secret?: boolean
  }) {
    const clock = new FakeClock()
    const line = fakeLine(hostAddress('10.0.0.1'), hostAddress('10.0.0.2'), { chunk: 100 })
    const ready: Greeting[] = []
    const failed: string[] = []
    const make = (transport: FakeEnd, key: SwarmKey | null, peerId: Buffer, own: Secrecy): Link =>
      new Link(
        { transport, peerId, key, secret: modes.secret ?? true },
        {
          clock,
          watch: fakeWatch(),
          secrecy: own,
          serves: (asked) => asked === KEY,
          ready: (_, greeting) => void ready.push(greeting),
          failed: (_, reason) => void failed.push(reason),
          broke: (error) => void failed.push(String(error)),
        },
      )
    const called = make(line.into, null, OURS, secrecy(modes.called, modes.admits))
    const caller = make(line.out, KEY, THEIRS, secrecy('preferred'))
    return { caller, called, ready, failed }
  }

  async function settle(): Promise<void> {
    for (let at = 0; at < 50; at++) await turn()
  }

  it('both shake hands behind the secret handshake, and the stream goes on as it is', async () => {
    const { caller, called, ready, failed } = pair({ called: 'allowed' })
    await settle()
    expect(failed).toEqual([])
    expect(ready.map(({ key }) => key)).toEqual([KEY, KEY])
    expect([caller.encryption, called.encryption]).toEqual(['handshake', 'handshake'])
  })

  it.each([
    ['off', true, 'not-bittorrent'],
    ['allowed', false, 'too-many-handshakes'],
  ] as const)('%s, room %s: one that calls so is let go', async (called, admits, reason) => {
    const { failed, ready } = pair({ called, admits })
    await settle()
    expect(failed).toContain(reason)
    expect(ready).toEqual([])
  })

  it('required: one that calls plainly is let go', async () => {
    const { failed, ready } = pair({ called: 'required', secret: false })
    await settle()
    expect(failed).toContain('not-encrypted')
    expect(ready).toEqual([])
  })
})

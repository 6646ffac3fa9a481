import { spawn } from 'node:child_process'
import { chmod, lstat, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { afterEach, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { discover } from '../../daemon/rpc/discover.js'
import type { RpcServerInit } from '../../daemon/rpc/server.js'
import type { Clock } from '../../daemon/ports/clock.js'
import { contract, type Method, type Result } from '../../shared/rpc/contract.js'
import { ERRORS } from '../../shared/rpc/errors.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeSession, torrentView } from '../support/fake-handlers.js'
import { RawClient, realClock, type RpcHost, startRpcHost } from '../support/rpc-host.js'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function host(
  over: Partial<RpcServerInit> = {},
  session?: FakeSession,
  clock?: Clock,
): Promise<RpcHost> {
  const started = await startRpcHost(over, session, clock ?? realClock)
  cleanUps.push(() => started.stop())
  return started
}

function raw(started: RpcHost): RawClient {
  const client = new RawClient(started.socketPath)
  cleanUps.push(() => client.end())
  return client
}

async function greeted(started: RpcHost): Promise<RawClient> {
  const client = await RawClient.greeted(started.socketPath)
  cleanUps.push(() => client.end())
  return client
}

/** Milliseconds that another client waits for an answer. */
async function answerTime(client: RawClient, id: string): Promise<number> {
  const start = performance.now()
  const reply = await client.call('session.status', {}, id)
  expect(reply.error).toBeUndefined()
  return performance.now() - start
}

describe('the greeting', () => {
  it('comes first, and tells the handlers who calls', async () => {
    const started = await host()
    const client = raw(started)
    const early = await client.call('session.status', {}, 'early')
    expect(early.error).toMatchObject({
      code: 1002,
      message: 'session.hello must be the first call of a connection',
    })
    const hello = await client.call('session.hello', { client: 'test', contract: '1.7' }, 'hello')
    expect(hello.result).toMatchObject({ contract: '1.0', version: '0.1.0', pid: 4711, rev: 1 })
    expect((await client.call('session.status', {}, 'late')).result).toMatchObject({ pid: 4711 })
    expect(started.session.callers).toEqual(['test'])
  })

  it('of another contract is an error of its own, and greets nobody', async () => {
    const client = raw(await host())
    const reply = await client.call('session.hello', { client: 'test', contract: '2.0' }, 'h')
    expect(reply.error).toMatchObject({ code: 1003, data: { contract: '1.0', version: '0.1.0' } })
    expect((await client.call('session.status', {}, 's')).error?.code).toBe(1002)
  })

  it('need not be waited for', async () => {
    const session = new FakeSession()
    let open = () => {}
    session.gate = new Promise((resolve) => (open = resolve))
    const client = raw(await host({}, session))
    const hello = client.call('session.hello', { client: 'test', contract: '1.0' }, 'h')
    expect((await client.call('session.status', {}, 's')).result).toBeDefined()
    open()
    expect((await hello).result).toBeDefined()
  })

  it('is waited for 10 seconds', async () => {
    const clock = new FakeClock()
    const started = await host({}, undefined, clock)
    const silent = raw(started)
    const polite = await greeted(started)
    expect(clock.pending).toBe(1)
    clock.advance(9_999)
    expect((await polite.call('session.status', {}, 1)).result).toBeDefined()
    expect(silent.closed).toBe(false)
    clock.advance(1)
    await silent.untilClosed()
    expect((await polite.call('session.status', {}, 2)).result).toBeDefined()
    await started.server.close()
    for (let turn = 0; turn < 100 && clock.pending > 0; turn += 1) await new Promise((r) => setImmediate(r))
    expect(clock.pending).toBe(0)
  })
})

describe('calls', () => {
  it('answer what the session answers, and the user’s faults with their code', async () => {
    const client = await greeted(await host({}, new FakeSession(3)))
    const pause = await client.call('torrent.pause', { ids: [1, 99, 'zz'] }, 1)
    expect(pause.result).toMatchObject({
      durable: true,
      results: [
        { ref: 1, ok: true, torrent: { id: 1, state: 'paused' } },
        { ref: 99, ok: false, error: { code: 1010 } },
        { ref: 'zz', ok: false, error: { code: 1010 } },
      ],
    })
    expect((await client.call('torrent.get', { id: 99 }, 2)).error).toEqual({
      code: 1010,
      message: 'no torrent 99; torrentinoctl list shows those there are',
      data: { ref: 99 },
    })
  })

  it.each([
    ['torrent.pause', {}, 'ids'],
    ['torrent.pause', { ids: 'some' }, 'ids'],
    ['torrent.pause', { ids: [1], more: 1 }, ''],
    ['torrent.get', { id: {} }, 'id'],
    ['torrent.select', { id: 1, files: [-1] }, 'files.0'],
    ['torrent.add', { metainfo: 'not base64' }, 'metainfo'],
    ['torrent.add', { metainfo: 'ZGU6', dir: 'relative' }, 'dir'],
    ['torrent.get', [1], ''],
  ])('%s %j names the field that is wrong', async (method, params, field) => {
    const client = await greeted(await host())
    const { error } = await client.call(method, params)
    expect(error).toMatchObject({ code: -32602, data: { field } })
    expect(error?.message).toMatch(new RegExp(`^${method}: `))
    expect(error?.message).not.toContain('\n')
  })

  it('take own properties only', async () => {
    const client = await greeted(await host({}, new FakeSession(1)))
    client.write('{"jsonrpc":"2.0","id":1,"method":"torrent.get","params":{"__proto__":{"id":1}}}\n')
    expect(await client.nth(0)).toMatchObject({ id: 1, error: { code: -32602 } })
  })

  it.each(['__proto__', 'toString', 'constructor', 'hasOwnProperty', '', 'torrent.nothing'])(
    'of %j find no method',
    async (method) => {
      const client = await greeted(await host())
      expect((await client.call(method, {})).error?.code).toBe(-32601)
    },
  )

  it('tell nothing of a bug but that there was one', async () => {
    const session = new FakeSession()
    const handlers = {
      ...session.handlers,
      'session.status': () => Promise.reject(new Error('secret at /root/file.ts:12')),
    }
    Object.defineProperty(session, 'handlers', { value: handlers })
    const started = await host({}, session)
    const client = await greeted(started)
    const reply = await client.call('session.status', {})
    expect(reply.error?.code).toBe(-32603)
    expect(JSON.stringify(reply)).not.toContain('secret')
    expect(started.logged).toEqual(['a call of the contract failed'])
    expect((await client.call('torrent.list', {}, 2)).result).toBeDefined()
  })

  it('without an id are done and not answered', async () => {
    const started = await host({}, new FakeSession(1))
    const client = await greeted(started)
    client.line({ jsonrpc: '2.0', method: 'torrent.pause', params: { ids: [1] } })
    client.line({ jsonrpc: '2.0', method: 'torrent.unknown' })
    expect((await client.call('torrent.get', { id: 1 }, 1)).result).toMatchObject({ state: 'paused' })
    expect(client.replies).toHaveLength(1)
  })

  it('in a batch are answered in a batch, one or many', async () => {
    const client = await greeted(await host({}, new FakeSession(1)))
    client.line([{ jsonrpc: '2.0', id: 'a', method: 'torrent.get', params: { id: 1 } }])
    expect(await client.nth(0)).toMatchObject([{ id: 'a', result: { id: 1 } }])
    client.line([null, { jsonrpc: '2.0', id: 'b', method: 'torrent.get', params: { id: 1 } }, 7])
    expect(await client.nth(1)).toMatchObject([
      { id: null, error: { code: -32600 } },
      { id: 'b', result: { id: 1 } },
      { id: null, error: { code: -32600 } },
    ])
    client.line([null])
    expect(await client.nth(2)).toMatchObject([{ id: null, error: { code: -32600 } }])
  })

  it('of thousands of rows come whole, in order with what follows', async () => {
    const client = await greeted(await host({ checkResults: false }, new FakeSession(3000)))
    const list = client.call('torrent.list', {}, 'list')
    const status = client.call('session.status', {}, 'status')
    const { result } = await list
    const { torrents } = result as { torrents: { id: number }[] }
    expect(torrents.map((torrent) => torrent.id)).toEqual(Array.from({ length: 3000 }, (_, at) => at + 1))
    expect((await status).result).toMatchObject({ pid: 4711 })
  })

  it('are answered to a client that has said all it will say', async () => {
    const started = await host({}, new FakeSession(1))
    const client = raw(started)
    client.line({ jsonrpc: '2.0', id: 1, method: 'session.hello', params: { client: 'nc', contract: '1.0' } })
    client.socket.end(
      JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'torrent.get', params: { id: 1 } }) + '\n',
    )
    await client.untilClosed()
    const answers = client.replies.flat().sort((a, b) => Number(a.id) - Number(b.id))
    expect(answers).toMatchObject([
      { id: 1, result: { pid: 4711 } },
      { id: 2, result: { id: 1 } },
    ])
  })

  it('describe themselves', async () => {
    const client = await greeted(await host())
    const { result } = await client.call('rpc.discover', {})
    const {
      openrpc,
      info,
      methods,
      components,
      'x-notifications': notices,
    } = result as Result<'rpc.discover'>
    expect([openrpc, info.version]).toEqual(['1.3.2', '1.0'])
    expect(methods.map(({ name }) => name)).toEqual(Object.keys(contract))
    expect(notices.map(({ name }) => name)).toEqual(['event', 'changed', 'gap'])
    expect(Object.keys(components.errors)).toEqual(Object.keys(ERRORS))
  })

  it.each(Object.keys(contract) as Method[])('rpc.discover describes %s wholly', (name) => {
    const method = discover().methods.find((each) => each.name === name)
    if (method === undefined) throw new Error(`${name} is missing`)
    expect(method.summary).toMatch(/^[A-Z].+\.$/)
    expect(method.paramStructure).toBe('by-name')
    expect(method.result.schema).toMatchObject({ $schema: expect.any(String) as string })
    const own = (contract[name].params as unknown as z.ZodObject<Record<string, z.ZodType>>).shape
    expect(method.params.map((param) => param.name)).toEqual(Object.keys(own))
    for (const { name: param, summary, required, schema } of method.params) {
      expect(summary, `${name}: ${param}`).toMatch(/^[A-Z].+\.$/)
      expect(required).toBe(own[param]?.safeParse(undefined).success === false)
      expect(Object.keys(schema as object).length, param).toBeGreaterThan(0)
    }
  })
})

describe('bombs', () => {
  const cases: [string, (client: RawClient) => void, number][] = [
    ['a line above 16 MiB', (client) => client.write(Buffer.alloc(16_777_217, 0x61)), 1001],
    ['a line above 16 MiB with a newline', (client) => client.write('a'.repeat(16_777_217) + '\n'), 1001],
    [
      'an id of 2^53 + 1',
      (client) => client.write('{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}\n'),
      -32600,
    ],
    ['a depth of 10^6', (client) => client.write('['.repeat(1_000_000) + ']'.repeat(1_000_000) + '\n'), 1001],
    ['a batch of 10^6', (client) => client.write(`[${'1,'.repeat(999_999)}1]\n`), 1001],
    ['10^6 values', (client) => client.write(`{"a":[${'{},'.repeat(999_999)}{}]}\n`), 1001],
    ['10^5 names', (client) => client.write(manyNames()), -32602],
    ['10^7 escapes', (client) => client.write(`"${'\\"'.repeat(8_000_000)}"\n`), 1001],
    ['a batch of null', (client) => client.write('null\n'), -32600],
    ['no JSON', (client) => client.write('GET / HTTP/1.1\r\n'), -32700],
  ]

  it.each(cases)('%s: one answer, and others are served', async (_, throwIt, code) => {
    const started = await host()
    const other = await greeted(started)
    const client = await greeted(started)
    throwIt(client)
    const wait = answerTime(other, 'meanwhile')
    expect(await client.nth(0)).toMatchObject({ error: { code } })
    // 100 ms is the promise; the rest is for a machine that runs other tests at the same time.
    expect(await wait).toBeLessThan(400)
    expect(await answerTime(other, 'afterwards')).toBeLessThan(400)
    expect(started.logged).toEqual([])
  })

  it('a stranger may send 1 MiB, not more', async () => {
    const client = raw(await host())
    client.write('a'.repeat(1_048_577))
    expect(await client.nth(0)).toMatchObject({ id: null, error: { code: 1001 } })
    await client.untilClosed()
  })

  it('many unfinished lines together are held up to a limit', async () => {
    const started = await host({ limits: { heldByAll: 3_000_000 } })
    const clients = [await greeted(started), await greeted(started), await greeted(started)]
    const half = 'a'.repeat(1_400_000)
    for (const client of clients) client.write(half)
    const refused = await Promise.any(clients.map((client) => client.nth(0)))
    expect(refused).toMatchObject({ error: { code: 1001 } })
    const rest = clients.filter((client) => client.replies.length === 0)
    expect(rest.length).toBeGreaterThan(0)
  })

  it('the 65th connection is told so, and a place that comes free is given away', async () => {
    const started = await host()
    const clients: RawClient[] = []
    for (let n = 0; n < 64; n += 1) clients.push(await greeted(started))
    const late = raw(started)
    expect(await late.nth(0)).toMatchObject({ id: null, error: { code: 1004 } })
    await late.untilClosed()
    clients[0]?.end()
    const again = await clients[1]
      ?.until(() => 1)
      .then(async () => {
        for (let attempt = 0; attempt < 50; attempt += 1) {
          const client = await greeted(started).catch(() => null)
          if (client !== null) return client
        }
        return null
      })
    expect(again).not.toBeNull()
  })

  it('a flood of calls leaves room for another client', async () => {
    const started = await host({ checkResults: false }, new FakeSession(100))
    const other = await greeted(started)
    const flood = await greeted(started)
    flood.socket.resume()
    const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'torrent.list', params: {} }) + '\n'
    flood.write(call.repeat(2000))
    const waits: number[] = []
    for (let n = 0; n < 10; n += 1) waits.push(await answerTime(other, `n${n}`))
    // The flood's 2000 answers are read and parsed by this same process: what is measured is both.
    expect(Math.max(...waits)).toBeLessThan(1000)
    flood.end()
  })

  it('a client that reads nothing stops being read', async () => {
    const started = await host({ checkResults: false }, new FakeSession(500))
    const other = await greeted(started)
    const before = process.memoryUsage.rss()
    const deaf = connect(started.socketPath)
    cleanUps.push(() => void deaf.destroy())
    deaf.pause()
    deaf.write(
      JSON.stringify({
        jsonrpc: '2.0',
        id: 0,
        method: 'session.hello',
        params: { client: 'x', contract: '1.0' },
      }) + '\n',
    )
    const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'torrent.list', params: {} }) + '\n'
    let taken = 0
    deaf.on('drain', () => (taken += 1))
    // 20,000 lists of 500 rows would be 7 GB of answers.
    deaf.write(call.repeat(20_000))
    for (let n = 0; n < 10; n += 1) expect(await answerTime(other, `n${n}`)).toBeLessThan(400)
    expect(taken).toBe(0)
    expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000)
  })
})

describe('feeds', () => {
  it('send past events, then what happens, after the answer', async () => {
    const session = new FakeSession(1)
    session.tell('added', torrentView(1).id)
    session.tell('completed', torrentView(1).id)
    const client = await greeted(await host({}, session))
    client.line({ jsonrpc: '2.0', id: 1, method: 'events.subscribe', params: { since: 1, changes: true } })
    expect(await client.nth(0)).toMatchObject({ id: 1, result: { seq: 2, rev: 2 } })
    expect(await client.nth(1)).toMatchObject({ method: 'event', params: { seq: 2, kind: 'completed' } })
    session.put(torrentView(2))
    expect(await client.nth(2)).toMatchObject({
      method: 'changed',
      params: { rev: 3, torrents: [{ id: 2 }] },
    })
    session.tell('paused')
    expect(await client.nth(3)).toMatchObject({ method: 'event', params: { seq: 3, kind: 'paused' } })
  })

  it('end with the connection, and the second takes the place of the first', async () => {
    const session = new FakeSession(1)
    const client = await greeted(await host({}, session))
    await client.call('events.subscribe', { changes: true }, 1)
    await client.call('events.subscribe', {}, 2)
    expect([...session.sinks].map(({ changes }) => changes)).toEqual([false])
    client.end()
    await client.untilClosed()
    for (let turn = 0; turn < 100 && session.sinks.size > 0; turn += 1)
      await new Promise((r) => setImmediate(r))
    expect(session.sinks.size).toBe(0)
  })

  it('tell a slow reader that there is a gap, and keep little for it', async () => {
    const session = new FakeSession(1)
    const client = await greeted(await host({ checkResults: false }, session))
    await client.call('events.subscribe', { changes: true }, 1)
    client.socket.pause()
    for (let n = 0; n < 20_000; n += 1) {
      session.tell('tick')
      if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.resume()
    await client.until(() => client.replies.find((reply) => !Array.isArray(reply) && reply.method === 'gap'))
    expect(client.replies.length).toBeLessThan(19_000)
    // There can be a second gap on the way: what is told after everything was read arrives.
    for (let id = 2; id <= 4; id += 1) await client.call('session.status', {}, id)
    session.tell('after')
    const last = await client.until(() =>
      client.replies.find((reply) => JSON.stringify(reply).includes('"kind":"after"')),
    )
    expect(last).toMatchObject({ params: { seq: 20_001 } })
  })

  it('give a slow reader the latest state of a torrent only', async () => {
    const session = new FakeSession(1)
    const client = await greeted(await host({ checkResults: false }, session))
    await client.call('events.subscribe', { changes: true }, 1)
    client.socket.pause()
    for (let n = 1; n <= 20_000; n += 1) {
      session.put(torrentView(1, { peers: n }))
      if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.resume()
    await client.until(() => client.replies.find((reply) => JSON.stringify(reply).includes('"peers":20000')))
    expect(client.replies.length).toBeLessThan(19_000)
    expect(JSON.stringify(client.replies)).not.toContain('"gap"')
  })
})

describe('the socket', () => {
  async function folder(mode = 0o700): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'trpc-'))
    await chmod(made, mode)
    cleanUps.push(() => rm(made, { recursive: true, force: true }))
    return made
  }

  it('is open to its owner only, in a folder that is made so', async () => {
    const home = await folder()
    const started = await host({ socketPath: join(home, 'deep', 'state', 't.sock') })
    expect((await stat(started.socketPath)).mode & 0o777).toBe(0o600)
    expect((await stat(join(home, 'deep', 'state'))).mode & 0o777).toBe(0o700)
    await started.server.close()
    await expect(lstat(started.socketPath)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is open to the folder’s group where that is asked for, and to nobody else', async () => {
    const open = join(await folder(), 'shared')
    await mkdir(open)
    await chmod(open, 0o777)
    const started = await host({ socketPath: join(open, 't.sock'), socketOpenTo: 'group' })
    expect((await stat(started.socketPath)).mode & 0o777).toBe(0o660)
    // The group enters, and cannot put another socket there.
    expect((await stat(open)).mode & 0o777).toBe(0o750)
  })

  it('closes a folder that others can enter', async () => {
    const open = await folder(0o755)
    const started = await host({ socketPath: join(open, 't.sock') })
    expect((await stat(open)).mode & 0o777).toBe(0o700)
    await started.server.close()
  })

  it('is not made in a folder that others share, nor behind a link', async () => {
    const shared = await folder(0o1777)
    await expect(host({ socketPath: join(shared, 't.sock') })).rejects.toThrow(
      /is shared with others \(mode 1777\)/,
    )
    expect((await stat(shared)).mode & 0o7777).toBe(0o1777)
    const home = await folder()
    await mkdir(join(home, 'real'), { mode: 0o700 })
    await symlink(join(home, 'real'), join(home, 'link'))
    await expect(host({ socketPath: join(home, 'link', 't.sock') })).rejects.toThrow(/symbolic link/)
  })

  it('has a path of at most 103 bytes', async () => {
    const home = await folder()
    const room = 103 - Buffer.byteLength(home) - 1
    await host({ socketPath: join(home, 'x'.repeat(room)) })
    await expect(host({ socketPath: join(home, 'é' + 'x'.repeat(room - 1)) })).rejects.toThrow(/104 bytes/)
  })

  it('of a dead daemon is replaced when we hold the lock, and only then', async () => {
    const home = await folder()
    const socketPath = join(home, 't.sock')
    await deadSocket(socketPath)
    await expect(host({ socketPath, lockHeld: false })).rejects.toMatchObject({ reason: 'place' })
    expect((await lstat(socketPath)).isSocket()).toBe(true)
    const client = await greeted(await host({ socketPath }))
    expect((await client.call('session.status', {})).result).toBeDefined()
  })

  it('of a living one is left alone', async () => {
    const first = await host()
    await expect(host({ socketPath: first.socketPath })).rejects.toMatchObject({ reason: 'running' })
    const client = await greeted(first)
    expect((await client.call('session.status', {})).result).toBeDefined()
  })

  it.each([
    ['a file', (path: string) => writeFile(path, 'keep me')],
    ['a folder', (path: string) => mkdir(path)],
    ['a link to nowhere', (path: string) => symlink('/nowhere', path)],
  ])('does not take the place of %s', async (_, make) => {
    const socketPath = join(await folder(), 't.sock')
    await make(socketPath)
    await expect(host({ socketPath })).rejects.toThrow(/is not a socket; move it away/)
    expect(await lstat(socketPath)).toBeDefined()
  })

  it('does not take the place of a link to a socket', async () => {
    const home = await folder()
    const target = createServer().listen(join(home, 'target.sock'))
    cleanUps.push(() => new Promise((resolve) => target.close(resolve)))
    await symlink(join(home, 'target.sock'), join(home, 't.sock'))
    await expect(host({ socketPath: join(home, 't.sock') })).rejects.toThrow(/is not a socket/)
  })

  it.skipIf(process.getuid?.() !== 0)('lets nobody else in (as another user)', async () => {
    const started = await host()
    const script = `require('net').connect(${JSON.stringify(started.socketPath)}).on('error', (e) => console.log(e.code)).on('connect', () => { console.log('in'); process.exit() })`
    const said = await output('setpriv', ['--reuid=65534', '--clear-groups', process.execPath, '-e', script])
    expect(said.trim()).toBe('EACCES')
  })

  it.skipIf(process.getuid?.() !== 0)('is not made in the folder of another user', async () => {
    const home = await folder()
    const { chown } = await import('node:fs/promises')
    await chown(home, 65534, 65534)
    await expect(host({ socketPath: join(home, 't.sock') })).rejects.toThrow(/belongs to another user/)
  })

  it('is closed after what is under way was answered', async () => {
    const session = new FakeSession(1)
    const started = await host({}, session)
    const client = raw(started)
    let open = () => {}
    session.gate = new Promise((resolve) => (open = resolve))
    const hello = client.call('session.hello', { client: 'test', contract: '1.0' }, 'h')
    await client.call('session.status', {}, 's')
    const closed = started.server.close()
    open()
    expect((await hello).result).toBeDefined()
    await closed
    await client.untilClosed()
  })
})

function manyNames(): string {
  const params = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, 1]))
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'torrent.list', params }) + '\n'
}

/** A socket whose owner died without closing it. */
function deadSocket(path: string): Promise<void> {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  return new Promise((resolve) => spawn(process.execPath, ['-e', script]).on('exit', () => resolve()))
}

function output(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    child.on('error', reject)
    child.on('close', () => resolve(text))
  })
}

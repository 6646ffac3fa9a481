/** What comes over the socket and out of config.toml. */
import assert from 'node:assert/strict'
import { parse } from 'smol-toml'
import { readMessage } from '../../../daemon/rpc/guard.js'
import { ConfigError, parseConfig, setInToml } from '../../../shared/config.js'
import { DEPTH_CAP, LineSplitter } from '../../../shared/rpc/framing.js'
import { scanToml } from '../../../shared/toml-scan.js'
import { chunksOf, type Target } from '../target.js'

const CAP = 4096

function lines(chunks: readonly Buffer[]): { taken: string[]; overflowed: boolean } {
  const splitter = new LineSplitter(CAP)
  const taken: string[] = []
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let line = splitter.next(); line !== null; line = splitter.next())
      taken.push(line.toString('latin1'))
    assert.ok(splitter.held <= CAP + chunk.length)
  }
  return { taken, overflowed: splitter.overflowed }
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

const framing: Target = {
  name: 'framing',
  seeds: [
    Buffer.from('{"jsonrpc":"2.0","id":1,"method":"torrent.list","params":{"ids":[1,2]}}\n'),
    Buffer.from('[{"jsonrpc":"2.0","id":9007199254740993,"method":"a"},{"id":null},[],1]\r\n\n{}\n'),
    Buffer.from('{"jsonrpc":"2.0","id":"x","method":"a","params":{"__proto__":{"polluted":1}}}\n'),
    Buffer.from(`${'['.repeat(64)}${']'.repeat(64)}\n"\\"\\\\"\n{"result":1,"id":1,"jsonrpc":"2.0"}\n`),
  ],
  check: (bytes, cuts) => {
    const whole = lines([bytes])
    assert.deepEqual(lines(chunksOf(bytes, cuts)), whole)
    for (const line of whole.taken) checkLine(Buffer.from(line, 'latin1'))
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  },
}

function checkLine(line: Buffer): void {
  const message = readMessage(line)
  if (message.kind === 'nothing') return
  const items = message.kind === 'single' ? [message.item] : message.items
  assert.ok(items.length <= 100)
  for (const item of items) {
    if (!item.ok) {
      const { id } = item.reply
      assert.ok(id === null || typeof id === 'string' || Number.isSafeInteger(id))
      assert.ok(JSON.stringify(item.reply).length < 4096)
    } else {
      assert.ok(depthOf(item.request) <= DEPTH_CAP)
      assert.equal(typeof item.request.method, 'string')
    }
  }
}

const CONFIG = `# what is set
"download".dir = '/srv/\u00e9'
[listen]
port = 6_881 # here
host = "127.0.0.1"
[log]
level = "debug"
[limits]
up = 0x400
down = """0"""
`

const toml: Target = {
  name: 'config.toml',
  seeds: [
    Buffer.from(CONFIG),
    Buffer.from(
      "a.b.\"c.\\u0064\" = [1, [2, \"]\"], { x = 1979-05-27, y = '''q''' }]\n[[t]]\nk=1e3\n[[t]]\n",
    ),
    Buffer.from('[listen]\r\nport = 1\r\n\r\n[memory]\r\nbuffer = 33554432'),
  ],
  check: (bytes) => {
    const text = bytes.toString('utf8')
    const parsed = parseConfig(text)
    if (parsed instanceof ConfigError) {
      assert.match(parsed.message, /^[^\n]{1,600}[.?]$/)
      assert.ok(parsed.line >= 1 && parsed.column >= 1)
    }
    try {
      const after = setInToml(text, 'listen.port', 6881)
      assert.equal(
        (parse(after, { integersAsBigInt: 'asNeeded' })['listen'] as Record<string, unknown>)['port'],
        6881,
      )
      scanToml(after)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
    }
  },
}

export const localTargets: readonly Target[] = [framing, toml]

// A torrentinod for tests of torrentinoctl alone: it answers hello, status and shutdown on the socket of its home.
// FAKE_DAEMON=fail ends at once with a word on stderr; FAKE_DAEMON=6 ends with that status.
import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'

const mode = process.env['FAKE_DAEMON'] ?? ''
if (mode === 'fail') {
  process.stderr.write('starting\nport 1 is not ours to use\n')
  process.exit(1)
}
if (/^\d$/.test(mode)) process.exit(Number(mode))

const at = process.argv.indexOf('--home')
const home = at === -1 ? process.env['TORRENTINO_HOME'] : process.argv[at + 1]
const socketPath = join(home, 'torrentino.sock')
mkdirSync(home, { recursive: true, mode: 0o700 })
rmSync(socketPath, { force: true })

const hello = { contract: '1.0', version: '0.1.0', pid: process.pid, owner: 'person', home, rev: 1 }
const status = {
  version: '0.1.0',
  contract: '1.0',
  pid: process.pid,
  home,
  owner: 'person',
  uptime: 1,
  listen: { host: '', port: 20000, error: null },
  torrents: { total: 0, byState: {} },
  connections: 0,
  downRate: 0,
  upRate: 0,
  downloadDir: '/data',
  scope: 'loopback',
  lsd: {
    enabled: true,
    reason: 'no torrent runs that may be announced.',
    torrents: 0,
    families: [],
    sent: 0,
    heard: 0,
    found: 0,
  },
  rssBytes: 1,
  database: { problem: null, notice: null },
}
const answers = {
  'session.hello': hello,
  'session.status': status,
  'session.shutdown': { pid: process.pid },
}

const server = createServer((socket) => {
  let text = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    text += chunk
    const lines = text.split('\n')
    text = lines.pop()
    for (const line of lines) {
      const { id, method } = JSON.parse(line)
      socket.write(JSON.stringify({ jsonrpc: '2.0', id, result: answers[method] }) + '\n')
      if (method === 'session.shutdown') setTimeout(() => process.exit(0), 100)
    }
  })
}).listen(socketPath)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
// A test that breaks off leaves nothing behind.
setTimeout(() => process.exit(9), 60_000)

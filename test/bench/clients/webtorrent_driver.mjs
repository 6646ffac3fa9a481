// Drives webtorrent: a line of JSON a question on standard input, one of answer; a torrent that becomes complete is
// told at once.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const init = JSON.parse(process.argv[2] ?? '{}')
const from = createRequire(join(init.folder, 'package.json'))
const { default: WebTorrent } = await import(pathToFileURL(from.resolve('webtorrent')).href)

const off = {
  dht: false,
  lsd: false,
  utPex: false,
  webSeeds: false,
  natUpnp: false,
  natPmp: false,
  utp: false,
}
const client = new WebTorrent({ ...off, torrentPort: init.port, ...(init.crowd ? { maxConns: 2000 } : {}) })
const torrents = new Map()
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

client.on('error', (error) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})

const verbs = {
  ready: () => ({}),
  add: (ask) => {
    const options = { path: ask.dir, ...(init.crowd ? { uploads: 2000 } : {}) }
    const torrent = client.add(readFileSync(ask.file), options)
    torrent.on('done', () => say({ finished: ask.hash }))
    torrents.set(ask.hash, torrent)
    return {}
  },
  status: (ask) => {
    const torrent = torrents.get(ask.hash)
    const { downloaded, uploaded, done } = torrent
    return { done: torrent.ready ? downloaded : 0, seeding: torrent.ready && done, uploaded }
  },
}

createInterface({ input: process.stdin }).on('line', (text) => {
  const ask = JSON.parse(text)
  try {
    say({ id: ask.id, result: verbs[ask.verb](ask) })
  } catch (error) {
    say({ id: ask.id, error: String(error) })
  }
})

process.on('SIGTERM', () => {
  client.destroy(() => process.exit(0))
})

/** Every verb of torrentinoctl against a real daemon, one after the other, as a person would type them. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { commandTree } from '../../ctl/verbs.js'
import { makeTorrent } from '../support/make-torrent.js'
import { useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
/** A real terminal is what these need; see top.test.ts. */
const ELSEWHERE = ['top', 'watch']

const stage = useStage()

it('each does what it says, and the next one sees it', async () => {
  const content = [
    { path: 'one.bin', length: 700_000 },
    { path: 'sub/two.bin', length: 300_000 },
  ]
  const torrent = makeTorrent(stage.folder('made'), { name: 'tree', content, pieceLength: 65_536 })
  const { infoHash } = torrent
  const home = stage.folder('home')
  const to = join(stage.dir, 'to')
  const saved = join(stage.dir, 'saved.db')
  const env = {
    PATH: process.env['PATH'],
    HOME: stage.dir,
    TORRENTINO_HOME: home,
    TORRENTINO_NET: 'loopback',
  }
  const tried = new Set<string>()
  /** Its exit status, and what it said. */
  const ctl = (...words: readonly string[]): Promise<{ status: number; out: string }> => {
    tried.add(words[0] ?? '')
    return new Promise((done) => {
      execFile(process.execPath, [CTL, ...words], { env, cwd: stage.dir }, (error, out, err) => {
        done({ status: error === null ? 0 : Number(error.code), out: out + err })
      })
    })
  }
  stage.after(() => ctl('daemon', 'stop'))

  const steps: readonly (readonly [words: string, said: RegExp, status?: number])[] = [
    ['daemon start', /^torrentinod runs, process \d+\n$/],
    ['config set dht.enabled false', /dht\.enabled/],
    ['config set lsd.enabled false', /lsd\.enabled/],
    [`inspect ${torrent.file}`, /tree[^]*700,?000|tree[^]*684 KiB/],
    [`add ${torrent.file} --dir ${torrent.dir}`, /^Added torrent 1: tree, /],
    ['wait 1 --timeout 30s', /^1 tree: complete\n$/],
    ['list', /^ID +NAME[^]*\n 1 +tree +seeding +100%/],
    ['show 1', new RegExp(`State +seeding\\n[^]*${infoHash}`)],
    ['files 1', /1 +tree\/one\.bin[^]*2 +tree\/sub\/two\.bin/],
    ['peers 1', /^No peers|^PEER/i],
    ['trackers 1 --add udp://127.0.0.1:9/announce', /udp:\/\/127\.0\.0\.1:9\/announce/],
    ['announce 1', /^1 tree: /],
    ['why 1', /^tree: /],
    ['magnet 1 --bare', new RegExp(`^magnet:\\?xt=urn:btih:${infoHash}`)],
    ['export 1 --output copy.torrent', /copy\.torrent/],
    ['open 1 --print', /\/made/],
    ['pause 1', /^1 tree: /],
    ['list --state paused', /tree +paused/],
    ['resume 1', /^1 tree: /],
    ['verify 1', /^1 tree: /],
    ['wait 1 --timeout 30s', /complete/],
    ['label 1 films', /films/],
    ['list --label films', /tree/],
    ['limit 1 --up 2MiB/s', /up 2 MiB\/s/],
    ['seed 1 --ratio 2', /2/],
    ['queue', /Nothing is left to download/],
    ['select 1 1', /1 file, /],
    ['select 1 all', /2 files, /],
    ['rename 1 2 sub/second.bin', /is now tree\/sub\/second\.bin/],
    ['rename 1 Trees', /^1 tree: is now Trees\n$/],
    [`move 1 ${to} --wait`, /lies in .*\/to\n$/],
    ['dht status', /off/],
    ['status', /Torrents +1 /],
    ['events --limit 200', /renamed[^]*moved/],
    ['log', /ready/],
    ['rpc torrent.list {}', /"name": ?"Trees"/],
    [`backup ${saved}`, /saved\.db/],
    ['remove 1 --data --plan', /delete +Trees\/one\.bin[^]*delete +Trees\/sub\/second\.bin/],
    ['remove 1 --data', /^1 Trees: /],
    ['trash', /Trees/],
    ['undo', /Trees/],
    ['list', /Trees/],
    ['completion bash', /torrentinoctl/],
    ['service status', /service install|systemd/],
    [`restore ${saved}`, /started anew with 1 torrent/],
    ['daemon stop', /^torrentinod has stopped\n$/],
    ['list', /torrentinod/, 5],
  ]
  for (const [words, said, status = 0] of steps) {
    const ran = await ctl(...words.split(' '))
    expect({ words, ...ran }).toEqual({ words, status, out: expect.stringMatching(said) as string })
  }
  expect(existsSync(join(to, 'Trees/sub/second.bin'))).toBe(true)
  expect(readFileSync(join(stage.dir, 'copy.torrent')).equals(readFileSync(torrent.file))).toBe(true)
  const verbs = commandTree().flatMap((group) => group.verbs.map(({ name }) => name))
  expect([...tried, ...ELSEWHERE].sort()).toEqual([...verbs].sort())
}, 120_000)

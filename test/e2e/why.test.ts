/** `torrentinoctl why` against a real daemon: what a person reads. */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { httpTracker, reply } from '../support/fake-tracker.js'
import { makeTorrent } from '../support/make-torrent.js'
import { metainfoOf, useStage } from '../support/stage.js'

const CTL = resolve(import.meta.dirname, '../../dist/ctl/torrentinoctl.js')
const stage = useStage()

it('names who paused it, what its tracker said, the limit in force, and that nothing is wrong', async () => {
  const refusing = await httpTracker((socket) => {
    reply(socket, 'd14:failure reason20:unregistered torrente')
  })
  stage.after(() => {
    refusing.close()
  })
  const url = `http://127.0.0.1:${String(refusing.port)}/announce`
  const { http } = await stage.tracker()
  const torrent = makeTorrent(stage.folder('made'), { name: 'f.bin', content: 4_000_000 })
  const metainfo = metainfoOf(torrent)
  const seed = await stage.daemon('seed')
  const leech = await stage.daemon('leech')
  const home = leech.home
  const ctl = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [CTL, '--home', home, ...args])).stdout
  const { id } = await leech.call('torrent.add', { metainfo, dir: stage.folder('down'), trackers: [url] })
  const why = async (is: RegExp): Promise<string> => {
    for (let tries = 0; ; tries++) {
      const said = await ctl('why', String(id))
      if (is.test(said) || tries > 60) return said
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  expect(await why(/unregistered/)).toBe(
    'f.bin: It does not go on.\n' +
      `  ! Its tracker fails (${url}: The tracker refused: unregistered torrent); it is asked again by itself.\n` +
      '  ! No peer is known: its trackers named none so far; it is asked again by itself.\n',
  )

  await ctl('pause', String(id))
  expect(await why(/paused/)).toMatch(
    /^f\.bin: It does not go on\.\n {2}! It was paused by torrentinoctl, \d+s ago; "torrentinoctl resume 1" lets it go on\.\n$/,
  )

  await leech.call('config.set', { key: 'limits.down', value: '500KiB/s' })
  const given = await seed.call('torrent.add', { metainfo, dir: torrent.dir, trackers: [http] })
  await seed.seeds(given.id)
  await ctl('resume', String(id))
  await leech.call('torrent.add', { metainfo, trackers: [http] })
  expect(await why(/limit/)).toMatch(
    /^f\.bin: It goes on: it is downloading at [\d.]+ KiB\/s from 1 peer, [\d.]+ MiB left, \d+s\.\n {2}- The limit of the daemon is reached: limits\.down is 500 KiB\/s; "torrentinoctl config set limits\.down 0" lifts it\.\n$/,
  )

  await leech.call('config.set', { key: 'limits.down', value: 'none' })
  await leech.seeds(id)
  expect(await why(/Nothing/)).toMatch(
    /^f\.bin: Nothing is wrong: it is seeding, nobody wants anything of it just now\.\n$/,
  )
}, 60_000)

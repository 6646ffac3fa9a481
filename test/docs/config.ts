/** What docs/config.md says of each setting; kind, default and when it works come from the schema. */
import { SETTING_KEYS, type SettingKey, SETTINGS } from '../../shared/settings.js'

const MEANINGS: Readonly<Record<SettingKey, string>> = {
  'download.dir':
    'Where torrents land that name no folder. Absolute, or beginning with `~/`. Torrents that are there already stay where they are.',
  'listen.port':
    'The port for peers, TCP and UDP. `0`: drawn once between 10000 and 32767 and kept. If it is busy, the next free one serves until the next start.',
  'listen.host': 'The address to listen on for peers, IPv4 or IPv6. Empty: every address of this machine.',
  'log.level': '`trace`, `debug`, `info`, `warn` or `error`.',
  'net.scope':
    'How far any connection may go: `internet`, `private` (the local networks) or `loopback` (this machine). Each wider scope includes the narrower ones. The environment variable `TORRENTINO_NET` overrides it.',
  'peers.max': 'Connections to peers, all torrents together: 1 to 100000.',
  'peers.perTorrent': 'Connections to peers of one torrent: 1 to 10000.',
  'peers.encryption':
    'Encrypted connections to peers (Message Stream Encryption): `off`: never; `allowed`: a plain call first, and one in secret where it is cut; `preferred`: in secret first; `required`: nothing else, in both directions',
  'memory.buffer':
    'Memory for data on their way to the disk, 16 MiB to 4 GiB. Bytes, or text with a unit: `"64 MiB"`.',
  'disk.reserve':
    'Room that downloads leave free on each volume, up to 1 TiB, but never more than a twentieth of the volume. A download that would not fit beside it waits, and goes on by itself.',
  'limits.down':
    'Payload received, all torrents together. Bytes a second, 1 KiB/s to 1024 GiB/s, or text with a unit: `"10 MiB/s"`. `0` or `"none"`: unlimited.',
  'limits.up': 'Payload sent, all torrents together, in the same units.',
  'trash.keep':
    'How long a removed torrent can come back (`torrentinoctl undo`), in seconds, up to ten years, or text with a unit: `"90s"`, `"12h"`, `"7d"`. What lies in the trash already keeps the time that it was given. `0`: removals are for good at once.',
  'queue.downloads':
    'Torrents that download at once, 1 to 100000; the others wait in the order of `torrentinoctl queue`. `0` or `"none"`: all. Checks and magnet links whose metadata are still to come take no place.',
  'queue.seeds': 'Torrents that seed at once, in the same way.',
  'queue.stalled':
    'A torrent that moved less than 2 KiB a second for so long goes on, but its place is given to the next one; looked at only while somebody waits. Seconds, or text with a unit: `"90s"`, `"5m"`, `"2h"`. `0` or `"none"`: it keeps its place.',
  'seed.ratio':
    'A torrent pauses when it has sent so many times what it received (or what lay there, where nothing was received): `2`, `1.5`. `torrentinoctl seed` sets it for one torrent. `0` or `"none"`: never.',
  'seed.time': 'A torrent pauses when it has seeded so long over its life: `"7d"`. `0` or `"none"`: never.',
  'seed.idle':
    'A torrent pauses when it has seeded so long and sent nothing: `"30m"`. `0` or `"none"`: never.',
  'dht.enabled': 'Whether peers are looked for in the DHT too, and found there. Private torrents never are.',
  'dht.port':
    'The UDP port of the DHT; `0`: the same as for peers. If it is busy, another one serves until the next start.',
  'dht.bootstrap':
    'Where the DHT begins while no node is known, with commas between; each is HOST:PORT. Addresses near this machine are allowed. Empty: nowhere; what earlier runs knew is asked all the same. Names are only looked up with `net.scope` at `internet`.',
  'dht.readOnly':
    'Whether our DHT node asks others and answers none (BEP 43), for lines that are paid for by the byte; peers are found all the same.',
  'pex.enabled': 'Whether peers tell us of other peers, and we them. Private torrents never do.',
  'lsd.enabled':
    'Whether torrents are announced to the local network (BEP 14), and peers found there. Private torrents never are. With `net.scope` at `loopback` nothing is sent and no socket opened.',
}

const HEAD = '| setting | kind | default | works | meaning |\n| --- | --- | --- | --- | --- |\n'

/** The table of settings. */
function settingsTable(): string {
  const rows = SETTING_KEYS.map((key) => {
    const { kind, default: standard, applies } = SETTINGS[key]
    const written = standard === null ? 'by platform, see below' : `\`${JSON.stringify(standard)}\``
    return `| \`${key}\` | ${kind} | ${written} | ${applies} | ${MEANINGS[key]} |\n`
  })
  return HEAD + rows.join('')
}

/** `text` is docs/config.md as it is: what stands around the table is written by hand. */
export function configDoc(text: string): string {
  return text.replace(/\| setting .*\n\| -+[^\n]*\n(?:\|[^\n]*\n)+/, () => settingsTable())
}

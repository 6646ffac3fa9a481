/** Peer ids (BEP 20): ours, and the client's name in others'. */
import type { Random } from '../ports/random.js'

/**
 * Our Azureus-style code. TT belongs to TuoTu; TO is on no list (BEP 20, wiki.theory.org, and the lists that
 * other clients keep).
 */
const OUR_CODE = 'TO'
const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 20 bytes: '-TO', a digit each of major, minor and patch, '0-', and 12 letters or digits. */
export function makePeerId(version: string, random: Random): Buffer {
  const digits = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map((part) => digit(Number(part)))
  const head = `-${OUR_CODE}${digits.join('').padEnd(4, '0')}-`
  let tail = ''
  for (let i = head.length; i < 20; i += 1) tail += LETTERS.charAt(random.int(LETTERS.length))
  return Buffer.from(head + tail, 'latin1')
}

/** Above 9 come letters, as other clients have it. */
function digit(value: number): string {
  return LETTERS.charAt(Math.min(value, LETTERS.length - 1))
}

const AZUREUS: ReadonlyMap<string, string> = new Map([
  ['7T', 'aTorrent'],
  ['AG', 'Ares'],
  ['A~', 'Ares'],
  ['AR', 'Arctic'],
  ['AV', 'Avicora'],
  ['AX', 'BitPump'],
  ['AZ', 'Vuze'],
  ['BB', 'BitBuddy'],
  ['BC', 'BitComet'],
  ['BF', 'Bitflu'],
  ['BG', 'BTG'],
  ['BI', 'BiglyBT'],
  ['BR', 'BitRocket'],
  ['BS', 'BTSlave'],
  ['BT', 'BitTorrent'],
  ['BX', 'Bittorrent X'],
  ['CD', 'Enhanced CTorrent'],
  ['CT', 'CTorrent'],
  ['DE', 'Deluge'],
  ['DP', 'Propagate Data Client'],
  ['EB', 'EBit'],
  ['ES', 'electric sheep'],
  ['FG', 'FlashGet'],
  ['FL', 'Folx'],
  ['FT', 'FoxTorrent'],
  ['FW', 'FrostWire'],
  ['FX', 'Freebox BitTorrent'],
  ['GS', 'GSTorrent'],
  ['GT', 'anacrolix torrent'],
  ['HL', 'Halite'],
  ['HN', 'Hydranode'],
  ['KG', 'KGet'],
  ['KT', 'KTorrent'],
  ['LH', 'LH-ABC'],
  ['LP', 'Lphant'],
  ['LT', 'libtorrent'],
  ['lt', 'rTorrent'],
  ['LW', 'LimeWire'],
  ['MG', 'MediaGet'],
  ['ML', 'MLdonkey'],
  ['MO', 'MonoTorrent'],
  ['MP', 'MooPolice'],
  ['MR', 'Miro'],
  ['MT', 'MoonlightTorrent'],
  ['NX', 'Net Transport'],
  ['OS', 'OneSwarm'],
  [OUR_CODE, 'Torrentino'],
  ['PD', 'Pando'],
  ['PI', 'PicoTorrent'],
  ['qB', 'qBittorrent'],
  ['QD', 'QQDownload'],
  ['QT', 'Qt 4 Torrent example'],
  ['RN', 'rain'],
  ['rQ', 'rqbit'],
  ['RT', 'Retriever'],
  ['S~', 'Shareaza'],
  ['SB', 'Swiftbit'],
  ['SD', 'Xunlei'],
  ['SP', 'BitSpirit'],
  ['SS', 'SwarmScope'],
  ['ST', 'SymTorrent'],
  ['st', 'sharktorrent'],
  ['SZ', 'Shareaza'],
  ['TL', 'Tribler'],
  ['TN', 'TorrentDotNET'],
  ['TR', 'Transmission'],
  ['TS', 'Torrentstorm'],
  ['TT', 'TuoTu'],
  ['TX', 'Tixati'],
  ['UE', 'µTorrent Embedded'],
  ['UL', 'uLeecher!'],
  ['UM', 'µTorrent Mac'],
  ['UT', 'µTorrent'],
  ['UW', 'µTorrent Web'],
  ['VG', 'Vagaa'],
  ['WD', 'WebTorrent Desktop'],
  ['WT', 'BitLet'],
  ['WW', 'WebTorrent'],
  ['WY', 'FireTorrent'],
  ['XF', 'Xfplay'],
  ['XL', 'Xunlei'],
  ['XT', 'XanTorrent'],
  ['XX', 'Xtorrent'],
  ['ZO', 'Zona'],
  ['ZT', 'ZipTorrent'],
])

const SHADOW: ReadonlyMap<string, string> = new Map([
  ['A', 'ABC'],
  ['O', 'Osprey Permaseed'],
  ['Q', 'BTQueue'],
  ['R', 'Tribler'],
  ['S', 'Shadow'],
  ['T', 'BitTornado'],
  ['U', 'UPnP NAT BitTorrent'],
])

/** The client and version a peer id tells, such as 'Transmission 3.00'; '' where it tells none. Always printable. */
export function clientName(peerId: Uint8Array): string {
  const text = Buffer.from(peerId.buffer, peerId.byteOffset, peerId.byteLength).toString('latin1')
  return azureus(text) ?? dashed(text) ?? shadow(text) ?? ''
}

function azureus(text: string): string | null {
  const match = /^-([A-Za-z0-9~]{2})([A-Za-z0-9.]{4})/.exec(text)
  if (match === null) return null
  const [, code = '', version = ''] = match
  const name = AZUREUS.get(code)
  if (name === undefined) return text.charAt(7) === '-' ? `${code} ${version}` : null
  return `${name} ${versionOf(code, version)}`
}

function versionOf(code: string, version: string): string {
  const [a = '', b = '', c = '', d = ''] = version
  // 3000 is Transmission 3.00; from 4 on it writes three parts and a 0 or a letter for builds of the day.
  if (code === 'TR' && (a < '4' || a > '9')) return `${a}.${b}${c}`
  const parts = [a, b, c, d].map((char) => String(Math.max(0, LETTERS.indexOf(char))))
  if (parts[3] === '0' || /[A-Za-z]/.test(d)) parts.pop()
  return parts.join('.')
}

/** Mainline 'M4-3-6--', aria2 'A2-1-36-0-', Queen Bee 'Q1-0-0--'. */
function dashed(text: string): string | null {
  const match = /^(M|Q|A2-)(\d{1,3})-(\d{1,3})-(\d{1,3})-/.exec(text)
  if (match === null) return null
  const [, code, major = '', minor = '', patch = ''] = match
  const name = code === 'M' ? 'BitTorrent' : code === 'Q' ? 'Queen Bee' : 'aria2'
  return `${name} ${major}.${minor}.${patch}`
}

function shadow(text: string): string | null {
  const match = /^([AOQRSTU])([0-9A-Za-z.]{1,5})-{0,4}---/.exec(text)
  if (match === null) return null
  const [, code = '', version = ''] = match
  const parts = Array.from(version, (char) => String(Math.max(0, LETTERS.indexOf(char))))
  return `${SHADOW.get(code) ?? code} ${parts.join('.')}`
}

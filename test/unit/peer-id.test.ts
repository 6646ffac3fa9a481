import { describe, expect, it } from 'vitest'
import { clientName, makePeerId } from '../../daemon/codec/peer-id.js'
import { FakeRandom } from '../support/fake-random.js'

describe('peer ids', () => {
  it('makes ours from the version', () => {
    const id = makePeerId('0.1.0', new FakeRandom(1))
    expect(id.toString('latin1')).toMatch(/^-TO0100-[0-9A-Za-z]{12}$/)
    expect(makePeerId('1.12.3-rc1', new FakeRandom(1)).toString('latin1', 0, 8)).toBe('-TO1C30-')
    expect(makePeerId('0.1.0', new FakeRandom(2)).equals(id)).toBe(false)
    expect(clientName(id)).toBe('Torrentino 0.1.0')
  })

  it.each([
    ['-TR3000-', 'Transmission 3.00'],
    ['-TR2940-', 'Transmission 2.94'],
    ['-TR4050-', 'Transmission 4.0.5'],
    ['-qB4520-', 'qBittorrent 4.5.2'],
    ['-LT2080-', 'libtorrent 2.0.8'],
    ['-lt0D80-', 'rTorrent 0.13.8'],
    ['-DE211s-', 'Deluge 2.1.1'],
    ['-UT2210-', 'µTorrent 2.2.1'],
    ['-AZ5701-', 'Vuze 5.7.0.1'],
    ['A2-1-36-0-', 'aria2 1.36.0'],
    ['M4-20-8-', 'BitTorrent 4.20.8'],
    ['T03I--------', 'BitTornado 0.3.18'],
    ['S58B-----', 'Shadow 5.8.11'],
    ['-ZZ1234-', 'ZZ 1234'],
    ['\u001b]0;x', ''],
    ['-TR\u001b[2J-', ''],
  ])('%j is %s', (head, name) => {
    const id = Buffer.alloc(20, 0x78)
    id.write(head, 'latin1')
    expect(clientName(id)).toBe(name)
  })

  it('answers printable text for any bytes', () => {
    const random = new FakeRandom(5)
    for (let i = 0; i < 2000; i += 1) expect(clientName(random.bytes(20))).toMatch(/^[ -~µ]*$/)
  })
})

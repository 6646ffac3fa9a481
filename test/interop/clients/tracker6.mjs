// The npm bittorrent-tracker over HTTP and UDP at one port of the IPv6 address given; tracker.ts starts it.
import { Server } from 'bittorrent-tracker'

const [address, port] = process.argv.slice(2)

class Tracker extends Server {
  // It names IPv6 peers over HTTP only: what it finds is left out of its UDP answers (BEP 15: 18 bytes each there).
  _onRequest(params, answer) {
    super._onRequest(params, (error, response) => {
      const six = params.type === 'udp' && response?.peers6 !== undefined
      answer(error, six ? { ...response, peers: response.peers6 } : response)
    })
  }
}

const server = new Tracker({ http: true, udp: true, ws: false, stats: false, interval: 1_800_000 })
server.on('warning', () => undefined)
// It has no switch for a tracker without IPv4: that socket is open and nobody can reach it.
server.listen(Number(port), { http: address, udp: '0.0.0.0', udp6: address }, () => console.log('ready'))

/** Frames into a socket through the daemon's transport, to a process that throws them away. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { makeAddress } from '../../../daemon/base/address.js'
import { dialled } from '../../../daemon/io/tcp.js'
import { type Line, throughput } from './measure.js'

const FRAME = 64 * (16_384 + 13)
const FRAMES = 512
/** Frames that the transport has not let go of. */
const UNDER_WAY = 2

const DRAIN = `
  const net = require('node:net')
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    const onread = { buffer: Buffer.allocUnsafeSlow(1048576), callback: () => true }
    new net.Socket({ handle: socket._handle, readable: true, onread }).on('error', () => process.exit()).resume()
  })
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

export async function send(): Promise<Line[]> {
  const child = spawn(process.execPath, ['-e', DRAIN], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    const port = Number(said.toString())
    const address = makeAddress('127.0.0.1', port)
    if (address === null) throw new Error('no address to send to')
    const { options, wrap } = dialled()
    const socket = new net.Socket(options)
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const transport = wrap(socket, address)
    transport.start({ data: () => undefined, closed: () => undefined })
    const frames = Array.from({ length: UNDER_WAY }, () => Buffer.alloc(FRAME, 1))
    const lines = await throughput('frames of 1 MiB into a socket', FRAMES * FRAME, async () => {
      await new Promise<void>((resolve) => {
        let sent = 0
        let taken = 0
        const write = (frame: Buffer): void => {
          sent += 1
          transport.write(frame, () => {
            taken += 1
            if (taken === FRAMES) resolve()
            else if (sent < FRAMES) write(frame)
          })
        }
        frames.forEach(write)
      })
    })
    transport.close('done')
    return lines
  } finally {
    child.kill('SIGKILL')
  }
}

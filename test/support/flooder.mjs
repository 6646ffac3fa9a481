// A process full of peers that flood, so that the one that measures has its own loop to itself. It gets one FloodSpec
// of floods.ts as a message, floods, and answers with the totals; `ready` comes when all have sent their prelude.
import net from 'node:net'

process.once('message', (spec) => {
  const totals = { sent: 0, received: 0, ended: 0, lastedMillis: 0 }
  const begun = performance.now()
  const prelude = Buffer.from(spec.prelude, 'base64')
  const unit = Buffer.from(spec.flood, 'base64')
  // Chunks of whole messages of about 64 KiB: fewer writes.
  const chunk = Buffer.concat(Array(Math.max(1, Math.floor(65_536 / unit.length))).fill(unit))
  const flooding = []
  let ready = 0
  let done = false

  const flood = (socket) => {
    if (done || socket.destroyed) return
    if (spec.everyMillis > 0) return drip(socket)
    while (!socket.destroyed && socket.write(chunk)) totals.sent += chunk.length
    totals.sent += socket.destroyed ? 0 : chunk.length
  }
  // One byte at a time, as long as the unit lasts.
  const drip = (socket) => {
    let at = 0
    const timer = setInterval(() => {
      if (done || socket.destroyed || at >= unit.length) return clearInterval(timer)
      socket.write(unit.subarray(at, at + 1))
      at += 1
      totals.sent += 1
    }, spec.everyMillis)
  }
  const begin = () => {
    process.send({ ready: true })
    for (const socket of flooding) {
      if (spec.read === 'none') socket.pause()
      if (spec.read === 'slow') slow(socket)
      flood(socket)
    }
    setTimeout(() => {
      done = true
      totals.received = flooding.reduce((sum, socket) => sum + socket.bytesRead, 0)
      process.send({ totals })
    }, spec.seconds * 1000)
  }
  // 64 KiB every 100 ms at most.
  const slow = (socket) => {
    socket.pause()
    const timer = setInterval(() => {
      if (done || socket.destroyed) return clearInterval(timer)
      socket.read(65_536)
    }, 100)
  }

  for (let n = 0; n < spec.count; n += 1) {
    const socket = net.connect({ host: '127.0.0.1', port: spec.port, highWaterMark: 65_536 })
    flooding.push(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      totals.ended += 1
      totals.lastedMillis = Math.max(totals.lastedMillis, performance.now() - begun)
    })
    socket.on('data', () => undefined)
    socket.on('drain', () => flood(socket))
    socket.on('connect', () => {
      if (prelude.length >= 68)
        prelude.write(
          `-FL${String(process.pid).padStart(8, '0')}${String(n).padStart(4, '0')}-`.padEnd(20),
          48,
          'latin1',
        )
      socket.write(Buffer.from(prelude))
      ready += 1
      // The daemon has read it, and answered.
      if (ready === spec.count) setTimeout(begin, 300)
    })
  }
})
process.on('disconnect', () => process.exit())

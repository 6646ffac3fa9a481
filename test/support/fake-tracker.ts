/** Trackers on loopback that answer whatever a test wants, down to the byte. */
import dgram from 'node:dgram'
import net from 'node:net'
import tls from 'node:tls'
import type { AddressInfo } from 'node:net'

export interface FakeTracker {
  readonly port: number
  /** The heads of the requests, or the packets, that came. */
  readonly seen: Buffer[]
  close(): void
}

/** Answers each HTTP request by writing into the socket. */
export function httpTracker(
  answer: (socket: net.Socket, head: string) => void,
  secure?: { readonly key: string; readonly cert: string },
): Promise<FakeTracker> {
  const seen: Buffer[] = []
  const open = new Set<net.Socket>()
  const serve = (socket: net.Socket): void => {
    open.add(socket)
    let head = Buffer.alloc(0)
    let told = false
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      head = Buffer.concat([head, chunk])
      if (told || !head.includes('\r\n\r\n')) return
      told = true
      seen.push(head)
      answer(socket, head.toString('latin1'))
    })
  }
  const server = secure === undefined ? net.createServer(serve) : tls.createServer({ ...secure }, serve)
  server.on('tlsClientError', () => undefined)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        seen,
        close: () => {
          for (const socket of open) socket.destroy()
          server.close()
        },
      })
    })
  })
}

/** A whole HTTP/1.1 answer. */
export function reply(
  socket: net.Socket,
  body: Buffer | string,
  headers: readonly string[] = [],
  status = '200 OK',
): void {
  const bytes = Buffer.from(body)
  const head = [`HTTP/1.1 ${status}`, `Content-Length: ${String(bytes.length)}`, ...headers, '', '']
  socket.write(head.join('\r\n'))
  socket.end(bytes)
}

/** Answers packets; `send` answers from the socket that was asked. */
export function udpTracker(
  answer: (packet: Buffer, send: (reply: Buffer) => void, to: dgram.RemoteInfo) => void,
  host: '127.0.0.1' | '::1' = '127.0.0.1',
): Promise<FakeTracker> {
  const seen: Buffer[] = []
  const socket = dgram.createSocket(host === '::1' ? 'udp6' : 'udp4')
  socket.on('message', (packet, from) => {
    seen.push(packet)
    answer(packet, (bytes) => socket.send(bytes, from.port, from.address), from)
  })
  return new Promise((resolve) => {
    socket.bind(0, host, () => {
      resolve({ port: socket.address().port, seen, close: () => socket.close() })
    })
  })
}

/** A packet of 32-bit numbers and bytes. */
export function packet(...parts: readonly (number | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part !== 'number') return part
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(part >>> 0)
      return bytes
    }),
  )
}

/** A certificate that signs itself, for tracker.test and 127.0.0.1, until 2126. It protects nothing. */
export const SELF_SIGNED = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCOGdKS/4MYsXJgpV
BUpO2apRJb6jc6bTIaJZ9AfsBTuhRANCAATuqqzTj165Avwr9d74OiB2y0P4cezU
URccwH9iYgqaRto/DwAkQUf3OCOwMtT6C18xSxPR9iXEgbo9MI3H4y7I
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBpDCCAUqgAwIBAgIUYXQQiU/gmESbzOMgpE2ykQXUzMAwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMdHJhY2tlci50ZXN0MCAXDTI2MTEyMjA4MjQzMVoYDzIxMjYx
MDI5MDgyNDMxWjAXMRUwEwYDVQQDDAx0cmFja2VyLnRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATuqqzTj165Avwr9d74OiB2y0P4cezUURccwH9iYgqaRto/
DwAkQUf3OCOwMtT6C18xSxPR9iXEgbo9MI3H4y7Io3IwcDAdBgNVHQ4EFgQU9Ien
1zeL6rWRFf/ouWaqJI0hL20wHwYDVR0jBBgwFoAU9Ien1zeL6rWRFf/ouWaqJI0h
L20wDwYDVR0TAQH/BAUwAwEB/zAdBgNVHREEFjAUggx0cmFja2VyLnRlc3SHBH8A
AAEwCgYIKoZIzj0EAwIDSAAwRQIhAJBRueYFSpiFj7t4oxkOiThMobM/pg9ZKBs0
Kt3TytVwAiB3CpNy9sDGWl1d0tSYwTWQVcth2xnG4o5yl6Jr8QL3yg==
-----END CERTIFICATE-----
`,
}

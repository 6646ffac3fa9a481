/** GET over HTTP and HTTPS, for strangers' servers: every limit has a value, every address is checked before use. */
import http from 'node:http'
import type net from 'node:net'
import tls from 'node:tls'
import zlib from 'node:zlib'
import type { Bytes, Millis } from '../../shared/units.js'
import { classOf } from '../base/address.js'
import type { AddressClass } from '../base/address.js'
import { parseIp } from '../base/ip.js'
import type { IpAddress } from '../base/ip.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { SocketDialer } from './dialer.js'
import type { Resolver } from './resolver.js'

/** What went wrong; `detail` is for people, without names of servers in it. */
export interface HttpFault {
  readonly code:
    | 'bad-url'
    | 'unsupported'
    | 'dns'
    | 'out-of-scope'
    | 'refused'
    | 'unreachable'
    | 'no-way'
    | 'timeout'
    | 'certificate'
    | 'not-http'
    | 'too-large'
    | 'redirects'
    | 'redirect-near'
    | 'broken'
  readonly detail: string
}

export type HttpResult =
  | { readonly ok: true; readonly status: number; readonly body: Buffer }
  | { readonly ok: false; readonly fault: HttpFault }

export interface HttpInit {
  /** Sent as User-Agent. */
  readonly userAgent: string
  /** For the whole of it: names, redirects, body. Default 60 s. */
  readonly timeout?: Millis
  /** Of the body, as it comes and unpacked. Default 2 MiB. */
  readonly maxBody?: Bytes
  /** Authorities trusted besides the system's, PEM. */
  readonly ca?: string
}

export interface HttpPorts {
  readonly clock: Clock
  readonly dialer: Pick<SocketDialer, 'allows' | 'dial'>
  readonly resolver: Pick<Resolver, 'resolve'>
}

/** Null, or why this URL may not be asked at this address. */
export type AddressCheck = (url: URL, address: IpAddress) => HttpFault | null

const TIMEOUT = 60_000
const MAX_BODY = 2_097_152
const MOST_REDIRECTS = 5
/** A host with many addresses gets this many chances. */
const MOST_ADDRESSES = 4
const CONNECT_TIMEOUT = 15_000
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const NEARNESS: Readonly<Record<AddressClass, number>> = { internet: 0, private: 1, loopback: 2, never: 3 }

export class Http {
  private readonly init: HttpInit
  private readonly ports: HttpPorts

  constructor(init: HttpInit, ports: HttpPorts) {
    this.init = init
    this.ports = ports
  }

  /** `done` is called once, later, within the timeout; not after the returned Cancel. */
  get(url: string, check: AddressCheck, done: (result: HttpResult) => void): Cancel {
    const fetch = new Fetch(this.init, this.ports, check, done)
    fetch.go(url)
    return () => {
      fetch.end(null)
    }
  }
}

/** One GET with its redirects. */
class Fetch {
  private readonly init: HttpInit
  private readonly ports: HttpPorts
  private readonly check: AddressCheck
  /** Null once it was called or is not to be. */
  private done: ((result: HttpResult) => void) | null
  private readonly timer: Cancel
  private readonly maxBody: Bytes
  private redirects = 0
  /** How near the last server was; a redirect may not lead nearer. */
  private nearest = NEARNESS.never
  /** Ends what is under way: a dial or a request. */
  private stop: Cancel = () => undefined

  constructor(init: HttpInit, ports: HttpPorts, check: AddressCheck, done: (result: HttpResult) => void) {
    this.init = init
    this.ports = ports
    this.check = check
    this.done = done
    this.maxBody = init.maxBody ?? MAX_BODY
    const timeout = init.timeout ?? TIMEOUT
    this.timer = ports.clock.after(timeout, () => {
      this.fail('timeout', `there was no whole answer within ${String(Math.round(timeout / 1000))} seconds`)
    })
  }

  go(target: string): void {
    const url = URL.canParse(target) ? new URL(target) : null
    if (url === null) this.failLater('bad-url', 'the address is not a URL')
    else if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      this.failLater('unsupported', `${url.protocol}// is not supported`)
    } else if (url.port === '0') this.failLater('bad-url', 'the port is 0')
    else void this.open(url)
  }

  /** Reports (null: nobody is told), and ends what is under way. */
  end(result: HttpResult | null): void {
    const { done } = this
    this.done = null
    this.timer()
    this.stop()
    if (done !== null && result !== null) done(result)
  }

  private fail(code: HttpFault['code'], detail: string): void {
    this.end({ ok: false, fault: { code, detail } })
  }

  private failLater(code: HttpFault['code'], detail: string): void {
    this.stop = this.ports.clock.after(0, () => {
      this.fail(code, detail)
    })
  }

  private async open(url: URL): Promise<void> {
    const { addresses, reason } = await this.ports.resolver.resolve(url.hostname)
    if (this.done === null) return
    if (addresses.length === 0) {
      this.fail('dns', `its name could not be looked up (${reason ?? 'no address'})`)
      return
    }
    const usable = this.usable(url, addresses)
    if ('code' in usable) this.end({ ok: false, fault: usable })
    else this.connect(url, usable, 0)
  }

  /** Addresses that may be asked, IPv4 first; or why none may. */
  private usable(url: URL, addresses: readonly IpAddress[]): IpAddress[] | HttpFault {
    const { dialer } = this.ports
    const reachable = addresses.filter((ip) => dialer.allows({ host: ip.host }))
    if (reachable.length === 0) {
      return { code: 'out-of-scope', detail: 'its address lies outside the network that net.scope allows' }
    }
    const notNearer = reachable.filter((ip) => NEARNESS[classOf(ip.host)] <= this.nearest)
    if (notNearer.length === 0) {
      return { code: 'redirect-near', detail: 'it redirects to an address of the local network' }
    }
    const faults = notNearer.map((ip) => this.check(url, ip))
    const allowed = notNearer.filter((_ip, i) => faults[i] === null)
    const [fault] = faults
    if (allowed.length === 0 && fault != null) return fault
    return allowed.sort((a, b) => a.family - b.family).slice(0, MOST_ADDRESSES)
  }

  private connect(url: URL, addresses: readonly IpAddress[], index: number): void {
    const ip = addresses[index]
    if (ip === undefined) return
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
    this.stop = this.ports.dialer.dial({ ...ip, port }, { timeout: CONNECT_TIMEOUT }, (socket, reason) => {
      if (socket !== null) {
        this.nearest = NEARNESS[classOf(ip.host)]
        this.request(url, url.protocol === 'https:' ? this.secure(url, socket) : socket)
      } else if (index + 1 < addresses.length) this.connect(url, addresses, index + 1)
      else this.end({ ok: false, fault: connectFault(reason) })
    })
  }

  private secure(url: URL, socket: net.Socket): tls.TLSSocket {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    socket.on('error', () => undefined)
    const { ca } = this.init
    return tls.connect({
      socket,
      host,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: there is no switch for all servers at once.
      rejectUnauthorized: true,
      ...(parseIp(host) === null ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca: [...tls.rootCertificates, ca] }),
    })
  }

  private request(url: URL, socket: net.Socket): void {
    const request = http.request({
      createConnection: () => socket,
      method: 'GET',
      host: url.hostname,
      path: url.pathname + url.search,
      ...(url.username === '' ? {} : { auth: `${decode(url.username)}:${decode(url.password)}` }),
      headers: {
        Host: url.host,
        'User-Agent': this.init.userAgent,
        'Accept-Encoding': 'gzip',
        Connection: 'close',
      },
      // Old trackers end their lines with a bare line feed.
      insecureHTTPParser: true,
    })
    // What a destroyed request still reports is not about the one that follows a redirect.
    let current = true
    this.stop = () => {
      current = false
      request.destroy()
      socket.destroy()
    }
    const failed = (error: NodeJS.ErrnoException): void => {
      if (current) this.end({ ok: false, fault: requestFault(error) })
    }
    request.on('error', failed)
    socket.on('error', failed)
    request.on('response', (response) => {
      this.response(url, response)
    })
    request.end()
  }

  private response(url: URL, response: http.IncomingMessage): void {
    const status = response.statusCode ?? 0
    const location = response.headers.location
    if (REDIRECTS.has(status) && location !== undefined) {
      this.stop()
      this.redirect(url, location)
      return
    }
    const chunks: Buffer[] = []
    let length = 0
    response.on('data', (chunk: Buffer) => {
      length += chunk.length
      chunks.push(chunk)
      if (length > this.maxBody) this.fail('too-large', this.limitText())
    })
    response.on('error', (error: NodeJS.ErrnoException) => {
      this.end({ ok: false, fault: requestFault(error) })
    })
    response.on('end', () => {
      this.finish(status, response.headers['content-encoding'], Buffer.concat(chunks))
    })
  }

  private redirect(url: URL, location: string): void {
    this.redirects += 1
    this.stop = () => undefined
    if (this.done === null) return
    if (this.redirects > MOST_REDIRECTS) {
      this.fail('redirects', `it redirects more than ${String(MOST_REDIRECTS)} times`)
    } else this.go(URL.canParse(location, url.href) ? new URL(location, url.href).href : location)
  }

  private finish(status: number, encoding: string | undefined, body: Buffer): void {
    if (this.done === null) return
    try {
      this.end({ ok: true, status, body: unpack(encoding, body, this.maxBody) })
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (code === 'ERR_BUFFER_TOO_LARGE') this.fail('too-large', this.limitText())
      else if (code.startsWith('Z_')) this.fail('not-http', 'its answer is packed wrongly')
      else throw error
    }
  }

  private limitText(): string {
    return `its answer is larger than ${String(Math.round(this.maxBody / 1_048_576))} MiB`
  }
}

function unpack(encoding: string | undefined, body: Buffer, limit: Bytes): Buffer {
  const kind = encoding?.trim().toLowerCase()
  if (body.length === 0) return body
  if (kind === 'gzip' || kind === 'x-gzip') return zlib.gunzipSync(body, { maxOutputLength: limit })
  if (kind === 'deflate') return zlib.inflateSync(body, { maxOutputLength: limit })
  return body
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whether the system says that nothing could be sent: there is no network, or none of that family. */
export function isOffline(reason: string): boolean {
  return /^(?:ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|no-local-address)$/.test(reason)
}

function connectFault(reason: string): HttpFault {
  if (reason === 'ECONNREFUSED') return { code: 'refused', detail: 'it refused the connection' }
  if (reason === 'timeout') return { code: 'timeout', detail: 'it could not be reached in time' }
  if (isOffline(reason)) return { code: 'no-way', detail: `no way leads there from here (${reason})` }
  return { code: 'unreachable', detail: `it could not be reached (${reason})` }
}

function requestFault(error: NodeJS.ErrnoException): HttpFault {
  const code = error.code ?? ''
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/.test(code)) {
    return { code: 'certificate', detail: `its certificate is not valid (${code})` }
  }
  if (code === 'HPE_HEADER_OVERFLOW')
    return { code: 'too-large', detail: 'the headers of its answer do not end' }
  if (code.startsWith('HPE_')) return { code: 'not-http', detail: 'its answer is not HTTP' }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) {
    return { code: 'certificate', detail: 'a secure connection could not be made' }
  }
  return { code: 'broken', detail: `the connection broke off${code === '' ? '' : ` (${code})`}` }
}

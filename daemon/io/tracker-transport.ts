/** Announces over HTTP, HTTPS and UDP, as the announcer asks for them. */
import type { PeerAddress } from '../base/address.js'
import type { IpAddress } from '../base/ip.js'
import { fault } from '../codec/announce.js'
import type { AnnounceRequest, AnnounceResult } from '../codec/announce.js'
import { announceUrl, parseAnnounce } from '../codec/http-tracker.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Line } from '../tracker/line.js'
import type { TrackerTransport, Waits } from '../tracker/transport.js'
import type { Http, HttpFault, HttpResult } from './http.js'
import { nearAnnounceOnly } from './http-checks.js'
import type { Resolver } from './resolver.js'
import type { UdpAnnouncer } from './udp-announce.js'

export interface TrackerPorts {
  readonly clock: Clock
  readonly http: Pick<Http, 'get'>
  readonly resolver: Pick<Resolver, 'resolve'>
  readonly udp: Pick<UdpAnnouncer, 'announce'>
  /** Whether the scope in force lets us talk to that host. */
  readonly allows: (address: { readonly host: string }) => boolean
}

type Done = (result: AnnounceResult) => void

/** HTTP announces at once; the others wait. */
const MOST_HTTP = 50
/** After one family answered, the other has this long. */
const SECOND_FAMILY = 2_000

export class NetTrackers implements TrackerTransport {
  private readonly ports: TrackerPorts
  /** HTTP announces on their way. */
  private active = 0
  /** HTTP announces that wait for a place. */
  private readonly line = new Line()

  constructor(ports: TrackerPorts) {
    this.ports = ports
  }

  announce(url: string, request: AnnounceRequest, done: Done, waits?: Waits, urgent = false): Cancel {
    const protocol = /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase()
    if (protocol === 'http' || protocol === 'https') {
      const foreign = foreignQuery(url)
      if (foreign !== null) return this.later(fault('unreachable', foreign, 'never'), done)
      return this.overHttp(url, { request, urgent }, done, waits)
    }
    if (protocol === 'udp') return this.overUdp(url, request, done)
    const name = protocol === undefined ? 'without a protocol' : `of the kind ${protocol}`
    return this.later(fault('unreachable', `Trackers ${name} are not supported.`, 'never'), done)
  }

  private later(result: AnnounceResult, done: Done): Cancel {
    return this.ports.clock.after(0, () => {
      done(result)
    })
  }

  private overHttp(
    url: string,
    { request, urgent }: { readonly request: AnnounceRequest; readonly urgent: boolean },
    done: Done,
    waits: Waits = () => undefined,
  ): Cancel {
    let stop: Cancel | null = null
    const release = (): void => {
      stop = null
      this.active -= 1
      if (this.active < MOST_HTTP) this.line.shift()?.()
    }
    const send = (): void => {
      this.active += 1
      stop = this.ports.http.get(announceUrl(url, request), nearAnnounceOnly, (result) => {
        release()
        done(httpAnswer(result))
      })
    }
    const begin = (): void => {
      waits(null)
      send()
    }
    if (this.active < MOST_HTTP) send()
    else {
      this.line.add(request.event, urgent, begin)
      waits(() => this.line.before(begin))
    }
    return () => {
      this.line.delete(begin)
      if (stop === null) return
      stop()
      release()
    }
  }

  private overUdp(url: string, request: AnnounceRequest, done: Done): Cancel {
    const parsed = URL.canParse(url) ? new URL(url) : null
    const port = Number(parsed?.port ?? '')
    if (parsed === null || parsed.hostname === '' || !(port > 0)) {
      return this.later(
        fault('unreachable', 'The address of the tracker has no host or port.', 'never'),
        done,
      )
    }
    const stops = new Set<Cancel>()
    let ended = false
    const end = (): void => {
      ended = true
      for (const stop of stops) stop()
    }
    void this.ports.resolver.resolve(parsed.hostname).then(({ addresses, reason }) => {
      if (ended) return
      const targets = this.targets(addresses, port)
      if (targets.length === 0) {
        stops.add(this.later(fault('unreachable', noTarget(addresses, reason)), done))
        return
      }
      this.toEach(targets, parsed.pathname + parsed.search, request, stops, (result) => {
        end()
        done(result)
      })
    })
    return end
  }

  /** The first address of each family that we may talk to. */
  private targets(addresses: readonly IpAddress[], port: number): PeerAddress[] {
    const allowed = addresses.filter((ip) => this.ports.allows({ host: ip.host }))
    return ([4, 6] as const).flatMap((family) => {
      const ip = allowed.find((each) => each.family === family)
      return ip === undefined ? [] : [{ ...ip, port }]
    })
  }

  /** BEP 15: over both families, since each tells only its own peers. The answers become one. */
  private toEach(
    targets: readonly PeerAddress[],
    path: string,
    request: AnnounceRequest,
    stops: Set<Cancel>,
    done: Done,
  ): void {
    const results: AnnounceResult[] = []
    const finish = (): void => {
      done(merged(results))
    }
    for (const target of targets) {
      stops.add(
        this.ports.udp.announce(target, path, request, (result) => {
          results.push(result)
          if (results.length === targets.length) finish()
          else if (result.ok) stops.add(this.ports.clock.after(SECOND_FAMILY, finish))
        }),
      )
    }
  }
}

function merged(results: readonly AnnounceResult[]): AnnounceResult {
  const answers = results.flatMap((result) => (result.ok ? [result.answer] : []))
  const [first, second] = answers
  if (first === undefined) return results[0] ?? fault('unreachable', 'The tracker did not answer.')
  if (second === undefined) return { ok: true, answer: first }
  return { ok: true, answer: { ...first, peers: [...first.peers, ...second.peers] } }
}

function noTarget(addresses: readonly IpAddress[], reason: string | null): string {
  return addresses.length === 0
    ? `The tracker could not be asked: its name could not be looked up (${reason ?? 'no address'}).`
    : 'The tracker was not asked: its address lies outside the network that net.scope allows.'
}

/** A torrent must not choose the parameters that are ours to set. */
function foreignQuery(url: string): string | null {
  const query = url.split('?').slice(1).join('?')
  return /(?:^|[&;])(?:info_hash|event)=/i.test(query)
    ? 'The tracker was not asked: its address carries info_hash or event, which are ours to set.'
    : null
}

function httpAnswer(result: HttpResult): AnnounceResult {
  if (!result.ok) return fault(KINDS[result.fault.code], sentence(result.fault), permanence(result.fault))
  const parsed = parseAnnounce(result.body)
  if (parsed.ok || parsed.fault.kind !== 'bad-answer' || result.status === 200) return parsed
  return fault('bad-answer', `The tracker answered with HTTP status ${String(result.status)}.`)
}

const KINDS: Readonly<Record<HttpFault['code'], 'unreachable' | 'bad-answer'>> = {
  'bad-url': 'unreachable',
  unsupported: 'unreachable',
  dns: 'unreachable',
  'out-of-scope': 'unreachable',
  refused: 'unreachable',
  unreachable: 'unreachable',
  timeout: 'unreachable',
  certificate: 'bad-answer',
  'not-http': 'bad-answer',
  'too-large': 'bad-answer',
  redirects: 'bad-answer',
  'redirect-near': 'bad-answer',
  broken: 'unreachable',
}

function sentence(httpFault: HttpFault): string {
  return `The tracker could not be asked: ${httpFault.detail}.`
}

function permanence(httpFault: HttpFault): 'never' | null {
  return httpFault.code === 'bad-url' ? 'never' : null
}

/** Announces over HTTP, HTTPS and UDP, as the announcer asks for them. */
import type { PeerAddress } from '../base/address.js'
import type { IpAddress } from '../base/ip.js'
import type { SwarmKey } from '../../shared/units.js'
import { fault } from '../codec/announce.js'
import type {
  AnnounceEvent,
  AnnounceFault,
  AnnounceRequest,
  AnnounceResult,
  Failed,
  ScrapeResult,
} from '../codec/announce.js'
import { parseScrape, scrapeBase, scrapeUrl } from '../codec/http-scrape.js'
import { announceUrl, parseAnnounce } from '../codec/http-tracker.js'
import { MOST_SCRAPES } from '../codec/udp-tracker.js'
import type { Cancel, Clock } from '../ports/clock.js'
import { Line } from '../tracker/line.js'
import type { ScrapeTransport, TrackerTransport, Waits } from '../tracker/transport.js'
import type { AddressCheck, Http, HttpFault, HttpResult } from './http.js'
import { nearAnnounceOnly, nearScrapeOnly } from './http-checks.js'
import type { Resolver } from './resolver.js'
import type { UdpAnnouncer } from './udp-announce.js'

export interface TrackerPorts {
  readonly clock: Clock
  readonly http: Pick<Http, 'get'>
  readonly resolver: Pick<Resolver, 'resolve'>
  readonly udp: Pick<UdpAnnouncer, 'announce' | 'scrape'>
  /** Whether the scope in force lets us talk to that host. */
  readonly allows: (address: { readonly host: string }) => boolean
}

type Done = (result: AnnounceResult) => void

/** An HTTP request that may have to wait for a place. */
interface Ask {
  readonly url: string
  readonly check: AddressCheck
  readonly event: AnnounceEvent | null
  readonly urgent: boolean
  readonly done: (result: HttpResult) => void
}

/** A URL of so many info hashes is shorter than what servers take, and some count no further. */
const MOST_HTTP_SCRAPES = 50

/** HTTP announces at once; the others wait. */
const MOST_HTTP = 50
/** After one family answered, the other has this long. */
const SECOND_FAMILY = 2_000

export class NetTrackers implements TrackerTransport, ScrapeTransport {
  private readonly ports: TrackerPorts
  /** HTTP announces on their way. */
  private active = 0
  /** HTTP announces that wait for a place. */
  private readonly line = new Line()

  constructor(ports: TrackerPorts) {
    this.ports = ports
  }

  announce(url: string, request: AnnounceRequest, done: Done, waits?: Waits, urgent = false): Cancel {
    const protocol = protocolOf(url)
    if (protocol === 'http' || protocol === 'https') {
      const foreign = foreignQuery(url)
      if (foreign !== null) return this.later(fault('unreachable', foreign, 'never'), done)
      const ask = { url: announceUrl(url, request), check: nearAnnounceOnly, event: request.event, urgent }
      return this.overHttp(
        {
          ...ask,
          done: (result) => {
            done(httpAnswer(result))
          },
        },
        waits,
      )
    }
    if (protocol === 'udp') return this.overUdp(url, request, done)
    const name = protocol === undefined ? 'without a protocol' : `of the kind ${protocol}`
    return this.later(fault('unreachable', `Trackers ${name} are not supported.`, 'never'), done)
  }

  mostScraped(url: string): number {
    const protocol = protocolOf(url)
    if (protocol === 'udp') return MOST_SCRAPES
    const web = protocol === 'http' || protocol === 'https'
    return web && scrapeBase(url) !== null && foreignQuery(url) === null ? MOST_HTTP_SCRAPES : 0
  }

  scrape(url: string, keys: readonly SwarmKey[], done: (result: ScrapeResult) => void): Cancel {
    if (protocolOf(url) === 'udp') return this.scrapeUdp(url, keys, done)
    const asked = scrapeUrl(url, keys)
    if (asked === null || this.mostScraped(url) === 0) {
      return this.ports.clock.after(0, () => {
        done(fault('refused', 'This tracker cannot be asked for its counts alone.', 'never'))
      })
    }
    return this.overHttp({
      url: asked,
      check: nearScrapeOnly,
      event: null,
      urgent: false,
      done: (result) => {
        done(httpCounts(result, keys))
      },
    })
  }

  /** Each address counts the same swarm: the first that answers is enough. */
  private scrapeUdp(url: string, keys: readonly SwarmKey[], done: (result: ScrapeResult) => void): Cancel {
    return this.found<ScrapeResult>(url, done, (targets, _, stops, finish) => {
      const [first, second] = targets
      const ask = (target: PeerAddress, end: (result: ScrapeResult) => void): void => {
        stops.add(this.ports.udp.scrape(target, keys, end))
      }
      if (first === undefined) return
      ask(first, (result) => {
        if (result.ok || second === undefined) finish(result)
        else ask(second, finish)
      })
    })
  }

  private later(result: AnnounceResult, done: Done): Cancel {
    return this.ports.clock.after(0, () => {
      done(result)
    })
  }

  private overHttp({ url, check, event, urgent, done }: Ask, waits: Waits = () => undefined): Cancel {
    let stop: Cancel | null = null
    const release = (): void => {
      stop = null
      this.active -= 1
      if (this.active < MOST_HTTP) this.line.shift()?.()
    }
    const send = (): void => {
      this.active += 1
      stop = this.ports.http.get(url, check, (result) => {
        release()
        done(result)
      })
    }
    const begin = (): void => {
      waits(null)
      send()
    }
    if (this.active < MOST_HTTP) send()
    else {
      this.line.add(event, urgent, begin)
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
    return this.found<AnnounceResult>(url, done, (targets, path, stops, finish) => {
      this.toEach(targets, path, request, stops, finish)
    })
  }

  /** Looks up the host of a UDP tracker, and asks there; a fault is given to `done`. */
  private found<R>(
    url: string,
    done: (result: R | Failed) => void,
    ask: (
      targets: readonly PeerAddress[],
      path: string,
      stops: Set<Cancel>,
      finish: (result: R | Failed) => void,
    ) => void,
  ): Cancel {
    const parsed = URL.canParse(url) ? new URL(url) : null
    const port = Number(parsed?.port ?? '')
    if (parsed === null || parsed.hostname === '' || !(port > 0)) {
      return this.ports.clock.after(0, () => {
        done(fault('unreachable', 'The address of the tracker has no host or port.', 'never'))
      })
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
        stops.add(
          this.ports.clock.after(0, () => {
            done(fault(addresses.length === 0 ? 'offline' : 'unreachable', noTarget(addresses, reason)))
          }),
        )
        return
      }
      ask(targets, parsed.pathname + parsed.search, stops, (result) => {
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

function httpCounts(result: HttpResult, keys: readonly SwarmKey[]): ScrapeResult {
  if (!result.ok) return fault(KINDS[result.fault.code], sentence(result.fault), permanence(result.fault))
  const parsed = parseScrape(result.body, keys)
  if (parsed.ok || parsed.fault.kind !== 'bad-answer' || result.status === 200) return parsed
  return fault('bad-answer', `The tracker answered with HTTP status ${String(result.status)}.`)
}

function protocolOf(url: string): string | undefined {
  return /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase()
}

const KINDS: Readonly<Record<HttpFault['code'], AnnounceFault['kind']>> = {
  'bad-url': 'unreachable',
  unsupported: 'unreachable',
  dns: 'offline',
  'no-way': 'offline',
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

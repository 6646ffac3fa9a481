/** A .torrent from the web: http and https only, few redirects, a size and a time that end. */
import { get as httpGet, type IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { EXIT, Failure } from './exit.js'

export interface FetchLimits {
  readonly bytes: number
  /** Milliseconds for everything. */
  readonly within: number
  readonly redirects: number
}

export const FETCH_LIMITS: FetchLimits = { bytes: 10 * 1024 * 1024, within: 60_000, redirects: 5 }

export async function fetchTorrent(address: string, limits: FetchLimits = FETCH_LIMITS): Promise<Buffer> {
  const signal = AbortSignal.timeout(limits.within)
  let url = readUrl(address)
  for (let hop = 0; hop <= limits.redirects; hop += 1) {
    const response = await request(url, signal, limits)
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (status >= 300 && status < 400 && location !== undefined) {
      response.destroy()
      url = readUrl(new URL(location, url).href)
      continue
    }
    if (status !== 200) {
      response.destroy()
      throw fault(url, `the server answers ${status}`)
    }
    return readBody(response, url, limits)
  }
  throw fault(url, `it redirects more than ${limits.redirects} times`)
}

function readUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new Failure(EXIT.usage, `${address} is no http or https address`)
  }
  return url
}

function request(url: URL, signal: AbortSignal, limits: FetchLimits): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? httpsGet : httpGet
  const headers = {
    'user-agent': 'torrentinoctl',
    accept: 'application/x-bittorrent, */*',
    'accept-encoding': 'identity',
  }
  return new Promise((resolve, reject) => {
    // Verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    const call = get(url, { headers, signal, agent: false, rejectUnauthorized: true }, resolve)
    call.once('error', (error) => {
      const why = signal.aborted ? `no answer within ${limits.within / 1000} s` : error.message
      reject(fault(url, why))
    })
  })
}

async function readBody(response: IncomingMessage, url: URL, limits: FetchLimits): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > limits.bytes) throw fault(url, `it is larger than ${limits.bytes / 1024 / 1024} MiB`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw fault(url, error instanceof Error ? error.message : 'the connection broke')
  } finally {
    response.destroy()
  }
  return Buffer.concat(chunks)
}

/** The query may hold a passkey: it is not repeated. */
function fault(url: URL, why: string): Failure {
  return new Failure(EXIT.fault, `${url.origin}${url.pathname} cannot be fetched: ${why}`)
}

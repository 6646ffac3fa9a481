/** Our port for peers: the one asked for, or the next free one for this run where it is taken. */
import type { Transport } from '../swarm/transport.js'
import { listen, type TcpListener } from './tcp.js'

/** Ports tried from the one asked for on. */
const TRIES = 20

export interface Listening {
  readonly host: string
  /** 0: we do not listen. */
  readonly port: number
  /** Why it is another port than asked for, or none; one sentence. */
  readonly error: string | null
  close(): void
}

export async function listenNear(
  init: { readonly host: string; readonly port: number; readonly full: () => boolean },
  accept: (transport: Transport) => void,
): Promise<Listening> {
  let reason = ''
  for (let port = init.port; port < Math.min(init.port + TRIES, 65_536); port++) {
    try {
      const host = init.host === '' ? '::' : init.host
      const listener = await listenAny({ host, port, full: init.full }, accept)
      const error =
        listener.port === init.port
          ? null
          : `Port ${String(init.port)} is taken; this run listens on ${String(listener.port)}.`
      return { host: init.host, port: listener.port, error, close: () => listener.close() }
    } catch (error) {
      reason = codeOf(error)
      if (reason !== 'EADDRINUSE') break
    }
  }
  const error = `Peers cannot reach us: no port at ${String(init.port)} could be opened (${reason}).`
  return { host: init.host, port: 0, error, close: () => undefined }
}

/** On a machine without IPv6, every address is every IPv4 address. */
async function listenAny(
  init: Parameters<typeof listen>[0],
  accept: (transport: Transport) => void,
): Promise<TcpListener> {
  try {
    return await listen(init, accept)
  } catch (error) {
    const noIpv6 = codeOf(error) === 'EAFNOSUPPORT' || codeOf(error) === 'EADDRNOTAVAIL'
    if (init.host !== '::' || !noIpv6) throw error
    return listen({ ...init, host: '0.0.0.0' }, accept)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

declare module 'bittorrent-tracker' {
  import type { EventEmitter } from 'node:events'
  import type { Server as HttpServer } from 'node:http'
  import type { Socket } from 'node:dgram'

  interface TrackedSwarm {
    complete: number
    incomplete: number
  }
  export class Server extends EventEmitter {
    constructor(options: {
      http?: boolean
      udp?: boolean
      ws?: boolean
      stats?: boolean
      interval?: number
      filter?: (infoHash: string, params: unknown, done: (error: Error | null) => void) => void
    })
    readonly http: HttpServer
    readonly udp4: Socket
    readonly udp6: Socket
    readonly torrents: Record<string, TrackedSwarm>
    /** The IPv4 socket's host is called `udp`. */
    listen(port: number, host: { http: string; udp: string; udp6: string }, done: () => void): void
    close(done: () => void): void
  }
}

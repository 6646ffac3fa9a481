declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events'

  interface DhtNode {
    readonly host: string
    readonly port: number
  }
  /** Events: `ready` when it has bootstrapped, `peer` (peer, infoHash) for each that a lookup found. */
  export class Client extends EventEmitter {
    constructor(options: { bootstrap: false | readonly string[]; host?: string })
    readonly nodeId: Buffer
    listen(port: number, address: string, done: () => void): void
    address(): { readonly address: string; readonly port: number }
    lookup(infoHash: string, done: (error: Error | null, found: number) => void): void
    announce(infoHash: string, port: number, done: (error: Error | null) => void): void
    addNode(node: DhtNode): void
    toJSON(): { readonly nodes: readonly DhtNode[] }
    destroy(done?: () => void): void
  }
}

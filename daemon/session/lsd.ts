/** Local discovery in the daemon: on and off, its sockets while a torrent needs them, and what is shown of it. */
import type { Settings } from '../../shared/settings.js'
import type { SwarmKey } from '../../shared/units.js'
import type { DaemonView } from '../../shared/views.js'
import type { Log } from '../base/log.js'
import { Lsd, type LsdAsks } from '../lsd/lsd.js'
import type { Clock } from '../ports/clock.js'
import type { LsdNetwork, LsdSockets } from '../ports/lsd-network.js'
import type { Random } from '../ports/random.js'

export interface LsdRoomPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly network: LsdNetwork
  /** The TCP port of peers; 0: nobody can connect to us. */
  readonly listenPort: () => number
  readonly settings: () => Settings
}

export class LsdRoom {
  readonly #ports: LsdRoomPorts
  readonly #lsd: Lsd
  /** Null: nothing is open. */
  #sockets: LsdSockets | null = null
  /** Opening and closing take their turns. */
  #turn: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(ports: LsdRoomPorts) {
    this.#ports = ports
    const { clock } = ports
    const cookie = Buffer.from(ports.random.bytes(8)).toString('hex')
    const send = (packet: Buffer, family: 4 | 6): void => this.#sockets?.send(packet, family)
    const empty = (): void => {
      void this.apply()
    }
    this.#lsd = new Lsd({ cookie }, { clock, listenPort: () => ports.listenPort(), send, empty })
  }

  /** The torrent is announced, and hears of others, from now on. */
  join(key: SwarmKey, asks: LsdAsks): { now(): void; leave(): void } {
    const place = this.#lsd.join(key, asks)
    if (this.#sockets === null) void this.apply()
    return place
  }

  /** Brings it to what the settings say and the torrents need; settles when it is so. */
  apply(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#wanted !== (this.#sockets !== null)) await this.#switch()
    })
    return this.#turn
  }

  /** The machine has other links: the groups are joined on those. */
  changed(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      this.#close()
      if (this.#wanted) await this.#switch()
    })
    return this.#turn
  }

  stop(): Promise<void> {
    this.#stopped = true
    return this.apply()
  }

  view(): DaemonView['lsd'] {
    const enabled = this.#ports.settings()['lsd.enabled']
    const families = this.#sockets?.families ?? []
    return {
      enabled,
      reason: this.#reason(families),
      torrents: this.#lsd.size,
      families,
      ...this.#lsd.counts,
    }
  }

  /** Why nothing is sent and heard, one sentence; null: it is. */
  #reason(families: readonly (4 | 6)[]): string | null {
    if (!this.#ports.settings()['lsd.enabled']) return 'lsd.enabled is false.'
    if (!this.#ports.network.allowed) return 'net.scope is loopback: nothing may leave this machine.'
    if (this.#lsd.size === 0) return 'no torrent runs that may be announced.'
    return families.length === 0 ? 'this machine is in no network.' : null
  }

  get #wanted(): boolean {
    const { network, settings } = this.#ports
    return !this.#stopped && network.allowed && settings()['lsd.enabled'] && this.#lsd.size > 0
  }

  async #switch(): Promise<void> {
    if (!this.#wanted) {
      this.#close()
      return
    }
    const sockets = await this.#ports.network.open((packet, from) => {
      this.#lsd.receive(packet, from)
    })
    this.#sockets = sockets
    this.#lsd.open(sockets.families)
    this.#ports.log.debug({ families: sockets.families }, 'local discovery is on')
  }

  #close(): void {
    this.#lsd.open([])
    this.#sockets?.close()
    this.#sockets = null
  }
}

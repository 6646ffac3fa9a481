/** Reads what the store has of a torrent, and puts together the parts that work on it. */
import type { Metainfo } from '../../shared/torrent/metainfo.js'
import { storedMetainfo } from '../../shared/torrent/names.js'
import { type Rate, swarmKeys } from '../../shared/units.js'
import { Limiter } from '../base/limiter.js'
import type { Store } from '../ports/store.js'
import type { Candidates } from './candidates.js'
import type { Known } from './known.js'
import { Live, type LiveListener } from './live.js'
import type { RunInit, TorrentMeans } from './torrent-ports.js'

export interface LoaderPorts {
  readonly init: RunInit
  readonly means: TorrentMeans
  readonly known: Known
  readonly candidates: Candidates
  /** Whom the parts report to. */
  listener(): LiveListener
}

export class Loader {
  readonly #ports: LoaderPorts
  /** What the first load need not read; null from then on. */
  #fresh: Metainfo | null = null

  constructor(ports: LoaderPorts) {
    this.#ports = ports
  }

  /** The next load takes these: they were parsed just now. */
  expect(meta: Metainfo): void {
    this.#fresh = meta
  }

  /** Its files may be called otherwise since: the next load reads the store. */
  forget(): void {
    this.#fresh = null
  }

  /** Rejects where the store cannot be read, or what it has contradicts itself. */
  load(): Promise<Live> {
    const { known, means } = this.#ports
    const { id } = known.row
    const fresh = this.#fresh
    this.#fresh = null
    const stored = (): Promise<Metainfo> =>
      means.store.metainfo(id).then((found) => this.#own(storedMetainfo(found)))
    const metainfo = fresh === null ? stored() : Promise.resolve(fresh)
    const loaded = Promise.all([metainfo, means.store.have(id)]).then(([meta, have]) => {
      // A record that claims a check and holds no bits was tampered with: look again.
      if (have.bits === null) known.change({ checked: false })
      return this.#assemble(meta, have)
    })
    return means.bulkhead.promise('store', loaded)
  }

  /** Records that were edited name another torrent: none of its pieces would be right. */
  #own(meta: Metainfo): Metainfo {
    const { key } = this.#ports.init
    if (swarmKeys(meta.hashes)[0] !== key || meta.pieceCount !== this.#ports.known.row.pieceCount)
      throw new Error('its records contradict each other')
    return meta
  }

  #assemble(meta: Metainfo, have: Awaited<ReturnType<Store['have']>>): Live {
    const { means, known, candidates } = this.#ports
    const { bulkhead } = means
    const { row } = known
    return new Live(
      { ...this.#ports.init, row, meta, have },
      {
        clock: means.clock,
        random: means.random,
        log: means.log.child({ torrent: row.id }),
        disk: means.disk,
        slots: bulkhead.aroundBusy('disk', means.slots),
        downLimit: bulkhead.aroundBusy('timer', below(means.downLimit, row.limits?.down, means)),
        upLimit: bulkhead.aroundBusy('timer', below(means.upLimit, row.limits?.up, means)),
        unchokes: means.unchokes,
        store: means.store,
        candidates,
        budget: means.budget,
        listenPort: means.listenPort,
        dht: row.private ? null : means.dht,
        pex: row.private ? null : means.pex,
        listener: this.#ports.listener(),
      },
    )
  }
}

/** A torrent's own limit, below that of all torrents; it may be set later. */
function below(above: Limiter, rate: Rate | null | undefined, { clock }: TorrentMeans): Limiter {
  return new Limiter({ rate: rate ?? null }, { clock, above })
}

/** What is known of a torrent whether its data are in use or not: its record, kept true while it changes. */
import { BLOCK_SIZE, type Bytes, type TorrentId } from '../../shared/units.js'
import type { Desired } from '../../shared/views.js'
import type { TorrentRow } from '../ports/store.js'
import type { Live } from './live.js'
import { Totals } from './totals.js'

export interface KnownPorts {
  /** `live`: the data in use, or null. */
  readonly data: { readonly live: Live | null }
}

export class Known {
  /** As the store has it, but for what changed since and for `desired`. */
  #row: TorrentRow
  /** The user's word as far as it is known here; the session makes it durable. */
  desired: Desired
  /** Nothing happened to its files since they were last looked at: a complete torrent need not be looked at again. */
  clean: boolean
  /** It is only a magnet link so far. */
  #lacksMetadata: boolean
  readonly totals: Totals
  readonly #ports: KnownPorts

  constructor(init: { readonly row: TorrentRow; readonly clean: boolean }, ports: KnownPorts) {
    this.#row = init.row
    this.desired = init.row.desired
    this.clean = init.clean
    this.#lacksMetadata = init.row.pieceCount === 0
    const { id: torrent, downloaded, uploaded, wasted, seedingMs } = init.row
    this.totals = new Totals({ torrent, downloaded, uploaded, wasted, seedingMs })
    this.#ports = ports
  }

  get row(): TorrentRow {
    return this.#row
  }
  get lacksMetadata(): boolean {
    return this.#lacksMetadata
  }
  /** Everything wanted is there. */
  get complete(): boolean {
    const live = this.#ports.data.live
    if (live !== null) return live.content.complete
    return this.#row.checked && this.#row.done >= this.#row.wanted
  }
  /** Wanted bytes that are missing. */
  get left(): Bytes {
    // Not 0, which would say that we have it all.
    if (this.#lacksMetadata) return BLOCK_SIZE
    const content = this.#ports.data.live?.content
    return content === undefined ? this.#row.wanted - this.#row.done : content.wantedBytes - content.doneBytes
  }
  /** Where its files lie: for the question who writes what. */
  get claim(): { readonly torrent: TorrentId; readonly dir: string; readonly root: string } {
    return { torrent: this.#row.id, dir: this.#row.dir, root: this.#row.name }
  }

  change(part: Partial<TorrentRow>): void {
    this.#row = { ...this.#row, ...part }
  }

  /** The metadata of a magnet link came: `row` says what they are. */
  learn(row: TorrentRow): void {
    this.#row = { ...row, desired: this.desired }
    this.#lacksMetadata = false
  }

  /** What is shown while the data are not in use. */
  remember({ content, recorder }: Live): void {
    const { wantedBytes: wanted, doneBytes: done } = content
    this.change({ wanted, done, completedAt: recorder.completedAt })
  }
}

/**
 * Removes a torrent with its files. `desired` says so in the store before anything is done; then its bits go, then its
 * files, then its row: what a record claims is never less than what is there. A start after a kill goes on.
 */
import type { JobView } from '../../shared/views.js'
import type { DiskFault } from '../ports/disk.js'
import { StoreFault } from '../ports/store.js'
import { faultSentence } from '../swarm/lifecycle.js'
import type { Live } from '../swarm/live.js'
import type { Torrent } from '../swarm/torrent.js'
import { trashPlaceOf } from './trash-place.js'
import { type Job, type JobPorts, Standing, type Waits } from './job.js'

interface RemoveJobInit {
  readonly id: number
  readonly torrent: Torrent
  /** `files`: its bits may be gone already, so that nothing says whether there were files. */
  readonly step: 'clear' | 'files'
  /** Something of it was recorded when it began. */
  readonly hadData: boolean
  readonly caller: string
}

export class RemoveJob implements Job {
  readonly id: number
  readonly torrent: Torrent['id']
  readonly #init: RemoveJobInit
  readonly #ports: JobPorts
  readonly #standing = new Standing()
  readonly #view: Pick<JobView, 'name' | 'from'>
  #stopping = false

  constructor(init: RemoveJobInit, ports: JobPorts) {
    this.id = init.id
    this.torrent = init.torrent.id
    this.#init = init
    this.#ports = ports
    this.#view = { name: init.torrent.name, from: init.torrent.dir }
    void this.#run()
  }

  get over(): boolean {
    return this.#standing.over
  }
  get waitsFor(): Waits | null {
    return this.#standing.waitsFor
  }
  /** Why it failed, or null. */
  get error(): string | null {
    return this.#standing.state === 'failed' ? this.#standing.error : null
  }

  view(): JobView {
    const { state, progress, error } = this.#standing
    return {
      id: this.id,
      kind: 'remove',
      torrent: this.torrent,
      ...this.#view,
      to: null,
      state,
      progress,
      error,
    }
  }

  settled(): Promise<void> {
    return this.#standing.settled()
  }
  ended(): Promise<void> {
    return this.#standing.ended()
  }

  /** Where it waits it looks at once. */
  hurry(): void {
    if (this.#standing.state === 'waiting') void this.#run()
  }

  /** What is deleted does not come back; only where it waits it can be given up: the torrent stays, paused. */
  async cancel(): Promise<string | null> {
    if (this.#standing.state !== 'waiting') return 'A removal cannot be taken back.'
    this.#standing.goOn()
    const { torrent } = this.#init
    try {
      await this.#giveUp()
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      this.#wait()
      return `That could not be recorded (${error.code}); the removal of ${torrent.name} still waits.`
    }
    torrent.keep()
    this.#standing.end('cancelled')
    return null
  }

  /** Where it waits: for a removal without the files, which takes over. False: it does not wait. */
  yield(): boolean {
    if (this.#standing.state !== 'waiting') return false
    this.#standing.end('cancelled')
    return true
  }

  stop(): void {
    this.#stopping = true
    if (this.#standing.state === 'waiting') this.#standing.leave()
  }

  async #run(): Promise<void> {
    this.#standing.goOn()
    try {
      await this.#stopped()
      await this.#act()
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error
      this.#wait('store')
    }
    // The daemon stops and took it all down before.
    if (this.#stopping && !this.#standing.over) this.#standing.leave()
  }

  async #act(): Promise<void> {
    const { store, session, crashPoint } = this.#ports
    const { torrent, caller, hadData } = this.#init
    crashPoint('remove.stopped')
    if (await this.#isAway()) {
      this.#wait()
      return
    }
    // Bits go first: a record must never outlive what it claims.
    await store.clearHave(torrent.id)
    if (this.id > 0) await store.setJob(this.id, 'files', { hadData })
    crashPoint('remove.cleared')
    const place = trashPlaceOf(torrent)
    // The folder of the torrent in the trash goes with its files: where it is gone they are.
    const isGone = place !== null && 'code' in (await this.#ports.disk.space(torrent.dir))
    const fault = isGone ? null : await this.#delete()
    if (fault !== null) return this.#keep(fault)
    // What cannot be deleted of the folders is empty and harms nobody.
    if (place !== null) await this.#ports.disk.dropBelow(place.dir, place.names)
    crashPoint('remove.deleted')
    await store.remove(torrent.id)
    session.forget(torrent)
    const kind = trashPlaceOf(torrent) === null ? 'removed' : 'emptied'
    session.journal.note(kind, torrent.id, caller, { name: torrent.name, data: true })
    this.#standing.end('done')
  }

  #stopped(): Promise<void> {
    return new Promise((resolve) => {
      this.#init.torrent.retire(resolve)
    })
  }

  #delete(): Promise<DiskFault | null> {
    return new Promise((resolve) => {
      this.#init.torrent.removeData(resolve)
    })
  }

  /** The folder is not there; or another volume is, and nothing of the torrent on it: an empty mount point. */
  async #isAway(): Promise<boolean> {
    const { torrent, hadData } = this.#init
    const space = await this.#ports.disk.space(trashPlaceOf(torrent)?.dir ?? torrent.dir)
    if ('code' in space) return hadData
    if (space.volume === torrent.volume || !hadData) return false
    const live = await new Promise<Live | null>((resolve) => {
      torrent.withLive(resolve)
    })
    const found = (await live?.storage.survey()) ?? []
    return found.every(({ name }) => name === 'missing')
  }

  #wait(waits: Waits = 'volume'): void {
    const { torrent } = this.#init
    if (this.#stopping) return
    torrent.awaitRemoval(waits)
    const sentence = faultSentence({ kind: 'removal', dir: torrent.dir, waits })
    this.#standing.wait(waits, sentence, this.#ports.clock, () => void this.#run())
  }

  /** Something cannot be deleted: the torrent stays, paused. */
  async #keep(fault: DiskFault): Promise<void> {
    const { torrent } = this.#init
    await this.#giveUp()
    torrent.keep()
    const why = `The files could not all be deleted: ${faultSentence({ kind: 'disk', fault })} The torrent is kept, paused.`
    this.#standing.end('failed', why)
  }

  /** What the next start finds: a torrent that is paused. */
  async #giveUp(): Promise<void> {
    const { store } = this.#ports
    await store.setDesired([this.torrent], 'paused')
    if (this.id > 0) await store.endJob(this.id)
  }
}

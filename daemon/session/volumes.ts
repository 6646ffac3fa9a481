/**
 * Is the volume of a download folder there? Where a folder lies on another volume than the home, a hidden file with an
 * id of ours is put into it and remembered: an empty mount point, or another volume in its place, has no such file or
 * another one. Then nothing is made or written there, and nothing is checked.
 */
import type { Bytes } from '../../shared/units.js'
import type { Clock } from '../ports/clock.js'
import type { Disk, SpaceView } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import type { Store } from '../ports/store.js'
import type { Fault } from '../swarm/lifecycle.js'
import type { Place } from '../swarm/place.js'
import { unlessSilent } from './within.js'

export interface VolumesPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly random: Random
  readonly store: Pick<Store, 'getMeta' | 'setMeta'>
}

/** What is remembered of one folder. */
interface Known {
  /** In its mark; null where the volume let none be written. */
  readonly id: string | null
  /** st_dev as it was last: another one with the same mark is the same volume, mounted anew. */
  readonly device: string
}

export class Volumes implements Place {
  /** What the trash holds of the files of a folder; set by whoever has one. */
  trashIn: (dir: string) => Bytes = () => 0
  /** st_dev, as it was at the start: asking for it anew would wait for a disk. */
  readonly #homeVolume: string
  readonly #ports: VolumesPorts
  /** By folder; null: it lies on the volume of the home. */
  readonly #known = new Map<string, Known | null>()
  /** Looks under way, by folder: many torrents begin at once. */
  readonly #looks = new Map<string, Promise<SpaceView | Fault>>()

  constructor(init: { readonly homeVolume: string }, ports: VolumesPorts) {
    this.#homeVolume = init.homeVolume
    this.#ports = ports
  }

  look(dir: string, accept = false): Promise<SpaceView | Fault> {
    const under = this.#looks.get(dir)
    if (under !== undefined && !accept) return this.#answered(dir, under)
    // One after the other: two at once would make two marks.
    const look = under === undefined ? this.#look(dir, accept) : under.then(() => this.#look(dir, accept))
    this.#looks.set(dir, look)
    const over = (): void => {
      if (this.#looks.get(dir) === look) this.#looks.delete(dir)
    }
    look.then(over, over)
    return this.#answered(dir, look)
  }

  /** One that does not answer is not asked again until it does. */
  async #answered(dir: string, look: Promise<SpaceView | Fault>): Promise<SpaceView | Fault> {
    const { clock, disk } = this.#ports
    const seen = await unlessSilent(clock, () => disk.waits(dir).silent, look)
    return seen?.value ?? { kind: 'volume', dir, silent: true }
  }

  /** A folder that is known, and whose volume is away: nothing is to be made in its place. */
  async away(dir: string): Promise<Fault | null> {
    if ((await this.#remembered(dir)) === null) return null
    const seen = await this.look(dir)
    return 'kind' in seen ? seen : null
  }

  async #look(dir: string, accept: boolean): Promise<SpaceView | Fault> {
    const known = await this.#remembered(dir)
    const space = await this.#ports.disk.space(dir)
    if ('code' in space) return known === null ? { kind: 'folder', dir } : { kind: 'volume', dir }
    if (known === null || accept) {
      await this.#adopt(dir, space)
      return space
    }
    const here = known.id === null ? space.volume !== this.#homeVolume : space.marker === known.id
    if (!here) return { kind: 'volume', dir }
    if (space.volume !== known.device) await this.#remember(dir, { ...known, device: space.volume })
    return space
  }

  async #adopt(dir: string, space: SpaceView): Promise<void> {
    if (space.volume === this.#homeVolume) {
      if (this.#known.get(dir) !== null) await this.#remember(dir, null)
      return
    }
    const id = space.marker ?? Buffer.from(this.#ports.random.bytes(16)).toString('hex')
    const fault = space.marker === null ? await this.#ports.disk.mark(dir, id) : null
    await this.#remember(dir, { id: fault === null ? id : null, device: space.volume })
  }

  async #remembered(dir: string): Promise<Known | null> {
    const cached = this.#known.get(dir)
    if (cached !== undefined) return cached
    const known = parse(await this.#ports.store.getMeta(keyOf(dir)).catch(() => null))
    this.#known.set(dir, known)
    return known
  }

  async #remember(dir: string, known: Known | null): Promise<void> {
    this.#known.set(dir, known)
    // What cannot be written now is known until the end of this run, and learned again in the next.
    await this.#ports.store
      .setMeta(keyOf(dir), known === null ? '' : JSON.stringify(known))
      .catch(() => undefined)
  }
}

function keyOf(dir: string): string {
  return `volume:${dir}`
}

function parse(text: string | null): Known | null {
  const match = /^\{"id":(null|"[0-9a-f]{32}"),"device":"(\d*)"\}$/.exec(text ?? '')
  if (match === null) return null
  const [, id = 'null', device = ''] = match
  return { id: id === 'null' ? null : id.slice(1, -1), device }
}

/** The place everything runs in: a network namespace with an address for each program, and volumes of its own. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type BenchTorrent, type Content, type ContentInit, makeContent, makeTorrent } from './content.js'
import { Reserve } from './reserve.js'

/** Last octets: the tracker, clients from 20 on, seeders from 60 on, leechers from 120 on. */
export const SEATS = { tracker: 1, client: 20, seeder: 60, leecher: 120 } as const
export const TRACKER_PORT = 6969
const SEEDER_PORT = 7000

export function addressOf(seat: number): string {
  return `10.77.0.${seat}`
}

export function announceUrl(): string {
  return `http://${addressOf(SEATS.tracker)}:${TRACKER_PORT}/announce`
}

/** The peer port of whoever sits there. */
export function portOf(seat: number): number {
  return seat >= SEATS.seeder ? SEEDER_PORT : 20_000 + seat
}

/** Words that run a program in new namespaces of network and mounts, as root or as anybody. */
export function enterWorld(): string[] | null {
  const ways = [
    ['unshare', '-n', '-m'],
    ['unshare', '-n', '-m', '-U', '-r'],
  ]
  const trial = 'ip link set lo up && mount -t tmpfs none /mnt'
  const env = { ...process.env, PATH: pathWithSbin() }
  return (
    ways.find(
      ([program = '', ...args]) => spawnSync(program, [...args, 'sh', '-c', trial], { env }).status === 0,
    ) ?? null
  )
}

/** Debian keeps `ip` where only root's PATH looks. */
export function pathWithSbin(): string {
  return `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
}

function layNetwork(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const input = Array.from({ length: 250 }, (_, at) => `addr add ${addressOf(at + 1)}/32 dev lo\n`).join('')
  execFileSync('ip', ['-batch', '-'], { input })
}

function mountMemory(dir: string): void {
  mkdirSync(dir, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=90%', 'none', dir])
}

export interface Volumes {
  /** tmpfs. */
  readonly memory: string
  /** A second tmpfs: another device. */
  readonly other: string
  /** The disk below the system's folder for temporary files. */
  readonly disk: string
}

export class World {
  readonly volumes: Volumes
  readonly #contents = new Map<string, Content>()
  readonly #torrents = new Map<string, BenchTorrent>()

  /** `root` is a folder of the runner's own on a disk. To be called inside the namespaces. */
  constructor(root: string) {
    this.volumes = { memory: join(root, 'm'), other: join(root, 'o'), disk: join(root, 'd') }
    layNetwork()
    mountMemory(this.volumes.memory)
    mountMemory(this.volumes.other)
    mkdirSync(this.volumes.disk, { recursive: true })
  }

  /** CPUs of the peers' side and of the client's, or null for both where there are not two. */
  get cores(): { readonly peers: string | null; readonly client: string | null } {
    return availableParallelism() < 2 ? { peers: null, client: null } : { peers: '0', client: '1' }
  }

  /** Made once for a name; kept until `forget`. */
  content(init: ContentInit, volume: keyof Volumes = 'memory'): Content {
    const key = `${volume}/${init.name}`
    const made = this.#contents.get(key) ?? makeContent(join(this.volumes[volume], 'source', init.name), init)
    this.#contents.set(key, made)
    return made
  }

  torrent(content: Content, pieceLength: number): BenchTorrent {
    const file = join(this.volumes.memory, 'torrents', `${content.name}-${pieceLength}.torrent`)
    const key = `${content.dir} ${file}`
    const made =
      this.#torrents.get(key) ?? makeTorrent(content, { file, pieceLength, announce: announceUrl() })
    this.#torrents.set(key, made)
    return made
  }

  /** Frees what no later scenario wants. */
  forget(keep: (name: string) => boolean): void {
    for (const [key, content] of this.#contents) {
      if (keep(content.name)) continue
      rmSync(content.dir, { recursive: true, force: true })
      this.#contents.delete(key)
      for (const [other, torrent] of this.#torrents) {
        if (torrent.content === content) this.#torrents.delete(other)
      }
    }
  }

  /** Memory for so many bytes that a run will write. */
  reserve(bytes: number): Reserve {
    return new Reserve(this.volumes.memory, bytes)
  }
}

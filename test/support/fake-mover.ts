/** The mover port over the fake disk: files go from folder to folder in memory, and steps can be made to fail or wait. */
import { partSuffix } from '../../daemon/disk/names.js'
import type {
  Carried,
  DiskFault,
  FileFound,
  MoveLook,
  Mover,
  MoverInit,
  MoveStep,
} from '../../daemon/ports/disk.js'
import type { FakeDisk } from './fake-disk.js'
import { faultOf } from './fake-files.js'

export class FakeMover implements Mover {
  private cancelled = false

  constructor(
    private readonly init: MoverInit,
    private readonly disk: FakeDisk,
  ) {}

  look(fresh: boolean): Promise<MoveLook | DiskFault> {
    return this.disk.ask('stat', () => {
      const { to, spec } = this.init
      const fault = faultOf(() => {
        this.disk.check('stat', to)
      })
      if (fault !== null) return fault
      const found = this.survey(spec.dir)
      const taken = this.survey(to).find(({ name }) => name !== 'missing')
      const same = to === spec.dir
      if (fresh && taken !== undefined && !same)
        return { code: 'EEXIST', operation: 'rename', path: this.path(to, taken) }
      const bytes = found.reduce((sum, { size }) => sum + size, 0)
      return {
        same,
        oneVolume: !to.startsWith('/other'),
        files: found.filter(({ name }) => name !== 'missing').length,
        bytes,
        freeBytes: this.disk.freeBytes,
        volume: to.startsWith('/other') ? '2' : '1',
        begun: true,
      }
    })
  }

  link(_how: 'link' | 'rename', progress: (files: number) => void): Promise<Carried> {
    return this.carry(progress)
  }

  copy(_ask: unknown, events: { readonly progress: (bytes: number) => void }): Promise<DiskFault | null> {
    return this.disk.ask('write', () => {
      events.progress(1)
      return this.faultAt('write')
    })
  }

  name(): Promise<Carried> {
    return this.carry(() => undefined)
  }

  undo(_step: MoveStep): Promise<DiskFault | null> {
    return this.disk.ask('unlink', () => {
      this.clear(this.init.to)
      return null
    })
  }

  clean(): Promise<{ readonly kept: number; readonly fault: DiskFault | null }> {
    return this.disk.ask('unlink', () => {
      const { dir } = this.init.spec
      const fault = this.faultAt('unlink')
      if (fault !== null) return { kept: 0, fault }
      this.clear(dir)
      return { kept: 0, fault: null }
    })
  }

  cancel(): void {
    this.cancelled = true
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  private carry(progress: (files: number) => void): Promise<Carried> {
    return this.disk.ask('rename', () => {
      const before = this.survey(this.init.spec.dir).filter(({ name }) => name !== 'missing')
      const fault = this.faultAt('rename')
      if (fault !== null) return { files: [], before, fault }
      for (const found of before) {
        const node = this.disk.fs.get(this.path(this.init.spec.dir, found))
        const path = this.path(this.init.to, found)
        this.disk.fs.mkdirs(path.slice(0, path.lastIndexOf('/')))
        if (node !== null) this.disk.fs.nodes.set(path, node)
      }
      progress(before.length)
      return { files: before, before, fault: null }
    })
  }

  /** The files, and the folders of the torrent left empty. */
  private clear(dir: string): void {
    const { fs } = this.disk
    for (const found of this.survey(dir)) {
      const path = this.path(dir, found)
      fs.nodes.delete(path)
      for (let end = path.lastIndexOf('/'); end > dir.length; end = path.lastIndexOf('/', end - 1)) {
        const folder = path.slice(0, end)
        if (fs.get(folder)?.kind === 'folder' && fs.list(folder).length === 0) fs.unlink(folder)
      }
    }
  }

  private faultAt(operation: 'rename' | 'write' | 'unlink'): DiskFault | null {
    if (this.cancelled) return { code: 'ECANCELED', operation, path: this.init.to }
    return faultOf(() => {
      this.disk.check(operation, this.init.to)
    })
  }

  private survey(dir: string): FileFound[] {
    return this.init.spec.files.map(({ pad }, file) => {
      for (const name of ['part', 'final'] as const) {
        const node = pad ? null : this.disk.fs.get(this.path(dir, { file, name }))
        if (node?.kind !== 'file') continue
        const [mtimeNs, ino] = [String(node.mtimeNs), String(node.ino)]
        return { file, name, size: node.bytes.length, mtimeNs, ino }
      }
      return { file, name: 'missing', size: 0, mtimeNs: '0', ino: '0' }
    })
  }

  private path(dir: string, { file, name }: Pick<FileFound, 'file' | 'name'>): string {
    const { files } = this.init.spec
    const suffix = name === 'part' ? partSuffix(files.filter(({ pad }) => !pad).map(({ path }) => path)) : ''
    return `${dir}/${files[file]?.path ?? ''}${suffix}`
  }
}

/** What a removal with data would do, looked at and not touched. Worker side; see `removeFiles` for the deed. */
import * as fs from 'node:fs'
import { type RemovalLook, STRANGERS_NAMED } from '../ports/disk.js'
import { attempt } from './fault.js'
import type { Files } from './files.js'

type Doomed = RemovalLook['files'][number]

export function planRemoval(files: Files): RemovalLook {
  files.checkDir()
  const [own, doomed] = [new Set<string>(), new Array<Doomed>()]
  const folders = new Set<string>()
  for (let file = 0; file < files.layout.fileCount; file += 1) {
    const found = files.look(file)
    if (files.layout.isPad(file)) continue
    if (files.hasFolders(file)) for (const folder of files.folders(file)) folders.add(folder)
    if (found.name === 'missing') continue
    const [path, final] = [found.name === 'part' ? files.part(file) : files.path(file), files.path(file)]
    own.add(path)
    const stat = files.statAt(path)
    const both = found.name === 'part' && files.statAt(final)?.ino === BigInt(found.ino)
    if (both) own.add(final)
    const linked = (stat?.nlink ?? 1n) > (both ? 2n : 1n)
    doomed.push({ path: path.slice(files.dir.length + 1), bytes: found.size, linked })
  }
  return { files: doomed, ...strangersIn(files.dir, folders, own) }
}

/** In the torrent's own folders, not below strange ones: those stay as a whole. */
function strangersIn(
  dir: string,
  folders: ReadonlySet<string>,
  own: ReadonlySet<string>,
): Pick<RemovalLook, 'strangers' | 'more'> {
  const strangers: string[] = []
  for (const folder of folders) {
    const entries = attempt('open', folder, () => fs.readdirSync(folder, { withFileTypes: true }))
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`
      if (own.has(path) || folders.has(path)) continue
      strangers.push(path.slice(dir.length + 1) + (entry.isDirectory() ? '/' : ''))
    }
  }
  strangers.sort()
  const named = strangers.slice(0, STRANGERS_NAMED)
  return { strangers: named, more: strangers.length - named.length }
}

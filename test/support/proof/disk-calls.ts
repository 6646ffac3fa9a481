/** Of all that strace saw of a daemon: what it did to the files of one torrent. */
import { basename, dirname, join } from 'node:path'
import type { SystemCall } from '../strace.js'

/** A call that succeeded, on a path. Paths of data are below the download folder and without `.part`. */
export interface PathCall extends SystemCall {
  readonly path: string
}

export interface DiskCalls {
  readonly writes: readonly (PathCall & { readonly from: number; readonly to: number })[]
  /** Other calls that change a file's length or blocks. */
  readonly sizes: readonly PathCall[]
  readonly syncs: readonly PathCall[]
  /** Absolute, as the next five. */
  readonly folderSyncs: readonly PathCall[]
  /** Files and folders made, on the way to the download folder too. */
  readonly made: readonly PathCall[]
  /** By the name a file got: by rename, or by link with an unlink of the old name, which is none of `unlinks`. */
  readonly renames: readonly PathCall[]
  readonly unlinks: readonly PathCall[]
  readonly rmdirs: readonly PathCall[]
}

export function diskCalls(calls: readonly SystemCall[], dir: string): DiskCalls {
  const good = calls.filter(({ result }) => result >= 0)
  const below = (path: string): boolean => path.startsWith(`${dir}/`)
  const onFile = good.flatMap((call) => {
    const path = /^\d+<([^>]*)>/.exec(call.args)?.[1] ?? ''
    return below(path) ? [{ ...call, path: path.slice(dir.length + 1).replace(/\.part$/, '') }] : []
  })
  const named = good.flatMap((call) => {
    const path = [...call.args.matchAll(/"([^"]*)"/g)].at(-1)?.[1] ?? ''
    return [{ ...call, path }]
  })
  const links = named.filter(({ name, path }) => /^link(at)?$/.test(name) && below(path))
  const unlinks = named.filter(
    ({ name, args, path }) => /^unlink(at)?$/.test(name) && below(path) && !args.includes('AT_REMOVEDIR'),
  )
  /** The second half of a link that is a rename: the first unlink of that name after it. */
  const halves = new Set(
    links.map(({ args, done }) => {
      const from = /"([^"]*)"/.exec(args)?.[1]
      return unlinks.find(({ path, begun }) => path === from && begun > done)
    }),
  )
  const syncs = /^f(data)?sync$/
  return {
    writes: onFile
      .filter(({ name }) => /^p?writev?(64|2)?$/.test(name))
      .map((call) => {
        const from = Number(/, (\d+)\)/.exec(call.args)?.[1])
        return { ...call, from, to: from + call.result }
      }),
    sizes: onFile.filter(({ name }) => /^(ftruncate|fallocate)$/.test(name)),
    syncs: onFile.filter(({ name }) => syncs.test(name)),
    folderSyncs: good.flatMap((call) => {
      const path = /^\d+<([^>]*)>/.exec(call.args)?.[1]
      return syncs.test(call.name) && path !== undefined ? [{ ...call, path }] : []
    }),
    made: named.filter(
      ({ name, args, path }) =>
        (below(path) || dir === path || dir.startsWith(`${path}/`)) &&
        (/^mkdir(at)?$/.test(name) || (/^open(at)?$/.test(name) && args.includes('O_CREAT'))),
    ),
    renames: [
      ...named.filter(({ name, path }) => /^rename(at2?)?$/.test(name) && below(path)),
      ...links,
    ].sort((a, b) => a.begun - b.begun),
    unlinks: unlinks.filter((call) => !halves.has(call)),
    rmdirs: named.filter(
      ({ name, args, path }) => below(path) && (name === 'rmdir' || args.includes('AT_REMOVEDIR')),
    ),
  }
}

/** Every entry that must last for a file to be found, under either name: its own, and those of the folders above. */
export function entriesAbove(dir: string, path: string): string[] {
  const own = join(dir, path)
  const entries = [own, join(dirname(own), `${basename(own)}.part`)]
  for (let folder = dirname(own); folder !== '/'; folder = dirname(folder)) entries.push(folder)
  return entries
}

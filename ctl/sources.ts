/** Where a torrent comes from: a file, standard input (`-`), the web, or a magnet link. */
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { formatBytes } from '../shared/text.js'
import { isMagnet } from '../shared/torrent/magnet.js'
import { MAX_METAINFO_SIZE } from '../shared/torrent/metainfo.js'
import { EXIT, Failure } from './exit.js'
import { fetchTorrent } from './fetch.js'

/** What `torrent.add` is to be given. */
export type Source = { readonly metainfo: string } | { readonly magnet: string }

export async function readSource(source: string): Promise<Source> {
  if (isMagnet(source)) return { magnet: source }
  // A bare hash: it can be no file name that somebody means, where there is no such file.
  if (/^(?:[0-9a-f]{40}|[a-z2-7]{32})$/i.test(source) && !existsSync(source)) {
    return { magnet: `magnet:?xt=urn:btih:${source}` }
  }
  const bytes = await readBytes(source)
  return { metainfo: bytes.toString('base64') }
}

function readBytes(source: string): Promise<Buffer> {
  if (source === '-') return readStdin()
  return /^https?:/i.test(source) ? fetchTorrent(source) : readTorrentFile(source)
}

/** Bytes of a file of at most 10 MB; Failure with status 2 for what cannot be read. */
export async function readTorrentFile(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    const stat = await file.stat()
    if (stat.isDirectory()) throw new Failure(EXIT.usage, `${path} is a folder; give the .torrent file`)
    return await readAll(file.createReadStream({ autoClose: false }), path)
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error)
  } finally {
    await file.close()
  }
}

function readStdin(): Promise<Buffer> {
  if (process.stdin.isTTY) {
    throw new Failure(EXIT.usage, 'standard input is the terminal; write torrentinoctl add - < file.torrent')
  }
  return readAll(process.stdin, 'standard input')
}

async function readAll(stream: AsyncIterable<Buffer | string>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > MAX_METAINFO_SIZE) {
      throw new Failure(
        EXIT.usage,
        `${name} is no torrent: it is larger than ${formatBytes(MAX_METAINFO_SIZE)}`,
      )
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: 'a part of its path is no folder',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its symbolic links lead in a circle',
  EPERM: 'that is not permitted',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EIO: 'its disk fails',
}

function unreadable(path: string, error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return new Failure(EXIT.usage, `there is no file ${path}`)
  if (code === 'EACCES') return new Failure(EXIT.usage, `${path} may not be read; look at its mode`)
  return new Failure(
    EXIT.usage,
    `${path} cannot be read: ${REASONS[code] ?? 'its disk refuses it; look at that'}`,
  )
}

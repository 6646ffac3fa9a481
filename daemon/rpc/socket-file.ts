/** The socket's place in the file system: a folder that is ours alone, and what to do with an old socket. */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'

/** macOS has room for 104 bytes with the closing zero; Linux cuts at 108 without saying so. */
export const PATH_CAP = 103

/** The process, as far as a socket needs it. */
export interface ProcessUser {
  /** The user we run as. */
  readonly uid: number
  /** The user's own folder: never closed to others by us. */
  readonly home: string
  /** Sets the mask of modes for new files and answers the one before: `process.umask`. */
  umask(mask: number): number
}

/** Who may connect: its owner alone, or the folder's group too. */
export type OpenTo = 'owner' | 'group'

/** Modes of the folder and of the socket. A group that could write to the folder could put another socket there. */
const MODES = { owner: { folder: 0o700, socket: 0o600 }, group: { folder: 0o750, socket: 0o660 } } as const

/** The socket cannot be made; the message is one sentence for the person who starts the daemon. */
export class SocketPlaceError extends Error {
  /** 'running': a daemon answers there. */
  readonly reason: 'running' | 'place'
  constructor(reason: 'running' | 'place', sentence: string) {
    super(sentence)
    this.name = 'SocketPlaceError'
    this.reason = reason
  }
}

/**
 * Makes the folder with mode 0700 (0750 for a group) or checks that it is a folder, ours, and closed to others: Node tells nothing
 * about who connects, so this is what keeps other users out.
 */
export async function prepareFolder(socketPath: string, user: ProcessUser, openTo: OpenTo): Promise<void> {
  const bytes = Buffer.byteLength(socketPath)
  if (bytes > PATH_CAP) {
    throw place(
      `the socket's path has ${bytes} bytes and the system takes ${PATH_CAP}; choose a shorter TORRENTINO_HOME (${socketPath})`,
    )
  }
  const folder = dirname(socketPath)
  const most = MODES[openTo].folder
  await mkdir(folder, { recursive: true, mode: most })
  const stat = await lstat(folder)
  if (!stat.isDirectory()) {
    throw place(
      `${folder} is not a folder (a symbolic link will not do); remove it or choose another TORRENTINO_HOME`,
    )
  }
  if (stat.uid !== user.uid) {
    throw place(`${folder} belongs to another user; choose another TORRENTINO_HOME`)
  }
  if ((stat.mode & 0o777 & ~most) !== 0) await closeToOthers(folder, stat.mode, user, most)
}

/** A folder that somebody made for us with the usual mode is closed; one that others live in is refused. */
async function closeToOthers(folder: string, mode: number, user: ProcessUser, most: number): Promise<void> {
  const sticky = (mode & 0o1000) !== 0
  if (!sticky && folder !== '/' && folder !== user.home) return chmod(folder, most)
  const shown = (mode & 0o7777).toString(8)
  throw place(
    `${folder} is shared with others (mode ${shown}); choose a folder of its own as TORRENTINO_HOME`,
  )
}

/**
 * Clears the way for a socket. What answers is a running daemon; what refuses is removed if it is a socket, ours,
 * and we hold the lock of the home; anything else stays as it is.
 */
export async function clearStale(socketPath: string, lockHeld: boolean, user: ProcessUser): Promise<void> {
  const stat = await lstat(socketPath).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw place(`${socketPath} cannot be looked at (${code ?? 'unknown'})`)
  })
  if (stat === null) return
  if (!stat.isSocket()) throw place(`${socketPath} is in the way and is not a socket; move it away`)
  if (stat.uid !== user.uid) throw place(`${socketPath} belongs to another user; remove it`)
  const outcome = await tryConnect(socketPath)
  if (outcome === 'answers')
    throw new SocketPlaceError('running', `a daemon is running already on ${socketPath}`)
  if (outcome !== 'ECONNREFUSED' || !lockHeld) {
    throw place(`${socketPath} is in use (${outcome}); stop what uses it or choose another TORRENTINO_HOME`)
  }
  await unlink(socketPath)
}

/** Listens with a socket that is never open to others, not even for a moment. */
export async function listenPrivately(
  server: Server,
  socketPath: string,
  user: ProcessUser,
  openTo: OpenTo,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) =>
      reject(place(`the socket ${socketPath} cannot be made (${error.code ?? error.message})`))
    server.once('error', onError)
    // The umask belongs to the whole process; bind happens inside listen(), so it is put back before anything else.
    const before = user.umask(0o177)
    try {
      server.listen(socketPath, () => {
        server.off('error', onError)
        resolve()
      })
    } finally {
      user.umask(before)
    }
  })
  await chmod(socketPath, MODES[openTo].socket)
}

function place(sentence: string): SocketPlaceError {
  return new SocketPlaceError('place', sentence)
}

function tryConnect(socketPath: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve('answers')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
  })
}

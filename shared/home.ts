/** Where everything of one installation lies. Pure: what the process knows comes in. */
import { join, posix } from 'node:path'

export interface Home {
  /** The folder of the database, the lock and the socket; mode 0700. */
  readonly state: string
  readonly socket: string
  /** The socket lies in a folder of its own, and members of the folder's group may use it. */
  readonly groupSocket: boolean
  readonly database: string
  readonly lock: string
  /** config.toml; it need not exist. */
  readonly config: string
  /** The folder of the logs. */
  readonly logs: string
  /** Everything lies under one folder that the user named. */
  readonly named: boolean
}

/** What a process knows of its surroundings. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** As `process.platform`. */
  readonly platform: string
  readonly homedir: string
  /** What relative folders are relative to. */
  readonly cwd: string
}

/** The user's fault: a folder that cannot serve, in one sentence that says what to do. */
export class HomeError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'HomeError'
  }
}

/** sun_path is 104 bytes on macOS, with a zero at the end; Node cuts what is longer without a word. */
const SOCKET_BYTES = 103

/**
 * Throws HomeError. `--home DIR` or `--home=DIR` in `argv` wins over TORRENTINO_HOME; without either the folders are
 * those of the platform: ~/Library on macOS, the XDG base directories elsewhere. TORRENTINO_SOCKET, an absolute path,
 * puts the socket alone elsewhere, open to a group; a home given as an argument wins over it.
 */
export function resolveHome(around: Surroundings, argv: readonly string[] = []): Home {
  const argument = homeArgument(argv)
  const named = argument ?? nonEmpty(around.env['TORRENTINO_HOME'])
  const inPlace = named === undefined ? ofPlatform(around) : underOne(posix.resolve(around.cwd, named))
  const socket = argument === undefined ? nonEmpty(around.env['TORRENTINO_SOCKET']) : undefined
  const home = socket === undefined ? inPlace : { ...inPlace, socket: absolute(socket), groupSocket: true }
  const length = Buffer.byteLength(home.socket)
  if (length > SOCKET_BYTES)
    throw new HomeError(
      `The socket path ${home.socket} has ${length} bytes and the system takes ${SOCKET_BYTES}: set ${home.groupSocket ? 'TORRENTINO_SOCKET to a shorter path' : 'TORRENTINO_HOME to a shorter folder'}.`,
    )
  return home
}

function underOne(folder: string): Home {
  return inFolders({ state: folder, config: folder, logs: join(folder, 'logs'), named: true })
}

function ofPlatform({ env, platform, homedir }: Surroundings): Home {
  if (platform === 'darwin') {
    const state = join(homedir, 'Library', 'Application Support', 'torrentino')
    return inFolders({
      state,
      config: state,
      logs: join(homedir, 'Library', 'Logs', 'torrentino'),
      named: false,
    })
  }
  const state = join(xdg(env, 'XDG_STATE_HOME') ?? join(homedir, '.local', 'state'), 'torrentino')
  const config = join(xdgConfig({ env, homedir }), 'torrentino')
  return inFolders({ state, config, logs: join(state, 'logs'), named: false })
}

function inFolders(folders: { state: string; config: string; logs: string; named: boolean }): Home {
  return {
    state: folders.state,
    socket: join(folders.state, 'torrentino.sock'),
    groupSocket: false,
    database: join(folders.state, 'torrentino.db'),
    lock: join(folders.state, 'torrentino.lock'),
    config: join(folders.config, 'config.toml'),
    logs: folders.logs,
    named: folders.named,
  }
}

/** Where the desktop keeps the names of the user's folders (xdg-user-dirs). */
export function userDirsFile(around: Pick<Surroundings, 'env' | 'homedir'>): string {
  return join(xdgConfig(around), 'user-dirs.dirs')
}

/**
 * The folder that torrents land in where none is set. macOS: ~/Torrents, because an agent may not enter ~/Downloads.
 * Elsewhere the download folder of the desktop, from the text of user-dirs.dirs (null: there is none).
 */
export function defaultDownloadDir(
  { platform, homedir }: Pick<Surroundings, 'platform' | 'homedir'>,
  userDirs: string | null,
): string {
  if (platform === 'darwin') return join(homedir, 'Torrents')
  return (userDirs === null ? undefined : downloadLine(userDirs, homedir)) ?? join(homedir, 'Downloads')
}

/** The last XDG_DOWNLOAD_DIR="..." of the file; the home folder itself there means that there is no such folder. */
function downloadLine(userDirs: string, homedir: string): string | undefined {
  let found: string | undefined
  for (const [, quoted = ''] of userDirs.matchAll(
    /^[ \t]*XDG_DOWNLOAD_DIR[ \t]*=[ \t]*"((?:[^"\\\r\n]|\\.)*)"/gm,
  )) {
    const path = /^\$HOME(?:\/|$)/.test(quoted) ? homedir + unescape(quoted.slice(5)) : unescape(quoted)
    const clean = posix.normalize(path).replace(/(?<=.)\/+$/, '')
    found = path.startsWith('/') && clean !== posix.normalize(homedir) ? clean : undefined
  }
  return found
}

function unescape(quoted: string): string {
  return quoted.replace(/\\(.)/g, '$1')
}

function xdgConfig({ env, homedir }: Pick<Surroundings, 'env' | 'homedir'>): string {
  return xdg(env, 'XDG_CONFIG_HOME') ?? join(homedir, '.config')
}

/** The XDG base directory specification: what is not absolute is to be ignored. */
function xdg(env: Surroundings['env'], name: string): string | undefined {
  const path = env[name]
  return path?.startsWith('/') === true ? path : undefined
}

function absolute(socket: string): string {
  if (socket.startsWith('/')) return posix.normalize(socket)
  throw new HomeError(`TORRENTINO_SOCKET is ${socket}, and has to be an absolute path.`)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function homeArgument(argv: readonly string[]): string | undefined {
  let found: string | undefined
  for (const [at, argument] of argv.entries()) {
    if (argument === '--') break
    if (argument === '--home') found = needed(argv[at + 1])
    else if (argument.startsWith('--home=')) found = needed(argument.slice('--home='.length))
  }
  return found
}

function needed(folder: string | undefined): string {
  if (folder !== undefined && folder !== '' && !folder.startsWith('--')) return folder
  throw new HomeError('--home needs a folder, for example --home ~/torrents-state.')
}

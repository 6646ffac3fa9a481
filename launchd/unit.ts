/**
 * The user unit as systemd reads it: (options) -> text. Pure. Keys: systemd.unit(5), systemd.service(5),
 * systemd.exec(5); quoting: "Quoting" and "Specifiers" there.
 */
import { createHash } from 'node:crypto'
import { daemonVariables } from '../shared/environment.js'
import { EXIT_SECONDS, OPEN_FILES, THROTTLE_SECONDS } from './plist.js'

/** Each ping costs a small process, so they are far apart: two in this time. */
const WATCHDOG_SECONDS = 120

/** A start reads the database, and may have to bring it back from a backup. */
const START_SECONDS = 600

export interface UnitOptions {
  /** Absolute path of the node that runs the daemon; see `stableNode`. */
  readonly node: string
  /** Absolute path of the daemon's entry file. */
  readonly entry: string
  /** Absolute path of the home, or null for the default one. */
  readonly home: string | null
  /** Variables that move the default folders, as XDG_STATE_HOME: the manager knows nothing of a shell's. */
  readonly variables: Readonly<Record<string, string>>
  /** The program systemd-notify is there: without it systemd would wait for a word that never comes. */
  readonly notifies: boolean
}

/** 'torrentino.service', with eight hex digits of the path's SHA-256 where the home is not the default one. */
export function unitName(home: string | null): string {
  if (home === null) return 'torrentino.service'
  return `torrentino-${createHash('sha256').update(home).digest('hex').slice(0, 8)}.service`
}

/** The unit. RangeError where a path holds a control character. */
export function unitText(options: UnitOptions): string {
  return [
    '# Written by "torrentinoctl service install", which writes it anew; own changes belong into',
    '# "systemctl --user edit".',
    ...unitSection(options.home),
    ...serviceSection(options),
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n')
}

function unitSection(home: string | null): string[] {
  return [
    '[Unit]',
    `Description=Torrentino BitTorrent daemon${home === null ? '' : ` of ${specifiers(plain(home))}`}`,
    '# RestartSec alone holds it back: it never gives up.',
    'StartLimitIntervalSec=0',
    '',
  ]
}

function serviceSection({ node, entry, home, variables, notifies }: UnitOptions): string[] {
  const args = [entry, ...(home === null ? [] : ['--home', home])]
  const environment = {
    ...daemonVariables('linux'),
    TORRENTINO_OWNER: 'service',
    ...(home === null ? {} : { TORRENTINO_HOME: home }),
    ...variables,
  }
  return [
    '[Service]',
    ...(notifies ? NOTIFYING : ['Type=exec']),
    // The program itself is no place for variables, its arguments are.
    `ExecStart=${[quoted(node), ...args.map((arg) => quoted(arg).replaceAll('$', '$$$$'))].join(' ')}`,
    ...Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    '# Always there, and holds no volume that someone wants to eject.',
    'WorkingDirectory=/',
    '# A clean stop exits with 0 and stays down, also before it was ready; a crash or a kill brings it back.',
    'Restart=on-failure',
    'RestartPreventExitStatus=0',
    `RestartSec=${THROTTLE_SECONDS}`,
    '# SIGTERM to the daemon alone, SIGKILL to all that is left.',
    'KillMode=mixed',
    `TimeoutStopSec=${EXIT_SECONDS}`,
    `LimitNOFILE=${OPEN_FILES}`,
    '# Nothing here narrows the folders that downloads may go to.',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictNamespaces=yes',
    'SystemCallArchitectures=native',
    '',
  ]
}

const NOTIFYING = [
  'Type=notify',
  '# systemd-notify speaks for the daemon, as its child.',
  'NotifyAccess=all',
  `TimeoutStartSec=${START_SECONDS}`,
  `WatchdogSec=${WATCHDOG_SECONDS}`,
]

function quoted(text: string): string {
  return `"${specifiers(plain(text)).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function specifiers(text: string): string {
  return text.replaceAll('%', '%%')
}

/** Control characters and lone surrogates: systemd refuses them or reads another path. */
const UNCARRIABLE = /[\p{Cc}\p{Cs}]/u

function plain(text: string): string {
  if (UNCARRIABLE.test(text))
    throw new RangeError(`${JSON.stringify(text)} holds a character that a systemd unit cannot carry`)
  return text
}

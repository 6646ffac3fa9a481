/**
 * The login agent as launchd reads it: (options) -> property list text. Pure.
 * Keys: launchd.plist(5). Format: Apple's PropertyList-1.0 DTD.
 */
import { createHash } from 'node:crypto'
import { daemonVariables } from '../shared/environment.js'

/** The agent of the default home. Another home gets this and a hash of its path. */
export const LABEL = 'io.github.torrentino.daemon'

/**
 * Descriptors for 500 connections, open files, database and logs, with room to spare, and below the 10,240
 * that the smallest Macs allow a process (kern.maxfilesperproc). An agent starts with 256 otherwise.
 */
export const OPEN_FILES = 8192

/** Seconds between SIGTERM and SIGKILL: a stop takes up to 5 s, and launchd's own default is 20. */
export const EXIT_SECONDS = 20

/** Seconds that must lie between two starts, so that a daemon that dies at once does not spin. */
export const THROTTLE_SECONDS = 10

export interface AgentOptions {
  /** As `agentLabel` gives it. */
  readonly label: string
  /** Absolute path of the node that runs the daemon; see `stableNode`. */
  readonly node: string
  /** Absolute path of the daemon's entry file. */
  readonly entry: string
  /** Absolute path of the home, or null for the default one. */
  readonly home: string | null
  /** Absolute path of an existing folder for what the daemon prints: launchd creates files, never folders. */
  readonly logDir: string
}

/** What a property list can hold here; `integer` is a number without a fraction. */
type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value }

/** `LABEL`, with eight hex digits of the path's SHA-256 where the home is not the default one. */
export function agentLabel(home: string | null): string {
  if (home === null) return LABEL
  return `${LABEL}.${createHash('sha256').update(home).digest('hex').slice(0, 8)}`
}

/** Where launchd puts what the daemon says when it dies. */
export function errorLog(logDir: string): string {
  return `${logDir}/torrentinod.err.log`
}

/** Nobody stopped in the middle of writing it. */
export function isWhole(text: string): boolean {
  return text.startsWith('<?xml') && text.trimEnd().endsWith('</plist>')
}

/** The property list. RangeError where a path holds a character that XML cannot carry. */
export function agentPlist(options: AgentOptions): string {
  return document(agent(options))
}

function agent({ label, node, entry, home, logDir }: AgentOptions): Value {
  return {
    Label: label,
    ProgramArguments: [node, entry, ...(home === null ? [] : ['--home', home])],
    EnvironmentVariables: {
      ...daemonVariables('darwin'),
      // Tells the daemon who owns it: a second one on this home then leaves with 0 and is not restarted.
      TORRENTINO_OWNER: 'service',
      ...(home === null ? {} : { TORRENTINO_HOME: home }),
    },
    // Always there, and holds no volume that someone wants to eject.
    WorkingDirectory: '/',
    RunAtLoad: true,
    // A clean stop exits with 0 and stays down; a crash or a kill brings it back.
    KeepAlive: { SuccessfulExit: false },
    // Anything else is throttled in CPU and I/O by macOS.
    ProcessType: 'Interactive',
    ThrottleInterval: THROTTLE_SECONDS,
    ExitTimeOut: EXIT_SECONDS,
    SoftResourceLimits: { NumberOfFiles: OPEN_FILES },
    HardResourceLimits: { NumberOfFiles: OPEN_FILES },
    StandardOutPath: `${logDir}/torrentinod.out.log`,
    StandardErrorPath: errorLog(logDir),
  }
}

function document(root: Value): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    ...lines(root, ''),
    '</plist>',
    '',
  ].join('\n')
}

function lines(value: Value, indent: string): string[] {
  if (typeof value === 'string') return [`${indent}<string>${escapeText(value)}</string>`]
  if (typeof value === 'number') return [`${indent}<integer>${value}</integer>`]
  if (typeof value === 'boolean') return [`${indent}<${value ? 'true' : 'false'}/>`]
  const inner = `${indent}\t`
  if (isList(value))
    return [`${indent}<array>`, ...value.flatMap((item) => lines(item, inner)), `${indent}</array>`]
  const entries = Object.entries(value).flatMap(([key, item]) => [
    `${inner}<key>${escapeText(key)}</key>`,
    ...lines(item, inner),
  ])
  return [`${indent}<dict>`, ...entries, `${indent}</dict>`]
}

function isList(value: readonly Value[] | { readonly [key: string]: Value }): value is readonly Value[] {
  return Array.isArray(value)
}

/** Control characters and lone surrogates have no form in XML 1.0, not even as a reference. */
const UNCARRIABLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u

function escapeText(text: string): string {
  if (UNCARRIABLE.test(text))
    throw new RangeError(`${JSON.stringify(text)} holds a character that a property list cannot carry`)
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // A bare carriage return is read back as a line feed.
      .replaceAll('\r', '&#13;')
  )
}

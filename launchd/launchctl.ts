/** What `launchctl print <domain>/<label>` says, as values. Its form is not promised by Apple: read leniently. */

export interface PrintedService {
  /** 'running', 'not running', 'spawn scheduled', ... or null where nothing was said. */
  readonly state: string | null
  readonly pid: number | null
  /** Exit status of the last run; null before the first exit or where a signal ended it. */
  readonly lastExit: number | null
  /** As launchctl words it ('Killed: 9'), or null. */
  readonly lastSignal: string | null
}

/** Reads the lines one level deep: blocks below them repeat the same names for other things. */
export function readPrint(text: string): PrintedService {
  const values = new Map<string, string>()
  let depth = 0
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line.endsWith('{')) depth += 1
    else if (line === '}') depth -= 1
    else if (depth === 1) remember(values, line)
  }
  return {
    state: values.get('state') ?? null,
    pid: leadingInteger(values.get('pid')),
    lastExit: leadingInteger(values.get('last exit code')),
    lastSignal: values.get('last terminating signal') ?? null,
  }
}

function remember(values: Map<string, string>, line: string): void {
  const at = line.indexOf(' = ')
  if (at > 0) values.set(line.slice(0, at), line.slice(at + 3))
}

/** '78: EX_CONFIG' is 78; '(never exited)' is null. */
function leadingInteger(text: string | undefined): number | null {
  const digits = text === undefined ? null : /^-?\d+/.exec(text)
  return digits === null ? null : Number(digits[0])
}

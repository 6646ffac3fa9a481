/** The stand-in systemctl.py, ready to be put on a PATH. */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

let interpreter: string | null = null

/** Writes `systemctl` into the folder, for the interpreter itself: what `python3` is on a PATH may be slow to start. */
export function placeSystemctl(folder: string): void {
  interpreter ??= execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).trim()
  const text = readFileSync(resolve(import.meta.dirname, 'systemctl.py'), 'utf8')
  const file = join(folder, 'systemctl')
  writeFileSync(file, text.replace(/^.*/, `#!${interpreter} -IS`))
  chmodSync(file, 0o755)
}

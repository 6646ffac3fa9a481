import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { defaultDownloadDir, userDirsFile } from '../../shared/home.js'

/** The folder that torrents land in where no setting names one. Read once, at the start. */
export function readDownloadDir(): string {
  const around = { env: process.env, platform: process.platform, homedir: homedir() }
  return defaultDownloadDir(around, userDirs(userDirsFile(around)))
}

function userDirs(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

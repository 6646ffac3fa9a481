/** config.toml where no daemon runs: the same rules, read and written by ourselves. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import {
  type ConfigValues,
  effectiveSettings,
  parseConfig,
  readSetting,
  setInToml,
} from '../shared/config.js'
import { defaultDownloadDir, userDirsFile } from '../shared/home.js'
import type { SettingView } from '../shared/rpc/contract.js'

export interface FileSettings {
  list(): Promise<readonly SettingView[]>
  get(key: string): Promise<SettingView>
  set(key: string, value: string): Promise<SettingView>
}

export function fileSettings(path: string): FileSettings {
  const list = async (): Promise<readonly SettingView[]> => views(valuesOf(await textOf(path)))
  const get = async (key: string): Promise<SettingView> => {
    // Says which key was meant where this one does not exist.
    const found = (await list()).find((view) => view.key === key)
    return found ?? readUnknown(key)
  }
  return {
    list,
    get,
    set: async (key, word) => {
      const setting = readSetting(key, word)
      const text = await textOf(path)
      valuesOf(text)
      await replace(path, setInToml(text, setting.key, setting.value))
      return get(key)
    },
  }
}

function readUnknown(key: string): never {
  readSetting(key, '')
  throw new TypeError(`the setting ${key} has no view`)
}

function valuesOf(text: string): ConfigValues {
  const parsed = parseConfig(text)
  if (parsed instanceof Error) throw parsed
  return parsed.values
}

async function views(values: ConfigValues): Promise<readonly SettingView[]> {
  const { env, platform } = process
  const around = { env, platform, homedir: homedir() }
  const userDirs = await textOf(userDirsFile(around))
  const downloadDir = defaultDownloadDir(around, userDirs === '' ? null : userDirs)
  return effectiveSettings(values, { env, homedir: around.homedir, downloadDir }).views
}

/** '' where there is no file. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  })
}

/** Beside it first, then renamed: the file is the old one or the new one, never a part. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const beside = `${path}.${process.pid}.tmp`
  try {
    const file = await open(beside, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

/** The settings in force: file, environment and defaults, and the one way to change a line of the file. */
import {
  ConfigError,
  type ConfigSurroundings,
  type Effective,
  effectiveSettings,
  parseConfig,
  readSetting,
  setInToml,
} from '../../shared/config.js'
import type { SettingView } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Settings, SettingValue } from '../../shared/settings.js'

/** config.toml; implemented by daemon/io/config-file. */
export interface ConfigText {
  update(change: (text: string) => string): Promise<string>
}

export class LiveSettings {
  readonly #around: ConfigSurroundings
  readonly #file: ConfigText
  /** Told after a change that takes effect at once. */
  readonly #changed: (settings: Settings) => void
  #effective: Effective

  constructor(
    init: { readonly text: string; readonly around: ConfigSurroundings },
    ports: { readonly file: ConfigText; readonly changed: (settings: Settings) => void },
  ) {
    this.#around = init.around
    this.#file = ports.file
    this.#changed = ports.changed
    this.#effective = read(init.text, init.around)
  }

  get values(): Settings {
    return this.#effective.settings
  }

  list(): SettingView[] {
    return [...this.#effective.views]
  }

  get(key: string): SettingView {
    const view = this.#effective.views.find((each) => each.key === key)
    // Names the nearest key.
    if (view === undefined) throw badSetting(key, () => readSetting(key, ''))
    return view
  }

  async set(key: string, value: SettingValue): Promise<SettingView> {
    let text: string
    try {
      const setting = readSetting(key, value)
      text = await this.#file.update((old) => setInToml(old, setting.key, setting.value))
    } catch (error) {
      throw asBadSetting(key, error)
    }
    this.#effective = read(text, this.#around)
    this.#changed(this.#effective.settings)
    return this.get(key)
  }
}

/** Throws ConfigError. */
function read(text: string, around: ConfigSurroundings): Effective {
  const parsed = parseConfig(text)
  if (parsed instanceof ConfigError) throw parsed
  return effectiveSettings(parsed.values, around)
}

function badSetting(key: string, reading: () => unknown): Error {
  try {
    reading()
  } catch (error) {
    return asBadSetting(key, error)
  }
  return new Error(`setting ${key} is known and not shown`)
}

function asBadSetting(key: string, error: unknown): Error {
  if (error instanceof ConfigError) return rpcError('badSetting', error.message, { key })
  return error instanceof Error ? error : new Error(String(error))
}

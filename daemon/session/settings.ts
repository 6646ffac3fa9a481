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
import {
  SETTING_KEYS,
  type SettingKey,
  type Settings,
  SETTINGS,
  type SettingValue,
} from '../../shared/settings.js'

/** config.toml; implemented by daemon/io/config-file. */
export interface ConfigText {
  update(change: (text: string) => string): Promise<string>
  /** As it is now. Rejects with ConfigError. */
  read(): Promise<string>
}

/** What somebody's change of the file came to. */
export type Reloaded =
  | {
      readonly changed: readonly SettingKey[]
      /** Of those: they work from the next start. */
      readonly later: readonly SettingKey[]
    }
  | { readonly mistake: ConfigError }

export class LiveSettings {
  readonly #around: ConfigSurroundings
  readonly #file: ConfigText
  /** Told after a change that takes effect at once. */
  readonly #changed: (settings: Settings) => void
  #effective: Effective
  /** Why the file as it is now is not in force, or null. */
  #mistake: ConfigError | null = null

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

  get mistake(): ConfigError | null {
    return this.#mistake
  }

  /** Takes up what a person changed in the file; with a mistake in it all stays as it was. Null: nothing is another. */
  async reload(): Promise<Reloaded | null> {
    let next: Effective
    try {
      next = read(await this.#file.read(), this.#around)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      const known = this.#mistake?.message === error.message && this.#mistake.line === error.line
      this.#mistake = error
      return known ? null : { mistake: error }
    }
    const before = this.#effective.settings
    const mended = this.#mistake !== null
    this.#mistake = null
    const changed = SETTING_KEYS.filter((key) => next.settings[key] !== before[key])
    this.#effective = next
    if (changed.length > 0) this.#changed(next.settings)
    const later = changed.filter((key) => SETTINGS[key].applies === 'restart')
    return changed.length > 0 || mended ? { changed, later } : null
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
    this.#mistake = null
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

import { describe, expect, it } from 'vitest'
import { LiveSettings } from '../../daemon/session/settings.js'
import type { Settings } from '../../shared/settings.js'
import { ConfigError } from '../../shared/config.js'
import { RpcError } from '../../shared/rpc/errors.js'

function bench(
  text = '',
  env: Record<string, string> = {},
): {
  settings: LiveSettings
  file: { text: string; fails: Error | null }
  changed: Settings[]
} {
  const file: { text: string; fails: Error | null } = { text, fails: null }
  const changed: Settings[] = []
  const settings = new LiveSettings(
    { text, around: { env, homedir: '/home/u', downloadDir: '/home/u/Downloads' } },
    {
      file: {
        update: (change) => {
          if (file.fails !== null) return Promise.reject(file.fails)
          try {
            file.text = change(file.text)
          } catch (error) {
            return Promise.reject(error instanceof Error ? error : new Error(String(error)))
          }
          return Promise.resolve(file.text)
        },
        read: () => Promise.resolve(file.text),
      },
      changed: (values) => void changed.push(values),
    },
  )
  return { settings, file, changed }
}

describe('settings', () => {
  it('take the file over the default, and say which', () => {
    const { settings } = bench('log.level = "debug"\n')
    expect(settings.get('log.level')).toMatchObject({ key: 'log.level', value: 'debug' })
    expect(settings.values['download.dir']).toBe('/home/u/Downloads')
    expect(settings.list().map(({ key }) => key)).toContain('net.scope')
  })

  it('change one line, and take effect', async () => {
    const { settings, file, changed } = bench('# mine\nlog.level = "debug" # loud\n')
    expect(await settings.set('log.level', 'warn')).toMatchObject({ value: 'warn' })
    expect(file.text).toContain('# mine\n')
    expect(file.text).toContain('# loud')
    expect(changed.map((values) => values['log.level'])).toEqual(['warn'])
    expect(settings.values['log.level']).toBe('warn')
  })

  it.each([
    ['an unknown key', 'log.levle', 'warn'],
    ['a wrong value', 'log.level', 'noisy'],
    ['a wrong type', 'listen.port', 'eighty'],
  ])('refuse %s with a sentence', async (_, key, value) => {
    const { settings, file, changed } = bench()
    await expect(settings.set(key, value)).rejects.toBeInstanceOf(RpcError)
    expect(file.text).toBe('')
    expect(changed).toEqual([])
  })

  it('name the nearest key for one that is not', () => {
    const { settings } = bench()
    expect(() => settings.get('log.levle')).toThrow(/log\.level/)
  })

  it('stay as they were where the file cannot be written', async () => {
    const { settings, file, changed } = bench()
    file.fails = new Error('EROFS')
    await expect(settings.set('log.level', 'warn')).rejects.toThrow('EROFS')
    expect(settings.values['log.level']).not.toBe('warn')
    expect(changed).toEqual([])
  })

  it('refuse to begin with a file that is none', () => {
    expect(() => bench('log.level = \n')).toThrow(ConfigError)
  })
})

describe('a file that a person changes', () => {
  it('is in force when it is read again, and what needs a new start is named', async () => {
    const { settings, file, changed } = bench('log.level = "debug"\n')
    expect(await settings.reload()).toBeNull()
    file.text = 'log.level = "warn"\nlisten.port = 4000\n'
    expect(await settings.reload()).toEqual({ changed: ['listen.port', 'log.level'], later: ['listen.port'] })
    expect(changed.map((values) => values['log.level'])).toEqual(['warn'])
    expect(settings.get('log.level')).toMatchObject({ value: 'warn', source: 'file' })
  })

  it('with a slip in it changes nothing, is told once with its place, and again in force when it is mended', async () => {
    const { settings, file, changed } = bench('log.level = "debug"\n')
    file.text = 'log.level = "warn"\nlog.levle = "x"\n'
    const found = await settings.reload()
    expect(found).toMatchObject({ mistake: { line: 2, column: 1 } })
    expect(await settings.reload()).toBeNull()
    expect(settings.mistake?.message).toMatch(/did you mean log\.level\?/)
    expect([settings.values['log.level'], changed]).toEqual(['debug', []])
    file.text = 'log.level = "warn"\n'
    expect(await settings.reload()).toEqual({ changed: ['log.level'], later: [] })
    expect([settings.mistake, settings.values['log.level']]).toEqual([null, 'warn'])
  })
})

/** The npm package holds what the programs need and nothing else. `npm run test:pack` installs it as well. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { bringAcross, judge, pack } from '../support/packed.js'
import { useStage } from '../support/stage.js'

const ROOT = resolve(import.meta.dirname, '../..')
const stage = useStage()

it('two daemons out of the npm package bring a file across, with the packages it names and no others', async () => {
  const { file, names } = await pack(stage.folder('packed'))
  expect(judge(names)).toEqual({ strange: [], missing: [] })

  const installed = join(stage.folder('installed'), 'package')
  const unpacked = spawnSync('tar', ['-xzf', file, '-C', stage.folder('installed')], { encoding: 'utf8' })
  expect(unpacked.status, unpacked.stderr).toBe(0)
  // Compiling better-sqlite3 anew would take a minute: the packages are those of the checkout.
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    version: string
    bin: { torrentinod: string; torrentinoctl: string }
    man: string[]
    files: string[]
  }
  for (const entry of manifest.files) {
    const [start = ''] = entry.split('*')
    expect(
      names.filter((name) => name.startsWith(start)),
      entry,
    ).not.toEqual([])
  }
  for (const program of Object.values(manifest.bin))
    expect(readFileSync(join(installed, program), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  for (const page of manifest.man) expect(existsSync(join(installed, page))).toBe(true)

  const ctl = join(installed, manifest.bin.torrentinoctl)
  const said = spawnSync(process.execPath, [ctl, '--version'], { encoding: 'utf8', timeout: 60_000 })
  expect(said.stdout).toBe(`${manifest.version}\n`)
  await bringAcross([process.execPath, ctl], stage.folder('homes'))
}, 120_000)

it('a test, a map or the build state would be a stranger in the package, and a page that is not there is missed', () => {
  const dev = [
    'dist/daemon/bin.js.map',
    'test/e2e/pack.test.ts',
    'dist/tsconfig.tsbuildinfo',
    'dist/daemon/gone.js',
  ]
  const { strange, missing } = judge([...dev, 'dist/daemon/bin.js'])
  expect(strange).toEqual(dev)
  expect(missing).toContain('docs/man/torrentinod.8')
})

import { spawn } from 'node:child_process'
import { expect, it } from 'vitest'
import type { Client } from '../../ctl/client.js'
import { hasEnded } from '../../ctl/commands/daemon.js'

const gone = { gone: Promise.resolve() } as unknown as Client

/** Says the id of a child that has ended and that it never asks after. */
const NEGLECTS = 'sleep 0.1 & echo $!; exec sleep 30'

it('a daemon has ended though nobody asks how, as in a container without an init', async () => {
  const parent = spawn('sh', ['-c', NEGLECTS], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const pid = Number(await new Promise((said) => parent.stdout.once('data', said)))
    expect(pid).toBeGreaterThan(0)
    expect(await hasEnded(gone, pid)).toBe(true)
  } finally {
    parent.kill('SIGKILL')
  }
})

import { describe, expect, it } from 'vitest'
import type { Client } from '../../ctl/client.js'
import { type Reach, reachDaemon, type Ways } from '../../ctl/owner.js'

// A stand-in is enough: only which one comes back is looked at.
const client = Object.create(null) as Client

/** Ways that write down which was taken. */
function ways(over: { running?: boolean; service?: boolean; canInstall?: boolean; answer?: string | null }) {
  const taken: string[] = []
  const take = (way: string): Promise<Client> => {
    taken.push(way)
    return Promise.resolve(client)
  }
  const made: Ways = {
    connect: () => Promise.resolve(over.running === true ? client : null),
    service: () => (over.service === true ? { start: () => take('service') } : null),
    canInstall: over.canInstall ?? true,
    install: () => take('install'),
    startNow: () => take('now'),
    ask: (question) => {
      taken.push(question)
      return Promise.resolve(over.answer ?? null)
    },
  }
  return { made, taken }
}

const QUESTION = 'Start torrentinod now and at every login? [Y/n/once] '

describe('reaching a daemon', () => {
  it.each<Reach>(['never', 'service', 'ask', 'start'])('takes the one that runs (%s)', async (reach) => {
    const { made, taken } = ways({ running: true, service: true })
    expect(await reachDaemon(made, reach)).toBe(client)
    expect(taken).toEqual([])
  })

  it('starts nothing for who only reads, installed or not', async () => {
    const { made, taken } = ways({ service: true })
    await expect(reachDaemon(made, 'never')).rejects.toMatchObject({
      exit: 5,
      message: 'torrentinod is not running; start it: torrentinoctl daemon start',
    })
    expect(taken).toEqual([])
  })

  it.each<Reach>(['service', 'ask', 'start'])('starts the service that is installed (%s)', async (reach) => {
    const { made, taken } = ways({ service: true })
    await reachDaemon(made, reach)
    expect(taken).toEqual(['service'])
  })

  it('asks nobody for a verb that is not add or resume', async () => {
    const { made, taken } = ways({ answer: 'y' })
    await expect(reachDaemon(made, 'service')).rejects.toMatchObject({ exit: 5 })
    expect(taken).toEqual([])
  })

  it('starts with --start without asking', async () => {
    const { made, taken } = ways({ answer: 'n' })
    await reachDaemon(made, 'start')
    expect(taken).toEqual(['now'])
  })

  it.each([
    ['', 'install'],
    ['Y', 'install'],
    [' yes ', 'install'],
    ['once', 'now'],
  ])('asked once, %j takes the way %s', async (answer, way) => {
    const { made, taken } = ways({ answer })
    await reachDaemon(made, 'ask')
    expect(taken).toEqual([QUESTION, way])
  })

  it.each(['n', 'no', 'what?'])('asked once, %j starts nothing', async (answer) => {
    const { made, taken } = ways({ answer })
    await expect(reachDaemon(made, 'ask')).rejects.toMatchObject({ exit: 5 })
    expect(taken).toEqual([QUESTION])
  })

  it('asks for now only where there are no services', async () => {
    const { made, taken } = ways({ answer: 'y', canInstall: false })
    await reachDaemon(made, 'ask')
    expect(taken).toEqual(['torrentinod is not running. Start it now? [Y/n] ', 'now'])
  })

  it('names the command where nobody can be asked', async () => {
    const { made } = ways({ answer: null })
    await expect(reachDaemon(made, 'ask')).rejects.toMatchObject({
      exit: 5,
      message:
        'torrentinod is not running; start it: torrentinoctl daemon start, or repeat the command with --start',
    })
  })
})

/** The bytes kept for a full volume: made, given up for what matters, made again. */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { Reserve } from '../../daemon/db/reserve.js'
import { Server } from '../../daemon/db/serve.js'
import type { Connection } from '../../daemon/db/sqlite.js'
import type { FromThread, ToThread } from '../../daemon/db/protocol.js'
import { add, DatabaseKit, names, realTorrent } from '../support/database-kit.js'

const kit = new DatabaseKit()
const MIB = 1024 * 1024

let home: string
let file: string
let now: number
beforeEach(() => {
  home = kit.folder()
  file = join(home, 'torrentino.db.reserve')
  now = 0
})

describe('the reserve', () => {
  it('is real bytes, 4 MiB at most', () => {
    const reserve = new Reserve(file, () => now)
    expect([reserve.whole, reserve.giveUp()]).toEqual([false, false])
    now = 10_000
    reserve.restock()
    const { size, blocks } = statSync(file)
    expect(size).toBeGreaterThan(0)
    expect(size).toBeLessThanOrEqual(4 * MIB)
    expect(blocks * 512).toBeGreaterThanOrEqual(size)
    expect(reserve.whole).toBe(true)
  })

  it('is given up once, and made again ten seconds later', () => {
    const reserve = new Reserve(file, () => now)
    reserve.restock()
    now = 100_000
    expect(reserve.giveUp()).toBe(true)
    expect(existsSync(file)).toBe(false)
    expect(reserve.giveUp()).toBe(false)
    now += 9999
    reserve.restock()
    expect(reserve.whole).toBe(false)
    now += 1
    reserve.restock()
    expect(reserve.whole).toBe(true)
  })

  it('that an earlier run made can be given up', () => {
    new Reserve(file, () => now).restock()
    const later = new Reserve(file, () => now)
    expect([later.whole, later.giveUp()]).toEqual([true, true])
  })

  it('that cannot be made is missing, and that is all', () => {
    const reserve = new Reserve(join(home, 'nowhere', 'reserve'), () => now)
    reserve.restock()
    expect(reserve.whole).toBe(false)
  })
})

/** The volume is full until the reserve is given up. */
class FullVolume extends Reserve {
  constructor(private readonly db: Connection) {
    super(file, () => now)
    this.restock()
  }

  fill(): void {
    this.db.pragma(`max_page_count = ${String(this.db.pragma('page_count', { simple: true }))}`)
  }

  override giveUp(): boolean {
    const had = super.giveUp()
    if (had) this.db.pragma('max_page_count = 100000')
    return had
  }
}

describe('a write on a full volume', () => {
  function scene() {
    const opened = kit.open(home)
    const reserve = new FullVolume(opened.db)
    const told: FromThread[] = []
    let tell: (message: ToThread) => void = () => undefined
    const port = {
      post: (message: FromThread) => void told.push(message),
      next: () => undefined,
      onMessage: (listener: typeof tell) => void (tell = listener),
      end: () => undefined,
    }
    new Server(port, opened, {
      lock: opened.db,
      reserve,
      elapsed: () => now,
      soon: () => undefined,
      after: () => () => undefined,
      carry: () => ({ done: new Promise(() => undefined), abandon: () => undefined }),
      wake: () => undefined,
    }).begin()
    let calls = 0
    const write = (name: string): FromThread['kind'] | undefined => {
      const before = told.length
      const note = Buffer.alloc(40_000, name).toString()
      tell({ kind: 'call', request: { id: ++calls, method: 'setMeta', args: [name, note] } })
      return told.slice(before).find(({ kind }) => kind === 'answer' || kind === 'fault')?.kind
    }
    return { opened, reserve, told, write }
  }

  it('gets the room of the reserve, and people are told that it is gone', () => {
    const { opened, reserve, told, write } = scene()
    reserve.fill()
    expect(write('a')).toBe('answer')
    expect(existsSync(file)).toBe(false)
    expect(told.at(-1)).toEqual({ kind: 'state', state: { reserve: false, backup: null } })
    // Ten seconds later there is room again.
    now += 10_000
    expect(write('b')).toBe('answer')
    expect(told.at(-1)).toEqual({ kind: 'state', state: { reserve: true, backup: null } })
    opened.db.close()
  })

  it('fails where the reserve is gone, and is no bug', () => {
    const { opened, reserve, told, write } = scene()
    reserve.giveUp()
    reserve.fill()
    expect(write('a')).toBe('fault')
    expect(told).toContainEqual(expect.objectContaining({ kind: 'fault', code: 'SQLITE_FULL' }))
    expect(write('b')).toBe('fault')
    opened.db.close()
  })
})

describe('a start on a full volume', () => {
  const full = (): Error => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  /** Refuses the first step of an update, as a full volume does, while the reserve is there. */
  const point = (): void => {
    if (existsSync(file)) throw full()
  }

  it('gets the room of the reserve', () => {
    writeFileSync(file, Buffer.alloc(MIB, 'reserve '))
    const opened = kit.open(home, { point })
    expect(existsSync(file)).toBe(false)
    add(opened, realTorrent('a'))
    expect(names(opened)).toEqual(['a'])
    opened.db.close()
  })

  it('is refused where there is no reserve', () => {
    const always = (): void => {
      throw full()
    }
    expect(() => kit.open(home, { point: always })).toThrow('no space left')
  })
})

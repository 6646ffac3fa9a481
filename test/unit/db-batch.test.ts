import { describe, expect, it } from 'vitest'
import { runBatch, type Transaction, type Work } from '../../daemon/db/batch.js'
import { migrate } from '../../daemon/db/migrations.js'

/** A transaction that logs, and fails or vanishes on command. */
class LoggedTransaction implements Transaction {
  readonly log: string[] = []
  open = false
  failCommits = 0
  retriable = false

  begin(): void {
    this.open = true
    this.log.push('begin')
  }
  commit(): void {
    this.log.push('commit')
    if (this.failCommits > 0) {
      this.failCommits -= 1
      throw new Error('commit failed')
    }
    this.open = false
  }
  rollback(): void {
    this.open = false
    this.log.push('rollback')
  }
  savepoint(): void {
    this.log.push('savepoint')
  }
  release(): void {
    this.log.push('release')
  }
  undo(): void {
    this.log.push('undo')
  }
  active(): boolean {
    return this.open
  }
  worthRetrying(): boolean {
    return this.retriable
  }

  write(name: string, fails = false): Work {
    return this.work(name, true, fails)
  }
  read(name: string, fails = false): Work {
    return this.work(name, false, fails)
  }
  private work(name: string, write: boolean, fails: boolean): Work {
    return {
      write,
      run: () => {
        this.log.push(name)
        if (fails) throw new Error(name)
        return name
      },
    }
  }
}

function names(outcomes: ReturnType<typeof runBatch>): string[] {
  return outcomes.map((outcome) =>
    outcome.ok ? String(outcome.value) : `! ${(outcome.error as Error).message}`,
  )
}

describe('group commit', () => {
  it('commits all that waits at once', () => {
    const tx = new LoggedTransaction()
    expect(names(runBatch([tx.write('a'), tx.read('r'), tx.write('b')], tx))).toEqual(['a', 'r', 'b'])
    expect(tx.log.join(' ')).toBe('begin savepoint a release r savepoint b release commit')
  })

  it('opens no transaction for reads', () => {
    const tx = new LoggedTransaction()
    expect(names(runBatch([tx.read('r'), tx.read('s', true), tx.read('t')], tx))).toEqual(['r', '! s', 't'])
    expect(tx.log.join(' ')).toBe('r s t')
  })

  it('takes back only the write that failed', () => {
    const tx = new LoggedTransaction()
    expect(names(runBatch([tx.write('a'), tx.write('b', true), tx.write('c')], tx))).toEqual([
      'a',
      '! b',
      'c',
    ])
    expect(tx.log.join(' ')).toBe('begin savepoint a release savepoint b undo savepoint c release commit')
  })

  it('fails every write when the commit fails, and reads again what is really there', () => {
    const tx = new LoggedTransaction()
    tx.failCommits = 1
    expect(names(runBatch([tx.write('a'), tx.read('r'), tx.write('b')], tx))).toEqual([
      '! commit failed',
      'r',
      '! commit failed',
    ])
    expect(tx.log.join(' ')).toBe('begin savepoint a release r savepoint b release commit rollback r')
  })

  it('does not go on in a transaction that SQLite has rolled back', () => {
    const tx = new LoggedTransaction()
    const vanishing: Work = {
      write: true,
      run: () => {
        tx.open = false
        throw new Error('disk full')
      },
    }
    expect(names(runBatch([tx.write('a'), vanishing, tx.write('c')], tx))).toEqual([
      '! disk full',
      '! disk full',
      '! disk full',
    ])
    expect(tx.log.join(' ')).toBe('begin savepoint a release savepoint')
  })

  it('tries writes one by one when a smaller one may pass, and a lone one not twice', () => {
    const tx = new LoggedTransaction()
    tx.retriable = true
    tx.failCommits = 2
    expect(names(runBatch([tx.write('a'), tx.write('b')], tx))).toEqual(['! commit failed', 'b'])
    tx.failCommits = 1
    tx.log.length = 0
    expect(names(runBatch([tx.write('a')], tx))).toEqual(['! commit failed'])
    expect(tx.log.join(' ')).toBe('begin savepoint a release commit rollback')
  })
})

/** Counts as SQLite does: what ran since BEGIN vanishes on ROLLBACK. */
class FakeDatabase {
  version: number
  readonly ran: string[] = []
  private saved = { version: 0, ran: 0 }

  constructor(version: number) {
    this.version = version
  }
  userVersion(): number {
    return this.version
  }
  exec(sql: string): void {
    if (sql.startsWith('BEGIN')) this.saved = { version: this.version, ran: this.ran.length }
    else if (sql === 'ROLLBACK') {
      this.version = this.saved.version
      this.ran.length = this.saved.ran
    } else if (sql.startsWith('PRAGMA user_version = ')) this.version = Number(sql.slice(22))
    else if (sql === 'bad') throw new Error('bad step')
    else if (sql !== 'COMMIT') this.ran.push(sql)
  }
}

describe('migrations', () => {
  it('does the steps that are missing, and none twice', () => {
    const db = new FakeDatabase(1)
    migrate(db, ['one', 'two', 'three'])
    expect([db.version, db.ran]).toEqual([3, ['two', 'three']])
    migrate(db, ['one', 'two', 'three'])
    expect(db.ran).toEqual(['two', 'three'])
  })

  it('stays at the last whole version when a step fails', () => {
    const db = new FakeDatabase(0)
    expect(() => {
      migrate(db, ['one', 'bad', 'three'])
    }).toThrow('bad step')
    expect([db.version, db.ran]).toEqual([1, ['one']])
  })

  it('refuses a version it does not know before it does anything', () => {
    const db = new FakeDatabase(4)
    expect(() => {
      migrate(db, ['one', 'two', 'three'])
    }).toThrow(expect.objectContaining({ code: 'NEWER' }))
    expect(db.ran).toEqual([])
  })
})

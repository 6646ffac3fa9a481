/** Group commit: what waits at a wake-up shares one transaction, and so one fsync. Pure over its port. */

/** The transaction of one connection. */
export interface Transaction {
  begin(): void
  commit(): void
  rollback(): void
  savepoint(): void
  release(): void
  /** Back to the savepoint, and forget it. */
  undo(): void
  /** False too after SQLite rolled back by itself, as it may on a full disk. */
  active(): boolean
  /** The error may be that of one large write: others could pass alone. */
  worthRetrying(error: unknown): boolean
}

export interface Work {
  readonly write: boolean
  run(): unknown
}

export type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

/**
 * Runs the works in their order and answers each. A write that fails takes only itself back. When the commit fails,
 * every write of the group failed, and the reads are done again on what is really there.
 */
export function runBatch(works: readonly Work[], tx: Transaction): Outcome[] {
  const writes = works.filter((work) => work.write).length
  if (writes === 0) return works.map(attempt)
  const group = together(works, tx)
  if (group.ok) return group.outcomes
  const retry = writes > 1 && tx.worthRetrying(group.error)
  return works.map((work) => {
    if (!work.write) return attempt(work)
    return retry ? alone(work, tx) : { ok: false, error: group.error }
  })
}

type Group = { ok: true; outcomes: Outcome[] } | { ok: false; error: unknown }

function together(works: readonly Work[], tx: Transaction): Group {
  try {
    tx.begin()
    const outcomes = works.map((work) => (work.write ? guarded(work, tx) : attempt(work)))
    tx.commit()
    return { ok: true, outcomes }
  } catch (error) {
    if (tx.active()) tx.rollback()
    return { ok: false, error }
  }
}

function alone(work: Work, tx: Transaction): Outcome {
  const group = together([work], tx)
  return group.ok ? (group.outcomes[0] ?? { ok: true, value: undefined }) : { ok: false, error: group.error }
}

/** Throws only when the whole transaction is gone. */
function guarded(work: Work, tx: Transaction): Outcome {
  tx.savepoint()
  try {
    const value = work.run()
    tx.release()
    return { ok: true, value }
  } catch (error) {
    if (!tx.active()) throw error
    tx.undo()
    return { ok: false, error }
  }
}

function attempt(work: Work): Outcome {
  try {
    return { ok: true, value: work.run() }
  } catch (error) {
    return { ok: false, error }
  }
}

/** The fake store with commits that take their time: power may fail before one, within, and before its answer. */
import type { FakeRandom } from './fake-random.js'
import { FakeStore, type StoreMethod, type Tables } from './fake-store.js'

export class LateStore extends FakeStore {
  /** Asked and not committed; each answers what tells its caller. All of them are one transaction. */
  private waiting: (() => () => void)[] = []

  constructor(
    /** Runs it some time later, in the order of the calls. */
    private readonly later: (run: () => void) => void,
    tables?: Tables,
  ) {
    super(tables)
  }

  /** Power fails: the transaction under way is in as a whole, or not at all. */
  crash(random: FakeRandom): void {
    if (random.float() < 0.5) for (const commit of this.waiting) commit()
    this.waiting = []
    this.closed = true
  }

  override reopen(): FakeStore {
    this.closed = true
    return new LateStore(this.later, this.tables)
  }

  protected override write<T>(method: StoreMethod, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        const outcome = super.write(method, work)
        // Told later, and not at all where power fails before.
        outcome.catch(() => undefined)
        return () => {
          outcome.then(resolve, reject)
        }
      })
      if (this.waiting.length > 1) return
      this.later(() => {
        const answers = this.waiting.map((commit) => commit())
        this.waiting = []
        this.later(() => {
          for (const answer of answers) answer()
        })
      })
    })
  }
}

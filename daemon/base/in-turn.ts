/** Changes of what is stored, one after the other: each begins with what the one before it left. */
export class InTurn {
  /** Settles when the last one is over. */
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }
}

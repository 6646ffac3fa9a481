/**
 * Keeps a fault of our own inside one torrent. All that happens to a torrent comes through its ports: its timers, the
 * answers of its disk, store, dialler and trackers, its turns at what torrents share. Here each of these is noted as
 * that torrent's work, and what it throws blocks that torrent and nobody else. Peers have a guard of their own
 * (`Link`), since they are many and one of them is easily done without. Nothing here is called for a block.
 */
import type { Phase, Watch } from '../base/watch.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'

export interface BulkheadPorts {
  readonly watch: Watch
  /** Something of this torrent threw. */
  readonly failed: (error: unknown) => void
}

type Call = (...args: unknown[]) => unknown

export class Bulkhead {
  readonly #torrent: number
  readonly #ports: BulkheadPorts
  /** A function that waits in a queue of all torrents is known there by its identity. */
  readonly #known = new WeakMap<Call, Call>()

  constructor(init: { readonly torrent: number }, ports: BulkheadPorts) {
    this.#torrent = init.torrent
    this.#ports = ports
  }

  /** The same function, guarded; what follows it where it threw is undefined. */
  guard<A extends unknown[], R>(phase: Phase, fn: (...args: A) => R): (...args: A) => R | undefined {
    return (...args) => {
      try {
        this.#ports.watch.enter(phase, this.#torrent)
        return fn(...args)
      } catch (error) {
        this.#ports.failed(error)
        return undefined
      }
    }
  }

  /** The same promise; what is done with its answer is guarded. */
  promise<T>(phase: Phase, promise: Promise<T>): Promise<T> {
    const guarded = new Guarded<T>((resolve, reject) => {
      promise.then(resolve, reject)
    })
    guarded.around = (fn) => this.guard(phase, fn)
    return guarded
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (delay, fn) => clock.after(delay, this.guard('timer', fn)),
      every: (interval, fn) => clock.every(interval, this.guard('timer', fn)),
    }
  }

  disk(disk: Disk): Disk {
    const open: Disk['open'] = (spec, events) =>
      this.around('disk', disk.open(spec, this.#within('disk', events)))
    const guarded = this.around('disk', disk)
    return new Proxy(guarded, {
      get: (_, key): unknown => (key === 'open' ? open : Reflect.get(guarded, key)),
    })
  }

  /** The same object: the functions it is given are guarded, and so are the promises it gives. */
  around<T extends object>(phase: Phase, target: T): T {
    return mapped(target, (method) => (...args) => {
      const given = args.map((arg) => (typeof arg === 'function' ? this.#once(phase, arg as Call) : arg))
      const answer = method.apply(target, given)
      return answer instanceof Promise ? this.promise(phase, answer as Promise<unknown>) : answer
    })
  }

  /** The same object: its own methods are guarded. */
  #within<T extends object>(phase: Phase, target: T): T {
    return mapped(target, (method) => this.guard(phase, method.bind(target)))
  }

  #once(phase: Phase, fn: Call): Call {
    let guarded = this.#known.get(fn)
    if (guarded === undefined) this.#known.set(fn, (guarded = this.guard(phase, fn)))
    return guarded
  }
}

/** A promise with which only guarded functions are called. What it leads to is a plain one again. */
class Guarded<T> extends Promise<T> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }
  around: <A extends unknown[], R>(fn: (...args: A) => R) => (...args: A) => R | undefined = (fn) => fn

  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const done = fulfilled == null ? null : (this.around(fulfilled) as typeof fulfilled)
    const failed = rejected == null ? null : (this.around(rejected) as typeof rejected)
    return super.then(done, failed)
  }
}

/** The same object with its methods mapped, each once. */
function mapped<T extends object>(target: T, map: (method: Call) => Call): T {
  const methods = new Map<string | symbol, Call>()
  return new Proxy(target, {
    get: (_, key): unknown => {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      let method = methods.get(key)
      if (method === undefined) methods.set(key, (method = map(value as Call)))
      return method
    },
  })
}

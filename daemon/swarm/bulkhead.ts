/**
 * Keeps a fault of our own inside one torrent. All that happens to a torrent comes through its ports: its timers, the
 * answers of its disk, store, dialler and trackers, its turns at what torrents share. Here each of these is noted as
 * that torrent's work, and what it throws blocks that torrent and nobody else. Peers have a guard of their own
 * (`Link`), since they are many and one of them is easily done without. Nothing here is called for a block.
 */
import type { Phase, Watch } from '../base/watch.js'
import type { Millis, TorrentId } from '../../shared/units.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'

export interface BulkheadPorts {
  readonly watch: Watch
  /** Something of this torrent threw. */
  readonly failed: (error: unknown, torrent: TorrentId) => void
}

type Call = (...args: unknown[]) => unknown

export class Bulkhead {
  readonly #torrent: TorrentId
  readonly #ports: BulkheadPorts
  /** A function that waits in a queue of all torrents is known there by its identity. */
  #known: WeakMap<Call, Call> | null = null

  constructor(init: { readonly torrent: TorrentId }, ports: BulkheadPorts) {
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
        this.#ports.failed(error, this.#torrent)
        return undefined
      }
    }
  }

  /** Calls it at once, guarded. */
  run(phase: Phase, step: () => void): void {
    this.guard(phase, step)()
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
    return new GuardedClock(clock, this)
  }

  disk(disk: Disk): Disk {
    return new Proxy(disk, new DiskHandler(this, 'disk'))
  }

  /**
   * The same object: the functions it is given are guarded, and so are the promises it gives. Its methods are made anew
   * each time they are asked for: a torrent at rest has none of them.
   */
  around<T extends object>(phase: Phase, target: T): T {
    return new Proxy(target, new Handler(this, phase))
  }

  /** As `around`, for what is called often: its methods are made once. */
  aroundBusy<T extends object>(phase: Phase, target: T): T {
    return new Proxy(target, new BusyHandler(this, phase))
  }

  /** The same object: its own methods are guarded. */
  within<T extends object>(phase: Phase, target: T): T {
    const methods = new Map<string | symbol, Call>()
    return new Proxy(target, {
      get: (_, key): unknown => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        let method = methods.get(key)
        if (method === undefined) methods.set(key, (method = this.guard(phase, (value as Call).bind(target))))
        return method
      },
    })
  }

  /** Calls a method of what is around it. */
  call(phase: Phase, target: object, method: Call, args: readonly unknown[]): unknown {
    const given = args.map((arg) => (typeof arg === 'function' ? this.#once(phase, arg as Call) : arg))
    const answer = method.apply(target, given)
    return answer instanceof Promise ? this.promise(phase, answer as Promise<unknown>) : answer
  }

  #once(phase: Phase, fn: Call): Call {
    const known = (this.#known ??= new WeakMap<Call, Call>())
    let guarded = known.get(fn)
    if (guarded === undefined) known.set(fn, (guarded = this.guard(phase, fn)))
    return guarded
  }
}

/** A class, not an object of closures: every torrent has two. */
class GuardedClock implements Clock {
  constructor(
    private readonly clock: Clock,
    private readonly bulkhead: Bulkhead,
  ) {}

  now(): Millis {
    return this.clock.now()
  }
  wall(): Millis {
    return this.clock.wall()
  }
  after(delay: Millis, fn: () => void): Cancel {
    return this.clock.after(delay, this.bulkhead.guard('timer', fn))
  }
  every(interval: Millis, fn: () => void): Cancel {
    return this.clock.every(interval, this.bulkhead.guard('timer', fn))
  }
}

/** Its methods call the target's by way of the bulkhead. */
class Handler<T extends object> implements ProxyHandler<T> {
  constructor(
    protected readonly bulkhead: Bulkhead,
    protected readonly phase: Phase,
  ) {}

  get(target: T, key: string | symbol): unknown {
    const value: unknown = Reflect.get(target, key, target)
    return typeof value === 'function' ? this.made(target, value as Call, key) : value
  }

  protected made(target: T, method: Call, _: string | symbol): Call {
    return (...args) => this.bulkhead.call(this.phase, target, method, args)
  }
}

class BusyHandler<T extends object> extends Handler<T> {
  private readonly methods = new Map<string | symbol, Call>()

  protected override made(target: T, method: Call, key: string | symbol): Call {
    let made = this.methods.get(key)
    if (made === undefined) this.methods.set(key, (made = super.made(target, method, key)))
    return made
  }
}

/** A storage has the life of the data in use; what it reports is guarded, too. */
class DiskHandler extends Handler<Disk> {
  protected override made(target: Disk, method: Call, key: string | symbol): Call {
    if (key !== 'open') return super.made(target, method, key)
    return (...args) => {
      const [spec, events] = args as Parameters<Disk['open']>
      const { bulkhead, phase } = this
      return bulkhead.aroundBusy(phase, target.open(spec, bulkhead.within(phase, events)))
    }
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

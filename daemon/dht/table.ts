/**
 * The routing table of one family (BEP 5). Bucket n holds nodes that share exactly n leading bits with us, the last
 * one all that share more; it is the only one that is ever split.
 */
import type { Millis } from '../../shared/units.js'
import type { Contact, Endpoint, NodeId } from '../codec/krpc.js'
import { commonPrefix, compareDistance, ID_BITS, isLawful, isNear, networkOf } from './id.js'

/** Nodes of a bucket. */
export const K = 8
/** Answered or asked within so long, having answered before: good. */
const GOOD_FOR: Millis = 900_000
/** Good nodes are asked again before they cease to be. */
const ASK_AFTER: Millis = 780_000
/** Silences in a row that make a node bad. */
const MOST_FAILS = 2
/** A node that was silent once is asked again after this. */
const ASK_AGAIN: Millis = 30_000

/** A node of the table. */
export interface Entry extends Contact {
  /** Its last answer, on the clock's `now`; -Infinity: it has not answered in this run. */
  answeredAt: Millis
  /** Its last answer or question. */
  heardAt: Millis
  /** When we last asked to see whether it is there. */
  askedAt: Millis
  /** Questions in a row without an answer. */
  fails: number
  /** Its id fits its address (BEP 42). */
  readonly lawful: boolean
}

interface Bucket {
  /** At most K, in the order of their coming. */
  readonly nodes: Entry[]
  /** Who would come in for one that goes, the latest last; at most K. Null until there is one. */
  spare: Contact[] | null
}

export class Table {
  readonly id: NodeId
  /** At least one. */
  readonly #buckets: Bucket[] = [{ nodes: [], spare: null }]
  /** No node is to be asked before this; it may be too early. */
  #due: Millis = Infinity

  constructor(init: { readonly id: NodeId }) {
    this.id = init.id
  }

  get size(): number {
    return this.#buckets.reduce((sum, { nodes }) => sum + nodes.length, 0)
  }
  get buckets(): number {
    return this.#buckets.length
  }

  *entries(): Generator<Entry> {
    for (const { nodes } of this.#buckets) yield* nodes
  }

  good(now: Millis): number {
    let count = 0
    for (const entry of this.entries()) if (isGood(entry, now)) count++
    return count
  }

  find(id: NodeId): Entry | undefined {
    return this.#bucketOf(id).nodes.find((entry) => entry.id === id)
  }

  /** It answered a question of ours. Comes in where there is a place, else among the spare. */
  answered(contact: Contact, now: Millis): void {
    if (contact.id === this.id) return
    const known = this.find(contact.id)
    if (known === undefined) return this.#insert(contact, now)
    // Another address with the id of a node that is there: the first has it until it is silent.
    if (known.at !== contact.at) return
    known.answeredAt = now
    known.heardAt = now
    known.fails = 0
  }

  /** It asked us something. Answers whether it is unknown and would have a place: worth a ping. */
  heard(contact: Contact, now: Millis): boolean {
    if (contact.id === this.id) return false
    const known = this.find(contact.id)
    if (known === undefined) return this.wants(contact)
    if (known.at === contact.at) known.heardAt = now
    return false
  }

  /** It was silent. Answers a spare one to be pinged in its place, where it is given up. */
  failed(contact: Contact): Contact | null {
    const bucket = this.#bucketOf(contact.id)
    const known = bucket.nodes.find((entry) => entry.id === contact.id && entry.at === contact.at)
    if (known === undefined) return null
    known.fails++
    this.#due = Math.min(this.#due, dueOf(known))
    if (known.fails < MOST_FAILS) return null
    const spare = bucket.spare?.pop() ?? null
    // Without one that could take its place a silent node may be back: our own network may be away.
    if (spare !== null || known.fails >= 5 * MOST_FAILS) bucket.nodes.splice(bucket.nodes.indexOf(known), 1)
    return spare
  }

  /** Whether one with that id and address would come in. */
  wants(contact: Contact): boolean {
    const bucket = this.#bucketOf(contact.id)
    if (isCrowded(bucket.nodes, contact)) return false
    return (
      bucket.nodes.length < K ||
      this.#mayYield(bucket, contact) !== undefined ||
      this.#splits(bucket, contact.id)
    )
  }

  /** The `count` nearest to `target` that are not bad, the nearest first. */
  nearest(target: NodeId, count: number, now: Millis, except?: Endpoint): Entry[] {
    const shared = commonPrefix(this.id, target)
    const from = Math.min(shared, this.#buckets.length - 1)
    const found: Entry[] = []
    const take = (bucket: Bucket | undefined): void => {
      for (const entry of bucket?.nodes ?? []) {
        if (entry.fails === 0 && entry.at !== except && now - entry.heardAt <= 2 * GOOD_FOR) found.push(entry)
      }
    }
    // The bucket of the target is nearest, then all that are deeper (as near as each other), then shallower ones.
    take(this.#buckets[from])
    if (found.length < count) for (let at = from + 1; at < this.#buckets.length; at++) take(this.#buckets[at])
    for (let at = from - 1; at >= 0 && found.length < count; at--) take(this.#buckets[at])
    return found.sort((a, b) => compareDistance(target, a.id, b.id)).slice(0, count)
  }

  /** When `stalest` has one to ask, or earlier; Infinity where the table is empty. */
  get dueAt(): Millis {
    return this.#due
  }

  /** The node that waits longest to be asked, and a bit count for `randomIdNear`: where its bucket lies. */
  stalest(now: Millis): { readonly entry: Entry; readonly bits: number } | null {
    let best: { entry: Entry; bits: number } | null = null
    this.#due = Infinity
    for (const [bits, { nodes }] of this.#buckets.entries()) {
      for (const entry of nodes) {
        const due = dueOf(entry)
        if (due >= this.#due) continue
        this.#due = due
        best = { entry, bits }
      }
    }
    return this.#due <= now ? best : null
  }

  /** Which buckets have room, all but the last: shared leading bits. */
  thin(): number[] {
    return this.#buckets.flatMap(({ nodes }, at) =>
      nodes.length < K && at < this.#buckets.length - 1 ? [at] : [],
    )
  }

  /** The nodes worth keeping over a restart, at most so many. */
  saved(most: number): Contact[] {
    const known = [...this.entries()].filter((entry) => entry.answeredAt > -Infinity && entry.fails === 0)
    return known
      .sort((a, b) => b.answeredAt - a.answeredAt)
      .slice(0, most)
      .map(({ id, at }) => ({ id, at }))
  }

  #bucketOf(id: NodeId): Bucket {
    const at = Math.min(commonPrefix(this.id, id), this.#buckets.length - 1)
    const bucket = this.#buckets[at]
    if (bucket === undefined) throw new Error('the table has no bucket')
    return bucket
  }

  #insert(contact: Contact, now: Millis): void {
    const bucket = this.#bucketOf(contact.id)
    if (isCrowded(bucket.nodes, contact)) return
    const entry: Entry = {
      id: contact.id,
      at: contact.at,
      answeredAt: now,
      heardAt: now,
      askedAt: now,
      fails: 0,
      lawful: isLawful(contact.id, contact.at),
    }
    this.#due = Math.min(this.#due, dueOf(entry))
    if (bucket.nodes.length < K) bucket.nodes.push(entry)
    else {
      const yields = this.#mayYield(bucket, contact)
      if (yields !== undefined) bucket.nodes[bucket.nodes.indexOf(yields)] = entry
      else if (this.#splits(bucket, contact.id)) {
        this.#split(bucket)
        this.#insert(contact, now)
      } else this.#keepSpare(bucket, contact)
    }
  }

  /** A bad node, or one with an unlawful id where the newcomer's is lawful (BEP 42). */
  #mayYield(bucket: Bucket, contact: Contact): Entry | undefined {
    const bad = bucket.nodes.find((entry) => entry.fails >= MOST_FAILS)
    if (bad !== undefined || !isLawful(contact.id, contact.at)) return bad
    return bucket.nodes.find((entry) => !entry.lawful)
  }

  #splits(bucket: Bucket, id: NodeId): boolean {
    const depth = this.#buckets.length
    if (bucket !== this.#buckets.at(-1) || depth >= ID_BITS) return false
    // Where all of them are on one side a split makes no place; only nodes of our own side are worth the next.
    return (
      commonPrefix(this.id, id) >= depth ||
      bucket.nodes.some((entry) => commonPrefix(this.id, entry.id) >= depth)
    )
  }

  #split(bucket: Bucket): void {
    const depth = this.#buckets.length
    const deeper = (contact: Contact): boolean => commonPrefix(this.id, contact.id) >= depth
    const next: Bucket = { nodes: bucket.nodes.filter(deeper), spare: bucket.spare?.filter(deeper) ?? null }
    const rest = bucket.nodes.filter((entry) => !deeper(entry))
    bucket.nodes.splice(0, bucket.nodes.length, ...rest)
    bucket.spare = bucket.spare?.filter((contact) => !deeper(contact)) ?? null
    this.#buckets.push(next)
  }

  #keepSpare(bucket: Bucket, contact: Contact): void {
    const spare = (bucket.spare ??= [])
    const at = spare.findIndex((each) => each.id === contact.id)
    if (at >= 0) spare.splice(at, 1)
    if (isCrowded(spare, contact)) return
    spare.push({ id: contact.id, at: contact.at })
    if (spare.length > K) spare.shift()
  }
}

function isGood(entry: Entry, now: Millis): boolean {
  return entry.fails === 0 && entry.answeredAt > -Infinity && now - entry.heardAt <= GOOD_FOR
}

function dueOf(entry: Entry): Millis {
  if (entry.fails > 0) return entry.askedAt + ASK_AGAIN * 2 ** Math.min(entry.fails - 1, 6)
  return Math.max(entry.answeredAt, entry.askedAt) + ASK_AFTER
}

/** Another node of the same /24 or /48, or of the same address and port: one party gets one place (BEP 42's aim). */
function isCrowded(nodes: readonly Contact[], contact: Contact): boolean {
  const near = isNear(contact.at)
  const network = networkOf(contact.at)
  return nodes.some((each) => each.at === contact.at || (!near && networkOf(each.at) === network))
}

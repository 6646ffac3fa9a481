import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Picker } from '../../daemon/swarm/picker.js'
import { Bitfield } from '../../shared/torrent/bitfield.js'
import { FakeRandom } from '../support/fake-random.js'

/** The same picker, written the slow and plain way. */
class Model {
  readonly wanted: boolean[]
  readonly done: boolean[]
  readonly open: boolean[]
  readonly peers: Bitfield[] = []
  seeds = 0

  constructor(readonly size: number) {
    this.wanted = new Array<boolean>(size).fill(true)
    this.done = new Array<boolean>(size).fill(false)
    this.open = new Array<boolean>(size).fill(false)
  }

  availability(piece: number): number {
    return this.seeds + this.peers.filter((peer) => peer.get(piece)).length
  }
  needed(piece: number): boolean {
    return this.wanted[piece] === true && this.done[piece] === false
  }
  pickable(): number[] {
    return all(this.size).filter((piece) => this.needed(piece) && this.open[piece] === false)
  }
}

type Step =
  | { readonly op: 'addPeer'; readonly pieces: readonly number[] }
  | { readonly op: 'removePeer' | 'seed' | 'unseed' | 'pick'; readonly n: number }
  | { readonly op: 'have' | 'want' | 'unwant' | 'done' | 'missing' | 'open' | 'close'; readonly n: number }

const numbers = fc.nat({ max: 10_000 })
const steps = fc.array(
  fc.oneof(
    fc.record({
      op: fc.constant('addPeer' as const),
      pieces: fc.array(numbers, { maxLength: 60, size: 'max' }),
    }),
    // Few enough to be moved one by one.
    fc.record({ op: fc.constant('addPeer' as const), pieces: fc.array(numbers, { maxLength: 6 }) }),
    fc.record({
      op: fc.constantFrom(
        'removePeer',
        'seed',
        'unseed',
        'pick',
        'have',
        'want',
        'unwant',
        'done',
        'missing',
        'open',
        'close',
      ),
      n: numbers,
    }),
  ),
  { maxLength: 120, size: 'max' },
)

function all(size: number): number[] {
  return Array.from({ length: size }, (_, i) => i)
}

function apply(step: Step, picker: Picker, model: Model): void {
  if (step.op === 'addPeer') {
    const peer = new Bitfield(model.size)
    for (const piece of step.pieces) peer.set(piece % model.size)
    model.peers.push(peer)
    picker.addPeer(peer)
    return
  }
  const piece = step.n % model.size
  const at = model.peers.length === 0 ? -1 : step.n % model.peers.length
  const peer = model.peers[at]
  switch (step.op) {
    case 'removePeer':
      if (peer === undefined) return
      model.peers.splice(at, 1)
      return picker.removePeer(peer)
    case 'have':
      if (peer === undefined || !peer.set(piece)) return
      return picker.have(piece)
    case 'seed':
      model.seeds++
      return picker.addSeed()
    case 'unseed':
      if (model.seeds === 0) return
      model.seeds--
      return picker.removeSeed()
    case 'want':
    case 'unwant':
      model.wanted[piece] = step.op === 'want'
      return picker.setWanted(piece, step.op === 'want')
    case 'done':
      model.done[piece] = true
      model.open[piece] = false
      return picker.setDone(piece)
    case 'missing':
      model.done[piece] = false
      return picker.setMissing(piece)
    case 'open':
    case 'close':
      model.open[piece] = step.op === 'open'
      return step.op === 'open' ? picker.open(piece) : picker.close(piece)
    case 'pick':
      if (peer !== undefined) checkPick(picker, model, peer, step.n)
  }
}

/** What is offered is allowed, and past the random start nothing allowed is rarer. */
function checkPick(picker: Picker, model: Model, peer: Bitfield, n: number): void {
  const allowed = model.pickable().filter((piece) => peer.get(piece))
  const piece = picker.pick(peer, n % 2 === 0 ? {} : { limit: 1 + (n % 5) })
  if (allowed.length === 0) {
    expect(piece).toBe(-1)
    return
  }
  expect(allowed).toContain(piece)
  const begun = all(model.size).filter((i) => model.done[i] === true || model.open[i] === true).length
  if (begun < 4) return
  expect(model.availability(piece)).toBe(Math.min(...allowed.map((i) => model.availability(i))))
}

function checkAll(picker: Picker, model: Model): void {
  const pieces = all(model.size)
  expect(pieces.map((piece) => picker.availability(piece))).toEqual(
    pieces.map((piece) => model.availability(piece)),
  )
  expect(picker.wantedMissing).toBe(pieces.filter((piece) => model.needed(piece)).length)
  expect(picker.pickableCount).toBe(model.pickable().length)
  for (const peer of model.peers) {
    expect(picker.countNeeded(peer)).toBe(pieces.filter((i) => model.needed(i) && peer.get(i)).length)
    checkPick(picker, model, peer, 0)
  }
}

describe('Picker against a plain model', () => {
  it('agrees after any sequence of operations', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), steps, (size, seed, sequence) => {
        const picker = new Picker({ pieceCount: size }, { random: new FakeRandom(seed) })
        const model = new Model(size)
        for (const step of sequence) apply(step, picker, model)
        checkAll(picker, model)
      }),
      { numRuns: 300 },
    )
  })

  it('begins every piece exactly once when a seed is drained', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), (size, seed) => {
        const picker = new Picker({ pieceCount: size }, { random: new FakeRandom(seed) })
        const none = new Bitfield(size)
        picker.addSeed()
        const begun = new Set<number>()
        for (let i = 0; i < size; i++) {
          const piece = picker.pick(none, { isSeed: true })
          begun.add(piece)
          picker.open(piece)
        }
        expect(begun.size).toBe(size)
        expect(begun.has(-1)).toBe(false)
        expect(picker.pick(none, { isSeed: true })).toBe(-1)
      }),
      { numRuns: 30 },
    )
  })
})

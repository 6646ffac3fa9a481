/**
 * The pieces that are being downloaded, block by block: which are free, asked for (of whom), or here. Knows nothing of
 * memory or disk. Peers are small whole numbers; a number that is given to another peer is first told to `forget`.
 */
import { BLOCK_SIZE, type Bytes, EXTENT_SIZE, type Millis, type PieceIndex } from '../../shared/units.js'

export interface OpenPiecesInit {
  readonly pieceSize: (piece: PieceIndex) => Bytes
}

/** What a block that came completed; 'block' nothing, 'duplicate' it was here, 'unknown' no such open block. */
export type Receipt = 'block' | 'extent' | 'piece' | 'duplicate' | 'unknown'

/** Peers that may be asked for one block at once: the first, and two more in endgame. */
export const MAX_HOLDERS = 3
const BLOCKS_PER_EXTENT = EXTENT_SIZE / BLOCK_SIZE
/** A peer that refused a block, or let it time out, is not asked for it again so soon. */
const REFUSAL_HOLDS: Millis = 10_000

const FREE = 0
const REQUESTED = 1
const RECEIVED = 2
const NOBODY = -1
/** Owners of a piece that no single peer fetches: see `owner`. */
export const SHARED = 0
export const ORPHAN = -1

/** One open piece. Invariant: each block is in exactly one state, and only REQUESTED ones have holders. */
interface Table {
  readonly size: Bytes
  readonly blocks: number
  /** FREE, REQUESTED or RECEIVED, by block. */
  readonly state: Uint8Array
  /** Peers asked, MAX_HOLDERS a block, filled from the front; NOBODY in the rest. */
  readonly holder: Int32Array
  /** When each of them was asked: milliseconds modulo 2^32. */
  readonly askedAt: Uint32Array
  /** Who gave a block that is here; for another, who last refused it; or NOBODY. */
  readonly party: Int32Array
  /** When it was refused: milliseconds modulo 2^32. */
  readonly refusedAt: Uint32Array
  /** Blocks not here yet, by extent. */
  readonly missingOf: Uint8Array
  /** Blocks in each state. */
  free: number
  requested: number
  received: number
  /** No block before this one is free. */
  firstFree: number
  /** The peer that fetches it whole; SHARED by slow ones; ORPHAN once that peer is gone. */
  owner: number
  /** When it was opened. */
  readonly openedAt: Millis
  /** When a block of it last came, or it was opened. */
  movedAt: Millis
}

export class OpenPieces {
  readonly #pieceSize: (piece: PieceIndex) => Bytes
  /** Open pieces, the longest open first. */
  readonly #tables = new Map<PieceIndex, Table>()
  /** Those of them with a free block, the longest such first. */
  readonly #withFree = new Set<PieceIndex>()
  /** Free blocks of all open pieces. */
  #free = 0
  /** Requests beyond the first of each block. */
  #duplicates = 0
  /** What `findNewest` found. */
  foundPiece: PieceIndex = -1
  foundBlock = -1
  /** The piece asked about last, and its table: blocks come in runs. */
  #lastPiece: PieceIndex = -1
  #last: Table | undefined = undefined

  constructor(init: OpenPiecesInit) {
    this.#pieceSize = init.pieceSize
  }

  #table(piece: PieceIndex): Table | undefined {
    if (piece !== this.#lastPiece) {
      this.#lastPiece = piece
      this.#last = this.#tables.get(piece)
    }
    return this.#last
  }

  /** Open pieces. */
  get size(): number {
    return this.#tables.size
  }
  /** Requests out for blocks that another peer was asked for before. While 0, nothing has to be cancelled. */
  get duplicates(): number {
    return this.#duplicates
  }
  /** No block of an open piece is free. With nothing left to open (`Picker.pickableCount`) this is endgame. */
  get allRequested(): boolean {
    return this.#free === 0
  }
  has(piece: PieceIndex): boolean {
    return this.#tables.has(piece)
  }
  /** The longest open first. Pieces may be opened and closed on the way. */
  pieces(): IterableIterator<PieceIndex> {
    return this.#tables.keys()
  }
  /** Those with a free block. Blocks may be requested on the way. */
  partial(): IterableIterator<PieceIndex> {
    return this.#withFree.values()
  }

  /** Every block is free. Does nothing where the piece is open. */
  open(piece: PieceIndex, now: Millis = 0, owner: number = SHARED): void {
    if (this.#tables.has(piece)) return
    const size = this.#pieceSize(piece)
    const blocks = Math.ceil(size / BLOCK_SIZE)
    const missingOf = new Uint8Array(Math.ceil(blocks / BLOCKS_PER_EXTENT)).fill(BLOCKS_PER_EXTENT)
    missingOf[missingOf.length - 1] = blocks - (missingOf.length - 1) * BLOCKS_PER_EXTENT
    this.#tables.set(piece, {
      size,
      blocks,
      state: new Uint8Array(blocks),
      holder: new Int32Array(blocks * MAX_HOLDERS).fill(NOBODY),
      askedAt: new Uint32Array(blocks * MAX_HOLDERS),
      party: new Int32Array(blocks).fill(NOBODY),
      refusedAt: new Uint32Array(blocks),
      missingOf,
      free: blocks,
      requested: 0,
      received: 0,
      firstFree: 0,
      owner,
      openedAt: now,
      movedAt: now,
    })
    this.#lastPiece = -1
    this.#free += blocks
    this.#withFree.add(piece)
  }

  /** Forgets a piece: verified, found bad, or given up. Ask `senders` and `eachRequest` before. */
  close(piece: PieceIndex): void {
    const table = this.#tables.get(piece)
    if (table === undefined) return
    for (let block = 0; block < table.blocks; block++) this.#duplicates -= extraHolders(table, block)
    this.#free -= table.free
    this.#lastPiece = -1
    this.#tables.delete(piece)
    this.#withFree.delete(piece)
  }

  blockCount(piece: PieceIndex): number {
    return this.#table(piece)?.blocks ?? 0
  }
  /** 16 KiB, less for the last of a piece; 0 for what is no block of an open piece. */
  blockLength(piece: PieceIndex, block: number): Bytes {
    const table = this.#table(piece)
    if (table === undefined || !(block >= 0 && block < table.blocks)) return 0
    return Math.min(BLOCK_SIZE, table.size - block * BLOCK_SIZE)
  }
  /** The peer that fetches the piece whole, SHARED or ORPHAN. */
  owner(piece: PieceIndex): number {
    return this.#table(piece)?.owner ?? ORPHAN
  }
  setOwner(piece: PieceIndex, owner: number): void {
    const table = this.#table(piece)
    if (table !== undefined) table.owner = owner
  }
  openedAt(piece: PieceIndex): Millis {
    return this.#table(piece)?.openedAt ?? 0
  }
  /** When a block of it last came, or it was opened. */
  movedAt(piece: PieceIndex): Millis {
    return this.#table(piece)?.movedAt ?? 0
  }
  /** The peer gives nothing now: others may go on with the pieces it had to itself. */
  disown(peer: number): void {
    for (const table of this.#tables.values()) if (table.owner === peer) table.owner = ORPHAN
  }
  freeBlocks(piece: PieceIndex): number {
    return this.#table(piece)?.free ?? 0
  }
  requestedBlocks(piece: PieceIndex): number {
    return this.#table(piece)?.requested ?? 0
  }
  receivedBlocks(piece: PieceIndex): number {
    return this.#table(piece)?.received ?? 0
  }
  isReceived(piece: PieceIndex, block: number): boolean {
    return this.#table(piece)?.state[block] === RECEIVED
  }
  isRequestedFrom(piece: PieceIndex, block: number, peer: number): boolean {
    const table = this.#table(piece)
    return table !== undefined && place(table, block, peer) >= 0
  }
  /** How long ago this peer was asked for a block; 0 where it was not. */
  waited(piece: PieceIndex, block: number, peer: number, now: Millis): Millis {
    const table = this.#table(piece)
    const at = table === undefined ? -1 : place(table, block, peer)
    return at < 0 ? 0 : since(table?.askedAt[at], now)
  }
  /**
   * The first free block from `from` on that this peer may be asked for, or -1. A block the peer has just refused is
   * passed over. Changes nothing: see `requested`.
   */
  nextBlock(piece: PieceIndex, peer: number, now: Millis, from = 0): number {
    const table = this.#table(piece)
    if (table === undefined || table.free === 0) return -1
    for (let block = Math.max(from, table.firstFree); block < table.blocks; block++) {
      if (table.state[block] === FREE && !isRefused(table, block, peer, now)) return block
    }
    return -1
  }

  /**
   * Looks for a block that `from` was asked for and `to` was not, in pieces that `may`: of those that the fewest were
   * asked for the one asked for last. True: it is at `foundPiece` and `foundBlock`.
   */
  findNewest(from: number, to: number, now: Millis, may: (piece: PieceIndex) => boolean): boolean {
    let fewest = MAX_HOLDERS + 1
    let least = Infinity
    for (const [piece, table] of this.#tables) {
      if (table.requested === 0 || !may(piece)) continue
      for (let block = table.blocks - 1; block >= 0; block--) {
        if (table.state[block] !== REQUESTED) continue
        const at = place(table, block, from)
        if (at < 0 || place(table, block, to) >= 0 || isRefused(table, block, to, now)) continue
        const holders = countHolders(table, block)
        const waited = since(table.askedAt[at], now)
        if (holders > fewest || (holders === fewest && waited >= least)) continue
        fewest = holders
        least = waited
        this.foundPiece = piece
        this.foundBlock = block
      }
    }
    return least < Infinity
  }

  /** The peer was asked for a block, free or requested. False where it may not be: here, or asked of enough peers. */
  requested(piece: PieceIndex, block: number, peer: number, now: Millis): boolean {
    const table = this.#table(piece)
    const state = table?.state[block]
    if (table === undefined || state === undefined || state === RECEIVED) return false
    const holders = countHolders(table, block)
    if (holders === MAX_HOLDERS || place(table, block, peer) >= 0) return false
    table.holder[block * MAX_HOLDERS + holders] = peer
    table.askedAt[block * MAX_HOLDERS + holders] = now
    if (holders > 0) this.#duplicates++
    else this.#take(piece, table, block)
    return true
  }

  /**
   * The block has come from this peer, asked or not (see `isRequestedFrom`). Others who were asked are forgotten: take
   * `holders` before, to cancel.
   */
  received(piece: PieceIndex, block: number, peer: number, now: Millis = 0): Receipt {
    const table = this.#table(piece)
    const state = table?.state[block]
    if (table === undefined || state === undefined) return 'unknown'
    if (state === RECEIVED) return 'duplicate'
    table.movedAt = now
    if (state === FREE) this.#take(piece, table, block)
    this.#duplicates -= extraHolders(table, block)
    for (let at = block * MAX_HOLDERS; at < (block + 1) * MAX_HOLDERS; at++) table.holder[at] = NOBODY
    table.state[block] = RECEIVED
    table.party[block] = peer
    table.requested--
    table.received++
    const extent = (block / BLOCKS_PER_EXTENT) | 0
    const missing = (table.missingOf[extent] ?? 1) - 1
    table.missingOf[extent] = missing
    if (table.received === table.blocks) return 'piece'
    return missing === 0 ? 'extent' : 'block'
  }

  /** A peer refused a block (BEP 6), or let it time out: it may be asked of another. False where it was not asked. */
  releaseBlock(piece: PieceIndex, block: number, peer: number, now: Millis): boolean {
    const table = this.#table(piece)
    if (table === undefined || !this.#drop(piece, table, block, peer)) return false
    table.party[block] = peer
    table.refusedAt[block] = now
    return true
  }

  /** A block is taken from a peer, which did nothing wrong and may be asked for it again. */
  takeBack(piece: PieceIndex, block: number, peer: number): boolean {
    const table = this.#table(piece)
    return table !== undefined && this.#drop(piece, table, block, peer)
  }

  /** A peer choked us: all it was asked for may be asked of others. Answers how many requests that were. */
  release(peer: number): number {
    let count = 0
    for (const [piece, table] of this.#tables) {
      if (table.requested === 0) continue
      for (let block = 0; block < table.blocks; block++) {
        if (table.state[block] === REQUESTED && this.#drop(piece, table, block, peer)) count++
      }
    }
    return count
  }

  /** A block of an open piece came from it. */
  hasGiven(peer: number): boolean {
    for (const { party, state } of this.#tables.values()) {
      if (party.some((giver, block) => giver === peer && state[block] === RECEIVED)) return true
    }
    return false
  }

  /**
   * A peer is gone and its number may be used again: like `release`, what it refused names nobody, and blocks it gave
   * name `stone`: a number below -1, or nobody.
   */
  forget(peer: number, stone = NOBODY): number {
    const count = this.release(peer)
    for (const table of this.#tables.values()) {
      if (table.owner === peer) table.owner = ORPHAN
      for (let block = 0; block < table.blocks; block++) {
        if (table.party[block] !== peer) continue
        table.party[block] = table.state[block] === RECEIVED ? stone : NOBODY
      }
    }
    return count
  }

  /** The `nth` of those who were asked for a block and have not sent it, or -1. Ask before `received`. */
  holderAt(piece: PieceIndex, block: number, nth: number): number {
    const table = this.#table(piece)
    if (table?.state[block] !== REQUESTED || nth >= MAX_HOLDERS) return NOBODY
    return table.holder[block * MAX_HOLDERS + nth] ?? NOBODY
  }

  /** Who gave each block of a piece, -1 for one that is not here: for blame. See `forget` for those who are gone. */
  senders(piece: PieceIndex): Int32Array {
    const table = this.#table(piece)
    if (table === undefined) return new Int32Array(0)
    return table.party.map((peer, block) => (table.state[block] === RECEIVED ? peer : NOBODY))
  }

  /** Every request that is out and how long it has been. The request told may be released on the way. */
  eachRequest(
    now: Millis,
    visit: (piece: PieceIndex, block: number, peer: number, age: Millis) => void,
  ): void {
    for (const [piece, table] of this.#tables) {
      if (table.requested > 0) eachOf(table, now, (block, peer, age) => visit(piece, block, peer, age))
    }
  }

  /** A free block becomes a requested one. */
  #take(piece: PieceIndex, table: Table, block: number): void {
    table.state[block] = REQUESTED
    table.free--
    table.requested++
    this.#free--
    if (table.free === 0) this.#withFree.delete(piece)
    if (block !== table.firstFree) return
    while (table.firstFree < table.blocks && table.state[table.firstFree] !== FREE) table.firstFree++
  }

  /** Takes one holder off a requested block; the last one leaves it free. */
  #drop(piece: PieceIndex, table: Table, block: number, peer: number): boolean {
    const at = place(table, block, peer)
    if (at < 0) return false
    const end = (block + 1) * MAX_HOLDERS
    table.holder.copyWithin(at, at + 1, end)
    table.askedAt.copyWithin(at, at + 1, end)
    table.holder[end - 1] = NOBODY
    if (countHolders(table, block) > 0) {
      this.#duplicates--
      return true
    }
    table.state[block] = FREE
    table.free++
    table.requested--
    this.#free++
    this.#withFree.add(piece)
    table.firstFree = Math.min(table.firstFree, block)
    return true
  }
}

function countHolders(table: Table, block: number): number {
  const at = block * MAX_HOLDERS
  let count = 0
  while (count < MAX_HOLDERS && table.holder[at + count] !== NOBODY) count++
  return count
}

function extraHolders(table: Table, block: number): number {
  return Math.max(0, countHolders(table, block) - 1)
}

/** Where a peer stands among the holders, or -1. */
function place(table: Table, block: number, peer: number): number {
  const from = block * MAX_HOLDERS
  for (let at = from; at < from + MAX_HOLDERS; at++) if (table.holder[at] === peer) return at
  return -1
}

function isRefused(table: Table, block: number, peer: number, now: Millis): boolean {
  return table.party[block] === peer && since(table.refusedAt[block], now) < REFUSAL_HOLDS
}

/** Milliseconds since a moment kept modulo 2^32. */
function since(moment: number | undefined, now: Millis): Millis {
  return (now - (moment ?? 0)) >>> 0
}

function eachOf(table: Table, now: Millis, visit: (block: number, peer: number, age: Millis) => void): void {
  for (let block = 0; block < table.blocks; block++) {
    if (table.state[block] !== REQUESTED) continue
    // From the back: a visit that releases the holder moves only those behind it.
    for (let at = block * MAX_HOLDERS + countHolders(table, block) - 1; at >= block * MAX_HOLDERS; at--) {
      visit(block, table.holder[at] ?? NOBODY, since(table.askedAt[at], now))
    }
  }
}

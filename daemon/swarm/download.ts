/**
 * Gets the missing pieces of one torrent: who is asked for how much, and what a verdict on a piece means for those who
 * sent it. A slot is taken when the first block of an extent is asked for, so what is on its way can never exceed the
 * slab.
 */
import { BLOCK_SIZE, type Bytes, type Millis, type PieceIndex } from '../../shared/units.js'
import type { Limiter } from '../base/limiter.js'
import type { Cancel, Clock } from '../ports/clock.js'
import type { Storage } from '../ports/disk.js'
import type { Random } from '../ports/random.js'
import { Asking } from './asking.js'
import { Blame } from './blame.js'
import type { Content } from './content.js'
import type { Peer } from './peer.js'
import { Picker } from './picker.js'
import { MAX_HOLDERS, OpenPieces } from './pieces.js'
import { Receiving } from './receiving.js'
import type { Recorder } from './recorder.js'
import { PieceMemory } from './slots.js'
import type { SlotSource } from './slot-share.js'
import { LINK_FLOOR, Shares } from './speed.js'

/** A batch of requests goes out when fewer than this part of the pipeline are on their way. */
const REFILL_BELOW = 0.75
/** How often an idle peer is offered what others have not brought, at the end. */
const RUSH_EVERY: Millis = 100
/** While the slab is empty: a piece that nobody sends for gives its slots back after this. */
const STALE_AFTER: Millis = 20_000

export interface DownloaderPorts {
  readonly clock: Clock
  readonly random: Random
  /** Memory for blocks on their way. */
  readonly slots: SlotSource
  readonly storage: Storage
  /** How fast payload may come in, all torrents together; metered where a block is asked for. */
  readonly downLimit: Limiter
  readonly recorder: Recorder
  readonly peer: (handle: number) => Peer | undefined
  readonly peers: () => Iterable<Peer>
  /** A piece is verified; `needed` when it was one of the wanted ones. */
  readonly verified: (piece: PieceIndex, needed: boolean) => void
  /** Which pieces are needed changed in bulk. */
  readonly needsChanged: () => void
  readonly ban: (peer: Peer) => void
  /** Payload came; `kept` is false for what is thrown away. */
  readonly received: (peer: Peer, bytes: Bytes, kept: boolean) => void
  readonly wasted: (bytes: Bytes) => void
}

export class Downloader {
  readonly #content: Content
  readonly #ports: DownloaderPorts
  readonly #picker: Picker
  readonly #pieces: OpenPieces
  readonly #memory: PieceMemory
  readonly #blame: Blame
  /** Who may have how much on its way. */
  readonly #shares: Shares
  readonly #asking: Asking
  readonly #receiving: Receiving
  /** Peers counted as seeds in the picker. */
  readonly #seeds = new Set<Peer>()
  /** Peers whose pieces are counted one by one. */
  readonly #counted = new Set<Peer>()
  /** Where the next round among the peers begins. */
  #turn = 0
  /** Set while somebody idles at the end. */
  #rushTimer: Cancel | null = null
  /** Blocks are asked for only between `open` and `close`. */
  #active = false

  constructor(init: { readonly content: Content }, ports: DownloaderPorts) {
    const { content } = init
    this.#content = content
    this.#ports = ports
    const { layout } = content
    const picker = new Picker({ pieceCount: layout.pieceCount }, { random: ports.random })
    const pieces = new OpenPieces({ pieceSize: (piece) => layout.pieceSize(piece) })
    const memory = new PieceMemory(ports.slots)
    const shares = new Shares(ports.slots)
    const blame = new Blame({ ban: ports.ban })
    this.#picker = picker
    this.#pieces = pieces
    this.#memory = memory
    this.#shares = shares
    this.#blame = blame
    const { slots, downLimit, peers, clock, recorder, storage, peer, received, wasted } = ports
    this.#asking = new Asking({
      ...{ content, picker, pieces, memory, slots, shares, blame, downLimit, peers },
      isSeed: (who) => this.#seeds.has(who),
      begun: (piece) => {
        this.#makeReady(piece)
      },
      abandon: (piece) => {
        this.#abandon(piece)
      },
    })
    this.#receiving = new Receiving({
      ...{ clock, content, pieces, memory, recorder, storage, peer, received, wasted },
      withdraw: (who, piece, block) => {
        this.#asking.withdraw(who, piece, block)
      },
    })
  }

  /** Slots held by blocks on their way. */
  get slots(): number {
    return this.#memory.held
  }

  /** Begins: from here on blocks are asked for. */
  open(): void {
    this.#active = true
    this.#content.have.forEachSet((piece) => {
      this.#picker.setDone(piece)
    })
    this.choiceChanged()
  }

  /** Ends: nothing is asked for or kept any more. */
  close(): void {
    this.#active = false
    this.#rushTimer?.()
    this.#rushTimer = null
    this.#receiving.close()
    for (const piece of this.#memory.pieces()) this.#abandon(piece)
    this.#ports.slots.leave()
  }

  /** The user wants other files. */
  choiceChanged(): void {
    const count = this.#content.layout.pieceCount
    this.#picker.sequential = this.#content.sequential
    for (let piece = 0; piece < count; piece++) {
      const rank = this.#content.rank(piece)
      this.#picker.setWanted(piece, rank >= 0)
      if (rank >= 0) this.#picker.setRank(piece, rank)
    }
    for (const piece of this.#memory.pieces()) {
      const begun = this.#pieces.receivedBlocks(piece) > 0
      if (!this.#picker.isWanted(piece) && !begun) this.#abandon(piece)
    }
  }

  // --- peers

  joined(peer: Peer): void {
    this.#counted.add(peer)
  }

  piecesKnown(peer: Peer): void {
    if (peer.isSeed) {
      this.#counted.delete(peer)
      this.#seeds.add(peer)
      this.#picker.addSeed()
    } else this.#picker.addPeer(peer.bits)
    this.recount(peer)
  }

  pieceGained(peer: Peer, piece: PieceIndex): void {
    this.#picker.have(piece)
    if (this.#picker.isNeeded(piece)) peer.interesting++
  }

  recount(peer: Peer): void {
    peer.interesting = this.#picker.countNeeded(peer.bits)
  }

  left(peer: Peer): void {
    this.#receiving.revoke(peer)
    // Who lies and leaves before the verdict is to be found all the same.
    const stone = this.#pieces.hasGiven(peer.handle) ? this.#blame.bury(peer) : undefined
    this.#asking.giveBack(peer, this.#pieces.forget(peer.handle, stone))
    peer.outstanding = 0
    peer.piece = -1
    if (peer.hungry) this.#shares.expire()
    peer.hungry = false
    if (this.#seeds.delete(peer)) this.#picker.removeSeed()
    else if (this.#counted.delete(peer)) this.#picker.removePeer(peer.bits)
    this.#standBack(peer)
  }

  /** A peer that had pieces to itself gives nothing now: each of them begins anew with another. */
  #standBack(peer: Peer): void {
    for (const piece of this.#blame.standBack(peer)) {
      if (this.#pieces.has(piece) && this.#pieces.requestedBlocks(piece) + this.#pieces.freeBlocks(piece) > 0)
        this.#abandon(piece)
    }
  }

  /** The peer choked us. One with BEP 6 rejects each request itself, or still answers it. */
  choked(peer: Peer): void {
    this.#standBack(peer)
    this.#pieces.disown(peer.handle)
    if (peer.fast) return
    this.#asking.giveBack(peer, this.#pieces.release(peer.handle))
    peer.outstanding = 0
  }

  rejected(peer: Peer, piece: PieceIndex, begin: Bytes): void {
    const block = Math.floor(begin / BLOCK_SIZE)
    if (peer.peerChoking) peer.offeredFast.delete(piece)
    if (!this.#pieces.releaseBlock(piece, block, peer.handle, this.#ports.clock.now())) return
    this.#asking.giveBack(peer, 1)
  }

  // --- asking

  /** Slots or allowance came free: those first who have nothing on its way. */
  readonly refill = (): void => {
    if (!this.#active) return
    for (const peer of this.#ports.peers()) if (peer.hungry) this.fill(peer)
    const peers = [...this.#ports.peers()]
    // Nobody is always the first to be served where there is not enough for all.
    this.#turn = (this.#turn + 1) % Math.max(1, peers.length)
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(this.#turn + i) % peers.length]
      // What this torrent may ask for now is used up: another peer begins the next round.
      if (peer !== undefined && !this.fill(peer)) return
    }
  }

  /** Asks a peer for as much as its pipeline takes. False: the limit of all downloads lets less through for now. */
  fill(peer: Peer): boolean {
    if (!this.#active || peer.closed || !peer.amInterested) return true
    if (peer.peerChoking && peer.offeredFast.size === 0) return true
    const limit = this.#shares.limit(peer)
    // A batch is worth a write; a trickle is not.
    if (peer.outstanding > 0 && peer.outstanding > limit * REFILL_BELOW) return true
    const now = this.#ports.clock.now()
    this.#shares.refresh(this.#ports.peers(), now)
    const { downLimit } = this.#ports
    const room = this.#shares.limit(peer) - peer.outstanding
    const metered = downLimit.rate !== null
    const granted = metered ? downLimit.take(room * BLOCK_SIZE, this.refill) : room * BLOCK_SIZE
    const left = this.#asking.round(peer, Math.floor(granted / BLOCK_SIZE), now)
    if (metered) downLimit.give(left * BLOCK_SIZE)
    else peer.unmetered = peer.outstanding
    this.#noteHunger(peer)
    if (left > 0) this.#rushSoon()
    return granted >= room * BLOCK_SIZE
  }

  #noteHunger(peer: Peer): void {
    const hungry = this.#asking.full && peer.outstanding < LINK_FLOOR
    if (hungry === peer.hungry) return
    peer.hungry = hungry
    this.#shares.expire()
  }

  /** Marks and files are made while the first blocks are on their way. */
  #makeReady(piece: PieceIndex): void {
    if (this.#ports.recorder.mayWrite(piece)) this.#ports.storage.makeReady(piece)
  }

  /** Somebody has nothing to do while others still have: looked at again before the next second. */
  #rushSoon(): void {
    if (this.#rushTimer !== null || this.#picker.pickableCount > 0 || this.#pieces.size === 0) return
    this.#rushTimer = this.#ports.clock.after(RUSH_EVERY, () => {
      this.#rushTimer = null
      for (const peer of this.#ports.peers()) this.fill(peer)
    })
  }

  // --- receiving

  /** Where a block's bytes go; null discards them. */
  blockStart(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): Buffer | null {
    return this.#active ? this.#receiving.start(peer, piece, begin, length) : null
  }

  blockEnd(peer: Peer, piece: PieceIndex, begin: Bytes, length: Bytes): void {
    this.#receiving.end(peer, piece, begin, length)
  }

  /** Marks were committed: what waited for them goes on. */
  writable(): void {
    for (const piece of this.#memory.pieces()) this.#makeReady(piece)
    this.#receiving.writable()
  }

  // --- verdicts

  /** `digests` of its blocks where an earlier try was bad: SHA-1 of each, in a row. */
  pieceGood(piece: PieceIndex, digests: Uint8Array | null): void {
    const needed = this.#picker.isNeeded(piece)
    this.#forget(piece)
    this.#content.have.set(piece)
    this.#picker.setDone(piece)
    this.#ports.recorder.add(piece)
    this.#ports.verified(piece, needed)
    this.#blame.good(piece, digests)
    if (this.#picker.wantedMissing > 0) return
    // Nothing more will come: the last round need not wait for its time.
    this.#ports.slots.leave()
    this.#ports.recorder.flush(() => undefined)
  }

  /** `digests` of its blocks as they came; null where they could not be read. */
  pieceBad(piece: PieceIndex, digests: Uint8Array | null): void {
    this.#ports.wasted(this.#content.layout.pieceSize(piece))
    const senders = Array.from(
      this.#pieces.senders(piece),
      (handle) => this.#ports.peer(handle) ?? this.#blame.buried(handle) ?? null,
    )
    this.#forget(piece)
    this.#picker.close(piece)
    this.#blame.bad(piece, senders, digests)
    this.#ports.needsChanged()
  }

  /** A write failed; the disk has forgotten the piece. */
  writeFailed(piece: PieceIndex): void {
    this.#forget(piece)
    this.#picker.close(piece)
  }

  /** Verified pieces that claim nothing any more. */
  lost(pieces: readonly PieceIndex[]): void {
    for (const piece of pieces) {
      this.#content.lose(piece)
      this.#picker.setMissing(piece)
    }
    this.#ports.needsChanged()
  }

  // --- time

  /** Once a second: requests that took too long are asked of others; pieces that rot give their memory back. */
  tick(now: Millis): void {
    if (!this.#active || this.#pieces.size === 0) return
    const late = new Set<Peer>()
    this.#pieces.eachRequest(now, (piece, block, handle, age) => {
      const peer = this.#ports.peer(handle)
      if (peer === undefined || age < peer.depth.blockTimeout) return
      if (!this.#pieces.releaseBlock(piece, block, handle, now)) return
      this.#asking.giveBack(peer, 1)
      if (peer.receivingPiece === piece && peer.receivingBlock === block) this.#receiving.revoke(peer)
      peer.depth.snub()
      late.add(peer)
    })
    for (const peer of late) {
      this.#pieces.disown(peer.handle)
      this.#standBack(peer)
    }
    if (this.#ports.slots.exhausted) this.#dropStale(now)
    this.refill()
  }

  #dropStale(now: Millis): void {
    for (const piece of [...this.#pieces.partial()]) {
      const stands = now - this.#pieces.movedAt(piece) > STALE_AFTER
      if (stands && !this.#memory.isBusy(piece)) this.#abandon(piece)
    }
  }

  /** Gives up what there is of a piece that is not complete. */
  #abandon(piece: PieceIndex): void {
    for (let block = 0; block < this.#pieces.blockCount(piece); block++) {
      for (let nth = 0; nth < MAX_HOLDERS; nth++) {
        const peer = this.#ports.peer(this.#pieces.holderAt(piece, block, nth))
        if (peer !== undefined) this.#asking.withdraw(peer, piece, block)
      }
    }
    const received = this.#pieces.receivedBlocks(piece)
    if (received > 0) this.#ports.wasted(received * BLOCK_SIZE)
    this.#ports.storage.forget(piece)
    this.#forget(piece)
    this.#picker.close(piece)
  }

  #forget(piece: PieceIndex): void {
    for (const peer of this.#ports.peers()) {
      if (peer.receivingPiece === piece) this.#receiving.revoke(peer)
      if (peer.piece === piece) peer.piece = -1
    }
    this.#memory.close(piece)
    this.#pieces.close(piece)
    this.#receiving.forget(piece)
  }
}

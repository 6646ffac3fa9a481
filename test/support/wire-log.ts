/** A wire handler that writes down every call, blocks with their bytes. */
import type { WireHandler } from '../../daemon/codec/wire.js'

export class WireLog implements WireHandler {
  readonly calls: string[] = []
  /** What pieceStart answers: a buffer of the block, or null to drop it. */
  take: (piece: number, begin: number, length: number) => Buffer | null = (_piece, _begin, length) =>
    Buffer.alloc(length)
  private view: Buffer | null = null

  keepAlive(): void {
    this.note('keepAlive')
  }
  choke(): void {
    this.note('choke')
  }
  unchoke(): void {
    this.note('unchoke')
  }
  interested(): void {
    this.note('interested')
  }
  notInterested(): void {
    this.note('notInterested')
  }
  have(piece: number): void {
    this.note('have', piece)
  }
  bitfield(bits: Buffer): void {
    this.note('bitfield', bits.toString('hex'))
  }
  request(piece: number, begin: number, length: number): void {
    this.note('request', piece, begin, length)
  }
  pieceStart(piece: number, begin: number, length: number): Buffer | null {
    this.note('pieceStart', piece, begin, length)
    this.view = this.take(piece, begin, length)
    return this.view
  }
  pieceEnd(piece: number, begin: number, length: number): void {
    this.note('pieceEnd', piece, begin, length, this.view?.toString('hex', 0, length) ?? 'dropped')
  }
  cancel(piece: number, begin: number, length: number): void {
    this.note('cancel', piece, begin, length)
  }
  port(port: number): void {
    this.note('port', port)
  }
  suggest(piece: number): void {
    this.note('suggest', piece)
  }
  haveAll(): void {
    this.note('haveAll')
  }
  haveNone(): void {
    this.note('haveNone')
  }
  reject(piece: number, begin: number, length: number): void {
    this.note('reject', piece, begin, length)
  }
  allowedFast(piece: number): void {
    this.note('allowedFast', piece)
  }
  extended(id: number, payload: Buffer): void {
    this.note('extended', id, payload.toString('hex'))
  }
  unknown(id: number): void {
    this.note('unknown', id)
  }

  protected note(...parts: (string | number)[]): void {
    this.calls.push(parts.join(' '))
  }
}

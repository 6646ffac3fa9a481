/** Questions of ours that wait for an answer, and how long they may. */
import type { Millis } from '../../shared/units.js'
import type { Endpoint, KrpcAnswer, KrpcError } from '../codec/krpc.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'

/** Nobody waits longer. */
const GIVE_UP: Millis = 5000
const SHORTEST: Millis = 250
const LONGEST: Millis = 2000

export interface Outcome {
  answered(answer: KrpcAnswer): void
  /** It is later than answers usually are; it may still come. */
  late(): void
  /** Null: silence. */
  failed(error: KrpcError | null): void
}

interface Question {
  readonly to: Endpoint
  readonly sentAt: Millis
  readonly lateAt: Millis
  late: boolean
  readonly outcome: Outcome
}

export class Questions {
  readonly #clock: Clock
  readonly #random: Random
  /** By transaction, the oldest first. */
  readonly #waiting = new Map<string, Question>()
  /** Mean and mean deviation of the round trip; as TCP has it (RFC 6298). */
  #rtt: Millis = 500
  #deviation: Millis = 250

  constructor(ports: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = ports.clock
    this.#random = ports.random
  }

  get waiting(): number {
    return this.#waiting.size
  }
  /** Mean round trip. */
  get rtt(): Millis {
    return Math.round(this.#rtt)
  }

  /** Its transaction: four characters that nobody guesses who does not see our packets. */
  add(to: Endpoint, outcome: Outcome): string {
    let transaction = Buffer.from(this.#random.bytes(4)).toString('latin1')
    while (this.#waiting.has(transaction)) transaction = Buffer.from(this.#random.bytes(4)).toString('latin1')
    const now = this.#clock.now()
    const patience = Math.min(LONGEST, Math.max(SHORTEST, this.#rtt + 4 * this.#deviation))
    this.#waiting.set(transaction, { to, sentAt: now, lateAt: now + patience, late: false, outcome })
    return transaction
  }

  /** False: nobody asked that there. */
  settle(message: KrpcAnswer | KrpcError, from: Endpoint): boolean {
    const question = this.#waiting.get(message.transaction)
    if (question?.to !== from) return false
    this.#waiting.delete(message.transaction)
    this.#learn(this.#clock.now() - question.sentAt)
    if (message.kind === 'answer') question.outcome.answered(message)
    else question.outcome.failed(message)
    return true
  }

  /** When `expire` has something to do. */
  dueAt(): Millis {
    let due = Infinity
    for (const { sentAt, lateAt, late } of this.#waiting.values()) {
      due = Math.min(due, late ? sentAt + GIVE_UP : lateAt)
    }
    return due
  }

  /** Tells who waits for what is late or lost. */
  expire(): void {
    const now = this.#clock.now()
    for (const [transaction, question] of [...this.#waiting]) {
      if (now >= question.sentAt + GIVE_UP) {
        this.#waiting.delete(transaction)
        question.outcome.failed(null)
      } else if (!question.late && now >= question.lateAt) {
        question.late = true
        question.outcome.late()
      }
    }
  }

  clear(): void {
    this.#waiting.clear()
  }

  #learn(took: Millis): void {
    this.#deviation += (Math.abs(took - this.#rtt) - this.#deviation) / 4
    this.#rtt += (took - this.#rtt) / 8
  }
}

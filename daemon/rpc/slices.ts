/** Long replies as JSON in pieces, so that no turn of the loop is spent on thousands of rows. */

/** Rows that are made into text in one turn. */
export const SLICE_ROWS = 200

/**
 * The JSON of a message that ends with a newline, in one part, or in several when `message.result` has an array of
 * more than SLICE_ROWS rows. An array is a batch. The parts together are the line.
 */
export function* jsonParts(message: object): Generator<string, void, undefined> {
  if (!Array.isArray(message)) {
    yield* oneMessage(message, '\n')
    return
  }
  const batch: readonly object[] = message
  for (const [at, reply] of batch.entries()) {
    yield at === 0 ? '[' : ','
    yield* oneMessage(reply, '')
  }
  yield ']\n'
}

function* oneMessage(message: object, end: string): Generator<string, void, undefined> {
  const long = longField(message)
  if (long === null) {
    yield JSON.stringify(message) + end
    return
  }
  const { key, rows, result } = long
  const others = Object.entries(result).filter(([name, value]) => name !== key && value !== undefined)
  const envelope = JSON.stringify({ ...message, result: 0 })
  // `result` is the last member: cut '0}' off and write the rest of it by hand.
  yield `${envelope.slice(0, -2)}${JSON.stringify(Object.fromEntries(others)).slice(0, -1)}${others.length > 0 ? ',' : ''}${JSON.stringify(key)}:[`
  for (let at = 0; at < rows.length; at += SLICE_ROWS) {
    const part = JSON.stringify(rows.slice(at, at + SLICE_ROWS))
    yield (at === 0 ? '' : ',') + part.slice(1, -1)
  }
  yield ']}}' + end
}

interface LongField {
  readonly key: string
  readonly rows: readonly unknown[]
  readonly result: object
}

function longField(message: object): LongField | null {
  if (!('result' in message) || Object.keys(message).at(-1) !== 'result') return null
  const { result } = message
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return null
  for (const [key, rows] of Object.entries(result)) {
    if (Array.isArray(rows) && rows.length > SLICE_ROWS) return { key, rows, result }
  }
  return null
}

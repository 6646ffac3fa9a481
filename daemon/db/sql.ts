/** SQL as the tables of this room use it: statements are prepared once and kept by their text. */
export type SqlValue = string | number | null | Uint8Array

export interface Sql {
  /** Rows as objects keyed by column; STRICT tables vouch for the types that callers name. */
  all(text: string, ...values: SqlValue[]): unknown[]
  /** The first row, or undefined. */
  get(text: string, ...values: SqlValue[]): unknown
  run(text: string, ...values: SqlValue[]): { readonly changes: number; readonly rowid: number }
}

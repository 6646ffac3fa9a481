export type MetainfoFault =
  | 'too-large'
  | 'not-bencode'
  | 'no-info'
  | 'version'
  | 'not-canonical'
  | 'name'
  | 'piece-length'
  | 'pieces'
  | 'piece-count'
  | 'too-many-pieces'
  | 'files'
  | 'length'
  | 'empty'
  | 'path'
  | 'tree'
  | 'layers'
  | 'hybrid'

/** A .torrent file, or an info dictionary, that cannot be used; the message is one sentence for the user. */
export class MetainfoError extends Error {
  override readonly name = 'MetainfoError'
  constructor(
    readonly code: MetainfoFault,
    message: string,
  ) {
    super(message)
  }
}

/** What an add does with a torrent that lies in the trash. */
import type { SwarmKey } from '../../shared/units.js'
import type { Caller, Params } from '../../shared/rpc/contract.js'
import { rpcError } from '../../shared/rpc/errors.js'
import type { Trash } from './trash.js'

export type AddTrash = Pick<Trash, 'byKeys' | 'forget' | 'undo'>

/**
 * One that lies there with its files comes back to where it was, and the answer is true. One without them is forgotten:
 * it is added anew, and its files are looked at where they are now. Throws RpcError where it cannot come back, or is
 * to lie elsewhere.
 */
export async function bringBack(
  trash: AddTrash,
  keys: readonly SwarmKey[],
  { dir, paused }: Pick<Params<'torrent.add'>, 'dir' | 'paused'>,
  caller: Caller,
): Promise<boolean> {
  const found = trash.byKeys(keys)
  if (found === null) return false
  if (!found.data) {
    await trash.forget(found.id, caller)
    return false
  }
  if (dir !== undefined && dir !== found.dir) {
    const id = String(found.id)
    const sentence = `${found.name} lies in the trash with its files; "torrentinoctl undo ${id}" brings it back to ${found.dir}, and "torrentinoctl trash --empty ${id}" deletes it, so that it can be added anew.`
    throw rpcError('wrongState', sentence)
  }
  await trash.undo(found.id, caller, paused === true)
  return true
}

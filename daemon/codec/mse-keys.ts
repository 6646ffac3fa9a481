/** The secrets of Message Stream Encryption: Diffie-Hellman over 768 bits, and what is hashed out of it. */
import { createDiffieHellman, createHash, type DiffieHellman } from 'node:crypto'
import type { SwarmKey } from '../../shared/units.js'
import { Rc4 } from './rc4.js'

/** Bytes of a public key, and of the shared secret. */
export const KEY_SIZE = 96
/** Bytes of a private key: 160 bits, as the specification holds enough. */
export const PRIVATE_SIZE = 20
const PRIME = Buffer.from(
  'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563',
  'hex',
)
const GENERATOR = Buffer.from([2])
/** Public keys lie between these two: outside the secret is 0, 1 or the largest. */
const LEAST = Buffer.concat([Buffer.alloc(KEY_SIZE - 1), GENERATOR])
const MOST = Buffer.concat([PRIME.subarray(0, KEY_SIZE - 1), Buffer.from([0x61])])

let cached: DiffieHellman | null = null

/** Made once: OpenSSL looks at the prime for milliseconds. */
function group(): DiffieHellman {
  cached ??= createDiffieHellman(PRIME, GENERATOR)
  return cached
}

/** 96 bytes. */
export function publicKey(secret: Uint8Array): Buffer {
  group().setPrivateKey(secret)
  return padded(group().generateKeys())
}

/** 96 bytes; null where the other's public key is none: below 2, or above the prime less 2. */
export function sharedSecret(secret: Uint8Array, theirs: Uint8Array): Buffer | null {
  if (LEAST.compare(theirs) > 0 || MOST.compare(theirs) < 0) return null
  try {
    group().setPrivateKey(secret)
    return padded(group().computeSecret(theirs))
  } catch {
    return null
  }
}

function padded(number: Buffer): Buffer {
  return number.length === KEY_SIZE ? number : Buffer.concat([Buffer.alloc(KEY_SIZE - number.length), number])
}

function sha1(word: string, ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha1').update(word)
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** By which the one who was called finds the secret of both. */
export function markOf(shared: Uint8Array): Buffer {
  return sha1('req1', shared)
}

/** What a swarm is known by to who knows it already, as hex. */
export function swarmMark(key: SwarmKey): string {
  return sha1('req2', Buffer.from(key, 'hex')).toString('hex')
}

/** The mark of a swarm as it is sent, and back: only who has the secret sees it. */
export function veil(mark: Uint8Array, shared: Uint8Array): Buffer {
  const mask = sha1('req3', shared)
  return Buffer.from(mask.map((byte, at) => byte ^ (mark[at] ?? 0)))
}

/** The ciphers of both directions: `caller` for what the one who called sends. */
export function ciphers(shared: Uint8Array, key: SwarmKey): { readonly caller: Rc4; readonly called: Rc4 } {
  const swarm = Buffer.from(key, 'hex')
  return { caller: new Rc4(sha1('keyA', shared, swarm)), called: new Rc4(sha1('keyB', shared, swarm)) }
}

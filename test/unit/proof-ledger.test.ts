/** The proofs by killing and cutting must complain where something is wrong: their judge, given false homes. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeTorrent } from '../support/make-torrent.js'
import { type Claim, piecesOnDisk } from '../support/proof/claims.js'
import { type Entry, Ledger } from '../support/proof/ledger.js'
import type { ProofTorrent } from '../support/proof/world.js'

let dir = ''
let torrent: ProofTorrent
let whole: Set<number>

beforeEach(() => {
  dir = mkdtempSync(join(realpathSync(tmpdir()), 'tor-ledger-'))
  const content = [
    { path: 'a', length: 50_000 },
    { path: 'b/c', length: 20_000 },
  ]
  const made = makeTorrent(dir, { name: 'made', content, pieceLength: 16_384 })
  const payload = Buffer.concat(made.files.map(({ path }) => readFileSync(join(made.dir, path))))
  whole = new Set()
  const seeder = { whole } as unknown as ProofTorrent['seeder']
  torrent = { made, payload, metainfo: '', seeder, rate: 1 }
})

afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

function ledgerWith(change: Partial<Entry>): Ledger {
  const ledger = new Ledger([torrent])
  Object.assign(ledger.entries[0] ?? {}, { presence: 'there', dir: torrent.made.dir, ...change })
  return ledger
}

function claimOf(pieces: readonly number[], change: Partial<Claim> = {}): Claim {
  const { infoHash, dir: place } = torrent.made
  return { id: 1, infoHash, dir: place, desired: 'running', pieces: new Set(pieces), ...change }
}

const FINE = { lost: [], wrong: [], backwards: [] }

it('is content with records that the files bear out', () => {
  whole.add(0).add(1).add(4)
  const judgement = ledgerWith({ shown: 16_384 }).judge([claimOf([0, 1])])
  expect(judgement).toMatchObject({ ...FINE, recorded: 2, wrongPieces: 0, unclaimed: 3 })
  // The last piece has 70,000 - 4 x 16,384 bytes.
  expect(judgement.unrecorded).toBe(4464)
})

it('reads a piece that reaches over two files, under either name', () => {
  const file = join(torrent.made.dir, 'made/a')
  writeFileSync(`${file}.part`, readFileSync(file))
  writeFileSync(file, 'a stranger')
  expect(piecesOnDisk(torrent.made, torrent.payload, torrent.made.dir).size).toBe(5)
  rmSync(join(torrent.made.dir, 'made/b/c'))
  expect([...piecesOnDisk(torrent.made, torrent.payload, torrent.made.dir)]).toEqual([0, 1, 2])
})

it.each([
  ['one wrong byte', (bytes: Buffer) => bytes.fill((bytes[20_000] ?? 0) ^ 1, 20_000, 20_001)],
  ['a page of zeros', (bytes: Buffer) => bytes.fill(0, 16_384, 20_480)],
  ['a file that is shorter', (bytes: Buffer) => bytes.subarray(0, 20_000)],
])('finds %s below a record', (_, change) => {
  const file = join(torrent.made.dir, 'made/a')
  writeFileSync(file, change(readFileSync(file)))
  const judgement = ledgerWith({}).judge([claimOf([0, 1])])
  expect(judgement.wrongPieces).toBe(1)
  expect(judgement.wrong).toEqual(['made: recorded and not on the disk: 1'])
})

it.each<[string, Partial<Entry>, Partial<Claim> | null]>([
  ['a torrent that is gone', {}, null],
  ['a torrent that was removed and is there', { presence: 'absent' }, {}],
  ['a torrent in another folder', { dir: '/elsewhere' }, {}],
  ['a pause that was acknowledged', { desired: 'paused' }, {}],
  ['a removal that nobody asked for', {}, { desired: 'removedWithData' }],
])('finds %s', (_, entry, claim) => {
  const claims = claim === null ? [] : [claimOf([], claim)]
  expect(ledgerWith(entry).judge(claims).lost).toHaveLength(1)
})

it.each<[string, Partial<Entry>, Partial<Claim> | null]>([
  ['an add', { presence: 'adding' }, null],
  ['an add', { presence: 'adding' }, {}],
  ['a removal', { presence: 'removing' }, null],
  ['a removal', { presence: 'removing' }, { desired: 'removedWithData' }],
  ['a removal', { presence: 'removing' }, {}],
  ['a pause', { desired: null }, { desired: 'paused' }],
])('leaves open what became of %s that was not answered', (_, entry, claim) => {
  const claims = claim === null ? [] : [claimOf([], claim)]
  expect(ledgerWith(entry).judge(claims)).toMatchObject(FINE)
})

it('finds progress that goes back', () => {
  expect(ledgerWith({ shown: 16_385 }).judge([claimOf([0])]).backwards).toHaveLength(1)
  expect(ledgerWith({ recorded: new Set([0, 1]) }).judge([claimOf([0])]).backwards).toHaveLength(1)
})

it('misses a torrent that is not listed', () => {
  expect(ledgerWith({}).listed([])).toEqual(['made is not listed'])
})

it('finds a torrent that was never added', () => {
  expect(ledgerWith({}).judge([claimOf([]), claimOf([], { infoHash: 'f'.repeat(40) })]).wrong).toHaveLength(1)
})

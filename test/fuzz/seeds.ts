/** What mutants are made of: files of the corpus where it is there, and small ones that are made here. */
import { encode } from '../../shared/torrent/bencode.js'
import { corpusDir, readCorpus, readTsv } from '../support/corpus.js'

/** Larger ones are mostly hashes. */
const MOST_SEED = 48 * 1024

function fromCorpus(): Uint8Array[] {
  if (corpusDir() === null) return []
  const names = readTsv('EXPECT.tsv').map((row) => row['file'] ?? '')
  return names.map(readCorpus).filter((bytes) => bytes.length <= MOST_SEED)
}

const pieces = new Uint8Array(40).fill(7)
const made = [
  encode({ info: { name: 'one.bin', length: 30_000, 'piece length': 16_384, pieces } }),
  encode({
    announce: 'http://tracker.test/announce?passkey=0123456789abcdef',
    'announce-list': [['udp://tracker.test:6969/announce'], ['https://b.test/announce']],
    'url-list': 'http://seed.test/',
    'creation date': 1_700_000_000,
    comment: 'text',
    info: {
      name: 'many',
      'piece length': 16_384,
      pieces,
      private: 1,
      files: [
        { length: 20_000, path: ['a', 'b.txt'] },
        { length: 12_000, path: ['.pad', '12000'], attr: 'p' },
        { length: 0, path: ['\u00e9'], attr: 'x' },
        { path: ['link'], attr: 'l', 'symlink path': ['a', 'b.txt'] },
      ],
    },
  }),
]

export const torrents: readonly Uint8Array[] = [...made, ...fromCorpus()]

/** The rows of BENCODE.tsv, and the heads of torrents. */
export const bencoded: readonly Uint8Array[] = [
  Buffer.from('d1:ai1e1:bl1:c2:dde0:ei-7eee'),
  Buffer.from('ld1:a1:b4:__prd0:lee1:xi9007199254740993eee'),
  ...readTsv('BENCODE.tsv').map((row) => Buffer.from(row['hex'] ?? '', 'hex')),
  ...torrents.map((bytes) => bytes.subarray(0, 2000)),
].filter((bytes) => bytes.length > 0)

/** Names that the rules for paths are about, one to a line. */
export const names: readonly Uint8Array[] = [
  Buffer.from('a\nb/c.txt\n..\nA.txt\na.TXT.part'),
  Buffer.from('\u202eabc\u0301\n\u00e9\ne\u0301\nCON\n.\n'),
  Buffer.from(`${'x'.repeat(300)}.tar.gz\n${'\u20ac'.repeat(100)}\nx.part\nx`),
  ...readTsv('UTF8.tsv').map((row) => Buffer.from(row['hex'] ?? '', 'hex')),
].filter((bytes) => bytes.length > 0)

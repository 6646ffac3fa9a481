import { describe, expect, it } from 'vitest'
import { renderInspect } from '../../ctl/render/inspect.js'
import { encode } from '../../shared/torrent/bencode.js'
import { inspectView, type InspectView } from '../../shared/torrent/inspect.js'
import { parseMetainfo } from '../../shared/torrent/metainfo.js'
import { cellWidth } from '../../shared/text.js'
import { corpusDir, readCorpus } from '../support/corpus.js'

const meta = parseMetainfo(
  encode({
    'announce-list': [['http://t.org/announce?passkey=abc'], ['udp://u.org:1/announce']],
    'url-list': ['http://w.org/'],
    comment: 'two\nlines \u001b[31mred',
    'created by': 'maker\u202e',
    'creation date': 1_400_000_000,
    info: {
      name: 'root',
      'piece length': 16_384,
      pieces: new Uint8Array(40),
      private: 1,
      files: [
        { path: ['one'], length: 10 },
        { path: ['.pad', 'x'], length: 16_374, attr: 'p' },
        { path: ['sub', 'two.bin'], length: 2048 },
        { path: ['three'], length: 0 },
      ],
    },
  }),
)
const view = inspectView(meta, 'x.torrent')
const show = (of: InspectView, columns = Infinity): string => renderInspect(of, { columns, colour: false })

it('--bytes: sizes are plain numbers, and lines fit all the same', () => {
  const text = renderInspect(
    { ...view, contentSize: 5_000_000_000_000 },
    { columns: 60, colour: false, exact: true },
  )
  expect(text).toMatch(/^Content +5000000000000 in 3 files$/m)
  expect(text).toMatch(/^Pieces +2 of 16384$/m)
  expect(text).toMatch(/^ +2048 {2}.*two\.bin$/m)
  for (const each of text.split('\n').slice(-8)) expect(cellWidth(each)).toBeLessThanOrEqual(60)
})

describe('inspectView', () => {
  it('is plain data with passkeys redacted', () => {
    expect(JSON.parse(JSON.stringify(view))).toEqual(view)
    expect(view).toMatchObject({
      source: 'x.torrent',
      infoHash: meta.hashes.v1,
      infoHashV2: null,
      kind: 'v1',
      private: true,
      createdAt: 1_400_000_000_000,
      trackers: [['http://t.org/announce?passkey=***'], ['udp://u.org:1/announce']],
      webSeeds: ['http://w.org/'],
    })
    expect(view.files[1]).toEqual({ path: 'root/.pad/x', length: 16_374, pad: true })
    expect(inspectView(meta).source).toBeNull()
  })
})

describe('renderInspect', () => {
  it('shows the facts and the tree', () => {
    expect(show(view)).toBe(
      [
        'Name          root',
        'File          x.torrent',
        `Info hash     ${meta.hashes.v1 ?? ''}`,
        'Version       v1',
        'Content       2 KiB (2058 bytes) in 3 files',
        'Total         18 KiB (18432 bytes) with padding',
        'Pieces        2 of 16 KiB',
        'Private       yes',
        'Created       2014-05-13T16:53:20Z by maker\\u202e',
        'Comment       two\\nlines \\x1b[31mred',
        'Trackers      tier 1  http://t.org/announce?passkey=***',
        '              tier 2  udp://u.org:1/announce',
        'Web seeds     http://w.org/',
        '',
        '     2 KiB  root/',
        '      10 B  ├─ one',
        '     2 KiB  ├─ sub/',
        '     2 KiB  │  └─ two.bin',
        '       0 B  └─ three',
        '    16 KiB  in 1 padding file, never written',
        '',
      ].join('\n'),
    )
  })

  it('leaves out what is not there', () => {
    const bare = {
      ...view,
      source: null,
      trackers: [],
      webSeeds: [],
      comment: null,
      createdAt: null,
      createdBy: null,
    }
    const text = show({ ...bare, infoHash: null, infoHashV2: 'f'.repeat(64), kind: 'v2' })
    expect(text).toContain(`Info hash     ${'f'.repeat(64)}\nVersion       v2\n`)
    expect(text).toContain('Trackers      none\n')
    expect(text).not.toMatch(/Created|Comment|Web seeds|File {2}|null/)
    expect(show({ ...view, infoHashV2: 'e'.repeat(64), kind: 'hybrid' })).toContain('v1 and v2 (hybrid)')
  })

  it('lets nothing from outside reach the terminal, whatever the field', () => {
    const evil = '\u001b]0;x\u0007\n\u202e\u0085'
    const text = show({
      ...view,
      name: evil,
      source: evil,
      createdBy: evil,
      comment: evil,
      trackers: [[evil]],
      webSeeds: [evil],
      files: [{ path: `${evil}/${evil}`, length: 1, pad: false }],
    })
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(text.split('\n').filter((line) => line.includes(']0;x'))).toHaveLength(8)
  })

  it('keeps names within the columns, and their ends', () => {
    const files = [{ path: `root/${'漢'.repeat(60)}.mkv`, length: 1, pad: false }]
    const last =
      show({ ...view, files }, 60)
        .trimEnd()
        .split('\n')
        .at(-1) ?? ''
    expect(cellWidth(last)).toBeLessThanOrEqual(60)
    expect(last).toMatch(/….*\.mkv$/)
  })

  it('colours only where asked', () => {
    expect(show(view)).not.toContain('\u001b')
    const coloured = renderInspect(view, { columns: 80, colour: true })
    expect(coloured).toContain('\u001b[1mroot/\u001b[22m')
    const plain = ['\u001b[1m', '\u001b[2m', '\u001b[22m'].reduce(
      (text, code) => text.replaceAll(code, ''),
      coloured,
    )
    expect(plain).toBe(show(view, 80))
  })

  it.skipIf(corpusDir() === null)('shows a hybrid and a v2 torrent of the corpus', () => {
    const of = (file: string): string => show(inspectView(parseMetainfo(readCorpus(file))))
    expect(of('deluge/v2_hybrid.torrent')).toMatch(/Info hash {5}3899726345.*\n {14}3316be9aaf/)
    expect(of('deluge/v2_test.torrent')).toContain('Info hash     1b7225808271c6dd')
  })
})

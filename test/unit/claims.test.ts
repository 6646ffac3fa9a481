import { describe, expect, it } from 'vitest'
import { firstShared, foldedPaths, neighbours } from '../../daemon/session/claims.js'
import type { TorrentId } from '../../shared/units.js'

const claim = (
  dir: string,
  root: string,
  torrent = 1,
): { torrent: TorrentId; dir: string; root: string } => ({
  torrent: torrent as TorrentId,
  dir,
  root,
})

describe('neighbours', () => {
  it.each([
    ['the same root', '/d', 'album', true],
    ['another case', '/d', 'ALBUM', true],
    ['a folder below', '/d/album', 'x', true],
    ['a folder above', '/', 'd', true],
    ['a slash at the end', '/d/', 'album', true],
    ['our unfinished name', '/d', 'album.part', true],
    ['another name', '/d', 'other', false],
    ['a name that begins alike', '/d', 'album2', false],
    ['another folder', '/e', 'album', false],
  ])('%s', (_, dir, root, near) => {
    expect(neighbours({ dir: '/d', root: 'album' }, [claim(dir, root)]).length).toBe(near ? 1 : 0)
  })

  it('folds letters with marks', () => {
    const composed = 'caf\u00e9'
    const decomposed = 'cafe\u0301'
    expect(neighbours({ dir: '/d', root: composed }, [claim('/d', decomposed)]).length).toBe(1)
  })
})

describe('paths', () => {
  it('of two torrents in one folder are told apart', () => {
    const mine = foldedPaths('/d', ['album/a', 'album/b'])
    expect(firstShared(mine, foldedPaths('/d', ['album/c']))).toBeNull()
    expect(firstShared(mine, foldedPaths('/d/', ['album/A']))).toBe('/d/album/a')
    expect(firstShared(mine, foldedPaths('/d/album', ['b']))).toBe('/d/album/b')
  })

  it('count the unfinished names too', () => {
    expect(firstShared(foldedPaths('/d', ['a']), foldedPaths('/d', ['a.part']))).toBe('/d/a.part')
  })
})

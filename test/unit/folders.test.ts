import { describe, expect, it } from 'vitest'
import { makeFolders } from '../../shared/folders.js'

/** A file system of folders; below `stubborn` every mkdir answers ENOENT, as in /proc. */
function world(
  folders: string[],
  stubborn = '',
): { made: string[]; mkdir(path: string): void; isFolder(path: string): boolean } {
  const there = new Set(folders)
  const made: string[] = []
  return {
    made,
    mkdir: (path) => {
      if (stubborn !== '' && path.startsWith(stubborn)) throw new Error('ENOENT')
      there.add(path)
      made.push(path)
    },
    isFolder: (path) => there.has(path),
  }
}

describe('a folder with its parents', () => {
  it('is made from the top, only what is missing', () => {
    const calls = world(['/', '/a'])
    makeFolders('/a/b/c', calls)
    expect(calls.made).toEqual(['/a/b', '/a/b/c'])
    makeFolders('/a/b/c', calls)
    expect(calls.made).toHaveLength(2)
  })

  it('ends with the first error, however the file system insists', () => {
    const calls = world(['/', '/proc'], '/proc/')
    expect(() => {
      makeFolders('/proc/x/y', calls)
    }).toThrow('ENOENT')
    expect(calls.made).toEqual([])
  })

  it('ends where not even the root is a folder', () => {
    const calls = world([])
    makeFolders('/a', calls)
    expect(calls.made).toEqual(['/', '/a'])
  })

  it('takes it well when somebody else was faster', () => {
    const calls = world(['/'])
    makeFolders('/a', {
      isFolder: calls.isFolder,
      mkdir: (path) => {
        calls.mkdir(path)
        throw new Error('EEXIST')
      },
    })
    expect(calls.isFolder('/a')).toBe(true)
  })
})

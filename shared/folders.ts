/** A folder with its parents, in a bounded number of steps. */
import { dirname } from 'node:path/posix'

/** The file system of whoever calls. */
export interface FolderCalls {
  /** Makes one folder; throws the system's error. */
  mkdir(path: string): void
  /** False also for what cannot be looked at. */
  isFolder(path: string): boolean
}

/**
 * Makes an absolute folder and the parents it lacks; the first error ends it. Not Node's `recursive`: where a file
 * system answers ENOENT below a folder that exists (/proc, some network volumes), that one tries again for ever.
 */
export function makeFolders(path: string, calls: FolderCalls): void {
  const missing: string[] = []
  for (let at = path; !calls.isFolder(at); at = dirname(at)) {
    missing.push(at)
    if (at === dirname(at)) break
  }
  for (const folder of missing.reverse()) {
    try {
      calls.mkdir(folder)
    } catch (error) {
      // Somebody else may have been faster.
      if (!calls.isFolder(folder)) throw error
    }
  }
}

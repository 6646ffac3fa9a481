/** Entry of a lane: the thread of a volume, where whatever may block is done. */
import { Assembler } from './assembler.js'
import { loadParts, sniffPieces } from './content.js'
import { faultOf } from './fault.js'
import { Descriptors, type Files } from './files.js'
import { FrameReader } from './frames.js'
import type { LaneJobs, StorageKey } from './jobs.js'
import { deviceOf, makeFiles, prepareDir, prepareFiles, spaceOf } from './make.js'
import { serve } from './serve.js'
import { finishFiles, removeFiles, surveyFiles, syncFiles } from './settle.js'

const assembler = new Assembler(new Descriptors())
const frames = new FrameReader(filesOf)

function filesOf(key: StorageKey): Files {
  const files = assembler.filesOf(key)
  if (files === null) throw new Error(`lane: storage ${String(key)} is not open`)
  return files
}

serve<LaneJobs>({
  ...assembler.handlers,
  device: ({ dir }) => {
    let device = ''
    faultOf(() => {
      device = deviceOf(dir)
    })
    return device
  },
  space: ({ dir }) => spaceOf(dir),
  prepareDir: ({ dir }) => prepareDir(dir),
  survey: ({ key, again }) => surveyFiles(filesOf(key), again),
  prepare: ({ key, files }) => prepareFiles(filesOf(key), files),
  make: ({ key, files }) => makeFiles(filesOf(key), files),
  sync: (ask) => syncFiles(filesOf(ask.key), ask),
  finish: ({ key, files }) => finishFiles(filesOf(key), files),
  read: (batch) => frames.read(batch),
  load: (ask) => loadParts(filesOf(ask.key), ask),
  sniff: ({ key, pieces }) => sniffPieces(filesOf(key), pieces),
  remove: ({ key }) => removeFiles(filesOf(key)),
})

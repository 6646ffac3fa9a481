/** Entry of a lane: the thread of a volume, where whatever may block is done. */
import { crashPointOf } from '../base/crash-point.js'
import { Assembler } from './assembler.js'
import { loadParts, sniffPieces } from './content.js'
import { faultOf } from './fault.js'
import { Descriptors, type Files } from './files.js'
import { FrameReader } from './frames.js'
import type { LaneJobs, StorageKey } from './jobs.js'
import { makeFiles, prepareDir, prepareFiles } from './make.js'
import { type PassingPieces, passingPieces, readPart, writePart } from './move-copy.js'
import { cleanFiles, linkFiles, nameTemps, undoFiles } from './move-files.js'
import { lookAtAll, orFault, placeOf, siteOf } from './move-site.js'
import { planRemoval } from './removal-plan.js'
import { dropBelow, makeBelow } from './trash.js'
import { deviceOf, markVolume, spaceOf } from './volume.js'
import { serve } from './serve.js'
import { finishFiles, removeFiles, surveyFiles, syncFiles } from './settle.js'

const assembler = new Assembler(new Descriptors())
const frames = new FrameReader(filesOf)
/** Copies under way, by the key of the old place. */
const copies = new Map<StorageKey, PassingPieces>()
const crashPoint = crashPointOf(process.env['TORRENTINO_CRASH_AT'], () => {
  process.kill(process.pid, 'SIGKILL')
})

function filesOf(key: StorageKey): Files {
  const files = assembler.filesOf(key)
  if (files === null) throw new Error(`lane: storage ${String(key)} is not open`)
  return files
}

function copyOf(key: StorageKey): PassingPieces {
  const copy = copies.get(key)
  if (copy === undefined) throw new Error(`lane: nothing is copied of storage ${String(key)}`)
  return copy
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
  space: spaceOf,
  prepareDir,
  mark: ({ dir, id }) => markVolume(dir, id),
  makeBelow: ({ dir, names }) => makeBelow(dir, names),
  dropBelow: ({ dir, names }) => dropBelow(dir, names),
  bind: ({ key, volume }) => {
    filesOf(key).bind(volume)
    return null
  },
  survey: ({ key, again }) => surveyFiles(filesOf(key), again),
  prepare: ({ key, files }) => prepareFiles(filesOf(key), files),
  make: ({ key, files }) => makeFiles(filesOf(key), files),
  sync: (ask) => syncFiles(filesOf(ask.key), ask),
  finish: ({ key, files }) => finishFiles(filesOf(key), files),
  read: (batch) => frames.read(batch),
  load: (ask) => loadParts(filesOf(ask.key), ask),
  sniff: ({ key, pieces }) => sniffPieces(filesOf(key), pieces),
  planRemoval: ({ key }) => orFault(() => planRemoval(filesOf(key))),
  remove: ({ key }) => removeFiles(filesOf(key)),
  moveSurvey: ({ key }) => orFault(() => lookAtAll(filesOf(key))),
  movePlace: ({ key, root }) => orFault(() => placeOf(filesOf(key), root)),
  moveSite: (ask) => orFault(() => siteOf(filesOf(ask.to), ask)),
  moveLink: (ask) => linkFiles(filesOf(ask.key), filesOf(ask.to), ask, crashPoint),
  copyBegin: ({ key, recorded }) => {
    copies.set(key, passingPieces(filesOf(key), recorded))
    return null
  },
  copyRead: (ask) => readPart(filesOf(ask.key), copyOf(ask.key), ask),
  copyWrite: (ask) => writePart(filesOf(ask.to), ask, crashPoint),
  copyEnd: ({ key }) => {
    copies.delete(key)
    return null
  },
  moveName: (ask) => nameTemps(filesOf(ask.to), ask, crashPoint),
  moveUndo: (ask) => undoFiles(ask.step === 'rename' ? filesOf(ask.key) : null, filesOf(ask.to), ask),
  moveClean: ({ key, found }) => cleanFiles(filesOf(key), found, crashPoint),
})

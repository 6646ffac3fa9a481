/** `torrentinoctl inspect` for people: the facts, then the tree of files with sizes. */
import { cellWidth, escapeText, formatBytes, padCells, truncateMiddle } from '../../shared/text.js'
import type { InspectFile, InspectView } from '../../shared/torrent/inspect.js'
import { bytesText } from './style.js'

export interface InspectStyle {
  /** Width of the terminal in cells; Infinity where there is none. */
  readonly columns: number
  readonly colour: boolean
  /** Sizes as plain numbers of bytes. */
  readonly exact?: boolean
}

const LABEL_CELLS = 14
const SIZE_CELLS = 10
/** As many digits as the largest torrent has. */
const EXACT_CELLS = 16
/** However deep a folder lies, its names get this many cells. */
const LEAST_NAME = 12

/** Lines with a newline each. */
export function renderInspect(view: InspectView, style: InspectStyle): string {
  const lines = [...facts(view, style), '', ...tree(view.files, style)]
  return lines.map((line) => `${line}\n`).join('')
}

function facts(view: InspectView, style: InspectStyle): string[] {
  const rows: [label: string, value: string][] = [['Name', escapeText(view.name)]]
  if (view.source !== null) rows.push(['File', escapeText(view.source)])
  if (view.infoHash !== null) rows.push(['Info hash', view.infoHash])
  if (view.infoHashV2 !== null) rows.push([view.infoHash === null ? 'Info hash' : '', view.infoHashV2])
  rows.push(['Version', { v1: 'v1', v2: 'v2', hybrid: 'v1 and v2 (hybrid)' }[view.kind]])
  rows.push(['Content', `${exact(view.contentSize, style)} in ${plural(contentFiles(view), 'file')}`])
  if (view.totalSize !== view.contentSize)
    rows.push(['Total', `${exact(view.totalSize, style)} with padding`])
  rows.push(['Pieces', `${String(view.pieceCount)} of ${bytesText(view.pieceLength, style)}`])
  rows.push(['Private', view.private ? 'yes' : 'no'])
  rows.push(...origin(view))
  if (view.comment !== null) rows.push(['Comment', escapeText(view.comment)])
  rows.push(...trackers(view))
  view.webSeeds.forEach((url, index) => rows.push([index === 0 ? 'Web seeds' : '', escapeText(url)]))
  return rows.map(([label, value]) => `${paint(padCells(label, LABEL_CELLS), 'dim', style)}${value}`)
}

function origin(view: InspectView): [string, string][] {
  const parts: string[] = []
  if (view.createdAt !== null) parts.push(`${new Date(view.createdAt).toISOString().slice(0, 19)}Z`)
  if (view.createdBy !== null) parts.push(`by ${escapeText(view.createdBy)}`)
  return parts.length === 0 ? [] : [['Created', parts.join(' ')]]
}

function trackers(view: InspectView): [string, string][] {
  if (view.trackers.length === 0) return [['Trackers', 'none']]
  return view.trackers.flatMap((tier, index) =>
    tier.map((url, position): [string, string] => [
      index === 0 && position === 0 ? 'Trackers' : '',
      `tier ${String(index + 1)}  ${escapeText(url)}`,
    ]),
  )
}

interface Folder {
  /** Bytes of all files below, pads apart. */
  size: number
  readonly entries: Map<string, Folder | InspectFile>
}

/** Files in the torrent's order, folders where their first file lies. Pads are told in one line. */
function tree(files: readonly InspectFile[], style: InspectStyle): string[] {
  const root: Folder = { size: 0, entries: new Map() }
  for (const file of files) if (!file.pad) place(root, file)
  const lines: string[] = []
  for (const [name, entry] of root.entries) {
    lines.push(line('', name, entry, style))
    if (isFolder(entry)) branches(entry, '', lines, style)
  }
  const pads = files.filter((file) => file.pad)
  const bytes = pads.reduce((sum, file) => sum + file.length, 0)
  if (pads.length > 0)
    lines.push(row(bytes, `in ${plural(pads.length, 'padding file')}, never written`, style))
  return lines
}

function place(root: Folder, file: InspectFile): void {
  const parts = file.path.split('/')
  let folder = root
  for (const part of parts.slice(0, -1)) {
    let next = folder.entries.get(part)
    if (next === undefined || !isFolder(next)) {
      next = { size: 0, entries: new Map() }
      folder.entries.set(part, next)
    }
    next.size += file.length
    folder = next
  }
  folder.entries.set(parts.at(-1) ?? '', file)
}

function isFolder(entry: Folder | InspectFile): entry is Folder {
  return 'entries' in entry
}

/** Recursion is as deep as paths are: at most 101. */
function branches(folder: Folder, indent: string, lines: string[], style: InspectStyle): void {
  let left = folder.entries.size
  for (const [name, entry] of folder.entries) {
    left -= 1
    lines.push(line(indent + (left === 0 ? '└─ ' : '├─ '), name, entry, style))
    if (isFolder(entry)) branches(entry, indent + (left === 0 ? '   ' : '│  '), lines, style)
  }
}

function line(indent: string, name: string, entry: Folder | InspectFile, style: InspectStyle): string {
  const folder = isFolder(entry)
  const room = Math.max(LEAST_NAME, style.columns - sizeCells(style) - 2 - cellWidth(indent))
  const shown = truncateMiddle(escapeText(name) + (folder ? '/' : ''), room)
  const text = indent + (folder ? paint(shown, 'bold', style) : shown)
  return row(folder ? entry.size : entry.length, text, style)
}

function row(bytes: number, text: string, style: InspectStyle): string {
  return `${padCells(bytesText(bytes, style), sizeCells(style), 'right')}  ${text}`
}

function sizeCells({ exact: isExact }: InspectStyle): number {
  return isExact === true ? EXACT_CELLS : SIZE_CELLS
}

function contentFiles(view: InspectView): number {
  return view.files.filter((file) => !file.pad).length
}

function exact(bytes: number, style: InspectStyle): string {
  if (style.exact === true) return String(bytes)
  const short = formatBytes(bytes)
  return bytes < 1024 ? short : `${short} (${String(bytes)} bytes)`
}

function plural(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`
}

function paint(text: string, look: 'bold' | 'dim', style: InspectStyle): string {
  if (!style.colour) return text
  return `\u001b[${look === 'bold' ? '1' : '2'}m${text}\u001b[22m`
}

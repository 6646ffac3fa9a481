/** The shapes that cross the socket, by name, and what their fields mean: out of the schemas and of the comments in the views. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { z } from 'zod'
import * as views from '../../shared/rpc/contract.js'

const ROOT = join(import.meta.dirname, '../..')

interface Shape {
  readonly name: string
  readonly what: string
  /** The interface whose comments describe its fields. */
  readonly type: string
  readonly schema: z.ZodType
  /** The shape whose fields it has too: they are told there. */
  readonly like?: string
}

export const SHAPES: readonly Shape[] = [
  { name: 'Torrent', what: 'A torrent in a list.', type: 'TorrentView', schema: views.torrentView },
  {
    name: 'TorrentDetail',
    what: 'A torrent with what a list leaves out: all fields of [Torrent](#torrent), and these.',
    type: 'TorrentDetail',
    schema: views.torrentDetail,
    like: 'Torrent',
  },
  {
    name: 'TorrentRow',
    what: 'A [Torrent](#torrent), or its `id` and those of its fields that were asked for.',
    type: 'TorrentView',
    schema: views.torrentRow,
    like: 'Torrent',
  },
  { name: 'File', what: 'A file of a torrent.', type: 'FileView', schema: views.fileView },
  { name: 'Peer', what: 'A peer that is connected.', type: 'PeerView', schema: views.peerView },
  { name: 'Tracker', what: 'A tracker of a torrent.', type: 'TrackerView', schema: views.trackerView },
  { name: 'Why', what: 'What is in the way of a torrent.', type: 'WhyView', schema: views.whyView },
  { name: 'Job', what: 'Long work of the daemon.', type: 'JobView', schema: views.jobView },
  {
    name: 'RemovalPlan',
    what: 'What a removal would do to the files of a torrent.',
    type: 'RemovalPlanView',
    schema: views.removalPlanView,
  },
  { name: 'Trash', what: 'A torrent in the trash.', type: 'TrashView', schema: views.trashView },
  { name: 'Event', what: 'A line of the journal.', type: 'EventView', schema: views.eventView },
  { name: 'Setting', what: 'A setting.', type: 'SettingView', schema: views.settingView },
  { name: 'Daemon', what: 'The daemon.', type: 'DaemonView', schema: views.daemonView },
  { name: 'Dht', what: 'The DHT of the daemon.', type: 'DhtView', schema: views.dhtView },
]

/** What is read of a JSON Schema. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly additionalProperties?: Schema | boolean
  readonly contentEncoding?: string
  /** The name of a shape. */
  readonly shape?: string
}

/** The JSON Schema, in which a named shape inside is only named. */
export function schemaOf(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const shape = SHAPES.find((each) => (each.schema as unknown) === zodSchema)
      if (shape !== undefined) Object.assign(jsonSchema, { shape: shape.name })
    },
  }) as Schema
}

/** `integer`, `"a" or "b"`, `list of Torrent`: with `link` before the name of a shape, a link to it. */
export function typeText(schema: Schema, link: string | null): string {
  if (schema.shape !== undefined)
    return link === null ? schema.shape : `[${schema.shape}](${link}#${schema.shape.toLowerCase()})`
  const either = schema.anyOf ?? schema.oneOf
  if (either !== undefined) return [...new Set(either.map((each) => typeText(each, link)))].join(' or ')
  if (schema.enum?.length === views.TORRENT_FIELDS.length) return 'the name of a field of a Torrent'
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' or ')
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {}, link)}`
  if (schema.contentEncoding !== undefined) return schema.contentEncoding
  if (schema.type === 'object') return objectText(schema, link)
  return typeof schema.type === 'string' ? schema.type : (schema.type?.join(' or ') ?? 'anything')
}

function literal(value: unknown): string {
  return `\`${JSON.stringify(value)}\``
}

function objectText({ properties, additionalProperties }: Schema, link: string | null): string {
  if (properties === undefined) {
    const values =
      typeof additionalProperties === 'object' ? typeText(additionalProperties, link) : 'anything'
    return `object of ${values}`
  }
  const fields = Object.entries(properties).map(([name, field]) => `\`${name}\`: ${typeText(field, link)}`)
  return fields.length === 0 ? 'empty object' : `object with ${fields.join(', ')}`
}

interface Field {
  /** With dots into objects. */
  readonly path: string
  readonly type: string
  readonly what: string
}

/** The fields of a shape; those of objects inside have lines of their own. */
export function fieldsOf(shape: Shape, comments: ReadonlyMap<string, string>): Field[] {
  const { shape: _, ...schema } = schemaOf(shape.schema) as Schema & { shape?: string }
  const other = SHAPES.find(({ name }) => name === shape.like)
  const known = other === undefined ? [] : fieldsOf(other, comments).map(({ path }) => path)
  return walk(schema, '', comments).filter(({ path }) => !known.includes(path))
}

function walk(schema: Schema, prefix: string, comments: ReadonlyMap<string, string>): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`
    const what = comments.get(path) ?? ''
    if (field.shape === undefined && field.properties !== undefined)
      return [{ path, type: 'object', what }, ...walk(field, `${path}.`, comments)]
    const { items } = field
    if (items?.properties !== undefined && items.shape === undefined)
      return [{ path, type: 'list of objects', what }, ...walk(items, `${path}[].`, comments)]
    return [{ path, type: typeText(field, ''), what }]
  })
}

/** The comments on the fields of an interface, by path. */
export function commentsOf(type: string): ReadonlyMap<string, string> {
  const comments = new Map<string, string>()
  collect(type, '', comments)
  return comments
}

const sources = ['shared/views.ts', 'shared/rpc/contract.ts'].map((file) =>
  ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest, true),
)

function interfaceOf(name: string): ts.InterfaceDeclaration | undefined {
  return sources
    .flatMap((source) => source.statements.filter(ts.isInterfaceDeclaration))
    .find((each) => each.name.text === name)
}

function collect(type: string, prefix: string, into: Map<string, string>): void {
  const found = interfaceOf(type)
  for (const parent of found?.heritageClauses?.flatMap((clause) => clause.types) ?? [])
    collect(parent.expression.getText(), prefix, into)
  members(found?.members ?? [], prefix, into)
}

function members(list: Iterable<ts.TypeElement>, prefix: string, into: Map<string, string>): void {
  for (const member of list) {
    if (!ts.isPropertySignature(member) || member.type === undefined) continue
    const path = `${prefix}${member.name.getText()}`
    const said = ts
      .getJSDocCommentsAndTags(member)
      .map((each) => (typeof each.comment === 'string' ? each.comment.replace(/\s+/g, ' ') : ''))
    if (said.length > 0) into.set(path, said.join(' '))
    within(member.type, path, into)
  }
}

function within(type: ts.TypeNode, path: string, into: Map<string, string>): void {
  if (ts.isTypeLiteralNode(type)) members(type.members, `${path}.`, into)
  else if (ts.isTypeOperatorNode(type)) within(type.type, path, into)
  else if (ts.isArrayTypeNode(type)) within(type.elementType, `${path}[]`, into)
  else if (ts.isTypeReferenceNode(type)) collect(type.typeName.getText(), `${path}.`, into)
}

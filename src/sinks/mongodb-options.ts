/** The options of the mongodb sink, and what no schema says of them. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'
import { accessOptions } from './relational-options.ts'
import { SinkOptionsError } from './sink.ts'

const collection = z
  .string()
  .min(1)
  .refine((name) => !/^system\.|[$\0]/.test(name), 'expected a name without $, that does not begin with system.')

export const options = z.strictObject({
  url: z
    .string()
    .default('mongodb://localhost:27017')
    .describe(
      'mongodb://host:port,host:port/database?replicaSet=… or mongodb+srv://…, as MongoDB’s tools take it. The options below replace its parts.',
    ),
  database: z.string().min(1).optional().describe('Name of the database; required here or in url.'),
  ...accessOptions,
  user: accessOptions.user.describe('Name of the user, if the server asks for one.'),
  ssl: accessOptions.ssl.describe(
    'TLS: none, encrypted without a look at the certificate, or with certificate and host name checked. Without it: as the URL says.',
  ),
  collection: collection
    .optional()
    .describe('Collection for the documents; created when missing. Without it: the topic’s name.'),
  mode: z
    .enum(['append', 'upsert'])
    .default('append')
    .describe(
      'append: a document a record. upsert: a document an _id, as the last record left it; a record without a value deletes its document when the _id is the key.',
    ),
  id: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe(
      'What is a document’s _id: $record (where the record stands in Kafka; the default in append mode), $key (the default in upsert mode), a field of the JSON value, ' +
        'or a list of fields, $key, $topic and $partition, of which it is a document.',
    ),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      `Fields of the JSON value that a document has; ${recordColumns.join(', ')} are the record's own. ` +
        'Without it: the JSON value as it is; with another value: topic, partition, offset, timestamp, key, value.',
    ),
  'offsets.collection': collection
    .default('sluice_offsets')
    .describe('Collection for the offsets, in the same database; created when missing.'),
  'connect.timeout.ms': z
    .int()
    .positive()
    .default(10_000)
    .describe('How long to look for a primary, and to wait for a connection.'),
  'request.timeout.ms': z.int().positive().default(30_000).describe('How long one request may take.'),
  'open.timeout.ms': z
    .int()
    .nonnegative()
    .default(60_000)
    .describe('How long the start waits for a server that is down, or has no primary.'),
  'flush.records': z
    .int()
    .positive()
    .default(5_000)
    .describe('Commits after this many records of a partition. A transaction of MongoDB’s may take 60 seconds.'),
  'flush.bytes': z
    .int()
    .positive()
    .default(16_777_216)
    .describe('Commits when the records of a partition that are not committed hold this many bytes.'),
  'flush.ms': z
    .int()
    .positive()
    .default(1_000)
    .describe('Commits this long after the first record that is not committed.'),
})

export type MongodbOptions = z.infer<typeof options>

export interface MongodbTarget {
  readonly url: string
  /** Without user and password. */
  readonly shown: string
  readonly database: string
  /** To be kept out of messages; as it is, not as a URL has it. */
  readonly password: string | undefined
}

const HOST = String.raw`(?:\[[^\]]+\]|[^/?@:,[\]]+)(?::\d+)?`
const URL_PARTS = new RegExp(
  String.raw`^mongodb(?:\+srv)?://(?:([^@/]*)@)?(${HOST}(?:,${HOST})*)(?:/([^?/@]*))?(?:\?.*)?$`,
)

/** @throws SinkOptionsError; a URL is never shown, as it may hold the password */
export function targetOf({ url, database, user, password }: MongodbOptions): MongodbTarget {
  const [, access, hosts, path] = URL_PARTS.exec(url) ?? []
  if (hosts === undefined) {
    throw new SinkOptionsError(
      'sink.url is no URL of the form mongodb://host:port/database (it is not shown, as it may hold a password; ' +
        'characters such as @, : and / in a password are written as %40, %3A and %2F)',
    )
  }
  if ((user === undefined) !== (password === undefined)) {
    throw new SinkOptionsError('sink.user and sink.password are given together, or neither')
  }
  const name = database ?? (path === undefined || path === '' ? undefined : decodedOr(path))
  if (name === undefined) {
    throw new SinkOptionsError('sink.database is missing: the name of the database, here or in "url"')
  }
  const inUrl = access?.includes(':') ? access.slice(access.indexOf(':') + 1) : undefined
  return {
    url,
    shown: `mongodb://${hosts}/${name}`,
    database: name,
    password: password ?? (inUrl === undefined ? undefined : decodedOr(inUrl)),
  }
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** @throws SinkOptionsError for options that contradict each other */
export function checkOptions(given: MongodbOptions): void {
  const { mode, id, columns = [], collection: documents, 'offsets.collection': offsets } = given
  if (documents === offsets) throw new SinkOptionsError('sink.collection and sink.offsets.collection are the same')
  const parts = id === undefined ? [] : [id].flat()
  if (mode === 'upsert' && id === '$record') {
    throw new SinkOptionsError(
      'sink.id is "$record", which no two records have in common: for "mode": "upsert" it is "$key" or a field',
    )
  }
  if (columns.includes('_id') && id !== '_id') {
    throw new SinkOptionsError('sink.columns has "_id", and sink.id takes another: set "id": "_id", or leave it out')
  }
  const names = columns.map((column) => (recordColumns.some((own) => own === column) ? column.slice(1) : column))
  const twice = names.find((one, index) => names.indexOf(one) !== index)
  if (twice !== undefined) throw new SinkOptionsError(`sink.columns has "${twice}" twice`)
  const allowed = Array.isArray(id) ? ['$key', '$topic', '$partition'] : ['$key', '$record']
  const other = parts.find((part) => part.startsWith('$') && !allowed.includes(part))
  if (other !== undefined) {
    throw new SinkOptionsError(`sink.id has "${other}": expected ${allowed.join(', ')}, or names of fields`)
  }
}

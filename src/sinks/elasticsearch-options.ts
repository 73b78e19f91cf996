/** The options of the elasticsearch sink, and what no schema says of them. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'
import { SinkOptionsError } from './sink.ts'

const node = z.url({ protocol: /^https?$/, error: 'expected http://host:port or https://host:port' })

export const options = z.strictObject({
  url: z
    .union([node, z.array(node).min(1)])
    .default('http://localhost:9200')
    .describe('Where the cluster is: one node or several, of which another is asked when one does not answer.'),
  user: z.string().min(1).optional().describe('Name of the user, with password.'),
  password: z.string().min(1).optional().describe('Never shown.'),
  'api.key': z
    .string()
    .min(1)
    .optional()
    .describe('In place of user and password, as Elasticsearch encodes it. Never shown; say ${NAME} or ${file:…}.'),
  'ssl.ca': z
    .string()
    .min(1)
    .optional()
    .describe('File of the authorities (PEM) that the certificate may come from. Without it: Node’s own.'),
  index: z
    .string()
    .refine((name) => indexProblem(name) === undefined, 'expected a name in lower case that an index can have')
    .optional()
    .describe(
      'The index, alias or data stream, made by the cluster when missing. Without it: the topic’s name in lower case.',
    ),
  mode: z
    .enum(['append', 'upsert'])
    .default('append')
    .describe(
      'append makes a document of each record, its id being where the record stands in Kafka; upsert keeps the last of each key, which is the id, and deletes for a record without a value; a key must always come from one partition, as producers see to.',
    ),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      `Fields of the JSON value that a document has; ${recordColumns.join(', ')} are the record's own. ` +
        'Without it: the JSON value as it came; with another value: topic, partition, offset, timestamp, key, value.',
    ),
  'timestamp.field': z
    .string()
    .min(1)
    .optional()
    .describe(
      'Field for the record’s timestamp (milliseconds since 1970) where a document has none; a data stream needs @timestamp.',
    ),
  pipeline: z.string().min(1).optional().describe('Ingest pipeline that documents go through.'),
  'request.bytes': z
    .int()
    .positive()
    .default(5 * 1024 * 1024)
    .describe('A bulk request has at most so many bytes, before compression.'),
  'request.timeout.ms': z.int().positive().default(30_000).describe('How long one request may take.'),
  gzip: z.boolean().default(true).describe('Compresses requests.'),
  'flush.records': z.int().positive().default(5_000).describe('Stores after this many records of a partition.'),
  'flush.ms': z.int().positive().default(1_000).describe('Stores this long after the first record that is not stored.'),
})

export type ElasticsearchOptions = z.infer<typeof options>

/** Why no index can have this name; undefined if one can. */
export function indexProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'it is no name'
  if (name !== name.toLowerCase()) return 'it has capital letters'
  if (/^[-_+]/.test(name)) return 'it begins with one of - _ +'
  const odd = /[\\/*?"<>| ,#:]/.exec(name)?.[0]
  if (odd !== undefined) return `it has the character ${JSON.stringify(odd)}`
  return Buffer.byteLength(name) > 255 ? 'it is longer than 255 bytes' : undefined
}

/** @throws SinkOptionsError for options that contradict each other */
export function checkOptions(given: ElasticsearchOptions): void {
  const { user, password, 'api.key': apiKey } = given
  if ((user === undefined) !== (password === undefined)) {
    throw new SinkOptionsError('sink.user and sink.password are given together, or neither')
  }
  if (user !== undefined && apiKey !== undefined) {
    throw new SinkOptionsError('sink.api.key stands in place of sink.user and sink.password: give one of them')
  }
  for (const one of [given.url].flat()) {
    const { username, password: secret } = new URL(one)
    if (username !== '' || secret !== '')
      throw new SinkOptionsError('sink.url holds a user or password: use "user" and "password"')
  }
}

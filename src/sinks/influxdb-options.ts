/** The options of the influxdb sink, and what no schema says of them. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'
import { fieldTypes, nameProblem, pointColumn } from './influxdb-lines.ts'
import { SinkOptionsError } from './sink.ts'

const name = z.string().refine((text) => nameProblem(text) === undefined, 'expected a name without line breaks')

const field = z.strictObject({
  name: name.describe('Name of the field.'),
  type: z.enum(fieldTypes).optional().describe('Its type. Without it, that of the value; numbers are float.'),
  field: z.string().min(1).optional().describe('Field of the JSON value, if its name is another one.'),
  optional: z.boolean().optional().describe('Left out when the JSON value lacks it, which is an error otherwise.'),
})

const tag = field.omit({ type: true })

export const options = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'expected http://host:port or https://host:port' })
    .default('http://localhost:8086')
    .describe('Where the server is.'),
  database: z
    .string()
    .min(1)
    .optional()
    .describe('InfluxDB 1: the database, made when missing if the user may. Or InfluxDB 3.'),
  'retention.policy': z
    .string()
    .min(1)
    .optional()
    .describe('InfluxDB 1: the retention policy. Without it: the default one of the database.'),
  user: z.string().min(1).optional().describe('InfluxDB 1: name of the user, with password.'),
  password: z.string().min(1).optional().describe('Never shown.'),
  bucket: z.string().min(1).optional().describe('InfluxDB 2: the bucket, in place of database.'),
  org: z.string().min(1).optional().describe('InfluxDB 2: name or id of the organization.'),
  token: z.string().min(1).optional().describe('InfluxDB 2 and 3. Never shown; say ${NAME} or ${file:…}.'),
  'ssl.ca': z
    .string()
    .min(1)
    .optional()
    .describe('File of the authorities (PEM) that the certificate may come from. Without it: Node’s own.'),
  measurement: name
    .refine((text) => !text.startsWith('#'), 'expected a name that does not begin with #, which begins a comment')
    .optional()
    .describe('Name of the measurement. Without it: the topic’s.'),
  mode: z
    .enum(['append', 'upsert'])
    .default('append')
    .describe(
      'append: a point a record; its tags have the partition, and its time the last six digits of the offset below the millisecond. ' +
        'upsert: a point for the same tags and time, as the last record left it.',
    ),
  tags: z
    .array(z.union([name, tag]))
    .default([])
    .describe(
      `Tags, each the name of a field of the JSON value or { name, field, optional }; ${recordColumns.join(', ')} are the record's own. ` +
        'Each combination of their values is a series: keep them few.',
    ),
  fields: z
    .array(z.union([name, field]))
    .min(1)
    .optional()
    .describe(
      'Fields, each the name of a field of the JSON value or { name, type, field, optional }. Without it: all of the JSON value but tags and time; of other values, the value itself.',
    ),
  'time.field': z
    .string()
    .min(1)
    .optional()
    .describe(
      'Field of the JSON value with the time: milliseconds since 1970, or ISO 8601. Without it: the record’s timestamp.',
    ),
  'request.bytes': z
    .int()
    .positive()
    .default(1024 * 1024)
    .describe('A request has at most so many bytes, before compression.'),
  'request.timeout.ms': z.int().positive().default(30_000).describe('How long one request may take.'),
  'open.timeout.ms': z
    .int()
    .nonnegative()
    .default(60_000)
    .describe('How long the start waits for a server that is down or starting.'),
  gzip: z.boolean().default(true).describe('Compresses requests.'),
  'flush.records': z.int().positive().default(5_000).describe('Stores after this many records of a partition.'),
  'flush.ms': z.int().positive().default(1_000).describe('Stores this long after the first record that is not stored.'),
})

export type InfluxOptions = z.infer<typeof options>

/** @throws SinkOptionsError for options that contradict each other */
export function checkOptions(given: InfluxOptions): void {
  const { database, bucket, org, user, password, token, url } = given
  if ((database === undefined) === (bucket === undefined)) {
    throw new SinkOptionsError(
      'sink.database (InfluxDB 1 and 3) or sink.bucket (InfluxDB 2) is missing: give one of the two, as the server is',
    )
  }
  if (bucket === undefined && org !== undefined)
    throw new SinkOptionsError('sink.org goes with sink.bucket, and there is none')
  if (bucket !== undefined && given['retention.policy'] !== undefined) {
    throw new SinkOptionsError('sink.retention.policy goes with sink.database: of a bucket it is a part')
  }
  if ((user === undefined) !== (password === undefined)) {
    throw new SinkOptionsError('sink.user and sink.password are given together, or neither')
  }
  if (user !== undefined && token !== undefined) {
    throw new SinkOptionsError('sink.token stands in place of sink.user and sink.password: give one of them')
  }
  const { username, password: secret, search } = new URL(url)
  if (username !== '' || secret !== '')
    throw new SinkOptionsError('sink.url holds a user or password: use "user" and "password"')
  if (search !== '') throw new SinkOptionsError('sink.url has a query: what to write into is said by the other options')
  checkNames(given)
}

function checkNames({ tags, fields = [], mode }: InfluxOptions): void {
  const tagNames = tags.map((one) => pointColumn(one).name)
  const fieldNames = fields.map((one) => pointColumn(one).name)
  const names = [...tagNames, ...fieldNames]
  const twice = names.find((one, index) => names.indexOf(one) !== index)
  if (twice !== undefined) throw new SinkOptionsError(`sink.tags and sink.fields have "${twice}" twice`)
  if (names.includes('time')) {
    throw new SinkOptionsError(
      'sink.tags and sink.fields have "time", the name of InfluxDB’s own times: take another one',
    )
  }
  const hasPartition = tags.some((one) => pointColumn(one).record === '$partition')
  if (mode === 'append' && !hasPartition && names.includes('partition')) {
    throw new SinkOptionsError(
      'sink.tags and sink.fields have "partition", the tag of the record’s own partition in append mode: take another name, or add { "name": "…", "field": "$partition" } to the tags',
    )
  }
}

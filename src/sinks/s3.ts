/**
 * The `s3` sink: objects of lines in a bucket, in which each record stands once, in offset order. When an object is published, and what that means for a
 * crash: create-once-sink.ts. How: object-chain.ts.
 */
import { z } from 'zod'
import { CreateOnceSink } from './create-once-sink.ts'
import { extensionOf, lineOptions } from './line-options.ts'
import { ObjectRanges } from './object-ranges.ts'
import { defineSink } from './registry.ts'
import { openS3Store } from './s3-store.ts'
import { SinkOptionsError } from './sink.ts'

const LEAST_PART_BYTES = 5 * 1024 * 1024
/** S3 takes 10,000; the batch that reaches `rotate.bytes` is beyond it. */
const MOST_PARTS = 9_000

const options = z.strictObject({
  bucket: z.string().min(3).describe('The bucket, which must exist.'),
  prefix: z
    .string()
    .regex(/^[^/]/, 'expected no slash at the beginning')
    .optional()
    .describe('Begins every key, as folders do: flights/raw. One application a prefix.'),
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected http://host:port or https://host:port' })
    .optional()
    .describe('Where the store is, for example http://localhost:9000 of a MinIO. Without it: Amazon’s.'),
  region: z.string().min(1).optional().describe('Without it: AWS_REGION or the profile’s; with an endpoint us-east-1.'),
  'path.style': z
    .boolean()
    .optional()
    .describe('Names the bucket in the path, not in the host. Without it: true with an endpoint, else false.'),
  'access.key.id': z
    .string()
    .min(1)
    .optional()
    .describe(
      'Without it and secret.access.key: what the AWS tools use (environment, ~/.aws, the machine’s or container’s role).',
    ),
  'secret.access.key': z.string().min(1).optional().describe('Never shown.'),
  'session.token': z.string().min(1).optional().describe('Of temporary credentials. Never shown.'),
  'ssl.ca': z
    .string()
    .min(1)
    .optional()
    .describe('File of the authorities (PEM) that the certificate may come from. Without it: Node’s own.'),
  'storage.class': z.string().min(1).optional().describe('For example STANDARD_IA. Without it: the bucket’s.'),
  'server.side.encryption': z.enum(['AES256', 'aws:kms']).optional().describe('Without it: the bucket’s.'),
  'kms.key.id': z.string().min(1).optional().describe('The key of aws:kms. Without it: the account’s.'),
  'request.timeout.ms': z.int().positive().default(30_000).describe('How long one request may take.'),
  ...lineOptions,
})

type S3Options = z.infer<typeof options>

function createS3Sink(given: S3Options): CreateOnceSink {
  if ((given['access.key.id'] === undefined) !== (given['secret.access.key'] === undefined)) {
    throw new SinkOptionsError('sink: "access.key.id" and "secret.access.key" are given together, or neither')
  }
  if (given['kms.key.id'] !== undefined && given['server.side.encryption'] !== 'aws:kms') {
    throw new SinkOptionsError('sink: "kms.key.id" needs "server.side.encryption": "aws:kms"')
  }
  const { prefix = '' } = given
  const ranges = new ObjectRanges({
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    extension: extensionOf(given),
    partBytes: Math.max(LEAST_PART_BYTES, Math.ceil(given['rotate.bytes'] / MOST_PARTS)),
    connect: (context) => openS3Store(given, context),
  })
  return new CreateOnceSink('s3', given, ranges)
}

export const s3Sink = defineSink({
  name: 's3',
  guarantee: 'create-once',
  summary:
    'Objects of lines (csv, tsv, log, jsonl) in a bucket of S3, MinIO or another store that speaks S3, each record once and in order.',
  options,
  example: {
    type: 's3',
    bucket: 'flights',
    prefix: 'raw',
    endpoint: 'http://localhost:9000',
    'access.key.id': 'sluice',
    'secret.access.key': 'change-me',
    format: 'jsonl',
    gzip: true,
    'rotate.ms': 60_000,
  },
  create: createS3Sink,
})

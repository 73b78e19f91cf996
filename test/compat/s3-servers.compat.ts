/** What the S3 servers of the tests do when they are asked without the sink: conditions, multipart uploads, refusals; and where they differ. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  type CompleteMultipartUploadCommandInput,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { contextOf } from '../sinks/fixtures.ts'
import { startIgnorant } from './s3-ignorant.ts'
import { startMinio, startVersityGateway, type StoreServer } from './s3-servers.ts'
import { makeSink } from './s3-sink-child.ts'

const Bucket = 'test'
const Key = 'orders/part 0/a+b=1.jsonl'

/** One that tries once, and says who it is with other credentials where some are given. */
function clientOf(t: TestContext, { endpoint, credentials }: StoreServer, other: object = {}): S3Client {
  const { 'access.key.id': accessKeyId, 'secret.access.key': secretAccessKey } = credentials
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey, ...other },
    forcePathStyle: true,
    maxAttempts: 1,
  })
  t.after(() => client.destroy())
  return client
}

/** The status and, of a refusal, the code. */
async function said(answer: Promise<{ $metadata: { httpStatusCode?: number } }>): Promise<string> {
  try {
    return String((await answer).$metadata.httpStatusCode)
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    return `${error.$metadata.httpStatusCode} ${error.name}`
  }
}

const put = (client: S3Client, Body: string, more: Partial<PutObjectCommandInput> = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))

const read = async (client: S3Client, key = Key) =>
  (await client.send(new GetObjectCommand({ Bucket, Key: key }))).Body!.transformToString()

const uploadsUnder = async (client: S3Client, Prefix: string) =>
  ((await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }))).Uploads ?? []).map((one) => one.Key)

/** An upload of one part, which is there; `complete` may be called again. */
async function upload(client: S3Client, Body: string, key: string) {
  const named = { Bucket, Key: key }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...named, ChecksumAlgorithm: 'CRC32' }))
  const part = { ...named, UploadId, PartNumber: 1, Body, ChecksumAlgorithm: 'CRC32' as const }
  const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part))
  const Parts = [{ PartNumber: 1, ETag, ChecksumCRC32 }]
  const complete = (more: Partial<CompleteMultipartUploadCommandInput> = {}) =>
    client.send(new CompleteMultipartUploadCommand({ ...named, UploadId, MultipartUpload: { Parts }, ...more }))
  const abort = () => client.send(new AbortMultipartUploadCommand({ ...named, UploadId }))
  return { complete, abort, partAgain: () => client.send(new UploadPartCommand(part)) }
}

const servers = [
  {
    start: startVersityGateway,
    // An upload that is over is remembered by its object, and asked for again it is done, whatever the condition.
    completedAgain: ['200', '200'],
    isListedByFolder: true,
    unknownKey: '404 XAdminUserNotFound',
  },
  {
    start: startMinio,
    completedAgain: ['404 NoSuchUpload', '412 PreconditionFailed'],
    // Only the key itself finds an upload of it.
    isListedByFolder: false,
    unknownKey: '403 InvalidAccessKeyId',
  },
]

for (const { start, completedAgain, isListedByFolder, unknownKey } of servers) {
  test(`${start.name}: conditions, multipart uploads and refusals; a restart keeps the data`, async (t) => {
    const server = await start()
    t.after(() => server.stop())
    const client = clientOf(t, server)
    assert.equal(await said(put(client, 'lost', { Bucket: 'nobodys' })), '404 NoSuchBucket')

    const { ETag } = await put(client, 'one', { IfNoneMatch: '*' })
    assert.equal(await said(put(client, 'two', { IfNoneMatch: '*' })), '412 PreconditionFailed')
    assert.equal(await said(put(client, 'three', { IfMatch: ETag })), '200')
    assert.equal(await said(put(client, 'four', { IfMatch: ETag })), '412 PreconditionFailed')
    assert.equal(await said(put(client, 'five', { IfMatch: ETag, Key: 'none' })), '404 NoSuchKey')
    assert.equal(await read(client), 'three')

    const large = 'orders/large.bin'
    const first = await upload(client, 'a part', large)
    assert.deepEqual(await uploadsUnder(client, 'orders/'), isListedByFolder ? [large] : [])
    assert.deepEqual(await uploadsUnder(client, large), [large])
    assert.equal(await said(first.complete({ IfNoneMatch: '*' })), '200')
    assert.equal(await read(client, large), 'a part')
    assert.deepEqual([await said(first.complete()), await said(first.complete({ IfNoneMatch: '*' }))], completedAgain)
    const second = await upload(client, 'another', large)
    assert.equal(await said(second.complete({ IfNoneMatch: '*' })), '412 PreconditionFailed')
    assert.equal(await said(second.abort()), '204')
    assert.equal(await said(second.partAgain()), '404 NoSuchUpload')
    assert.equal(await read(client, large), 'a part')

    const stranger = clientOf(t, server, { accessKeyId: 'nobody' })
    assert.equal(await said(put(stranger, 'six')), unknownKey)
    const forger = clientOf(t, server, { secretAccessKey: 'not-the-secret' })
    assert.equal(await said(put(forger, 'seven')), '403 SignatureDoesNotMatch')

    await server.pause()
    await assert.rejects(fetch(server.endpoint, { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' })
    const waiting = put(client, 'eight')
    server.resume()
    assert.equal(await said(waiting), '200')
    await server.pause()
    await server.kill()
    await assert.rejects(read(client), { code: 'ECONNREFUSED' })
    await server.start()
    assert.equal(await read(client), 'eight')
    assert.equal(await read(client, large), 'a part')
  })
}

test('startIgnorant: conditions are taken for granted, and everything else is as it should be', async (t) => {
  const server = await startIgnorant()
  t.after(() => server.stop())
  const client = clientOf(t, server)
  const { ETag } = await put(client, 'one', { IfNoneMatch: '*' })
  assert.equal(await said(put(client, 'two', { IfNoneMatch: '*' })), '200')
  assert.equal(await said(put(client, 'three', { IfMatch: ETag })), '200')
  assert.equal(await read(client), 'three')
  const { complete } = await upload(client, 'four', Key)
  assert.equal(await said(complete({ IfNoneMatch: '*' })), '200')
  assert.equal(await read(client), 'four')
  const forger = clientOf(t, server, { secretAccessKey: 'not-the-secret' })
  assert.equal(await said(put(forger, 'five', { IfNoneMatch: '*' })), '403 SignatureDoesNotMatch')
  const sink = makeSink(JSON.stringify({ endpoint: server.endpoint, ...server.credentials }))
  t.after(() => sink.close())
  assert.equal((await sink.open(contextOf())).guarantee, 'at-least-once', 'found out by the probe')
  await server.kill()
  await assert.rejects(read(client), { code: 'ECONNRESET' })
  await server.start()
  assert.equal(await read(client), 'four')
})

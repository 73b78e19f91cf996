/** The bucket of memory-object-store.ts behind HTTP, as far as the `s3` sink speaks S3: for tests that need neither Go nor a network. Signatures are not checked. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Disk } from '../../src/seams/disk.ts'
import type { PutCondition, UploadedPart } from '../../src/sinks/object-store.ts'
import { SinkUnavailableError } from '../../src/sinks/sink.ts'
import { Bucket, MemoryObjectStore } from './memory-object-store.ts'

export interface S3Request {
  readonly method: string
  /** Without the bucket. */
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/** An answer in place of the store's own; `hang` never answers, `drop` breaks the connection, `drop-after` when all is done. */
export type S3Fault =
  | { readonly status: number; readonly code: string; readonly message?: string }
  | 'hang'
  | 'drop'
  | 'drop-after'

export interface S3Server {
  readonly endpoint: string
  readonly bucket: Bucket
  readonly requests: S3Request[]
  /** Asked for each request. */
  fault: (request: S3Request) => S3Fault | undefined
  stop(): Promise<void>
}

/** Has one bucket, `test`. */
export async function startS3Server({ honoursConditions = true } = {}): Promise<S3Server> {
  const bucket = new Bucket({ honoursConditions })
  const requests: S3Request[] = []
  const http = createServer((incoming, response) => {
    void serve(server, incoming, response).catch((error: unknown) => {
      if (error instanceof SinkUnavailableError) response.destroy()
      else answerError(response, 500, 'InternalError', String(error))
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const server: S3Server = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    requests,
    fault: () => undefined,
    async stop() {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
  return server
}

async function serve(server: S3Server, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(incoming.url!, 'http://store')
  const [, name, ...path] = decodeURIComponent(url.pathname).split('/')
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const request = {
    method: incoming.method!,
    key: path.join('/'),
    query: url.searchParams,
    headers: incoming.headers,
  }
  server.requests.push(request)
  const fault = server.fault(request)
  if (fault === 'hang') return
  if (fault === 'drop') return void response.destroy()
  if (fault !== undefined && fault !== 'drop-after') {
    return answerError(response, fault.status, fault.code, fault.message)
  }
  if (name !== 'test') return answerError(response, 404, 'NoSuchBucket')
  const answer = await answerTo(server.bucket, request, Buffer.concat(chunks))
  if (fault === 'drop-after') response.destroy()
  else if ('code' in answer) answerError(response, answer.status, answer.code, undefined, request.method === 'HEAD')
  else response.writeHead(answer.status ?? 200, answer.headers).end(request.method === 'HEAD' ? undefined : answer.body)
}

type Answer =
  | { readonly status: number; readonly code: string }
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string | Buffer }

async function answerTo(bucket: Bucket, { method, key, query, headers }: S3Request, body: Buffer): Promise<Answer> {
  const store = new MemoryObjectStore(bucket, stillDisk)
  const never = new AbortController().signal
  const upload = { key, uploadId: query.get('uploadId') ?? '' }
  const gone = { status: 404, code: 'NoSuchUpload' }
  if (key === '' && query.has('uploads')) {
    const found = await store.uploads(query.get('prefix') ?? '', never)
    return xml(
      'ListMultipartUploadsResult',
      found.map((one) => element('Upload', one, { key: 'Key', uploadId: 'UploadId' })),
    )
  }
  if (key === '') {
    const found = await store.firstKey(query.get('prefix') ?? '', query.get('start-after') ?? '', never)
    return xml('ListBucketResult', found === undefined ? [] : [`<Contents><Key>${found}</Key></Contents>`])
  }
  if (method === 'POST' && query.has('uploads')) {
    const begun = await store.begin(key, metadataOf(headers), never)
    return xml('InitiateMultipartUploadResult', [`<UploadId>${begun.uploadId}</UploadId>`])
  }
  if (method === 'POST') {
    const outcome = await store.complete(upload, partsIn(body.toString()), never)
    if (outcome === 'done') return xml('CompleteMultipartUploadResult', [])
    return outcome === 'gone' ? gone : { status: 412, code: 'PreconditionFailed' }
  }
  if (method === 'PUT' && query.has('uploadId')) {
    const part = await store.uploadPart(upload, Number(query.get('partNumber')), body, never)
    return part === 'gone' ? gone : { headers: { etag: part.etag } }
  }
  if (method === 'PUT') {
    const condition = conditionOf(headers)
    if (condition.kind === 'unchanged' && bucket.honoursConditions && !bucket.objects.has(key)) {
      return { status: 404, code: 'NoSuchKey' }
    }
    const etag = await store.put(key, body.toString(), condition, never)
    return etag === undefined ? { status: 412, code: 'PreconditionFailed' } : { headers: { etag } }
  }
  if (method === 'DELETE') {
    await (query.has('uploadId') ? store.abort(upload, never) : store.remove(key, never))
    return { status: 204 }
  }
  const found = bucket.objects.get(key)
  if (!found) return { status: 404, code: 'NoSuchKey' }
  const metadata = Object.entries(found.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])
  return { headers: { etag: found.etag, ...Object.fromEntries(metadata) }, body: found.bytes }
}

/** Every request is granted at once: what the in-memory tests stop and kill at is not there. */
const stillDisk = { stat: async () => undefined } as unknown as Disk

function conditionOf(headers: IncomingMessage['headers']): PutCondition {
  const etag = headers['if-match']
  if (etag !== undefined) return { kind: 'unchanged', etag }
  return { kind: headers['if-none-match'] === '*' ? 'absent' : 'any' }
}

function metadataOf(headers: IncomingMessage['headers']): Record<string, string> {
  const prefix = 'x-amz-meta-'
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix))
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), String(value)]))
}

function partsIn(body: string): UploadedPart[] {
  const numbers = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)]
  return numbers.map(([, number]) => ({ number: Number(number), etag: '' }))
}

function element(name: string, from: object, names: Readonly<Record<string, string>>): string {
  const fields = Object.entries(from).filter(([field]) => field in names)
  return `<${name}>${fields.map(([field, value]) => `<${names[field]}>${String(value)}</${names[field]}>`).join('')}</${name}>`
}

function xml(name: string, elements: readonly string[]): Answer {
  const body = `<?xml version="1.0"?><${name}>${elements.join('')}</${name}>`
  return { headers: { 'content-type': 'application/xml' }, body }
}

function answerError(response: ServerResponse, status: number, code: string, message = code, isBodiless = false): void {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(isBodiless ? undefined : `<Error><Code>${code}</Code><Message>${message}</Message></Error>`)
}

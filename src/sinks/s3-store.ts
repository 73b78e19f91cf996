/**
 * An object store by the protocol of Amazon S3 and the vendor's own driver: S3, MinIO, Ceph, versitygw and others. What was run against which is in
 * docs/decisions/0015-object-stores.md.
 *
 * Bodies are buffers with their CRC-32, which the store checks. Each request is tried three times by the driver; what it throws then may
 * be a lost answer, so that every caller can ask again.
 */
import type * as aws from '@aws-sdk/client-s3'
import type { Disk } from '../seams/disk.ts'
import {
  type ObjectStore,
  type PutCondition,
  type SmallObject,
  type Upload,
  type UploadedPart,
} from './object-store.ts'
import { readAuthorities } from './authority-file.ts'
import { type LoadPackage, loadDriver } from './driver-package.ts'
import { s3Error, type S3Error, statusOf } from './s3-errors.ts'

type Driver = typeof aws

const PACKAGE = '@aws-sdk/client-s3'
const ATTEMPTS = 3
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv; charset=utf-8',
  tsv: 'text/tab-separated-values; charset=utf-8',
  log: 'text/plain; charset=utf-8',
  jsonl: 'application/x-ndjson',
  gz: 'application/gzip',
}

export interface S3StoreOptions {
  readonly bucket: string
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  readonly 'path.style'?: boolean | undefined
  readonly 'access.key.id'?: string | undefined
  readonly 'secret.access.key'?: string | undefined
  readonly 'session.token'?: string | undefined
  readonly 'ssl.ca'?: string | undefined
  readonly 'storage.class'?: string | undefined
  readonly 'server.side.encryption'?: string | undefined
  readonly 'kms.key.id'?: string | undefined
  readonly 'request.timeout.ms': number
}

export const loadS3Driver = (load?: LoadPackage): Promise<Driver> => loadDriver({ name: PACKAGE, sink: 's3' }, load)

/** Connects, and looks whether the bucket is there. */
export async function openS3Store(
  options: S3StoreOptions,
  { disk, signal }: { readonly disk: Disk; readonly signal: AbortSignal },
): Promise<S3Store> {
  const driver = await loadS3Driver()
  const client = new driver.S3Client(await clientConfig(options, disk))
  const store = new S3Store(driver, client, options)
  try {
    await store.checkBucket(signal)
  } catch (error) {
    client.destroy()
    throw error
  }
  return store
}

async function clientConfig(options: S3StoreOptions, disk: Disk): Promise<aws.S3ClientConfig> {
  const { endpoint, 'access.key.id': accessKeyId, 'secret.access.key': secretAccessKey } = options
  const { 'session.token': sessionToken, 'request.timeout.ms': timeoutMs, 'ssl.ca': authorityFile } = options
  // Without a region the driver looks into the environment and the profile; a store of one's own rarely cares.
  const region = options.region ?? (endpoint === undefined ? undefined : 'us-east-1')
  const ca = await readAuthorities(disk, authorityFile)
  return {
    maxAttempts: ATTEMPTS,
    forcePathStyle: options['path.style'] ?? endpoint !== undefined,
    requestHandler: {
      connectionTimeout: Math.min(timeoutMs, 10_000),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      ...(ca && { httpsAgent: { ca } }),
    },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  }
}

export class S3Store implements ObjectStore {
  readonly place: string
  readonly #driver: Driver
  readonly #client: aws.S3Client
  readonly #bucket: string
  readonly #objectSettings: Pick<aws.PutObjectRequest, 'StorageClass' | 'ServerSideEncryption' | 'SSEKMSKeyId'>
  readonly #encryption: Pick<aws.PutObjectRequest, 'ServerSideEncryption' | 'SSEKMSKeyId'>

  constructor(driver: Driver, client: aws.S3Client, options: S3StoreOptions) {
    this.#driver = driver
    this.#client = client
    this.#bucket = options.bucket
    this.place = `s3://${options.bucket}`
    const { 'storage.class': storageClass, 'server.side.encryption': encryption, 'kms.key.id': SSEKMSKeyId } = options
    this.#encryption = {
      ...(encryption !== undefined && { ServerSideEncryption: encryption as aws.ServerSideEncryption }),
      ...(SSEKMSKeyId !== undefined && { SSEKMSKeyId }),
    }
    this.#objectSettings = {
      ...this.#encryption,
      ...(storageClass !== undefined && { StorageClass: storageClass as aws.StorageClass }),
    }
  }

  /** @throws SinkRefusedError when the bucket is not there or not ours to use */
  async checkBucket(signal: AbortSignal): Promise<void> {
    // Not HeadBucket: an answer without a body does not say what is wrong.
    const command = new this.#driver.ListObjectsV2Command({ Bucket: this.#bucket, MaxKeys: 1 })
    await this.#request(`cannot look into ${this.place}`, () => this.#client.send(command, { abortSignal: signal }))
  }

  async read(key: string, signal: AbortSignal): Promise<SmallObject | undefined> {
    const command = new this.#driver.GetObjectCommand({ Bucket: this.#bucket, Key: key })
    return this.#request(
      `cannot read ${this.place}/${key}`,
      async () => {
        const { Body, ETag } = await this.#client.send(command, { abortSignal: signal })
        return { text: await Body!.transformToString(), etag: ETag! }
      },
      (error) => isNamed(error, 'NoSuchKey') && { value: undefined },
    )
  }

  async put(key: string, text: string, condition: PutCondition, signal: AbortSignal): Promise<string | undefined> {
    const command = new this.#driver.PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: Buffer.from(text),
      ContentType: 'application/json',
      ...this.#encryption,
      ...(condition.kind === 'absent' && { IfNoneMatch: '*' }),
      ...(condition.kind === 'unchanged' && { IfMatch: condition.etag }),
    })
    return this.#request(
      `cannot write ${this.place}/${key}`,
      async () => (await this.#client.send(command, { abortSignal: signal })).ETag!,
      // 404: the object whose ETag was given is no more.
      (error) =>
        (statusOf(error) === 412 || (condition.kind === 'unchanged' && isNamed(error, 'NoSuchKey'))) && {
          value: undefined,
        },
    )
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    const command = new this.#driver.DeleteObjectCommand({ Bucket: this.#bucket, Key: key })
    await this.#request(`cannot remove ${this.place}/${key}`, () => this.#client.send(command, { abortSignal: signal }))
  }

  async metadata(key: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined> {
    const command = new this.#driver.HeadObjectCommand({ Bucket: this.#bucket, Key: key })
    return this.#request(
      `cannot look at ${this.place}/${key}`,
      async () => (await this.#client.send(command, { abortSignal: signal })).Metadata ?? {},
      (error) => statusOf(error) === 404 && { value: undefined },
    )
  }

  async firstKey(prefix: string, after: string, signal: AbortSignal): Promise<string | undefined> {
    const input = { Bucket: this.#bucket, Prefix: prefix, StartAfter: after, MaxKeys: 1 }
    const command = new this.#driver.ListObjectsV2Command(input)
    return this.#request(`cannot list ${this.place}/${prefix}`, async () => {
      const { Contents } = await this.#client.send(command, { abortSignal: signal })
      return Contents?.[0]?.Key
    })
  }

  async begin(key: string, metadata: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Upload> {
    const contentType = CONTENT_TYPES[key.slice(key.lastIndexOf('.') + 1)]
    const command = new this.#driver.CreateMultipartUploadCommand({
      Bucket: this.#bucket,
      Key: key,
      Metadata: { ...metadata },
      ChecksumAlgorithm: 'CRC32',
      ...this.#objectSettings,
      ...(contentType !== undefined && { ContentType: contentType }),
    })
    return this.#request(`cannot begin to upload ${this.place}/${key}`, async () => {
      const { UploadId } = await this.#client.send(command, { abortSignal: signal })
      return { key, uploadId: UploadId! }
    })
  }

  async uploadPart(
    { key, uploadId }: Upload,
    number: number,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<UploadedPart | 'gone'> {
    const command = new this.#driver.UploadPartCommand({
      Bucket: this.#bucket,
      Key: key,
      UploadId: uploadId,
      PartNumber: number,
      Body: bytes,
      ChecksumAlgorithm: 'CRC32',
    })
    return this.#request<UploadedPart | 'gone'>(
      `cannot upload ${this.place}/${key}`,
      async () => {
        const { ETag, ChecksumCRC32 } = await this.#client.send(command, { abortSignal: signal })
        return { number, etag: ETag!, crc32: ChecksumCRC32 }
      },
      (error) => isNamed(error, 'NoSuchUpload') && { value: 'gone' },
    )
  }

  async complete(
    { key, uploadId }: Upload,
    parts: readonly UploadedPart[],
    signal: AbortSignal,
  ): Promise<'done' | 'gone' | 'taken'> {
    const command = new this.#driver.CompleteMultipartUploadCommand({
      Bucket: this.#bucket,
      Key: key,
      UploadId: uploadId,
      IfNoneMatch: '*',
      MultipartUpload: {
        Parts: parts.map(({ number, etag, crc32 }) => ({
          PartNumber: number,
          ETag: etag,
          ...(crc32 !== undefined && { ChecksumCRC32: crc32 }),
        })),
      },
    })
    return this.#request<'done' | 'gone' | 'taken'>(
      `cannot complete the upload of ${this.place}/${key}`,
      async () => {
        await this.#client.send(command, { abortSignal: signal })
        return 'done'
      },
      (error) =>
        (isNamed(error, 'NoSuchUpload') && { value: 'gone' }) || (statusOf(error) === 412 && { value: 'taken' }),
    )
  }

  async abort({ key, uploadId }: Upload, signal: AbortSignal): Promise<void> {
    const command = new this.#driver.AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId })
    await this.#request<unknown>(
      `cannot abort the upload of ${this.place}/${key}`,
      () => this.#client.send(command, { abortSignal: signal }),
      (error) => isNamed(error, 'NoSuchUpload') && { value: undefined },
    )
  }

  async uploads(prefix: string, signal: AbortSignal): Promise<readonly Upload[]> {
    // The first thousand: what is behind them comes up at the next recovery.
    const command = new this.#driver.ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: prefix })
    return this.#request(`cannot list the uploads below ${this.place}/${prefix}`, async () => {
      const { Uploads = [] } = await this.#client.send(command, { abortSignal: signal })
      return Uploads.map(({ Key, UploadId }) => ({ key: Key!, uploadId: UploadId! }))
    })
  }

  close(): void {
    this.#client.destroy()
  }

  /** @param expected the value that an error stands for, where it is an answer */
  async #request<T>(
    doing: string,
    send: () => Promise<T>,
    expected: (error: S3Error) => { readonly value: T } | false = () => false,
  ): Promise<T> {
    try {
      return await send()
    } catch (error) {
      const answer = expected(error as S3Error)
      if (answer) return answer.value
      throw s3Error(error, doing)
    }
  }
}

function isNamed(error: S3Error, name: string): boolean {
  return error.name === name
}

/**
 * What the `s3` sink needs of an object store, and nothing more: small objects that are replaced only if they are what one has read, and uploads that
 * nobody sees until they are completed. s3-store.ts is the real one; a test's keeps everything in memory.
 *
 * Every method throws in the classes of the sink contract: `SinkUnavailableError` for what may pass, `SinkRefusedError` for what stays. What is
 * expected between owners (somebody was faster, an upload is gone) is a value.
 */

/** When a small object is written: only where none is, only over the one with this ETag, or whatever stands there. */
export type PutCondition =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unchanged'; readonly etag: string }
  | { readonly kind: 'any' }

export interface SmallObject {
  readonly text: string
  readonly etag: string
}

/** An upload in parts, which becomes the object `key` when it is completed. */
export interface Upload {
  readonly key: string
  readonly uploadId: string
}

/** What a part's upload was answered with, and what completing needs of it. */
export interface UploadedPart {
  readonly number: number
  readonly etag: string
  /** CRC-32 as base64, where the store computes one. */
  readonly crc32?: string | undefined
}

export interface ObjectStore {
  /** The store and the bucket, for messages: `s3://flights`. */
  readonly place: string
  read(key: string, signal: AbortSignal): Promise<SmallObject | undefined>
  /** Resolves with the new ETag; undefined when the condition did not hold. */
  put(key: string, text: string, condition: PutCondition, signal: AbortSignal): Promise<string | undefined>
  remove(key: string, signal: AbortSignal): Promise<void>
  /** The metadata of an object, by names in lower case; undefined when there is none. */
  metadata(key: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined>
  /** The first key that begins with `prefix` and comes after `after` in the order of bytes. */
  firstKey(prefix: string, after: string, signal: AbortSignal): Promise<string | undefined>
  begin(key: string, metadata: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Upload>
  /** `number` counts from 1; all but the last part have at least 5 MiB. The same number again replaces the part. */
  uploadPart(upload: Upload, number: number, bytes: Buffer, signal: AbortSignal): Promise<UploadedPart | 'gone'>
  /** `gone`: it was completed or aborted. `taken`: the key has an object already, which stays. */
  complete(upload: Upload, parts: readonly UploadedPart[], signal: AbortSignal): Promise<'done' | 'gone' | 'taken'>
  /** Of one that is gone: nothing. */
  abort(upload: Upload, signal: AbortSignal): Promise<void>
  /** Uploads under way whose keys begin with `prefix`, as far as the store tells. */
  uploads(prefix: string, signal: AbortSignal): Promise<readonly Upload[]>
  close(): void
}

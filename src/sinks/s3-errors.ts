/** The errors of S3, of the stores that speak it, and of the network, in the words and classes of the sink contract. */
import { SluiceError } from '../error.ts'
import { SinkRefusedError, SinkUnavailableError } from './sink.ts'

/** What the driver throws: the store's answer (with a status), or the network's error (with a code). */
export interface S3Error extends Error {
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  /** What the store says of a redirect. */
  readonly Endpoint?: string
}

/** Can pass by itself. */
const passing: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is the store running, and does it listen there?',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'the store does not answer: is it, or the network, down?',
  EHOSTUNREACH: 'the network does not reach the host',
  ENETUNREACH: 'the network does not reach the host',
  ENOTFOUND: 'the name of the host is not known: are "endpoint" and "region" right?',
  EAI_AGAIN: 'the name of the host cannot be looked up at the moment',
  TimeoutError: 'the store did not answer in time ("request.timeout.ms")',
  AbortError: 'there was no time left',
  SlowDown: 'the store asks for fewer requests: raise "rotate.ms"',
  XMinioStorageFull: 'the disk of the store is full: free some space',
  ConditionalRequestConflict: 'another request for the same object was under way',
  OperationAborted: 'another request for the same object was under way',
}

/** Stays until somebody changes something. */
const lasting: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or correct "bucket"',
  InvalidBucketName: 'no bucket can have this name: correct "bucket"',
  InvalidAccessKeyId: 'the store does not know "access.key.id"',
  XAdminUserNotFound: 'the store does not know "access.key.id"',
  SignatureDoesNotMatch: '"secret.access.key" is not the one that belongs to "access.key.id"',
  InvalidToken: '"session.token" is not valid',
  ExpiredToken: '"session.token" has expired',
  RequestTimeTooSkewed: 'the clock of this machine or of the store is wrong',
  AccessDenied:
    'allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the objects, s3:ListBucket and ' +
    's3:ListBucketMultipartUploads on the bucket; without s3:ListBucket S3 says this of objects that are not there, too',
  CredentialsProviderError:
    'no credentials were found: set "access.key.id" and "secret.access.key", or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile',
  PermanentRedirect: 'the bucket is in another region: correct "region" or "endpoint"',
  AuthorizationHeaderMalformed: 'the bucket is in another region: correct "region"',
  InvalidStorageClass: 'the store has no such "storage.class"',
  EntityTooSmall: 'a part of an upload is too small for this store',
  NoSuchKey: 'it is not there',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name its authority in "ssl.ca"',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not from an authority that is trusted here: name it in "ssl.ca"',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not from an authority that is trusted here: name it in "ssl.ca"',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is not from an authority that is trusted here: name it in "ssl.ca"',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host: correct "endpoint"',
}

export function statusOf(error: unknown): number | undefined {
  return (error as S3Error).$metadata?.httpStatusCode
}

/** An error of the contract stays as it is; one that is neither the store's nor the network's is a mistake in the program and stays too. */
export function s3Error(error: unknown, doing: string): Error {
  if (error instanceof SluiceError) return error
  const { name, code, message } = error as S3Error
  const status = statusOf(error)
  const known = [name, code].find((one) => one !== undefined && (one in passing || one in lasting))
  if (known === undefined && status === undefined && code === undefined) return error as Error
  const label = known ?? code ?? name
  const said = status === undefined ? label : `${label}, HTTP ${status}`
  const help = known === undefined ? undefined : (passing[known] ?? lasting[known])
  const text = `${doing}: ${help ?? (message || 'the store gives no reason')} (${said})`
  const mayPass =
    known !== undefined ? known in passing : status === undefined || status >= 500 || status === 429 || status === 408
  return mayPass ? new SinkUnavailableError(text, error) : new SinkRefusedError(text, error)
}

/**
 * An API of Kafka's: its key, the versions that Sluice speaks, and the two messages. `messages/` holds one file an API;
 * both client and broker encode and decode by the same definition.
 */
import { DecodeError, EncodeError } from './decode-error.ts'
import { Reader } from './reader.ts'
import { type Codec, type Decoded, type Encodable, type Field } from './schema.ts'
import { Writer } from './writer.ts'

export interface ApiDefinition<Request extends Field<any, any>, Response extends Field<any, any>> {
  readonly key: number
  /** Kafka's name of the API, for example `OffsetCommit`. */
  readonly name: string
  /** The oldest and the newest version that is defined, inclusive. */
  readonly versions: readonly [oldest: number, newest: number]
  /** The first flexible version (KIP-482); `Infinity` if there is none. */
  readonly flexibleSince: number
  readonly request: Request
  readonly response: Response
}

export interface Api<Request = any, RequestInput = any, Response = any, ResponseInput = any> {
  readonly key: number
  readonly name: string
  readonly versions: readonly [oldest: number, newest: number]
  isFlexible(version: number): boolean
  requestCodec(version: number): Codec<Request, RequestInput>
  responseCodec(version: number): Codec<Response, ResponseInput>
}

export type RequestOf<A> = A extends Api<infer R, any, any, any> ? R : never
export type RequestInputOf<A> = A extends Api<any, infer R, any, any> ? R : never
export type ResponseOf<A> = A extends Api<any, any, infer R, any> ? R : never
export type ResponseInputOf<A> = A extends Api<any, any, any, infer R> ? R : never

export function defineApi<Request extends Field<any, any>, Response extends Field<any, any>>(
  definition: ApiDefinition<Request, Response>,
): Api<Decoded<Request>, Encodable<Request>, Decoded<Response>, Encodable<Response>> {
  const { key, name, versions, flexibleSince } = definition
  const compileOnce = (direction: 'request' | 'response') => {
    const compiled: Codec<any, any>[] = []
    return (version: number) => {
      if (version < versions[0] || version > versions[1]) {
        throw new EncodeError(`${name} version ${version} is not defined: ${versions[0]} to ${versions[1]} are`)
      }
      return (compiled[version] ??= definition[direction].compile(version, version >= flexibleSince))
    }
  }
  return {
    key,
    name,
    versions,
    isFlexible: (version) => version >= flexibleSince,
    requestCodec: compileOnce('request'),
    responseCodec: compileOnce('response'),
  }
}

/** A structure that Kafka stores rather than sends, with its version as the first two bytes: consumer protocol, coordinator records. */
export interface StoredStruct<T = any, Input = any> {
  readonly name: string
  readonly versions: readonly [oldest: number, newest: number]
  encode(version: number, value: Input): Buffer
  /** Decodes any version from `versions[0]` on; a newer one than `versions[1]` is read as the newest known, as Kafka's clients do when `lenient`. */
  decode(bytes: Buffer): { version: number; value: T }
}

export function defineStored<F extends Field<any, any>>(definition: {
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexibleSince: number
  /** Whether a newer version than is known may be read as the newest known, its further bytes passed over. */
  readonly lenient?: boolean
  readonly value: F
}): StoredStruct<Decoded<F>, Encodable<F>> {
  const { name, versions, flexibleSince, lenient = false, value: field } = definition
  const compiled: Codec<any, any>[] = []
  const codecOf = (version: number) => (compiled[version] ??= field.compile(version, version >= flexibleSince))
  return {
    name,
    versions,
    encode(version, value) {
      const writer = new Writer()
      writer.int16(version)
      codecOf(version).write(writer, value)
      return writer.toBuffer()
    },
    decode(buffer) {
      const reader = new Reader(buffer)
      const version = reader.int16()
      if (version < versions[0] || (version > versions[1] && !lenient)) {
        throw new DecodeError(`${name} has version ${version}: ${versions[0]} to ${versions[1]} are known`)
      }
      return { version, value: codecOf(Math.min(version, versions[1])).read(reader) }
    },
  }
}

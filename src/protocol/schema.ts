/**
 * The language in which messages are defined: one definition gives both directions, every version and the types.
 *
 *     struct({
 *       groupId: string(),
 *       groupInstanceId: nullableString({ since: 3, default: null }),
 *       members: array(struct({ memberId: string() }), { since: 3, default: [] }),
 *     })
 *
 * A definition is compiled once for each version that is used. Field options:
 *
 * - `since`, `until`: the versions that carry the field. Elsewhere a decoder yields the default, and an encoder refuses
 *   any other value than the default, unless the field is `ignorable` (then it is left out silently). As in Kafka.
 * - `nullableSince`: from which version null may be said.
 * - `tag`, `tagSince`: a tagged field of the flexible versions (KIP-482): left out when it holds the default.
 * - `default`: what a value left out means. A field with none of these options must be given.
 * - `flexible: false`: never in the compact form (the client id of the request header).
 */
import { DecodeError, EncodeError } from './decode-error.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

export interface FieldOptions<T> {
  readonly since?: number
  readonly until?: number
  readonly nullableSince?: number
  readonly tag?: number
  readonly tagSince?: number
  readonly ignorable?: boolean
  readonly flexible?: boolean
  readonly default?: T
}

/** How one type is read and written in one version. */
export interface Codec<T, Input = T> {
  /** The fewest bytes that a value takes: what bounds the length of an array that somebody announces. */
  readonly minBytes: number
  read(reader: Reader): T
  write(writer: Writer, value: Input): void
}

export interface Field<T, Input = T, Optional extends boolean = boolean> {
  readonly options: FieldOptions<Input>
  readonly zero: T
  readonly optional?: Optional
  compile(version: number, flexible: boolean): Codec<T, Input>
}

type AnyField = Field<any, any, boolean>
type Fields = Readonly<Record<string, AnyField>>
type Simplify<T> = { [K in keyof T]: T[K] } & {}
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Field<any, any, true> ? K : never }[keyof F]

export type StructValue<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T, any, boolean> ? T : never }
export type StructInput<F extends Fields> = Simplify<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: F[K] extends Field<any, infer I, boolean> ? I : never } & {
    [K in OptionalKeys<F>]?: (F[K] extends Field<any, infer I, boolean> ? I : never) | undefined
  }
>

/** What a decoder of this definition returns: every field, whatever the version. */
export type Decoded<F> = F extends Field<infer T, any, boolean> ? T : never
/** What an encoder of this definition takes: fields with a default may be left out. */
export type Encodable<F> = F extends Field<any, infer I, boolean> ? I : never

type Can<O> = O extends { since: number } | { until: number } | { tag: number } | { default: unknown } ? true : false

interface Primitive<T, Input = T> {
  zero: T
  codec(flexible: boolean, nullable: boolean): Codec<T, Input>
}

function fieldOf<T, Input, O extends FieldOptions<Input>>(
  primitive: Primitive<T, Input>,
  options: O,
): Field<T, Input, Can<O>> {
  return {
    options,
    zero: (options.default === undefined ? primitive.zero : options.default) as T,
    compile: (version, flexible) =>
      primitive.codec(
        flexible && options.flexible !== false,
        version >= (options.nullableSince ?? Number.POSITIVE_INFINITY),
      ),
  }
}

function fixed<T>(zero: T, minBytes: number, read: (reader: Reader) => T, write: (writer: Writer, value: T) => void) {
  const codec = { minBytes, read, write }
  const primitive: Primitive<T> = { zero, codec: () => codec }
  return <const O extends FieldOptions<T> = {}>(options?: O): Field<T, T, Can<O>> =>
    fieldOf(primitive, (options ?? {}) as O)
}

export const bool = fixed(
  false,
  1,
  (reader) => reader.bool(),
  (writer, value) => writer.bool(value),
)
export const int8 = fixed(
  0,
  1,
  (reader) => reader.int8(),
  (writer, value) => writer.int8(value),
)
export const int16 = fixed(
  0,
  2,
  (reader) => reader.int16(),
  (writer, value) => writer.int16(value),
)
export const uint16 = fixed(
  0,
  2,
  (reader) => reader.uint16(),
  (writer, value) => writer.uint16(value),
)
export const int32 = fixed(
  0,
  4,
  (reader) => reader.int32(),
  (writer, value) => writer.int32(value),
)
export const uint32 = fixed(
  0,
  4,
  (reader) => reader.uint32(),
  (writer, value) => writer.uint32(value),
)
/** A 64-bit number, held as a JavaScript number and exact to 2^53 - 1. */
export const int64 = fixed(
  0,
  8,
  (reader) => reader.int64(),
  (writer, value) => writer.int64(value),
)
export const float64 = fixed(
  0,
  8,
  (reader) => reader.float64(),
  (writer, value) => writer.float64(value),
)
/** 16 bytes, held as the 22 base64url characters in which Kafka prints topic ids. */
export const uuid = fixed(
  'AAAAAAAAAAAAAAAAAAAAAA',
  16,
  (reader) => reader.uuid(),
  (writer, value) => writer.uuid(value),
)

/** The length before a string, byte value or array: -1 is null. Compact: one more than it, as a varint. */
function readLength(reader: Reader, compact: boolean, wide: boolean): number {
  if (compact) return reader.unsignedVarint() - 1
  return wide ? reader.int32() : reader.int16()
}

function writeLength(writer: Writer, length: number, compact: boolean, wide: boolean): void {
  if (compact) writer.unsignedVarint(length + 1)
  else if (wide) writer.int32(length)
  else if (length > 0x7fff)
    throw new EncodeError(`A string of ${length} bytes is longer than the protocol allows (32767)`)
  else writer.int16(length)
}

function stringCodec(compact: boolean, nullable: boolean): Codec<string | null> {
  return {
    minBytes: compact ? 1 : 2,
    read(reader) {
      const length = readLength(reader, compact, false)
      if (length >= 0) return reader.text(length)
      if (length === -1 && nullable) return null
      throw new DecodeError(`A string has the length ${length}`)
    },
    write(writer, value) {
      if (value === null) {
        if (!nullable) throw new EncodeError('null where this version needs a string')
        return writeLength(writer, -1, compact, false)
      }
      const length = Buffer.byteLength(value)
      writeLength(writer, length, compact, false)
      writer.text(value, length)
    },
  }
}

/** Bytes on their way out may be several pieces, written one after the other under one length. */
export type BytesInput = Uint8Array | readonly Uint8Array[]

function bytesCodec(compact: boolean, nullable: boolean): Codec<Buffer | null, BytesInput | null> {
  return {
    minBytes: compact ? 1 : 4,
    read(reader) {
      const length = readLength(reader, compact, true)
      if (length >= 0) return reader.slice(length)
      if (length === -1 && nullable) return null
      throw new DecodeError(`A byte value has the length ${length}`)
    },
    write(writer, value) {
      if (value === null) {
        if (!nullable) throw new EncodeError('null where this version needs bytes')
        return writeLength(writer, -1, compact, true)
      }
      const pieces = value instanceof Uint8Array ? [value] : value
      let length = 0
      for (const piece of pieces) length += piece.length
      writeLength(writer, length, compact, true)
      for (const piece of pieces) writer.bytes(piece)
    },
  }
}

export function string<const O extends FieldOptions<string> = {}>(options?: O): Field<string, string, Can<O>> {
  const primitive: Primitive<string> = { zero: '', codec: (flexible) => stringCodec(flexible, false) as Codec<string> }
  return fieldOf(primitive, (options ?? {}) as O)
}

/** A string that can be null in every version, or from `nullableSince` on. */
export function nullableString<const O extends FieldOptions<string | null> = {}>(
  options?: O,
): Field<string | null, string | null, Can<O>> {
  return fieldOf<string | null, string | null, O>({ zero: null, codec: stringCodec }, {
    nullableSince: 0,
    ...options,
  } as O)
}

export function bytes<const O extends FieldOptions<BytesInput> = {}>(options?: O): Field<Buffer, BytesInput, Can<O>> {
  const primitive: Primitive<Buffer, BytesInput> = {
    zero: Buffer.alloc(0),
    codec: (flexible) => bytesCodec(flexible, false) as Codec<Buffer, BytesInput>,
  }
  return fieldOf(primitive, (options ?? {}) as O)
}

export function nullableBytes<const O extends FieldOptions<BytesInput | null> = {}>(
  options?: O,
): Field<Buffer | null, BytesInput | null, Can<O>> {
  const primitive: Primitive<Buffer | null, BytesInput | null> = { zero: null, codec: bytesCodec }
  return fieldOf(primitive, { nullableSince: 0, ...options } as O)
}

/** Record batches as they stand in the log: nullable bytes, opened by `records/`. */
export const records = nullableBytes

function arrayCodec<T, Input>(
  item: Codec<T, Input>,
  compact: boolean,
  nullable: boolean,
): Codec<T[] | null, readonly Input[] | null> {
  const itemMinBytes = Math.max(1, item.minBytes)
  return {
    minBytes: compact ? 1 : 4,
    read(reader) {
      const length = readLength(reader, compact, true)
      if (length === -1 && nullable) return null
      if (length < 0) throw new DecodeError(`An array has the length ${length}`)
      if (length * itemMinBytes > reader.remaining) {
        throw new DecodeError(`An array announces ${length} items and only ${reader.remaining} bytes are left`)
      }
      const items: T[] = []
      for (let index = 0; index < length; index++) items.push(item.read(reader))
      return items
    },
    write(writer, value) {
      if (value === null) {
        if (!nullable) throw new EncodeError('null where this version needs an array')
        return writeLength(writer, -1, compact, true)
      }
      writeLength(writer, value.length, compact, true)
      for (const one of value) item.write(writer, one)
    },
  }
}

export function array<T, Input, const O extends FieldOptions<readonly Input[]> = {}>(
  item: Field<T, Input, boolean>,
  options?: O,
): Field<T[], readonly Input[], Can<O>> {
  return {
    options: (options ?? {}) as O,
    zero: [],
    compile: (version, flexible) =>
      arrayCodec(item.compile(version, flexible), flexible, false) as Codec<T[], readonly Input[]>,
  }
}

/** An array that can be null in every version, or from `nullableSince` on. */
export function nullableArray<T, Input, const O extends FieldOptions<readonly Input[] | null> = {}>(
  item: Field<T, Input, boolean>,
  options?: O,
): Field<T[] | null, readonly Input[] | null, Can<O>> {
  return {
    options: (options ?? {}) as O,
    zero: options?.default === null ? null : [],
    compile: (version, flexible) =>
      arrayCodec(item.compile(version, flexible), flexible, version >= (options?.nullableSince ?? 0)),
  }
}

interface CompiledField {
  name: string
  zero: unknown
  codec: Codec<any, any>
}

interface FieldPlan {
  present: CompiledField[]
  tagged: (CompiledField & { tag: number })[]
  absent: { name: string; zero: unknown; ignorable: boolean }[]
}

function planFields(fields: Fields, version: number, flexible: boolean): FieldPlan {
  const plan: FieldPlan = { present: [], tagged: [], absent: [] }
  for (const [name, field] of Object.entries(fields)) {
    const { since = 0, until = Number.POSITIVE_INFINITY, tag, tagSince = 0, ignorable = false } = field.options
    if (version < since || version > until) {
      plan.absent.push({ name, zero: field.zero, ignorable })
      continue
    }
    const compiled = { name, zero: field.zero, codec: field.compile(version, flexible) }
    if (tag !== undefined && version >= tagSince) plan.tagged.push({ ...compiled, tag })
    else plan.present.push(compiled)
  }
  plan.tagged.sort((left, right) => left.tag - right.tag)
  return plan
}

function isZero(value: unknown, zero: unknown): boolean {
  if (value === undefined || value === zero) return true
  if (Array.isArray(value) && Array.isArray(zero)) return value.length === 0 && zero.length === 0
  if (value instanceof Uint8Array && zero instanceof Uint8Array) return value.length === 0 && zero.length === 0
  if (typeof value !== 'object' || typeof zero !== 'object' || value === null || zero === null) return false
  return Object.entries(value).every(([name, one]) => isZero(one, (zero as Record<string, unknown>)[name]))
}

function readTaggedFields(reader: Reader, tagged: FieldPlan['tagged'], into: Record<string, unknown>): void {
  let count = reader.unsignedVarint()
  let previous = -1
  for (; count > 0; count--) {
    const tag = reader.unsignedVarint()
    if (tag <= previous) throw new DecodeError(`Tag ${tag} stands after tag ${previous}: tags must ascend`)
    previous = tag
    const size = reader.unsignedVarint()
    const start = reader.skip(size)
    const field = tagged.find((one) => one.tag === tag)
    if (!field) continue
    const inner = new Reader(reader.buffer, start, start + size)
    into[field.name] = field.codec.read(inner)
    if (inner.remaining > 0) throw new DecodeError(`Tag ${tag} (${field.name}) has ${inner.remaining} bytes too many`)
  }
}

function writeTaggedFields(writer: Writer, tagged: FieldPlan['tagged'], value: Record<string, unknown>): void {
  const present = tagged.filter(({ name, zero }) => !isZero(value[name], zero))
  writer.unsignedVarint(present.length)
  for (const { name, tag, codec } of present) {
    const inner = new Writer(64)
    codec.write(inner, value[name])
    writer.unsignedVarint(tag)
    writer.unsignedVarint(inner.length)
    for (const piece of inner.toBuffers()) writer.bytes(piece)
  }
}

function structCodec<T, Input>(fields: Fields, version: number, flexible: boolean): Codec<T, Input> {
  const { present, tagged, absent } = planFields(fields, version, flexible)
  const empty = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.zero]))
  const checked = absent.filter(({ ignorable }) => !ignorable)
  return {
    minBytes: present.reduce((sum, { codec }) => sum + codec.minBytes, flexible ? 1 : 0),
    read(reader) {
      const value: Record<string, unknown> = { ...empty }
      for (const { name, codec } of present) value[name] = codec.read(reader)
      if (flexible) readTaggedFields(reader, tagged, value)
      return value as T
    },
    write(writer, input) {
      const value = input as Record<string, unknown>
      for (const { name, zero } of checked) {
        if (!isZero(value[name], zero)) throw new EncodeError(`${name} cannot be said in version ${version}`)
      }
      for (const { name, zero, codec } of present) {
        const one = value[name]
        codec.write(writer, one === undefined ? zero : one)
      }
      if (flexible) writeTaggedFields(writer, tagged, value)
    },
  }
}

export function struct<const F extends Fields, const O extends FieldOptions<StructInput<F>> = {}>(
  fields: F,
  options?: O,
): Field<StructValue<F>, StructInput<F>, Can<O>> {
  return {
    options: (options ?? {}) as O,
    zero: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.zero])) as StructValue<F>,
    compile: (version, flexible) => structCodec(fields, version, flexible),
  }
}

/** A struct that can be null: one byte before it says so, -1 null and 1 present; 0 null and 1 present where it is a tagged field. */
export function nullableStruct<const F extends Fields, const O extends FieldOptions<StructInput<F> | null> = {}>(
  fields: F,
  options?: O,
): Field<StructValue<F> | null, StructInput<F> | null, Can<O>> {
  return {
    options: (options ?? {}) as O,
    zero: (options?.default ?? null) as StructValue<F> | null,
    compile(version, flexible) {
      const inner = structCodec<StructValue<F>, StructInput<F>>(fields, version, flexible)
      const absent = options?.tag === undefined ? -1 : 0
      return {
        minBytes: 1,
        read: (reader) => (reader.int8() <= absent ? null : inner.read(reader)),
        write(writer, value) {
          writer.int8(value === null ? absent : 1)
          if (value !== null) inner.write(writer, value)
        },
      }
    },
  }
}

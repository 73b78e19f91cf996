/**
 * Protobuf messages by the .proto text that a registry holds. Parsing and the wire encoding are the protobufjs package's; here is what its messages become:
 *
 * - names of fields as the .proto file has them; enums by name; 64-bit numbers exact (a number or a bigint); bytes a Buffer
 * - a field without presence (a proto3 scalar, a list, a map) always has a value; a message, an `optional` or a member of a oneof only when it was sent
 * - the well-known types as Protobuf's own JSON has them: Timestamp "2026-01-02T03:04:05.678Z", Duration "1.5s", the wrappers and Value bare, Struct an object
 */
import type {
  Enum,
  Field,
  IParseOptions,
  IParserResult,
  MapField,
  Namespace,
  ReflectionObject,
  Root,
  Type,
} from 'protobufjs'
import { exactInteger } from '../protocol/records/exact-json.ts'
import type { PayloadReader } from './avro.ts'
import { FormatUnavailableError, MalformedDataError } from './errors.ts'
import { isoTimestamp } from './iso-text.ts'
import { loadPackage, type LoadPackage } from './packages.ts'
import type { RegisteredSchema } from './schema-registry.ts'
import { takeMessageIndexes } from './wire-format.ts'

/** A file as a serializer in Python or a registry may hold it: base64 of Protobuf's own descriptor, in place of its text. */
interface Descriptors {
  readonly FileDescriptorProto: { decode(bytes: Buffer): FileDescriptor }
}

interface FileDescriptor {
  readonly package?: string
  readonly syntax?: string
  readonly dependency?: readonly string[]
  readonly messageType?: readonly object[]
  readonly enumType?: readonly object[]
}

/** `Type` and `Enum` once protobufjs/ext/descriptor.js has been loaded. */
interface FromDescriptor<T> {
  fromDescriptor(descriptor: object, context: { edition: string; keepCase: boolean }): T
}

interface Protobufjs {
  readonly Root: new () => Root
  readonly Type: typeof Type & FromDescriptor<Type>
  readonly Enum: typeof Enum & FromDescriptor<Enum>
  parse(text: string, root: Root, options: IParseOptions): IParserResult
  readonly common: { get(file: string): { readonly nested: object } | null }
}

type Decoded = Readonly<Record<string, unknown>>
type ToValue = (value: unknown) => unknown

/** One .proto file, in either form. */
type ProtoFile = { readonly text: string } | { readonly descriptor: FileDescriptor }

interface Parsed {
  readonly root: Root
  readonly package: string | undefined
  readonly imports: readonly string[]
}

const parseOptions: IParseOptions = { keepCase: true }

/** A file's text has characters that base64 has not; an empty one is both. */
function protoFile(text: string, { FileDescriptorProto }: Descriptors): ProtoFile {
  if (!/^[A-Za-z0-9+/=\s]+$/.test(text)) return { text }
  return { descriptor: FileDescriptorProto.decode(Buffer.from(text, 'base64')) }
}

/** All of these files in one root; `package` is the last one's. */
function parse(files: readonly ProtoFile[], protobufjs: Protobufjs): Parsed {
  const root = new protobufjs.Root()
  const imports: string[] = []
  let name: string | undefined
  for (const file of files) {
    if ('descriptor' in file) {
      name = file.descriptor.package || undefined
      imports.push(...(file.descriptor.dependency ?? []))
      addDescriptor(file.descriptor, name ? root.define(name) : root, protobufjs)
    } else {
      const parsed = protobufjs.parse(file.text, root, parseOptions)
      name = parsed.package ?? undefined
      imports.push(...(parsed.imports ?? []), ...(parsed.weakImports ?? []))
    }
  }
  return { root, package: name, imports }
}

/** What `Root.fromDescriptor` does, but for looking up at once what other files hold. */
function addDescriptor(descriptor: FileDescriptor, namespace: Namespace, { Type, Enum }: Protobufjs): void {
  const { syntax } = descriptor
  if (syntax === 'editions') throw new Error('it is a descriptor with an edition: register the text of the .proto file')
  const context = { edition: syntax === 'proto3' ? 'proto3' : 'proto2', keepCase: true }
  for (const one of descriptor.messageType ?? []) namespace.add(Type.fromDescriptor(one, context))
  for (const one of descriptor.enumType ?? []) namespace.add(Enum.fromDescriptor(one, context))
}

export async function protobufReaders(load?: LoadPackage): Promise<(schema: RegisteredSchema) => PayloadReader> {
  const protobufjs = await loadPackage<Protobufjs>('protobufjs', 'protobuf', load)
  if (typeof protobufjs.parse !== 'function') {
    throw new FormatUnavailableError('"protobuf" needs the whole package "protobufjs": run npm install protobufjs')
  }
  const descriptors = await loadPackage<Descriptors>('protobufjs/ext/descriptor.js', 'protobuf', load)
  return ({ id, text, references }) => {
    const values = new MessageValues(protobufjs)
    let types: readonly Type[]
    let root: Root
    try {
      const file = protoFile(text, descriptors)
      const imported = references.map((one) => protoFile(one.text, descriptors))
      types = messagesOf(file, protobufjs)
      root = resolved([...imported, file], new Set(references.map(({ name }) => name)), protobufjs)
    } catch (error) {
      throw new MalformedDataError(`the schema ${id} cannot be used: ${(error as Error).message}`, error)
    }
    const readers = new Map<string, PayloadReader>()
    return (payload) => {
      const { indexes, message } = takeMessageIndexes(payload)
      const name = nameAt(id, types, indexes, protobufjs)
      let read = readers.get(name)
      if (!read) {
        const type = root.lookupType(name)
        const toValue = values.of(type)
        read = (bytes) => toValue(type.decode(bytes))
        readers.set(name, read)
      }
      try {
        return read(message)
      } catch (error) {
        throw new MalformedDataError(
          `it is not what the message ${name.slice(1)} of the Protobuf schema ${id} says: ${(error as Error).message}`,
          error,
        )
      }
    }
  }
}

/** The file alone: its messages in the order in which they stand there, which is what message indexes count. */
function messagesOf(file: ProtoFile, protobufjs: Protobufjs): readonly Type[] {
  const { root, package: name } = parse([file], protobufjs)
  return typesIn((name ? root.lookup(name) : root) as Namespace | null, protobufjs)
}

function typesIn(namespace: Namespace | null, protobufjs: Protobufjs): Type[] {
  return (namespace?.nestedArray ?? []).filter((one): one is Type => one instanceof protobufjs.Type)
}

/** The full name of the message at `indexes`, with the leading point that makes it absolute. */
function nameAt(id: number, types: readonly Type[], indexes: readonly number[], protobufjs: Protobufjs): string {
  let level = types
  let found: Type | undefined
  for (const index of indexes) {
    found = level[index]
    if (!found) throw new MalformedDataError(`the Protobuf schema ${id} has no message [${indexes.join(', ')}]`)
    level = typesIn(found, protobufjs)
  }
  return found!.fullName
}

/** The file, which comes last, with all that it imports. */
function resolved(files: readonly ProtoFile[], known: ReadonlySet<string>, protobufjs: Protobufjs): Root {
  const { root, imports } = parse(files, protobufjs)
  const missing: string[] = []
  for (const name of new Set(imports)) {
    if (known.has(name)) continue
    const bundled = protobufjs.common.get(name)
    if (bundled) root.addJSON(bundled.nested as never)
    else missing.push(name)
  }
  try {
    // Options of the schema's may come from files that are not there; only a field's type must be known.
    return root.resolveAll() as Root
  } catch (error) {
    if (missing.length === 0) throw error
    throw new Error(
      `${(error as Error).message}; it imports ${missing.join(', ')}, to which the registry has no reference`,
      {
        cause: error,
      },
    )
  }
}

const NANOS = 1_000_000_000n

/** A Long of protobufjs's, or a number where a field has its default. */
function exact(value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return exactInteger(BigInt(value))
  return exactInteger(BigInt(String(value)))
}

const longTypes = new Set(['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'])

/** Makes plain values of protobufjs's messages: one function a type, made once. */
class MessageValues {
  readonly #protobufjs: Protobufjs
  readonly #made = new Map<string, ToValue>()

  constructor(protobufjs: Protobufjs) {
    this.#protobufjs = protobufjs
  }

  of(type: Type): ToValue {
    const name = type.fullName
    const known = this.#made.get(name)
    if (known) return known
    const wellKnown = this.#wellKnown(name)
    if (wellKnown) {
      this.#made.set(name, wellKnown)
      return wellKnown
    }
    // Known before its fields are looked at: a message may hold itself.
    const fields: { name: string; isAlways: boolean; toValue: ToValue }[] = []
    const toValue: ToValue = (message) => {
      const from = message as Decoded
      const entries: [string, unknown][] = []
      for (const field of fields) {
        if (field.isAlways || Object.hasOwn(from, field.name))
          entries.push([field.name, field.toValue(from[field.name])])
      }
      return Object.fromEntries(entries)
    }
    this.#made.set(name, toValue)
    for (const field of type.fieldsArray) {
      fields.push({ name: field.name, isAlways: !hasPresence(field), toValue: this.#fieldValue(field) })
    }
    return toValue
  }

  #fieldValue(field: Field): ToValue {
    const one = this.#scalar(field)
    if (field.map) {
      const isBooleanKey = (field as unknown as MapField).keyType === 'bool'
      const isLongKey = longTypes.has((field as unknown as MapField).keyType)
      const keyOf = (key: string) => {
        if (isLongKey) return this.#longKey(key)
        return isBooleanKey ? String(key === 'true' || key === '1') : key
      }
      return (value) =>
        Object.fromEntries(Object.entries((value ?? {}) as object).map(([key, item]) => [keyOf(key), one(item)]))
    }
    if (field.repeated) return (value) => ((value ?? []) as unknown[]).map(one)
    return one
  }

  /** protobufjs names an entry by the 8 bytes of its key, as a text of 8 characters. */
  #longKey(key: string): string {
    if (key.length !== 8 || /^-?\d+$/.test(key)) return key
    return String(Buffer.from(key, 'latin1').readBigInt64LE())
  }

  #scalar(field: Field): ToValue {
    const type = field.resolvedType as ReflectionObject | null
    if (type instanceof this.#protobufjs.Enum) {
      const { valuesById } = type
      return (value) => valuesById[value as number] ?? value
    }
    if (type) return this.of(type as Type)
    if (longTypes.has(field.type)) return exact
    if (field.type === 'bytes')
      return (value) => (Buffer.isBuffer(value) ? value : Buffer.from((value ?? []) as Uint8Array))
    return (value) => value
  }

  #wellKnown(name: string): ToValue | undefined {
    const value = (message: unknown) => (message as { value?: unknown }).value
    switch (name) {
      case '.google.protobuf.Timestamp':
        return (message) => timestamp(message as SecondsAndNanos)
      case '.google.protobuf.Duration':
        return (message) => duration(message as SecondsAndNanos)
      case '.google.protobuf.Int64Value':
      case '.google.protobuf.UInt64Value':
        return (message) => exact(value(message))
      case '.google.protobuf.DoubleValue':
      case '.google.protobuf.FloatValue':
      case '.google.protobuf.Int32Value':
      case '.google.protobuf.UInt32Value':
      case '.google.protobuf.BoolValue':
      case '.google.protobuf.StringValue':
        return value
      case '.google.protobuf.BytesValue':
        return (message) => Buffer.from((value(message) ?? []) as Uint8Array)
      case '.google.protobuf.Struct':
        return structValue
      case '.google.protobuf.ListValue':
        return listValue
      case '.google.protobuf.Value':
        return anyValue
      default:
        return undefined
    }
  }
}

/** Whether the wire tells "not there" from a default: messages, members of a oneof (an `optional` of proto3 is one), and proto2's optional and required. */
function hasPresence(field: Field): boolean {
  if (field.repeated || field.map) return false
  if (field.resolvedType && 'fieldsArray' in field.resolvedType) return true
  return field.hasPresence || field.partOf !== null
}

interface SecondsAndNanos {
  readonly seconds: unknown
  readonly nanos: number
}

function timestamp({ seconds, nanos }: SecondsAndNanos): string {
  const text = isoTimestamp(BigInt(exact(seconds)) * NANOS + BigInt(nanos), 9, '')
  return `${text.replace(/\.?(?:000)+$/, '')}Z`
}

function duration({ seconds, nanos }: SecondsAndNanos): string {
  const whole = BigInt(exact(seconds))
  const sign = whole < 0n || nanos < 0 ? '-' : ''
  const fraction = nanos === 0 ? '' : `.${String(Math.abs(nanos)).padStart(9, '0').replace(/0+$/, '')}`
  return `${sign}${whole < 0n ? -whole : whole}${fraction}s`
}

interface StructMessage {
  readonly fields?: Readonly<Record<string, unknown>>
}

interface ValueMessage {
  readonly kind?: string
  readonly structValue?: StructMessage
  readonly listValue?: { readonly values?: readonly unknown[] }
  readonly [member: string]: unknown
}

function structValue(message: unknown): unknown {
  const { fields = {} } = message as StructMessage
  return Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, anyValue(one)]))
}

function listValue(message: unknown): unknown {
  return ((message as ValueMessage['listValue'])?.values ?? []).map(anyValue)
}

function anyValue(message: unknown): unknown {
  const value = message as ValueMessage
  if (Object.hasOwn(value, 'structValue')) return structValue(value.structValue)
  if (Object.hasOwn(value, 'listValue')) return listValue(value.listValue)
  for (const member of ['numberValue', 'stringValue', 'boolValue'])
    if (Object.hasOwn(value, member)) return value[member]
  return null
}

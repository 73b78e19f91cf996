/**
 * Avro values by the schema that they were written with. The binary encoding is the avsc package's; here is what its values become:
 *
 * - long: a number where that is exact, a bigint beyond 2^53 - 1, and never a rounded one
 * - bytes, fixed: a Buffer; decimal: a text that has every digit, as "12.30"
 * - date, timestamp-*, local-timestamp-*, time-*: texts of ISO 8601 with as many digits as the type has, as a Date has no microseconds
 * - enum: its symbol; map, record: an object; null and one other type: the other type's value or null
 * - a union whose values cannot be told apart by themselves (two records): {"name of the branch": value}, as in Avro's own JSON
 */
import type { Schema, Type, types as avscTypes } from 'avsc'
import { exactInteger } from '../protocol/records/exact-json.ts'
import { MalformedDataError } from './errors.ts'
import { decimalText, isoDate, isoTime, isoTimestamp } from './iso-text.ts'
import { loadPackage, type LoadPackage } from './packages.ts'
import type { RegisteredSchema } from './schema-registry.ts'

export type PayloadReader = (payload: Buffer) => unknown

interface Avsc {
  readonly Type: typeof Type
  readonly types: typeof avscTypes
}

/** What avsc reads from; `buf` is a part of a longer one. Not in its public types. */
interface Tap {
  readonly buf: Buffer
  readonly pos: number
  readLong(): number
  skipLong(): void
  readString(): string
}

interface Readable {
  _read(tap: Tap): unknown
}

export async function avroReaders(load?: LoadPackage): Promise<(schema: RegisteredSchema) => PayloadReader> {
  const avsc = await loadPackage<Avsc>('avsc', 'avro', load)
  const options = schemaOptions(avsc)
  return ({ id, text, references }) => {
    const registry: Record<string, Type> = {}
    let type: Type
    try {
      for (const reference of references) avsc.Type.forSchema(parsed(reference.text), { ...options, registry })
      type = avsc.Type.forSchema(parsed(text), { ...options, registry })
    } catch (error) {
      throw new MalformedDataError(`the schema ${id} is no Avro schema: ${(error as Error).message}`, error)
    }
    return (payload) => {
      try {
        return type.fromBuffer(payload)
      } catch (error) {
        throw new MalformedDataError(`it is not what the Avro schema ${id} says: ${(error as Error).message}`, error)
      }
    }
  }
}

/** A schema of one name may be registered without quotes. */
function parsed(text: string): Schema {
  try {
    return JSON.parse(text) as Schema
  } catch (error) {
    if (/^\s*[a-z]+\s*$/.test(text)) return text.trim() as Schema
    throw error
  }
}

type Integer = number | bigint

/** What a long becomes, by its logical type. */
const longFormats = new Map<string | undefined, (value: bigint) => unknown>([
  [undefined, exactInteger],
  ['timestamp-millis', (value) => isoTimestamp(value, 3, 'Z')],
  ['timestamp-micros', (value) => isoTimestamp(value, 6, 'Z')],
  ['timestamp-nanos', (value) => isoTimestamp(value, 9, 'Z')],
  ['local-timestamp-millis', (value) => isoTimestamp(value, 3, '')],
  ['local-timestamp-micros', (value) => isoTimestamp(value, 6, '')],
  ['local-timestamp-nanos', (value) => isoTimestamp(value, 9, '')],
  ['time-micros', (value) => isoTime(value, 6)],
])

/** Values are only ever read: what avsc asks of a type that writes is refused. */
const readOnly = () => {
  throw new Error('values are read here, not written')
}

function schemaOptions({ types }: Avsc): object {
  const longs = new Map(
    [...longFormats].map(([logicalType, format]) => [
      logicalType,
      types.LongType.__with({
        fromBuffer: (bytes: Buffer) => format(bytes.readBigInt64LE()),
        toBuffer: readOnly,
        fromJSON: (value: Integer) => format(BigInt(value)),
        toJSON: readOnly,
        isValid: () => true,
        compare: () => 0,
      }),
    ]),
  )
  const longOf = (schema: Schema): Type | undefined => {
    if (schema === 'long') return longs.get(undefined)
    const { type, logicalType } = schema as { type?: unknown; logicalType?: string }
    return type === 'long' ? (longs.get(logicalType) ?? longs.get(undefined)) : undefined
  }
  const { BoundedArray, BoundedMap } = boundedTypes(types)
  const typeHook = (schema: Schema, options: object): Type | undefined => {
    const { type } = schema as { type?: unknown }
    if (type === 'array') return new BoundedArray(schema, options)
    if (type === 'map') return new BoundedMap(schema, options)
    return longOf(schema)
  }
  return { omitRecordMethods: true, logicalTypes: logicalTypesOf(types), typeHook }
}

interface DecimalSchema {
  readonly scale?: number
}

function logicalTypesOf({ LogicalType }: Avsc['types']): object {
  class Decimal extends LogicalType {
    #scale = 0
    constructor(schema: Schema, options?: object) {
      super(schema, options as never)
      this.#scale = (schema as DecimalSchema).scale ?? 0
    }
    override _fromValue(bytes: Buffer): string {
      const hex = bytes.toString('hex')
      const unscaled = hex === '' ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
      return decimalText(unscaled, this.#scale)
    }
    override _toValue = readOnly
    override _resolve = () => undefined
  }
  /** An int that is a date, or a time of the day. */
  const intAs = (format: (value: number) => string) =>
    class extends LogicalType {
      override _fromValue = format
      override _toValue = readOnly
      override _resolve = () => undefined
    }
  return {
    decimal: Decimal,
    date: intAs((days) => isoDate(BigInt(days))),
    'time-millis': intAs((units) => isoTime(BigInt(units), 3)),
  }
}

/** Items that take no bytes (null, a record without fields) have no other bound. */
const MOST_EMPTY_ITEMS = 1_000_000

/**
 * avsc believes the count that stands before the items of an array or a map, and reads on behind the end of the data until it is reached: four
 * broken bytes could cost all memory. So these two are read here, item by item, with a look at how much is left.
 */
function boundedTypes({ ArrayType, MapType }: Avsc['types']) {
  // What a type reads with is not among avsc's public declarations.
  const Arrays = ArrayType as unknown as new (schema: Schema, options: object) => Type & { itemsType: Readable }
  const Maps = MapType as unknown as new (schema: Schema, options: object) => Type & { valuesType: Readable }
  class BoundedArray extends Arrays {
    _read(tap: Tap): unknown {
      const all: unknown[] = []
      for (const _ of counted(tap)) all.push(this.itemsType._read(tap))
      return all
    }
  }
  class BoundedMap extends Maps {
    _read(tap: Tap): unknown {
      const all: [string, unknown][] = []
      for (const _ of counted(tap)) all.push([tap.readString(), this.valuesType._read(tap)])
      return Object.fromEntries(all)
    }
  }
  return { BoundedArray, BoundedMap }
}

function* counted(tap: Tap): Generator<void> {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      count = -count
      tap.skipLong() // The block's size in bytes.
    }
    const left = tap.buf.length - tap.pos
    if (!(count <= Math.max(left, MOST_EMPTY_ITEMS))) throw new Error(`${count} items are announced in ${left} bytes`)
    for (; count > 0; count--) {
      if (tap.pos > tap.buf.length) throw new Error('truncated buffer')
      yield
    }
  }
}

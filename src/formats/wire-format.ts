/**
 * How Confluent's serializers put a schema's id before a value; Avro, Protobuf and JSON Schema alike.
 *
 *     ┌───────┬────────────────────┬───────────────────────────┬─────────
 *     │ 00    │ schema id, int32   │ Protobuf: message indexes │ the value
 *     └───────┴────────────────────┴───────────────────────────┴─────────
 *
 * The message indexes say which message of the .proto file it is: zigzag varints, first how many, then the index on each level of nesting. A
 * single 0 byte stands for [0], the first message, which nearly all are.
 */
import { MalformedDataError } from './errors.ts'

const HEADER_BYTES = 5
const MOST_MESSAGE_INDEXES = 32

export interface Enveloped {
  readonly schemaId: number
  readonly payload: Buffer
}

/** @throws MalformedDataError when it does not begin as the serializers of a registry begin it */
export function openEnvelope(data: Buffer): Enveloped {
  if (data.length < HEADER_BYTES) {
    throw new MalformedDataError(
      `${data.length} bytes are too few for a value with a schema id: it was not written with a schema registry`,
    )
  }
  if (data[0] !== 0) {
    throw new MalformedDataError(
      `it begins with the byte 0x${data[0]!.toString(16).padStart(2, '0')} and not with 0x00 and a schema id: it was not written with a schema registry`,
    )
  }
  return { schemaId: data.readInt32BE(1), payload: data.subarray(HEADER_BYTES) }
}

/** The message indexes at the beginning of a Protobuf payload, and what comes behind them. */
export function takeMessageIndexes(payload: Buffer): { indexes: readonly number[]; message: Buffer } {
  let at = 0
  const varint = () => {
    let raw = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = payload[at++]
      if (byte === undefined) throw new MalformedDataError('it ends within its message indexes')
      raw += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
    }
    throw new MalformedDataError('its message indexes are no varints')
  }
  const count = varint()
  if (count === 0) return { indexes: [0], message: payload.subarray(at) }
  if (count < 0 || count > MOST_MESSAGE_INDEXES) throw new MalformedDataError(`it announces ${count} message indexes`)
  const indexes: number[] = []
  for (let index = 0; index < count; index++) {
    const one = varint()
    if (one < 0) throw new MalformedDataError(`it has the message index ${one}`)
    indexes.push(one)
  }
  return { indexes, message: payload.subarray(at) }
}

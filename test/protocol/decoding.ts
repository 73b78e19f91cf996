/** Every decoder of the protocol as a function of bytes, for the tests that feed them what nobody should send. */
import { decodeRequestClientId, decodeRequestStart, decodeResponse } from '../../src/protocol/frame.ts'
import { apiByKey } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { DecodeError } from '../../src/protocol/decode-error.ts'
import { type ConsumerRecord } from '../../src/protocol/records/consumer-record.ts'
import { recordBatches } from '../../src/protocol/records/record-batch.ts'
import { RecordCursor } from '../../src/protocol/records/record-cursor.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../src/protocol/stored/consumer-protocol.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
} from '../../src/protocol/stored/consumer-group-records.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../src/protocol/stored/group-records.ts'
import { transactionLogKey, transactionLogValue } from '../../src/protocol/stored/transaction-records.ts'
import { type StoredStruct } from '../../src/protocol/api.ts'
import { batchFiles, batchVectors, messageFiles, messageVectors } from './vectors.ts'

export interface DecodingCase {
  readonly name: string
  readonly bytes: Buffer
  /** Decodes all of `bytes`, down to the last header of the last record. */
  decode(bytes: Buffer): unknown
}

export const storedStructs: readonly (readonly [StoredStruct, readonly string[]])[] = [
  [consumerProtocolSubscription, ['ConsumerProtocolSubscription']],
  [consumerProtocolAssignment, ['ConsumerProtocolAssignment']],
  [offsetCommitKey, ['LegacyOffsetCommitKey', 'OffsetCommitKey']],
  [offsetCommitValue, ['OffsetCommitValue']],
  [groupMetadataKey, ['GroupMetadataKey']],
  [groupMetadataValue, ['GroupMetadataValue']],
  [consumerGroupMetadataKey, ['ConsumerGroupMetadataKey']],
  [consumerGroupMemberMetadataKey, ['ConsumerGroupMemberMetadataKey']],
  [consumerGroupMemberMetadataValue, ['ConsumerGroupMemberMetadataValue']],
  [consumerGroupCurrentMemberAssignmentKey, ['ConsumerGroupCurrentMemberAssignmentKey']],
  [consumerGroupCurrentMemberAssignmentValue, ['ConsumerGroupCurrentMemberAssignmentValue']],
  [transactionLogKey, ['TransactionLogKey']],
  [transactionLogValue, ['TransactionLogValue']],
]

/** A request without its size, as a broker reads it. */
export function decodeRequestFrame(frame: Buffer) {
  const reader = new Reader(frame)
  const { apiKey, apiVersion, correlationId } = decodeRequestStart(reader)
  const api = apiByKey.get(apiKey)
  if (!api || apiVersion < api.versions[0] || apiVersion > api.versions[1]) {
    throw new DecodeError(`Version ${apiVersion} of API ${apiKey} is not known`)
  }
  const clientId = decodeRequestClientId(reader, api.isFlexible(apiVersion))
  const body = api.requestCodec(apiVersion).read(reader)
  return { api, apiVersion, correlationId, clientId, body, remaining: reader.remaining }
}

export function decodeBatches(bytes: Buffer): ConsumerRecord[] {
  const records: ConsumerRecord[] = []
  for (const batch of recordBatches(bytes)) {
    batch.controlType()
    const cursor = new RecordCursor(batch, 'topic', 0, { maxDecompressedBytes: 1_000_000 })
    while (!cursor.exhausted) cursor.take(records, 100, 0)
  }
  for (const { key, value, headers, timestamp, offset } of records) void [key, value, headers, timestamp, offset]
  return records
}

/** Messages without their size, one case for every vector of a version that is defined. */
export function messageCases(): DecodingCase[] {
  return messageFiles().flatMap((file) => {
    const api = apiByKey.get(Number.parseInt(file))!
    return messageVectors(file)
      .filter(({ version }) => version >= api.versions[0] && version <= api.versions[1])
      .map(({ version, direction, variant, bytes }) => ({
        name: `${file} ${direction} ${version} ${variant}`,
        bytes: bytes.subarray(4),
        decode: direction === 'request' ? decodeRequestFrame : (frame: Buffer) => decodeResponse(api, version, frame),
      }))
  })
}

export function storedCases(): DecodingCase[] {
  return storedStructs.flatMap(([struct, files]) =>
    files.flatMap((file) =>
      messageVectors(`stored/${file}.json`).map(({ version, variant, bytes }) => ({
        name: `${struct.name} ${version} ${variant}`,
        bytes,
        decode: (stored: Buffer) => struct.decode(stored),
      })),
    ),
  )
}

export function batchCases(): DecodingCase[] {
  return batchFiles().flatMap((file) =>
    batchVectors(file).map(({ name, bytes }) => ({ name: `${file} ${name}`, bytes, decode: decodeBatches })),
  )
}

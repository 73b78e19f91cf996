/** Record batches against the bytes of other implementations, and everything that can be wrong with one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DecodeError, TruncatedError } from '../../src/protocol/decode-error.ts'
import { RecordBatchWriter, controlBatch } from '../../src/protocol/records/batch-writer.ts'
import { type ConsumerRecord } from '../../src/protocol/records/consumer-record.ts'
import { crc32c } from '../../src/protocol/records/crc32c.ts'
import {
  CorruptBatchError,
  RecordBatch,
  UnsupportedMagicError,
  recordBatches,
} from '../../src/protocol/records/record-batch.ts'
import { RecordCursor, type RecordCursorOptions } from '../../src/protocol/records/record-cursor.ts'
import { batchFiles, batchVectors } from './vectors.ts'

function recordsOf(batch: RecordBatch, options?: RecordCursorOptions, fromOffset = 0): ConsumerRecord[] {
  const cursor = new RecordCursor(batch, 'topic', 3, options)
  const records: ConsumerRecord[] = []
  while (!cursor.exhausted) cursor.take(records, 100, fromOffset)
  assert.equal(cursor.nextOffset, batch.nextOffset)
  return records
}

function plain(record: ConsumerRecord) {
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    key: record.key?.toString('hex') ?? null,
    value: record.value?.toString('hex') ?? null,
    headers: record.headers.map(({ key, value }) => [key, value?.toString('hex') ?? null]),
  }
}

/** Five records with the offsets 0 to 4. */
function written(): Buffer {
  const writer = new RecordBatchWriter()
  for (let index = 0; index < 5; index++) {
    const headers = index === 2 ? [{ key: 'h', value: Buffer.from('v') }] : []
    writer.append({
      key: Buffer.from(`k${index}`),
      value: Buffer.from(`value ${index}`),
      headers,
      timestamp: 1000 + index,
    })
  }
  return writer.build()
}

/** The batch with `change` applied and the CRC made right again: what a hostile peer would send. */
function forged(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  copy.writeUInt32BE(crc32c(copy, 21), 17)
  return copy
}

for (const file of batchFiles()) {
  describe(`record batches of ${file}`, () => {
    for (const vector of batchVectors(file)) {
      if (vector.name.startsWith('magic')) {
        test(`${vector.name}: refused with a clear error`, () => {
          assert.throws(
            () => [...recordBatches(vector.bytes)],
            (error) => error instanceof UnsupportedMagicError && /only format 2/.test(error.message),
          )
        })
        continue
      }
      test(`${vector.name}: header and records as the other implementation reads them`, () => {
        const batches = [...recordBatches(vector.bytes)]
        // librdkafka does not compress what would not become shorter, as its first records alone.
        const batch = batches.at(-1)!
        for (const one of batches) one.verifyCrc()
        for (const [name, value] of Object.entries(vector.header)) {
          assert.equal(batch[name as keyof RecordBatch], value, name)
        }
        const records = batches.flatMap((one) => recordsOf(one)).map(plain)
        assert.deepEqual(records, batch.isControl ? [] : vector.records)
        if (batch.isControl) assert.equal(vector.name, `control: ${batch.controlType()}`)
      })

      test(`${vector.name}: cut off anywhere, it is passed over in silence`, () => {
        const { sizeInBytes } = new RecordBatch(vector.bytes)
        const step = Math.max(1, Math.floor(sizeInBytes / 500))
        for (let length = 0; length < sizeInBytes; length += step) {
          assert.deepEqual([...recordBatches(vector.bytes.subarray(0, length))], [])
          assert.throws(() => new RecordBatch(vector.bytes.subarray(0, length)), TruncatedError)
          const behind = Buffer.concat([written(), vector.bytes.subarray(0, length)])
          assert.equal([...recordBatches(behind)].length, 1)
        }
      })

      test(`${vector.name}: written again, it is read back as it was`, () => {
        const batch = new RecordBatch(vector.bytes)
        if (batch.count === 0 || batch.isControl) return
        const expected = vector.records.slice(0, batch.count)
        const writer = new RecordBatchWriter({ compression: batch.compression })
        for (const { key, value, headers, timestamp } of recordsOf(batch))
          writer.append({ key, value, headers, timestamp })
        const {
          baseOffset,
          lastOffset,
          partitionLeaderEpoch,
          producerId,
          producerEpoch,
          baseSequence,
          isTransactional,
        } = batch
        const again = writer.build({
          baseOffset,
          partitionLeaderEpoch,
          producerId,
          producerEpoch,
          baseSequence,
          isTransactional,
          offsetDeltas: expected.map(({ offset }) => offset - baseOffset),
          lastOffsetDelta: lastOffset - baseOffset,
          logAppendTime: batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined,
        })
        assert.deepEqual(recordsOf(new RecordBatch(again)).map(plain), expected)
        // Behind a log append time the producer's own timestamps are not to be seen.
        if (batch.compression === 'none' && batch.timestampType === 'CreateTime')
          assert.equal(again.toString('hex'), batch.bytes().toString('hex'))
      })
    }
  })
}

test('controlBatch: the bytes that Apache Kafka writes', () => {
  const vectors = batchVectors('java.json')
  const commit = vectors.find(({ name }) => name === 'control: commit')!
  const batch = controlBatch({
    type: 'commit',
    producerId: 42,
    producerEpoch: 1,
    coordinatorEpoch: 11,
    timestamp: 1700000000123,
    baseOffset: 77,
  })
  new RecordBatch(batch).setLeaderEpoch(5)
  assert.equal(batch.toString('hex'), commit.bytes.toString('hex'))
})

describe('RecordBatch', () => {
  test('setBaseOffset and setLeaderEpoch: in place, and the CRC holds', () => {
    const batch = new RecordBatch(written())
    batch.setBaseOffset(123_456_789_012)
    batch.setLeaderEpoch(9)
    batch.verifyCrc()
    assert.deepEqual(
      [batch.baseOffset, batch.lastOffset, batch.partitionLeaderEpoch],
      [123_456_789_012, 123_456_789_016, 9],
    )
    const records = recordsOf(batch)
    assert.deepEqual(
      records.map(({ offset }) => offset - 123_456_789_012),
      [0, 1, 2, 3, 4],
    )
    assert.equal(records[0]!.leaderEpoch, 9)
  })

  test('setLogAppendTime: all records have it, and the CRC is computed anew', () => {
    const batch = new RecordBatch(written())
    batch.setLogAppendTime(1_700_000_000_000)
    const records = recordsOf(batch)
    assert.ok(
      records.every(
        ({ timestamp, timestampType }) => timestamp === 1_700_000_000_000 && timestampType === 'LogAppendTime',
      ),
    )
  })

  test('setProducer: the CRC is computed anew', () => {
    const batch = new RecordBatch(written())
    batch.setProducer(42, 7, 0x7fffffff)
    batch.verifyCrc()
    assert.deepEqual(
      [batch.producerId, batch.producerEpoch, batch.baseSequence, batch.lastSequence],
      [42, 7, 0x7fffffff, 3],
    )
  })

  test('verifyCrc: any bit changed behind the CRC is seen', () => {
    const bytes = written()
    for (let at = 17; at < bytes.length; at++) {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 1 << (at % 8)
      assert.throws(() => new RecordBatch(copy).verifyCrc(), CorruptBatchError, `byte ${at}`)
    }
  })

  test('a header that cannot be true is refused', () => {
    const cases: [string, (bytes: Buffer) => void][] = [
      ['negative length', (bytes) => bytes.writeInt32BE(-1, 8)],
      ['length below any format', (bytes) => bytes.writeInt32BE(13, 8)],
      ['length below the header', (bytes) => bytes.writeInt32BE(48, 8)],
      ['unknown format', (bytes) => bytes.writeInt8(3, 16)],
      ['unknown compression', (bytes) => bytes.writeInt16BE(5, 21)],
      ['negative base offset', (bytes) => bytes.writeInt32BE(-1, 0)],
      ['offset beyond 2^53', (bytes) => bytes.writeInt32BE(0x00200000, 0)],
      ['negative last offset delta', (bytes) => bytes.writeInt32BE(-1, 23)],
      ['timestamp that no number holds', (bytes) => bytes.writeInt32BE(0x7fffffff, 27)],
      ['negative count', (bytes) => bytes.writeInt32BE(-1, 57)],
      ['more records than offsets', (bytes) => bytes.writeInt32BE(6, 57)],
      ['more records than bytes', (bytes) => (bytes.writeInt32BE(0x7fffffff, 57), bytes.writeInt32BE(0x7ffffffe, 23))],
    ]
    for (const [name, change] of cases)
      assert.throws(() => [...recordBatches(forged(written(), change))], DecodeError, name)
  })
})

describe('RecordCursor', () => {
  test('take: a few at a time, from an offset on, with where to go on', () => {
    const cursor = new RecordCursor(new RecordBatch(written()), 'topic', 3)
    const into: ConsumerRecord[] = []
    assert.deepEqual([cursor.nextOffset, cursor.exhausted], [0, false])
    assert.equal(cursor.take(into, 2, 1), 2)
    assert.deepEqual([cursor.nextOffset, cursor.exhausted], [3, false])
    assert.equal(cursor.take(into, 0, 1), 0)
    assert.equal(cursor.take(into, 9, 1), 2)
    assert.deepEqual([cursor.nextOffset, cursor.exhausted], [5, true])
    assert.equal(cursor.take(into, 9, 1), 0)
    assert.deepEqual(
      into.map((record) => record.valueText()),
      ['value 1', 'value 2', 'value 3', 'value 4'],
    )
    assert.deepEqual([into[0]!.topic, into[0]!.partition, into[0]!.keyText()], ['topic', 3, 'k1'])
    assert.deepEqual([into[0]!.serializedKeySize, into[0]!.serializedValueSize], [2, 7])
  })

  test('serializedHeadersSize: bytes of all keys and values, whatever stands before them', () => {
    const headers = [
      [],
      [{ key: 'trace', value: Buffer.from('1234') }],
      [
        { key: 'größe', value: null },
        { key: '', value: Buffer.alloc(300) },
      ],
    ]
    const writer = new RecordBatchWriter()
    for (const [offset, one] of headers.entries()) {
      for (const value of [null, Buffer.from('v')]) {
        writer.append({ timestamp: offset, key: null, value, headers: one })
      }
    }
    const into: ConsumerRecord[] = []
    new RecordCursor(new RecordBatch(writer.build()), 'topic', 0).take(into, 9, 0)
    assert.deepEqual(
      into.map(({ serializedHeadersSize }) => serializedHeadersSize),
      [0, 0, 9, 9, 307, 307],
    )
  })

  test('take: the CRC is checked unless told otherwise', () => {
    const bytes = written()
    bytes[bytes.length - 3]! ^= 1
    assert.throws(
      () => recordsOf(new RecordBatch(bytes)),
      (error) => error instanceof CorruptBatchError && error.message.startsWith('topic-3, batch at offset 0'),
    )
    assert.equal(recordsOf(new RecordBatch(bytes), { checkCrcs: false }).length, 5)
  })

  test('take: what stands before a broken record is handed out first, then the error, again and again', () => {
    const bytes = forged(written(), (copy) => copy.writeInt8(-1, 61 + 2 * 16))
    const cursor = new RecordCursor(new RecordBatch(bytes), 'topic', 3)
    const into: ConsumerRecord[] = []
    assert.equal(cursor.take(into, 100, 0), 2)
    assert.equal(cursor.nextOffset, 2)
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.throws(
        () => cursor.take(into, 100, 0),
        (error) => error instanceof CorruptBatchError && /from offset 2/.test(error.message),
      )
    }
    assert.deepEqual([into.length, cursor.exhausted], [2, false])
  })

  test('take: records that cannot be true are refused', () => {
    // length attributes timestamp_delta offset_delta key_length key(2) value_length value(7) header_count: the first record.
    const cases: [string, number, number][] = [
      ['negative length', 61, 1],
      ['length of nothing', 61, 0],
      ['length beyond the batch', 61, 0x7e],
      ['length too short', 61, 2 * 14],
      ['negative offset delta', 64, 1],
      ['key length below null', 65, 3],
      ['key longer than the record', 65, 60],
      ['value length below null', 68, 3],
      ['value longer than the record', 68, 60],
      ['header count below zero', 76, 1],
      ['headers beyond the record', 76, 60],
      ['the same offset twice', 61 + 16 + 3, 0],
      ['an offset behind the last', 61 + 16 + 3, 2 * 5],
    ]
    for (const [name, at, byte] of cases) {
      const bytes = forged(written(), (copy) => (copy[at] = byte))
      const cursor = new RecordCursor(new RecordBatch(bytes), 'topic', 3)
      const into: ConsumerRecord[] = []
      assert.throws(
        () => {
          while (!cursor.exhausted) cursor.take(into, 1, 0)
        },
        CorruptBatchError,
        name,
      )
    }
  })

  test('take: fewer records announced than are there is an error, not a loss', () => {
    const bytes = forged(written(), (copy) => copy.writeInt32BE(4, 57))
    assert.throws(() => recordsOf(new RecordBatch(bytes)), /bytes stand behind the last record/)
  })

  test('take: a batch that decompresses into more than is allowed is refused', () => {
    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const writer = new RecordBatchWriter({ compression })
      writer.append({ value: Buffer.alloc(1_000_000), timestamp: 0 })
      const batch = new RecordBatch(writer.build())
      assert.throws(() => recordsOf(batch, { maxDecompressedBytes: 999_999 }), CorruptBatchError)
      assert.equal(recordsOf(batch, { maxDecompressedBytes: 1_000_100 }).length, 1)
    }
  })
})

describe('RecordBatchWriter', () => {
  test('sizeUpperBound: no record is longer', () => {
    const records = [
      { timestamp: 0 },
      { key: Buffer.alloc(100_000), value: Buffer.alloc(70), timestamp: -1 },
      {
        value: null,
        headers: [
          { key: 'ü'.repeat(70), value: Buffer.alloc(300) },
          { key: '', value: null },
        ],
        timestamp: Number.MAX_SAFE_INTEGER - 1,
      },
    ]
    const writer = new RecordBatchWriter()
    for (const record of records) {
      const before = writer.sizeInBytes
      writer.append(record)
      assert.ok(writer.sizeInBytes - before <= RecordBatchWriter.sizeUpperBound(record))
    }
    assert.equal(writer.build().length, writer.sizeInBytes)
  })

  test('append: copies, so that the caller may reuse its buffer', () => {
    const value = Buffer.from('first')
    const writer = new RecordBatchWriter()
    writer.append({ value, timestamp: 0 })
    value.write('other')
    assert.equal(recordsOf(new RecordBatch(writer.build()))[0]!.valueText(), 'first')
  })

  test('append: a timestamp that is not a whole number is refused and nothing is written', () => {
    const writer = new RecordBatchWriter()
    assert.throws(() => writer.append({ timestamp: 1.5 }), { code: 'SLUICE_ENCODE' })
    assert.deepEqual([writer.count, writer.sizeInBytes], [0, 61])
  })

  test('build: offset deltas that do not ascend or are too few are refused', () => {
    for (const offsetDeltas of [[0], [1, 1], [1, 0], [-1, 2], [0, 2 ** 31]]) {
      const writer = new RecordBatchWriter()
      writer.append({ timestamp: 0 })
      writer.append({ timestamp: 0 })
      assert.throws(() => writer.build({ offsetDeltas }), { code: 'SLUICE_ENCODE' })
    }
  })
})

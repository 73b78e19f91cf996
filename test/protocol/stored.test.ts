/** Consumer protocol and coordinator records against the bytes that Apache Kafka writes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { consumerProtocolSubscription } from '../../src/protocol/stored/consumer-protocol.ts'
import { offsetCommitValue } from '../../src/protocol/stored/group-records.ts'
import { DecodeError } from '../../src/protocol/decode-error.ts'
import { storedStructs } from './decoding.ts'
import { comparable, messageVectors } from './vectors.ts'

for (const [struct, files] of storedStructs) {
  describe(`${struct.name}: as Apache Kafka writes it`, () => {
    const vectors = files.flatMap((file) => messageVectors(`stored/${file}.json`))
    test('vectors cover every version', () => {
      for (let version = struct.versions[0]; version <= struct.versions[1]; version++) {
        assert.ok(
          vectors.some((vector) => vector.version === version),
          `no vector for version ${version}`,
        )
      }
    })
    for (const vector of vectors) {
      test(`version ${vector.version}, ${vector.variant}: the same values, and the same bytes again`, () => {
        const { version, value } = struct.decode(vector.bytes)
        assert.equal(version, vector.version)
        assert.partialDeepStrictEqual(comparable(value), vector.value)
        assert.equal(struct.encode(version, value).toString('hex'), vector.bytes.toString('hex'))
      })
    }
  })
}

test('ConsumerProtocolSubscription: a newer version is read as the newest known, its further bytes passed over', () => {
  const known = consumerProtocolSubscription.encode(3, { topics: ['a'], rackId: 'r' })
  const newer = Buffer.concat([known, Buffer.from('more')])
  newer.writeInt16BE(9)
  const { version, value } = consumerProtocolSubscription.decode(newer)
  assert.equal(version, 9)
  assert.deepEqual([value.topics, value.rackId], [['a'], 'r'])
})

test('OffsetCommitValue: an unknown version is refused', () => {
  const bytes = offsetCommitValue.encode(4, { offset: 1, metadata: '', commitTimestamp: 0 })
  bytes.writeInt16BE(5)
  assert.throws(() => offsetCommitValue.decode(bytes), DecodeError)
})

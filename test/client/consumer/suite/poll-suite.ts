/** poll: cases after Apache Kafka's PlaintextConsumerPollTest, PlaintextConsumerTest and PlaintextConsumerFetchTest, named where they follow one. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { AbortedError, ClosedError, IllegalStateError } from '../../../../src/client/errors.ts'
import {
  ConcurrentUseError,
  NoOffsetForPartitionError,
  OffsetOutOfRangeError,
  WakeupError,
} from '../../../../src/client/consumer/index.ts'
import { until } from '../../../support/until.ts'
import { at, casesOf, consume, type Environment, named, pollUntil } from './environment.ts'

export function pollSuite(environment: Environment): void {
  const check = casesOf(environment)

  describe('poll', () => {
    check('returns records with offset, key, value, timestamp and headers (testHeaders)', async (f) => {
      const topic = await f.topic()
      const headers = [
        { key: 'trace', value: Buffer.from('a') },
        { key: 'trace', value: null },
      ]
      await f.producer().send({ topic, partition: 0, key: 'k', value: null, headers, timestamp: 42 })
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      const [record] = await consume(consumer, 1)
      assert.deepEqual(
        [record!.topic, record!.partition, record!.offset, record!.keyText(), record!.value, record!.timestamp],
        [topic, 0, 0, 'k', null, 42],
      )
      assert.deepEqual(record!.headers, headers)
    })

    check('returns at most max.poll.records, in order, without gap or repetition (testMaxPollRecords)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 1000)
      const consumer = f.consumer({ 'max.poll.records': 17 })
      consumer.subscribe([topic])
      const offsets: number[] = []
      await pollUntil(consumer, (records) => {
        assert.ok(records.count <= 17)
        offsets.push(...[...records].map(({ offset }) => offset))
        return offsets.length >= 1000
      })
      assert.deepEqual(
        offsets,
        Array.from({ length: 1000 }, (_, offset) => offset),
      )
    })

    check(
      'with a timeout of 0 brings records in the end (testPollEventuallyReturnsRecordsWithZeroTimeout)',
      async (f) => {
        const topic = await f.topic()
        await f.produce(topic, 10)
        const consumer = f.consumer()
        consumer.subscribe([topic])
        let count = 0
        await until(async () => (count += (await consumer.poll(0)).count) === 10)
      },
    )

    check('gives the next offsets of what it returned', async (f) => {
      const topic = await f.topic(2)
      await f.produce(topic, 5, { partition: 0 })
      await f.produce(topic, 7, { partition: 1 })
      const consumer = f.consumer()
      consumer.assign([at(topic, 0), at(topic, 1)])
      const next = new Map<number, number>()
      await pollUntil(consumer, (records) => {
        for (const [{ partition }, { offset }] of records.nextOffsets()) next.set(partition, offset)
        return next.get(0) === 5 && next.get(1) === 7
      })
      assert.equal(await consumer.position(at(topic, 1)), 7)
    })

    check('reads every partition in turn, none starves', async (f) => {
      const topic = await f.topic(4)
      for (let partition = 0; partition < 4; partition++) await f.produce(topic, 400, { partition })
      const consumer = f.consumer({ 'max.poll.records': 100 })
      consumer.assign([0, 1, 2, 3].map((partition) => at(topic, partition)))
      const counts = [0, 0, 0, 0]
      await pollUntil(consumer, (records) => {
        for (const { partition } of records) counts[partition]!++
        return counts.every((count) => count > 0)
      })
      assert.ok(Math.max(...counts) <= 400)
      while (counts.reduce((sum, count) => sum + count) < 1600) {
        for (const { partition } of await consumer.poll(1000)) counts[partition]!++
      }
      assert.deepEqual(counts, [400, 400, 400, 400])
    })

    check('without a subscription or an assignment is an error', async (f) => {
      const consumer = f.consumer()
      await assert.rejects(consumer.poll(0), IllegalStateError)
    })

    check('a second poll while one runs is refused, and the first goes on', async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      const first = consumer.poll(500)
      await assert.rejects(consumer.poll(0), ConcurrentUseError)
      assert.throws(() => consumer.subscribe(['other']), ConcurrentUseError)
      assert.equal((await first).count, 0)
    })

    check('wakeup: interrupts a poll, and is kept for the next one when none runs', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 3)
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      await consume(consumer, 3)
      const waiting = consumer.poll(60_000)
      consumer.wakeup()
      await assert.rejects(waiting, WakeupError)
      consumer.wakeup()
      consumer.wakeup()
      await assert.rejects(consumer.poll(60_000), WakeupError)
      await f.produce(topic, 1, { first: 3 })
      assert.equal((await consume(consumer, 1))[0]!.offset, 3)
    })

    check('wakeup: loses no record, whenever it comes', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 500)
      const consumer = f.consumer({ 'max.poll.records': 7 })
      consumer.assign([at(topic)])
      const offsets: number[] = []
      let wakeups = 0
      let rounds = 0
      while (offsets.length < 500) {
        const polling = consumer.poll(100)
        if (++rounds % 2 === 0) consumer.wakeup()
        try {
          offsets.push(...[...(await polling)].map(({ offset }) => offset))
        } catch (error) {
          assert.ok(error instanceof WakeupError)
          wakeups++
        }
      }
      assert.ok(wakeups > 0)
      assert.deepEqual(
        offsets,
        Array.from({ length: 500 }, (_, offset) => offset),
      )
    })

    check('an AbortSignal ends a poll that waits', async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      const controller = new AbortController()
      const waiting = consumer.poll(60_000, { signal: controller.signal })
      controller.abort()
      await assert.rejects(waiting, AbortedError)
      assert.equal((await consumer.poll(0)).count, 0)
    })

    check('close: ends a poll that waits, may be called again, and ends for await', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 5)
      const consumer = f.consumer()
      consumer.subscribe([topic])
      const seen: number[] = []
      for await (const records of consumer) {
        for (const { offset } of records) seen.push(offset)
        if (seen.length === 5) void consumer.close()
      }
      assert.deepEqual(seen, [0, 1, 2, 3, 4])
      await consumer.close()
      await assert.rejects(consumer.poll(0), ClosedError)
      assert.throws(() => consumer.seek(at(topic), 0), ClosedError)
    })

    check('works without a group (testConsumingWithNullGroupId)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 4)
      const consumer = f.consumer({ 'group.id': null })
      assert.throws(() => consumer.subscribe([topic]), /group\.id/)
      consumer.assign([at(topic)])
      assert.equal((await consume(consumer, 4)).length, 4)
      await assert.rejects(consumer.commitSync(), /group\.id/)
    })

    check('pause and resume: nothing comes meanwhile and nothing is lost (testPartitionPauseAndResume)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 5)
      const consumer = f.consumer({ 'max.poll.records': 2 })
      consumer.assign([at(topic)])
      assert.deepEqual(
        (await consume(consumer, 2)).map(({ offset }) => offset),
        [0, 1],
      )
      consumer.pause([at(topic)])
      assert.deepEqual(named(consumer.paused()), [`${topic}-0`])
      await f.produce(topic, 5, { first: 5 })
      assert.equal((await consumer.poll(100)).count, 0)
      consumer.resume([at(topic)])
      assert.deepEqual(
        (await consume(consumer, 8)).map(({ offset }) => offset),
        [2, 3, 4, 5, 6, 7, 8, 9],
      )
    })

    check('pause: a paused partition with much buffered does not stop the others', async (f) => {
      const topic = await f.topic(2)
      await f.produce(topic, 400, { size: 1000 })
      const consumer = f.consumer({
        'max.poll.records': 5,
        'fetch.max.bytes': 100_000,
        'max.partition.fetch.bytes': 100_000,
      })
      consumer.assign([at(topic, 0), at(topic, 1)])
      const first = (await consume(consumer, 5)).map(({ offset }) => offset)
      await until(() => consumer.metrics().get('consumer-metrics:incoming-byte-total')!.value > 90_000)
      consumer.pause([at(topic, 0)])
      await f.produce(topic, 50, { partition: 1 })
      assert.ok((await consume(consumer, 50)).every(({ partition }) => partition === 1))
      consumer.resume([at(topic, 0)])
      const rest = (await consume(consumer, 395)).map(({ offset }) => offset)
      assert.deepEqual(
        [...first, ...rest],
        Array.from({ length: 400 }, (_, offset) => offset),
      )
    })

    check('seek: goes on at the offset, whatever was fetched ahead (testSeek)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 500)
      const consumer = f.consumer({ 'max.poll.records': 10 })
      consumer.assign([at(topic)])
      await consume(consumer, 10)
      consumer.seek(at(topic), 450)
      assert.equal(await consumer.position(at(topic)), 450)
      assert.equal((await consume(consumer, 10))[0]!.offset, 450)
      consumer.seekToBeginning([at(topic)])
      assert.equal(await consumer.position(at(topic)), 0)
      assert.equal((await consume(consumer, 10))[0]!.offset, 0)
      consumer.seekToEnd()
      assert.equal(await consumer.position(at(topic)), 500)
      assert.equal((await consumer.poll(50)).count, 0)
      assert.throws(() => consumer.seek(at(topic), -1), /no offset/)
      assert.throws(() => consumer.seek(at('not-assigned'), 1), IllegalStateError)
    })

    check('beginningOffsets, endOffsets, offsetsForTimes (testEndOffsets, testOffsetsForTimes)', async (f) => {
      const topic = await f.topic(2)
      await f.produce(topic, 100)
      await f.deleteRecordsBefore(topic, 0, 10)
      const consumer = f.consumer()
      const partitions = [at(topic, 0), at(topic, 1)]
      const beginnings = await consumer.beginningOffsets(partitions)
      assert.deepEqual(
        partitions.map((one) => beginnings.get(one)),
        [10, 0],
      )
      const ends = await consumer.endOffsets(partitions)
      assert.deepEqual(
        partitions.map((one) => ends.get(one)),
        [100, 0],
      )
      const found = await consumer.offsetsForTimes([
        [at(topic, 0), 50],
        [at(topic, 1), 0],
      ])
      assert.equal(found.size, 1)
      assert.deepEqual([found.get(at(topic))!.offset, found.get(at(topic))!.timestamp], [50, 50])
      await assert.rejects(consumer.offsetsForTimes([[at(topic), -1]]), /timestamp/)
    })

    check('partitionsFor and listTopics (testPartitionsFor, testListTopics)', async (f) => {
      const topic = await f.topic(3)
      const consumer = f.consumer()
      assert.deepEqual(
        (await consumer.partitionsFor(topic)).map(({ partition }) => partition),
        [0, 1, 2],
      )
      assert.deepEqual(await consumer.partitionsFor(`${topic}-missing`), [])
      assert.ok((await consumer.listTopics()).has(topic))
    })

    check('currentLag and the lag metric (testPerPartitionLagWithMaxPollRecords)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 100)
      const consumer = f.consumer({ 'max.poll.records': 30 })
      consumer.assign([at(topic)])
      assert.equal(consumer.currentLag(at(topic)), undefined)
      const count = (await consume(consumer, 1)).length
      assert.equal(consumer.currentLag(at(topic)), 100 - count)
      const metrics = consumer.metrics()
      assert.equal(metrics.get('consumer-fetch-manager-metrics:records-consumed-total')!.value, count)
      assert.equal(metrics.get(`consumer-fetch-manager-metrics:records-lag:${topic}-0`)!.value, 100 - count)
    })
  })

  describe('offset reset', () => {
    check(
      'none: no committed offset is an error that names the partition (testNoOffsetForPartitionExceptionOnPollZero)',
      async (f) => {
        const topic = await f.topic()
        const consumer = f.consumer({ 'auto.offset.reset': 'none' })
        consumer.assign([at(topic)])
        await assert.rejects(
          until(async () => (await consumer.poll(0)).count > 0),
          (error) => error instanceof NoOffsetForPartitionError && named(error.partitions)[0] === `${topic}-0`,
        )
        consumer.seek(at(topic), 0)
        await f.produce(topic, 1)
        assert.equal((await consume(consumer, 1)).length, 1)
      },
    )

    check(
      'none: an offset out of range is an error that names partition and offset (testFetchInvalidOffset)',
      async (f) => {
        const topic = await f.topic()
        await f.produce(topic, 2)
        const consumer = f.consumer({ 'auto.offset.reset': 'none' })
        consumer.assign([at(topic)])
        consumer.seek(at(topic), 5)
        await assert.rejects(consume(consumer, 1), (error) => {
          assert.ok(error instanceof OffsetOutOfRangeError)
          assert.deepEqual(error.offsets, [[at(topic), 5]])
          return true
        })
        assert.equal(await consumer.position(at(topic)), 5)
      },
    )

    check('out of range, below the log and above it: each policy goes where it says', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      await f.deleteRecordsBefore(topic, 0, 4)
      for (const [policy, position] of [
        ['earliest', 4],
        ['latest', 10],
        ['by_duration:P30000D', 4],
        ['by_duration:PT0S', 10],
      ] as const) {
        for (const outside of [1, 1000]) {
          const consumer = f.consumer({ 'auto.offset.reset': policy })
          consumer.assign([at(topic)])
          consumer.seek(at(topic), outside)
          const isThere = async () => {
            const [first] = [...(await consumer.poll(20))]
            return first ? first.offset === position : (await consumer.position(at(topic))) === position
          }
          await until(isThere, { what: `${policy} from ${outside} to ${position}` })
        }
      }
    })

    check('earliest: out of range goes to the beginning (testFetchOutOfRangeOffsetResetConfigEarliest)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      await f.deleteRecordsBefore(topic, 0, 4)
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      consumer.seek(at(topic), 1)
      assert.equal((await consume(consumer, 1))[0]!.offset, 4)
      consumer.seek(at(topic), 1000)
      assert.equal((await consume(consumer, 1))[0]!.offset, 4)
    })

    check('latest: begins behind what is there (testFetchOutOfRangeOffsetResetConfigLatest)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      const consumer = f.consumer({ 'auto.offset.reset': 'latest' })
      consumer.assign([at(topic)])
      consumer.seek(at(topic), 17)
      await until(async () => (await consumer.poll(50)).isEmpty && (await consumer.position(at(topic))) === 10)
      await f.produce(topic, 1, { first: 10 })
      assert.equal((await consume(consumer, 1))[0]!.offset, 10)
    })
  })

  describe('fetch', () => {
    check('a record larger than fetch.max.bytes still comes (testFetchRecordLargerThanFetchMaxBytes)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 3, { size: 20_000 })
      const consumer = f.consumer({ 'fetch.max.bytes': 1000 })
      consumer.assign([at(topic)])
      assert.deepEqual(
        (await consume(consumer, 3)).map(({ serializedValueSize }) => serializedValueSize),
        [20_000, 20_000, 20_000],
      )
    })

    check(
      'a record larger than max.partition.fetch.bytes still comes, beside other partitions (testLowMaxFetchSizeForRequestAndPartition)',
      async (f) => {
        const topic = await f.topic(5)
        for (let partition = 0; partition < 5; partition++) await f.produce(topic, 20, { partition, size: 3000 })
        const consumer = f.consumer({ 'fetch.max.bytes': 500, 'max.partition.fetch.bytes': 100 })
        consumer.subscribe([topic])
        const counts = [0, 0, 0, 0, 0]
        await until(async () => {
          for (const { partition } of await consumer.poll(100)) counts[partition]!++
          return counts.every((count) => count === 20)
        })
      },
    )

    check('small limits do not stop several partitions of many records', async (f) => {
      const topic = await f.topic(3)
      for (let partition = 0; partition < 3; partition++) await f.produce(topic, 3000, { partition, size: 100 })
      const consumer = f.consumer({ 'fetch.max.bytes': 60_000, 'max.partition.fetch.bytes': 20_000 })
      consumer.assign([0, 1, 2].map((partition) => at(topic, partition)))
      const offsets: number[][] = [[], [], []]
      await pollUntil(consumer, (records) => {
        for (const { partition, offset } of records) offsets[partition]!.push(offset)
        return offsets.every(({ length }) => length >= 3000)
      })
      for (const one of offsets)
        assert.deepEqual(
          one,
          Array.from({ length: 3000 }, (_, offset) => offset),
        )
    })

    check(
      'read_committed: aborted records and markers are passed over, and open transactions are waited for',
      async (f) => {
        const topic = await f.topic()
        const transactional = f.producer({ 'transactional.id': `tx-${topic}` })
        await transactional.initTransactions()
        const transaction = async (from: number, end: 'commit' | 'abort') => {
          transactional.beginTransaction()
          for (let index = from; index < from + 3; index++)
            void transactional.send({ topic, partition: 0, value: `${end} ${index}` })
          await transactional.flush()
          if (end === 'commit') await transactional.commitTransaction()
          else await transactional.abortTransaction()
        }
        await transaction(0, 'commit')
        await transaction(3, 'abort')
        await f.producer().send({ topic, partition: 0, value: 'plain' })
        await transaction(6, 'commit')
        await transaction(9, 'abort')
        const committed = f.consumer({ 'isolation.level': 'read_committed' })
        committed.assign([at(topic)])
        assert.deepEqual(
          (await consume(committed, 7)).map((record) => record.valueText()),
          ['commit 0', 'commit 1', 'commit 2', 'plain', 'commit 6', 'commit 7', 'commit 8'],
        )
        // The last transaction was aborted: the position passes it although no record comes.
        const end = (await committed.endOffsets([at(topic)])).get(at(topic))!
        await pollUntil(committed, async (records) => {
          assert.equal(records.count, 0)
          return (await committed.position(at(topic))) === end
        })
        const uncommitted = f.consumer()
        uncommitted.assign([at(topic)])
        assert.equal((await consume(uncommitted, 13)).length, 13)
      },
    )
  })
}

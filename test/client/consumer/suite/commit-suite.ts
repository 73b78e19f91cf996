/** Commits: cases after Apache Kafka's PlaintextConsumerCommitTest and PlaintextConsumerAssignTest, named where they follow one. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { CommitFailedError, type OffsetAndMetadata, WakeupError } from '../../../../src/client/consumer/index.ts'
import { type TopicPartition } from '../../../../src/protocol/records/topic-partition.ts'
import { at, awaitAssignment, casesOf, consume, type Environment, pollUntil, uniqueName } from './environment.ts'

const entry = (topic: string, offset: number, metadata?: string): [TopicPartition, OffsetAndMetadata] => [
  at(topic),
  metadata === undefined ? { offset } : { offset, metadata },
]

export function commitSuite(environment: Environment): void {
  const check = casesOf(environment)

  describe('commit', () => {
    check('commitSync: what polls returned, and the position goes on from it (testPositionAndCommit)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 5)
      const group = uniqueName('group')
      const first = f.consumer({ 'group.id': group })
      first.assign([at(topic)])
      assert.equal((await first.committed([at(topic)])).size, 0)
      assert.equal(await first.position(at(topic)), 0)
      await first.commitSync()
      assert.equal((await first.committed([at(topic)])).get(at(topic))!.offset, 0)
      await consume(first, 5)
      await first.commitSync()
      assert.equal((await first.committed([at(topic)])).get(at(topic))!.offset, 5)
      await f.produce(topic, 1, { first: 5 })
      const second = f.consumer({ 'group.id': group })
      second.assign([at(topic)])
      assert.equal((await consume(second, 1))[0]!.offset, 5)
    })

    check(
      'commitSync: given offsets with metadata, and never more than those (testCommitMetadata, testCommitSpecifiedOffsets)',
      async (f) => {
        const topic = await f.topic(2)
        await f.produce(topic, 5)
        const consumer = f.consumer()
        consumer.assign([at(topic, 0), at(topic, 1)])
        await consume(consumer, 5)
        await consumer.commitSync([entry(topic, 3, 'meta')])
        const committed = await consumer.committed([at(topic, 0), at(topic, 1)])
        assert.deepEqual([committed.get(at(topic))!.offset, committed.get(at(topic))!.metadata], [3, 'meta'])
        assert.equal(committed.has(at(topic, 1)), false)
        assert.equal(await consumer.position(at(topic)), 5)
        await consumer.commitSync([entry(topic, 4)])
        assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.metadata, '')
        await assert.rejects(consumer.commitSync([entry(topic, -1)]), /no offset/)
      },
    )

    const checkAsync = environment.areNodesKilled ? () => {} : check
    checkAsync('commitAsync: callbacks run inside polls, in order (testAsyncCommit)', async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      const called: number[] = []
      for (let offset = 1; offset <= 20; offset++) {
        consumer.commitAsync([entry(topic, offset)], ([one], error) => {
          assert.equal(error, undefined)
          called.push(one![1].offset)
        })
      }
      await pollUntil(consumer, () => called.length === 20)
      assert.deepEqual(
        called,
        Array.from({ length: 20 }, (_, index) => index + 1),
      )
      assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 20)
    })

    check(
      'commitAsync: callbacks have run when a later commitSync returns, even an empty one (testCommitAsyncCompletedBeforeCommitSyncReturns)',
      async (f) => {
        const topic = await f.topic()
        const consumer = f.consumer()
        consumer.assign([at(topic)])
        let called = 0
        consumer.commitAsync([entry(topic, 1)], () => called++)
        await consumer.commitSync([])
        assert.equal(called, 1)
        consumer.commitAsync([entry(topic, 2)], () => called++)
        await consumer.commitSync([entry(topic, 3)])
        assert.equal(called, 2)
        assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 3)
      },
    )

    checkAsync(
      'commitAsync: is there when close returns, and its callback has run (testCommitAsyncCompletedBeforeConsumerCloses)',
      async (f) => {
        const topic = await f.topic()
        const group = uniqueName('group')
        const consumer = f.consumer({ 'group.id': group })
        consumer.assign([at(topic)])
        let called = 0
        consumer.commitAsync([entry(topic, 1)], () => called++)
        await consumer.close()
        assert.equal(called, 1)
        const other = f.consumer({ 'group.id': group })
        assert.equal((await other.committed([at(topic)])).get(at(topic))!.offset, 1)
      },
    )

    check('auto-commit: covers what earlier polls returned, and nothing of the last one', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 30)
      const group = uniqueName('group')
      const consumer = f.consumer({
        'group.id': group,
        'enable.auto.commit': true,
        'auto.commit.interval.ms': 0,
        'max.poll.records': 10,
      })
      consumer.subscribe([topic])
      const observer = f.consumer({ 'group.id': group })
      let returned = 0
      let before = 0
      await pollUntil(consumer, async (records) => {
        before = returned
        returned += records.count
        const committed = (await observer.committed([at(topic)])).get(at(topic))?.offset ?? 0
        assert.ok(committed <= before, `${committed} is committed, and only ${before} were done with`)
        return returned === 30
      })
      assert.ok(before > 0)
      await pollUntil(consumer, async () => (await observer.committed([at(topic)])).get(at(topic))?.offset === 30)
    })

    check('auto-commit: close commits (testAutoCommitOnClose, testAutoCommitOnCloseAfterWakeup)', async (f) => {
      const topic = await f.topic(2)
      await f.produce(topic, 9)
      const group = uniqueName('group')
      const consumer = f.consumer({ 'group.id': group, 'enable.auto.commit': true })
      consumer.subscribe([topic])
      await consume(consumer, 9)
      consumer.wakeup()
      await consumer.close()
      const other = f.consumer({ 'group.id': group })
      assert.equal((await other.committed([at(topic, 0)])).get(at(topic))!.offset, 9)
    })

    check(
      'auto-commit: commits before partitions are given up in a rebalance (testAutoCommitOnRebalance)',
      async (f) => {
        const [topic, second] = [await f.topic(), await f.topic()]
        await f.produce(topic, 8)
        const consumer = f.consumer({ 'enable.auto.commit': true, 'auto.commit.interval.ms': 1_000_000 })
        let inCallback: number | undefined
        consumer.subscribe([topic], {
          async onPartitionsRevoked(partitions) {
            inCallback ??= (await consumer.committed(partitions)).get(at(topic))?.offset
          },
        })
        await consume(consumer, 8)
        consumer.subscribe([topic, second], {
          async onPartitionsRevoked(partitions) {
            inCallback ??= (await consumer.committed(partitions)).get(at(topic))?.offset
          },
        })
        await awaitAssignment(consumer, 2)
        assert.equal(inCallback, 8)
      },
    )

    check('assign: positions begin at what is committed (testAssignAndConsumeFromCommittedOffsets)', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 100)
      const group = uniqueName('group')
      await f
        .consumer({ 'group.id': group })
        .commitSync([entry(topic, 90)])
        .catch((error: unknown) => {
          // Before it assigned or subscribed anything a consumer has no place in the group: Java says the same.
          assert.ok(error instanceof CommitFailedError)
        })
      const writer = f.consumer({ 'group.id': group })
      writer.assign([at(topic)])
      await writer.commitSync([entry(topic, 90)])
      const consumer = f.consumer({ 'group.id': group })
      consumer.assign([at(topic)])
      assert.equal((await consume(consumer, 1))[0]!.offset, 90)
    })

    check('commitSync: a member that was put out of its group cannot commit', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 3)
      const consumer = f.consumer({
        'max.poll.interval.ms': 400,
        'session.timeout.ms': 6000,
        'heartbeat.interval.ms': 100,
      })
      const lost: TopicPartition[] = []
      consumer.subscribe([topic], { onPartitionsLost: (partitions) => void lost.push(...partitions) })
      await consume(consumer, 3)
      const { memberId, generationId } = consumer.groupMetadata()
      assert.ok(memberId !== '' && generationId >= 0)
      const deadline = performance.now() + 30_000
      while (consumer.groupMetadata().generationId >= 0) {
        assert.ok(performance.now() < deadline, 'max.poll.interval.ms ran out and nothing happened')
        await new Promise((resolve) => setImmediate(resolve))
      }
      await assert.rejects(consumer.commitSync(), CommitFailedError)
      assert.deepEqual(
        (await consume(consumer, 3)).map(({ offset }) => offset),
        [0, 1, 2],
      )
      assert.deepEqual(lost, [at(topic)])
    })

    check('wakeup interrupts commitSync only if it comes before or during it', async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      consumer.wakeup()
      await assert.rejects(consumer.commitSync([entry(topic, 1)]), WakeupError)
      await consumer.commitSync([entry(topic, 1)])
      assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 1)
    })
  })
}

/**
 * Cases of Kafka's PlaintextConsumer*Test and ConsumerBounceTest that the suites by subject do not have, under their names. docs/consumer-cases.md lists
 * all of them, with those that are left out and why.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { type Consumer, type RebalanceListener } from '../../../../src/client/consumer/index.ts'
import { IllegalStateError } from '../../../../src/client/errors.ts'
import { type TopicPartition } from '../../../../src/protocol/records/topic-partition.ts'
import { until } from '../../../support/until.ts'
import { at, awaitAssignment, casesOf, consume, type Environment, named, pollUntil, uniqueName } from './environment.ts'

const FETCH = 'consumer-fetch-manager-metrics'
const committedOf = async (consumer: Consumer, topic: string) =>
  (await consumer.committed([at(topic)])).get(at(topic))?.offset

function assignCases(check: ReturnType<typeof casesOf>): void {
  check('assign: a commit of nothing consumed is the position (testAssignAndCommitSyncNotCommitted)', async (f) => {
    const topic = await f.topic()
    await f.produce(topic, 10)
    const consumer = f.consumer()
    consumer.assign([at(topic)])
    await consumer.commitSync([])
    assert.equal(await committedOf(consumer, topic), undefined)
  })

  check('assign: an asynchronous commit of nothing calls back (testAssignAndCommitAsyncNotCommitted)', async (f) => {
    const topic = await f.topic()
    const consumer = f.consumer()
    consumer.assign([at(topic)])
    let called = 0
    consumer.commitAsync([], () => called++)
    await pollUntil(consumer, () => called === 1)
    assert.equal(await committedOf(consumer, topic), undefined)
  })

  check('assign: all that was consumed is committed (testAssignAndCommitSyncAllConsumed)', async (f) => {
    const topic = await f.topic()
    await f.produce(topic, 100)
    const consumer = f.consumer()
    consumer.assign([at(topic)])
    consumer.seek(at(topic), 0)
    await consume(consumer, 100)
    await consumer.commitSync()
    assert.equal(await committedOf(consumer, topic), 100)
  })

  check(
    'assign: consumes from the beginning, and from where it is told (testAssignAndConsume, testAssignAndConsumeSkippingPosition)',
    async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      await consume(consumer, 10)
      assert.equal(await consumer.position(at(topic)), 10)
      const skipping = f.consumer()
      skipping.assign([at(topic)])
      skipping.seek(at(topic), 1)
      assert.deepEqual(
        (await consume(skipping, 9)).map(({ offset }) => offset),
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
      )
    },
  )

  check(
    'assign: committed offsets are the same however often they are asked for (testAssignAndFetchCommittedOffsets, testAssignAndRetrievingCommittedOffsetsMultipleTimes)',
    async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 100)
      const consumer = f.consumer()
      consumer.assign([at(topic)])
      await consume(consumer, 100)
      await consumer.commitSync()
      assert.equal(await committedOf(consumer, topic), 100)
      assert.equal(await committedOf(consumer, topic), 100)
    },
  )
}

/** Runs one rebalance, with `run` in the callback that is named, and returns what it gave. */
async function inCallback<T>(
  consumer: Consumer,
  topic: string,
  which: 'onPartitionsAssigned' | 'onPartitionsRevoked',
  run: (partitions: readonly TopicPartition[]) => T | Promise<T>,
): Promise<T> {
  let outcome: { value: T } | undefined
  const listener: RebalanceListener = {
    async [which](partitions: readonly TopicPartition[]) {
      if (partitions.length > 0) outcome ??= { value: await run(partitions) }
    },
  }
  consumer.subscribe([topic], listener)
  await awaitAssignment(consumer, 1)
  if (which === 'onPartitionsRevoked') await consumer.unsubscribe()
  assert.ok(outcome, `${which} was called`)
  return outcome.value
}

function callbackCases(check: ReturnType<typeof casesOf>): void {
  for (const which of ['onPartitionsAssigned', 'onPartitionsRevoked'] as const) {
    const When = which.replace('on', 'On')
    check(`callback: assign() in ${which} is refused (testConsumerRebalanceListenerAssign${When})`, async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      const refused = await inCallback(consumer, topic, which, ([one]) => {
        try {
          consumer.assign([one!])
          return undefined
        } catch (failure) {
          return failure
        }
      })
      assert.ok(refused instanceof IllegalStateError)
    })

    check(
      `callback: assignment() in ${which} holds the partition (testConsumerRebalanceListenerAssignment${When})`,
      async (f) => {
        const topic = await f.topic()
        const consumer = f.consumer()
        const assignment = await inCallback(consumer, topic, which, () => consumer.assignment())
        assert.deepEqual(named(assignment), [`${topic}-0`])
      },
    )

    check(
      `callback: beginningOffsets() in ${which} is answered (testConsumerRebalanceListenerBeginningOffsets${When})`,
      async (f) => {
        const topic = await f.topic()
        const consumer = f.consumer()
        const offsets = await inCallback(consumer, topic, which, (partitions) => consumer.beginningOffsets(partitions))
        assert.equal(offsets.get(at(topic)), 0)
      },
    )
  }

  check(
    'callback: the position of a new partition is known in onPartitionsAssigned (testGetPositionOfNewlyAssignedPartitionOnPartitionsAssignedCallback)',
    async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      assert.equal(await inCallback(consumer, topic, 'onPartitionsAssigned', ([one]) => consumer.position(one!)), 0)
    },
  )

  check(
    'callback: seek and pause in onPartitionsAssigned hold (testSeekPositionAndPauseNewlyAssignedPartitionOnPartitionsAssignedCallback)',
    async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 100)
      const consumer = f.consumer()
      await inCallback(consumer, topic, 'onPartitionsAssigned', (partitions) => {
        consumer.seek(partitions[0]!, 90)
        consumer.pause(partitions)
      })
      assert.equal((await consumer.poll(100)).count, 0)
      assert.equal(await consumer.position(at(topic)), 90)
      consumer.resume([at(topic)])
      assert.equal((await consume(consumer, 10))[0]!.offset, 90)
    },
  )
}

function fetchCases(check: ReturnType<typeof casesOf>): void {
  const large = async (f: Parameters<Parameters<typeof check>[1]>[0], properties: Record<string, number>) => {
    const topic = await f.topic(1, { 'max.message.bytes': '2000000' })
    await f.produce(topic, 1, { size: 100 })
    await f.produce(topic, 1, { first: 1, size: 60_000 })
    const consumer = f.consumer(properties)
    consumer.assign([at(topic)])
    const polls: number[] = []
    await pollUntil(consumer, (records) => {
      if (records.count > 0) polls.push(records.count)
      return polls.reduce((sum, count) => sum + count, 0) === 2
    })
    assert.deepEqual(polls, [1, 1])
  }

  check(
    'fetch: a large record that is not the first comes with the next fetch (testFetchHonoursFetchSizeIfLargeRecordNotFirst)',
    (f) => large(f, { 'fetch.max.bytes': 10_000 }),
  )

  check(
    'fetch: the same by max.partition.fetch.bytes (testFetchHonoursMaxPartitionFetchBytesIfLargeRecordNotFirst)',
    (f) => large(f, { 'max.partition.fetch.bytes': 10_000 }),
  )

  check(
    'fetch: a record larger than max.partition.fetch.bytes comes (testFetchRecordLargerThanMaxPartitionFetchBytes)',
    async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 1, { size: 60_000 })
      const consumer = f.consumer({ 'max.partition.fetch.bytes': 1000 })
      consumer.assign([at(topic)])
      assert.equal((await consume(consumer, 1))[0]!.serializedValueSize, 60_000)
    },
  )

  check(
    'reset: by_duration begins that long ago, and behind everything older (testFetchOutOfRangeOffsetResetConfigByDuration)',
    async (f) => {
      const topic = await f.topic()
      const nowMs = Date.now()
      const producer = f.producer()
      for (const hours of [5, 4, 3, 2, 1])
        await producer.send({ topic, partition: 0, value: `${hours} h`, timestamp: nowMs - hours * 3_600_000 })
      const consumer = f.consumer({ 'auto.offset.reset': 'by_duration:PT3H30M' })
      consumer.assign([at(topic)])
      assert.deepEqual(
        (await consume(consumer, 3)).map((record) => record.valueText()),
        ['3 h', '2 h', '1 h'],
      )
      const late = f.consumer({ 'auto.offset.reset': 'by_duration:PT0S' })
      late.assign([at(topic)])
      assert.equal(await late.position(at(topic)), 5)
    },
  )
}

function pollCases(check: ReturnType<typeof casesOf>): void {
  const short = { 'session.timeout.ms': 1000, 'heartbeat.interval.ms': 100, 'max.poll.interval.ms': 700 }

  check('poll: too rare, and the next one joins anew (testMaxPollIntervalMs)', async (f) => {
    const topic = await f.topic()
    const calls: string[] = []
    const consumer = f.consumer(short)
    consumer.subscribe([topic], {
      onPartitionsAssigned: () => void calls.push('assigned'),
      onPartitionsRevoked: () => void calls.push('revoked'),
      onPartitionsLost: () => void calls.push('lost'),
    })
    await awaitAssignment(consumer, 1)
    await until(() => consumer.groupMetadata().generationId === -1)
    assert.deepEqual(calls, ['assigned'])
    await pollUntil(consumer, () => calls.length === 3)
    assert.deepEqual(calls, ['assigned', 'lost', 'assigned'])
  })

  check(
    'poll: a callback in onPartitionsAssigned that takes less than the interval costs nothing (testMaxPollIntervalMsDelayInAssignment)',
    async (f) => {
      const topic = await f.topic()
      let assigned = 0
      const consumer = f.consumer({ ...short, 'max.poll.interval.ms': 5000 })
      const startMs = performance.now()
      consumer.subscribe([topic], {
        async onPartitionsAssigned() {
          assigned++
          await until(() => performance.now() - startMs > 1500)
        },
      })
      await awaitAssignment(consumer, 1)
      const { generationId } = consumer.groupMetadata()
      await pollUntil(consumer, () => performance.now() - startMs > 2500)
      assert.deepEqual([assigned, consumer.groupMetadata().generationId], [1, generationId])
    },
  )

  for (const end of ['close', 'stop polling'] as const) {
    const name = end === 'close' ? 'OnClose' : 'OnStopPolling'
    check(
      `poll: the others take over what a member had when it does ${end} (testMultiConsumerSessionTimeout${name})`,
      async (f) => {
        const topic = await f.topic(3)
        const group = uniqueName('group')
        const [first, second] = [0, 1].map((index) =>
          f.consumer({ ...short, 'group.id': group, 'max.poll.interval.ms': index === 0 ? 3000 : 30_000 }),
        ) as [Consumer, Consumer]
        for (const one of [first, second]) one.subscribe([topic])
        let done = false
        const polling = pollUntil(second, () => second.assignment().length === 3 && done)
        await pollUntil(first, () => first.assignment().length > 0 && second.assignment().length > 0)
        done = true
        if (end === 'close') await first.close()
        await polling
      },
    )
  }

  check('poll: the lead by partition (testPerPartitionLeadWithMaxPollRecords)', async (f) => {
    const topic = await f.topic()
    await f.produce(topic, 100)
    const consumer = f.consumer({ 'max.poll.records': 10 })
    consumer.assign([at(topic)])
    const count = (await consume(consumer, 1)).length
    assert.equal(consumer.metrics().get(`${FETCH}:records-lead:${topic}-0`)!.value, count)
  })

  check('position: waits no longer than it may (testPositionRespectsTimeout)', async (f) => {
    const topic = await f.topic()
    const consumer = f.consumer()
    consumer.assign([at(topic, 15)])
    await assert.rejects(consumer.position(at(topic, 15), { timeoutMs: 300 }), { code: 'SLUICE_TIMEOUT' })
  })

  check('position: is woken up (testPositionRespectsWakeup)', async (f) => {
    const topic = await f.topic()
    const consumer = f.consumer()
    consumer.assign([at(topic, 15)])
    const waiting = consumer.position(at(topic, 15))
    consumer.wakeup()
    await assert.rejects(waiting, { code: 'SLUICE_WAKEUP' })
  })

  check('seek: only where something is assigned (testSeekThrowsIllegalStateIfPartitionsNotAssigned)', async (f) => {
    const topic = await f.topic()
    assert.throws(() => f.consumer().seekToEnd([at(topic)]), IllegalStateError)
  })
}

function subscriptionCases(check: ReturnType<typeof casesOf>): void {
  check('subscribe: another pattern replaces the first (testSubsequentPatternSubscription)', async (f) => {
    const prefix = uniqueName('pattern')
    const [one, two] = [await f.topic(1, {}, `${prefix}-one`), await f.topic(1, {}, `${prefix}-two`)]
    const consumer = f.consumer({ 'metadata.max.age.ms': 100 })
    consumer.subscribe(new RegExp(`^${prefix}-one$`))
    await awaitAssignment(consumer, 1)
    consumer.subscribe(new RegExp(`^${prefix}-`))
    await awaitAssignment(consumer, 2)
    assert.deepEqual(named(consumer.assignment()), [`${one}-0`, `${two}-0`].sort())
  })

  check('subscribe: a pattern is given up (testPatternUnsubscription)', async (f) => {
    const topic = await f.topic(2)
    const consumer = f.consumer()
    consumer.subscribe(new RegExp(`^${topic}$`))
    await awaitAssignment(consumer, 2)
    await consumer.unsubscribe()
    assert.deepEqual(consumer.assignment(), [])
  })

  check(
    'subscribe: a name that cannot be is said, and the consumer can be closed (testSubscribeInvalidTopicCanUnsubscribe, testSubscribeInvalidTopicCanClose)',
    async (f) => {
      const consumer = f.consumer()
      consumer.subscribe(['no such: name'])
      await assert.rejects(
        until(async () => (await consumer.poll(100)).count > 0),
        { code: 'KAFKA_INVALID_TOPIC_EXCEPTION' },
      )
      await consumer.unsubscribe()
      await consumer.close()
    },
  )

  check('subscribe: a topic that comes later is read (testSubscribeWhenTopicUnavailable)', async (f) => {
    const topic = uniqueName('later')
    const consumer = f.consumer({ 'allow.auto.create.topics': false, 'metadata.max.age.ms': 100 })
    consumer.subscribe([topic])
    assert.equal((await consumer.poll(200)).count, 0)
    await f.topic(1, {}, topic)
    await f.produce(topic, 5)
    assert.equal((await consume(consumer, 5)).length, 5)
  })
}

function metricCases(check: ReturnType<typeof casesOf>): void {
  const lagOf = (consumer: Consumer, topic: string, name = 'records-lag') =>
    consumer.metrics().get(`${FETCH}:${name}:${topic}-0`)

  for (const name of ['Lag', 'Lead'] as const) {
    const metric = `records-${name.toLowerCase()}`
    check(
      `metrics: ${metric} goes with the assignment (testPerPartition${name}MetricsCleanUpWithAssign)`,
      async (f) => {
        const [topic, other] = [await f.topic(), await f.topic()]
        await f.produce(topic, 10)
        const consumer = f.consumer()
        consumer.assign([at(topic)])
        await consume(consumer, 10)
        assert.ok(lagOf(consumer, topic, metric))
        consumer.assign([at(other)])
        assert.equal(lagOf(consumer, topic, metric), undefined)
      },
    )

    check(
      `metrics: ${metric} goes with a rebalance (testPerPartition${name}MetricsCleanUpWithSubscribe)`,
      async (f) => {
        const [topic, other] = [await f.topic(), await f.topic()]
        await f.produce(topic, 10)
        const consumer = f.consumer()
        consumer.subscribe([topic])
        await consume(consumer, 10)
        assert.ok(lagOf(consumer, topic, metric))
        consumer.subscribe([other])
        await pollUntil(consumer, () => named(consumer.assignment())[0] === `${other}-0`)
        assert.equal(lagOf(consumer, topic, metric), undefined)
      },
    )
  }

  check(
    'metrics: under read_committed lag ends at the last stable offset (testPerPartitionLagMetricsWhenReadCommitted)',
    async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      const open = f.producer({ 'transactional.id': `open-${topic}` })
      await open.initTransactions()
      open.beginTransaction()
      for (let index = 0; index < 5; index++) void open.send({ topic, partition: 0, value: 'open' })
      await open.flush()
      const consumer = f.consumer({ 'isolation.level': 'read_committed' })
      consumer.assign([at(topic)])
      await consume(consumer, 10)
      assert.equal(lagOf(consumer, topic)!.value, 0)
      await open.abortTransaction()
    },
  )
}

function otherCases(check: ReturnType<typeof casesOf>): void {
  check('reads what is there before and after it began (testAutoOffsetReset)', async (f) => {
    const topic = await f.topic()
    await f.produce(topic, 1)
    const consumer = f.consumer()
    consumer.assign([at(topic)])
    assert.equal((await consume(consumer, 1))[0]!.offset, 0)
  })

  check(
    'timestamps are the producer’s or the log’s (testConsumeMessagesWithCreateTime, testConsumeMessagesWithLogAppendTime)',
    async (f) => {
      const startMs = Date.now()
      const [created, appended] = [await f.topic(), await f.topic(1, { 'message.timestamp.type': 'LogAppendTime' })]
      for (const topic of [created, appended]) await f.produce(topic, 3)
      const consumer = f.consumer()
      consumer.assign([at(created), at(appended)])
      for (const { topic, offset, timestamp, timestampType } of await consume(consumer, 6)) {
        assert.equal(timestampType, topic === created ? 'CreateTime' : 'LogAppendTime')
        if (topic === created) assert.equal(timestamp, offset)
        else assert.ok(timestamp >= startMs - 1000)
      }
    },
  )

  check('a group reads what it subscribes to (testGroupConsumption)', async (f) => {
    const topic = await f.topic()
    await f.produce(topic, 10)
    const consumer = f.consumer()
    consumer.subscribe([topic])
    assert.equal((await consume(consumer, 10)).length, 10)
  })

  check('without a group nothing can be committed (testNullGroupIdNotSupportedIfCommitting)', async (f) => {
    const topic = await f.topic()
    const consumer = f.consumer({ 'group.id': null })
    consumer.assign([at(topic)])
    await assert.rejects(consumer.commitSync(), /group\.id/)
    await assert.rejects(consumer.committed([at(topic)]), /group\.id/)
  })

  check('close: at once, in a rebalance, with nothing done (testClose, testCloseDuringRebalance)', async (f) => {
    const topic = await f.topic()
    const group = uniqueName('group')
    const member = f.consumer({ 'group.id': group })
    member.subscribe([topic])
    await awaitAssignment(member, 1)
    const joining = f.consumer({ 'group.id': group })
    joining.subscribe([topic])
    // It waits for the member, which does not poll and so does not join again.
    const polling = joining.poll(300)
    await polling
    await joining.close()
    await member.close()
    await f.consumer().close()
  })

  check('close: a static member may leave for good, a dynamic one may stay (KIP-1092)', async (f) => {
    const topic = await f.topic()
    const group = uniqueName('group')
    const long = { 'group.id': group, 'session.timeout.ms': 30_000 }
    const fixed = f.consumer({ ...long, 'group.instance.id': 'fixed' })
    fixed.subscribe([topic])
    await awaitAssignment(fixed, 1)
    await fixed.close({ membership: 'leave' })
    // Its place is free at once: otherwise this one would wait for half a minute.
    const dynamic = f.consumer({ ...long, 'session.timeout.ms': 1500, 'heartbeat.interval.ms': 100 })
    dynamic.subscribe([topic])
    await awaitAssignment(dynamic, 1)
    const { generationId } = dynamic.groupMetadata()
    await dynamic.close({ membership: 'stay' })
    const next = f.consumer(long)
    next.subscribe([topic])
    await awaitAssignment(next, 1)
    assert.ok(next.groupMetadata().generationId > generationId)
  })
}

export function kafkaCasesSuite(environment: Environment): void {
  const check = casesOf(environment)
  describe('cases of Apache Kafka', () => {
    assignCases(check)
    callbackCases(check)
    fetchCases(check)
    pollCases(check)
    subscriptionCases(check)
    metricCases(check)
    otherCases(check)
  })
}

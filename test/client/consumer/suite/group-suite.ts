/** Groups: subscriptions, rebalances and callbacks; cases after Apache Kafka's PlaintextConsumerSubscriptionTest, PlaintextConsumerCallbackTest and PlaintextConsumerPollTest. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { type Consumer, type RebalanceListener } from '../../../../src/client/consumer/index.ts'
import { until } from '../../../support/until.ts'
import { at, awaitAssignment, casesOf, consume, type Environment, named, pollUntil, uniqueName } from './environment.ts'

/** Writes down what is called, as `assigned t-0 t-1`. */
function recorder(into: string[], name = ''): RebalanceListener {
  const note = (what: string) => (partitions: readonly { topic: string; partition: number }[]) =>
    void into.push([`${name}${what}`, ...partitions.map(({ partition }) => String(partition)).sort()].join(' '))
  return {
    onPartitionsAssigned: note('assigned'),
    onPartitionsRevoked: note('revoked'),
    onPartitionsLost: note('lost'),
  }
}

/** Polls all of them in turn until the condition holds. */
async function pollAll(consumers: readonly Consumer[], condition: () => boolean): Promise<void> {
  await until(
    async () => {
      await Promise.all(consumers.map((consumer) => consumer.poll(50)))
      return condition()
    },
    { everyMs: 0, what: condition.toString() },
  )
}

const shares = (...consumers: Consumer[]) => consumers.map((consumer) => consumer.assignment().length)

export function groupSuite(environment: Environment): void {
  const check = casesOf(environment)

  describe('subscribe', () => {
    check('reads all partitions of all topics (testSubscribeAndCommitSync)', async (f) => {
      const topics = [await f.topic(2), await f.topic(3)]
      const consumer = f.consumer()
      consumer.subscribe(topics)
      await awaitAssignment(consumer, 5)
      assert.deepEqual(consumer.subscription().sort(), topics.toSorted())
    })

    check('a pattern: matching topics, and those that come later (testPatternSubscription)', async (f) => {
      const prefix = uniqueName('pattern')
      await f.topic(2, {}, `${prefix}-a`)
      await f.topic(1, {}, `${prefix}-other`)
      const consumer = f.consumer({ 'metadata.max.age.ms': 100 })
      consumer.subscribe(new RegExp(`^${prefix}-.$`))
      await awaitAssignment(consumer, 2)
      assert.deepEqual(consumer.subscription(), [`${prefix}-a`])
      await f.topic(3, {}, `${prefix}-b`)
      await awaitAssignment(consumer, 5)
      await f.dropTopic(`${prefix}-b`)
      await awaitAssignment(consumer, 2)
    })

    check('more and fewer topics (testExpandingTopicSubscriptions, testShrinkingTopicSubscriptions)', async (f) => {
      const [one, other] = [await f.topic(2), await f.topic(2)]
      const consumer = f.consumer()
      consumer.subscribe([one])
      await awaitAssignment(consumer, 2)
      consumer.subscribe([one, other])
      await awaitAssignment(consumer, 4)
      consumer.subscribe([other])
      await pollUntil(consumer, () => named(consumer.assignment()).join() === `${other}-0,${other}-1`)
    })

    check('partitions added to a topic are assigned too', async (f) => {
      const topic = await f.topic(1)
      const consumer = f.consumer({ 'metadata.max.age.ms': 100 })
      consumer.subscribe([topic])
      await awaitAssignment(consumer, 1)
      await f.growTopic(topic, 3)
      await awaitAssignment(consumer, 3)
      await f.produce(topic, 2, { partition: 2 })
      assert.equal((await consume(consumer, 2))[0]!.partition, 2)
    })

    check('a topic that is deleted and created again is read anew', async (f) => {
      const topic = await f.topic(2)
      await f.produce(topic, 5)
      const consumer = f.consumer({ 'metadata.max.age.ms': 100, 'allow.auto.create.topics': false })
      consumer.subscribe([topic])
      await consume(consumer, 5)
      await f.dropTopic(topic)
      await awaitAssignment(consumer, 0)
      await f.topic(2, {}, topic)
      await f.produce(topic, 3)
      assert.deepEqual(
        (await consume(consumer, 3)).map(({ offset }) => offset),
        [0, 1, 2],
      )
    })

    check('unsubscribe: gives everything up, and another subscription may follow (testUnsubscribeTopic)', async (f) => {
      const topic = await f.topic(2)
      const consumer = f.consumer()
      const calls: string[] = []
      consumer.subscribe([topic], recorder(calls))
      await awaitAssignment(consumer, 2)
      await consumer.unsubscribe()
      assert.deepEqual(calls, ['assigned 0 1', 'revoked 0 1'])
      assert.deepEqual(consumer.assignment(), [])
      assert.throws(() => consumer.seek(at(topic), 0))
      consumer.assign([at(topic)])
      assert.throws(() => consumer.subscribe([topic]), /exclude each other/)
      await consumer.unsubscribe()
      consumer.subscribe([topic])
      await awaitAssignment(consumer, 2)
    })
  })

  describe('rebalance', () => {
    for (const strategy of ['range', 'roundrobin', 'sticky', 'cooperative-sticky']) {
      check(`${strategy}: three members come and go, and share what there is`, async (f) => {
        const topic = await f.topic(6)
        const settings = {
          'group.id': uniqueName('group'),
          'partition.assignment.strategy': strategy,
          'heartbeat.interval.ms': 100,
        }
        const members = [f.consumer(settings), f.consumer(settings), f.consumer(settings)]
        members[0]!.subscribe([topic])
        await awaitAssignment(members[0]!, 6)
        members[1]!.subscribe([topic])
        await pollAll(members.slice(0, 2), () => shares(...members).join() === '3,3,0')
        members[2]!.subscribe([topic])
        await pollAll(members, () => shares(...members).join() === '2,2,2')
        const all = named(members.flatMap((member) => member.assignment()))
        assert.equal(new Set(all).size, 6)
        await members[0]!.close()
        await pollAll(members.slice(1), () => shares(members[1]!, members[2]!).join() === '3,3')
      })
    }

    check('eager: everything is revoked before it is assigned anew', async (f) => {
      const topic = await f.topic(2)
      const settings = { 'group.id': uniqueName('group'), 'heartbeat.interval.ms': 100 }
      const calls: string[] = []
      const one = f.consumer(settings)
      one.subscribe([topic], recorder(calls))
      await awaitAssignment(one, 2)
      const other = f.consumer(settings)
      other.subscribe([topic])
      await pollAll([one, other], () => shares(one, other).join() === '1,1')
      assert.equal(calls.length, 3)
      assert.deepEqual(calls.slice(0, 2), ['assigned 0 1', 'revoked 0 1'])
      assert.match(calls[2]!, /^assigned [01]$/)
    })

    check('cooperative: only what moves is revoked, and what is new is assigned', async (f) => {
      const topic = await f.topic(2)
      const settings = {
        'group.id': uniqueName('group'),
        'heartbeat.interval.ms': 100,
        'partition.assignment.strategy': 'cooperative-sticky',
      }
      const calls: string[] = []
      const one = f.consumer(settings)
      one.subscribe([topic], recorder(calls))
      await awaitAssignment(one, 2)
      const others: string[] = []
      const other = f.consumer(settings)
      other.subscribe([topic], recorder(others))
      await pollAll([one, other], () => shares(one, other).join() === '1,1' && calls.length >= 4)
      // Each rebalance tells what is new, even when it is nothing; a coordinator that moves makes one more.
      const moves = (told: string[]) => told.filter((call) => call !== 'assigned')
      const [, revoked = ''] = moves(calls)
      assert.match(revoked, /^revoked [01]$/)
      assert.deepEqual(moves(calls), ['assigned 0 1', revoked])
      assert.equal(others[0], 'assigned')
      assert.deepEqual(moves(others), [revoked.replace('revoked', 'assigned')])
      assert.ok(calls.length >= 4, `the rebalance that revokes and the one that assigns: ${calls.join('; ')}`)
    })

    check('a throwing callback is thrown by poll and does not change the assignment', async (f) => {
      const topic = await f.topic(2)
      const consumer = f.consumer()
      consumer.subscribe([topic], {
        onPartitionsAssigned() {
          throw new Error('not today')
        },
      })
      await assert.rejects(awaitAssignment(consumer, 9), /not today/)
      assert.equal(consumer.assignment().length, 2)
      await f.produce(topic, 1)
      assert.equal((await consume(consumer, 1)).length, 1)
    })

    check('callbacks may use the consumer: commitSync, seek, position, pause', async (f) => {
      const topic = await f.topic()
      await f.produce(topic, 10)
      const consumer = f.consumer()
      consumer.subscribe([topic], {
        async onPartitionsAssigned(partitions) {
          assert.equal(await consumer.position(partitions[0]!), 0)
          consumer.seek(partitions[0]!, 7)
          await consumer.commitSync([[partitions[0]!, { offset: 7 }]])
          await assert.rejects(consumer.poll(0))
        },
      })
      assert.equal((await consume(consumer, 1))[0]!.offset, 7)
      assert.equal((await consumer.committed([at(topic)])).get(at(topic))!.offset, 7)
    })

    check('a pause is not kept over a rebalance (testPauseStateNotPreservedByRebalance)', async (f) => {
      const [topic, second] = [await f.topic(), await f.topic()]
      await f.produce(topic, 3)
      const consumer = f.consumer()
      consumer.subscribe([topic])
      await awaitAssignment(consumer, 1)
      consumer.pause([at(topic)])
      consumer.subscribe([topic, second])
      await awaitAssignment(consumer, 2)
      assert.deepEqual(consumer.paused(), [])
    })

    check('static members: one that comes back keeps its partitions without a rebalance', async (f) => {
      const topic = await f.topic(4)
      const settings = { 'group.id': uniqueName('group'), 'heartbeat.interval.ms': 100 }
      const one = f.consumer({ ...settings, 'group.instance.id': 'one' })
      const other = f.consumer({ ...settings, 'group.instance.id': 'other' })
      const calls: string[] = []
      one.subscribe([topic])
      other.subscribe([topic], recorder(calls))
      await pollAll([one, other], () => shares(one, other).join() === '2,2')
      const before = named(one.assignment())
      const { generationId } = other.groupMetadata()
      const seen = calls.length
      await one.close()
      const back = f.consumer({ ...settings, 'group.instance.id': 'one' })
      back.subscribe([topic])
      await pollAll([back, other], () => back.assignment().length === 2)
      assert.deepEqual(named(back.assignment()), before)
      assert.equal(other.groupMetadata().generationId, generationId)
      assert.equal(calls.length, seen)
    })

    const checkLeader = environment.tellsReturningLeaders === false ? () => {} : check
    checkLeader(
      'static members: one that has come back sees partitions that are added (testStaticConsumerDetectsNewPartitionCreatedAfterRestart)',
      async (f) => {
        const topic = await f.topic()
        const settings = { 'group.id': uniqueName('group'), 'group.instance.id': 'one', 'metadata.max.age.ms': 100 }
        const before = f.consumer(settings)
        before.subscribe([topic])
        await awaitAssignment(before, 1)
        await before.close()
        const back = f.consumer(settings)
        back.subscribe([topic])
        await awaitAssignment(back, 1)
        await f.growTopic(topic, 2)
        await awaitAssignment(back, 2)
      },
    )

    check('static members: a second one with the same id fences the first', async (f) => {
      const topic = await f.topic()
      const settings = { 'group.id': uniqueName('group'), 'heartbeat.interval.ms': 100, 'group.instance.id': 'same' }
      const one = f.consumer(settings)
      const lost: string[] = []
      one.subscribe([topic], recorder(lost))
      await awaitAssignment(one, 1)
      const other = f.consumer(settings)
      other.subscribe([topic])
      await awaitAssignment(other, 1)
      await assert.rejects(awaitAssignment(one, 9), { code: 'SLUICE_FENCED_INSTANCE_ID' })
      await one.close()
      assert.deepEqual(lost, ['assigned 0', 'lost 0'])
    })

    check('enforceRebalance: the group joins anew', async (f) => {
      const topic = await f.topic()
      const consumer = f.consumer()
      consumer.subscribe([topic])
      await awaitAssignment(consumer, 1)
      const { generationId } = consumer.groupMetadata()
      consumer.enforceRebalance()
      await pollUntil(consumer, () => consumer.groupMetadata().generationId > generationId)
    })

    check('max.poll.interval.ms runs while a callback does (testMaxPollIntervalMsDelayInRevocation)', async (f) => {
      const topic = await f.topic(2)
      const consumer = f.consumer({ 'max.poll.interval.ms': 400, 'heartbeat.interval.ms': 100 })
      let refused: unknown
      consumer.subscribe([topic], {
        async onPartitionsRevoked(partitions) {
          if (refused) return
          await until(() => consumer.groupMetadata().generationId === -1)
          refused = await consumer.commitSync([[partitions[0]!, { offset: 1 }]]).catch((error: unknown) => error)
        },
      })
      await awaitAssignment(consumer, 2)
      const { memberId } = consumer.groupMetadata()
      consumer.enforceRebalance()
      await pollUntil(consumer, () => refused !== undefined && consumer.assignment().length === 2)
      assert.equal((refused as { code?: string }).code, 'SLUICE_COMMIT_FAILED')
      assert.notEqual(consumer.groupMetadata().memberId, memberId)
    })

    check(
      'a poll longer than max.poll.interval.ms costs nothing (testMaxPollIntervalMsShorterThanPollTimeout)',
      async (f) => {
        const topic = await f.topic()
        const consumer = f.consumer({ 'max.poll.interval.ms': 300, 'heartbeat.interval.ms': 100 })
        const calls: string[] = []
        consumer.subscribe([topic], recorder(calls))
        await awaitAssignment(consumer, 1)
        await consumer.poll(900)
        assert.deepEqual(calls, ['assigned 0'])
      },
    )

    check('close and committed do not wait behind a join that waits for others', async (f) => {
      const topic = await f.topic(2)
      const settings = { 'group.id': uniqueName('group'), 'heartbeat.interval.ms': 100 }
      const one = f.consumer(settings)
      one.subscribe([topic])
      await awaitAssignment(one, 2)
      const other = f.consumer(settings)
      other.subscribe([topic])
      // The first member does not poll, so the join of the second does not come to its end.
      await pollUntil(other, () => other.groupMetadata().memberId !== '')
      await other.poll(100)
      assert.equal((await other.committed([at(topic)])).size, 0)
      let isClosed = false
      void other.close({ timeoutMs: 120_000 }).then(() => (isClosed = true))
      await until(() => isClosed)
      await awaitAssignment(one, 2)
    })

    check('heartbeats go on while the user does not poll', async (f) => {
      const topic = await f.topic(2)
      const settings = { 'group.id': uniqueName('group'), 'heartbeat.interval.ms': 50, 'session.timeout.ms': 6000 }
      const one = f.consumer(settings)
      one.subscribe([topic])
      await awaitAssignment(one, 2)
      const beats = () => one.metrics().get('consumer-coordinator-metrics:heartbeat-total')!.value
      const before = beats()
      await until(() => beats() > before + 3)
      assert.equal(one.assignment().length, 2)
    })
  })

  describe('nothing lost, nothing twice', () => {
    // The case takes a commit that is refused for one that was not made. Where nodes are killed the answer to an earlier attempt can be lost,
    // and the commit have been made all the same: nobody counts its records then.
    for (const strategy of environment.areNodesKilled ? [] : ['range', 'cooperative-sticky']) {
      check(`${strategy}: members come and go while records are produced, each record is processed once`, async (f) => {
        const topic = await f.topic(4)
        const total = 4000
        const settings = {
          'group.id': uniqueName('group'),
          'partition.assignment.strategy': strategy,
          'heartbeat.interval.ms': 50,
          'max.poll.records': 50,
        }
        const processed = new Map<string, number>()
        const stopping = new AbortController()
        const work = async (rounds: number) => {
          const consumer = f.consumer(settings)
          consumer.subscribe([topic])
          for (let round = 0; !stopping.signal.aborted && round < rounds;) {
            const records = await consumer.poll(50)
            const batch = [...records]
            // Committed first, then counted: a commit that is refused leaves the records to the next owner.
            try {
              await consumer.commitSync()
            } catch (error) {
              const { code } = error as { code: string }
              assert.ok(code === 'SLUICE_REBALANCE_IN_PROGRESS' || code === 'SLUICE_COMMIT_FAILED', code)
              const assigned = consumer.assignment()
              const committed = await consumer.committed(assigned)
              // Where nobody has committed yet the records polled were the first.
              for (const partition of assigned) consumer.seek(partition, committed.get(partition)?.offset ?? 0)
              continue
            }
            for (const { partition, offset } of batch) {
              const key = `${partition}:${offset}`
              processed.set(key, (processed.get(key) ?? 0) + 1)
            }
            if (batch.length > 0) round++
          }
          await consumer.close()
        }
        const producing = (async () => {
          for (let first = 0; first < total / 4; first += 100) {
            for (let partition = 0; partition < 4; partition++) await f.produce(topic, 100, { partition, first })
          }
        })()
        const members = [work(Infinity), work(10), work(Infinity), work(5).then(() => work(Infinity))]
        await producing
        await until(() => processed.size >= total, { withinMs: 60_000, what: 'every record is processed' }).finally(
          () => stopping.abort(),
        )
        await Promise.all(members)
        assert.equal(processed.size, total)
        const repeated = [...processed].filter(([, times]) => times !== 1)
        assert.deepEqual(repeated, [])
      })
    }
  })
}

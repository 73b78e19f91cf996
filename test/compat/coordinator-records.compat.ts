/** What the coordinators write: the same records as Apache Kafka's after the same requests, read by Kafka's own formatters. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  addPartitionsToTxn,
  deleteGroups,
  endTxn,
  initProducerId,
  joinGroup,
  leaveGroup,
  offsetCommit,
} from '../../src/protocol/messages/index.ts'
import { startBroker, type TestBroker } from '../../src/testing/start-broker.ts'
import { until } from '../support/until.ts'
import { WireClient } from '../support/wire-client.ts'
import { alone, commitOf, coordinatorsExist, join } from './coordinator-requests.ts'
import { type KafkaCluster, kafkaTool, startKafka } from './kafka.ts'
import { Transcript } from './transcript.ts'

let kafka: KafkaCluster
let broker: TestBroker

before(async () => {
  kafka = await startKafka()
  broker = await startBroker()
  for (const { bootstrapServers } of [kafka, broker]) await coordinatorsExist(bootstrapServers)
})
after(async () => {
  await broker?.stop()
  await kafka?.stop()
})

describe('records', () => {
  /** What stands in an internal topic about these ids, as a formatter of Apache Kafka prints it. */
  async function recordsOf(
    bootstrapServers: string,
    topic: string,
    formatter: string,
    ids: readonly string[],
  ): Promise<string[]> {
    const output = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      '--bootstrap-server',
      bootstrapServers,
      '--topic',
      topic,
      '--from-beginning',
      '--formatter',
      `org.apache.kafka.tools.consumer.${formatter}`,
      '--timeout-ms',
      '5000',
    ])
    return output.stdout
      .split(/\n|(?<=\})(?=\{"key")/)
      .filter((line) => ids.some((id) => line.includes(`"${id}"`)))
      .map((line) => line.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>'))
      .map((line) => line.replaceAll(/"(\w*[tT]imestamp(?:Ms)?)":\d+/g, '"$1":<time>'))
      .map((line) => line.replaceAll(/"topicId":"[\w-]{22}"/g, '"topicId":<id>'))
      .map((line) => line.replaceAll(/"(producerId|previousProducerId)":\d+/g, '"$1":<id>'))
      .map((line) =>
        line.replace(/("partitionIds":\[0\]\}),(\{"topic":"\w+","partitionIds":\[0\]\})/, '$1 and another'),
      )
  }

  it('stand in __consumer_offsets in the same versions with the same contents, and the formatters of Apache Kafka read them', async (t) => {
    const groups = [
      'diff-records',
      'diff-records-old',
      'diff-records-simple',
      'diff-records-deleted',
      'diff-records-refused',
    ]
    for (const { bootstrapServers } of [kafka, broker]) {
      const on = new Transcript(bootstrapServers, t)
      await on.topic('diff-topic', 3)
      const { memberId, generationId } = await alone(on, 'diff-records')
      const topics = [
        { name: 'diff-topic', partitions: [commitOf(0, 10), { ...commitOf(1, 11, null), committedLeaderEpoch: 0 }] },
      ]
      await on.ask('a', offsetCommit, 8, {
        groupId: 'diff-records',
        generationIdOrMemberEpoch: generationId,
        memberId,
        topics,
      })
      const old = await on.ask('old', joinGroup, 3, join('diff-records-old'))
      await on.ask('old', leaveGroup, 2, { groupId: 'diff-records-old', memberId: old.memberId })
      await on.ask('old', joinGroup, 5, join('diff-records-refused', { protocolType: '' }))
      await on.ask('a', offsetCommit, 8, { groupId: 'diff-records-simple', memberId: '', topics })
      await on.ask('a', offsetCommit, 8, { groupId: 'diff-records-deleted', memberId: '', topics })
      await on.ask('a', deleteGroups, 2, { groupsNames: ['diff-records-deleted'] })
      await on.ask('a', leaveGroup, 4, { groupId: 'diff-records', members: [{ memberId }] })
    }
    for (const formatter of ['OffsetsMessageFormatter', 'GroupMetadataMessageFormatter']) {
      const expected = await recordsOf(kafka.bootstrapServers, '__consumer_offsets', formatter, groups)
      assert.ok(expected.length >= 3, expected.join('\n'))
      assert.deepEqual(
        (await recordsOf(broker.bootstrapServers, '__consumer_offsets', formatter, groups)).sort(),
        expected.sort(),
      )
    }
  })

  it('stand in __transaction_state step by step, for clients of both generations', async (t) => {
    const ids = ['diff-records-old', 'diff-records-new']
    for (const { bootstrapServers } of [kafka, broker]) {
      const client = await WireClient.connect(bootstrapServers, t)
      const on = new Transcript(bootstrapServers, t)
      await on.topic('diff-topic', 3)
      for (const [transactionalId, version] of [
        ['diff-records-old', 4],
        ['diff-records-new', 5],
      ] as const) {
        const init = { transactionalId, transactionTimeoutMs: 60_000 }
        let { producerId, producerEpoch } = await client.request(initProducerId, 4, init)
        for (const committed of [true, false]) {
          const { resultsByTopicV3AndBelow } = await client.request(addPartitionsToTxn, 3, {
            v3AndBelowTransactionalId: transactionalId,
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: [{ name: 'diff-topic', partitions: [0] }],
          })
          assert.equal(resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode, 0)
          const body = { transactionalId, producerId, producerEpoch, committed }
          const answer = await client.request(endTxn, version, body)
          assert.equal(answer.errorCode, 0)
          await until(async () => (await client.request(endTxn, version, body)).errorCode === 0)
          if (version >= 5) ({ producerId, producerEpoch } = answer)
        }
        await client.request(initProducerId, 4, init)
      }
    }
    const read = ({ bootstrapServers }: { bootstrapServers: string }) =>
      recordsOf(bootstrapServers, '__transaction_state', 'TransactionLogMessageFormatter', ids)
    const expected = await read(kafka)
    assert.equal(expected.length, 16, expected.join('\n'))
    assert.deepEqual((await read(broker)).sort(), expected.sort())
  })
})

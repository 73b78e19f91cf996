/**
 * Three members of a group over three nodes, each committing with commitSync what it has counted, while an idempotent producer sends with
 * acks=all, the node that leads is killed with -9 and started again, and the group's coordinator is stopped in good order and started again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin } from '../../src/client/admin/admin.ts'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { assertInOrder } from '../support/each-once.ts'
import { until } from '../support/until.ts'
import { startKafka } from './kafka.ts'

await test('three nodes, two restarted: a group of three counts each record once, in order', async (t) => {
  const kafka = await startKafka({
    nodes: 3,
    properties: { 'min.insync.replicas': 2, 'broker.session.timeout.ms': 4000 },
  })
  t.after(() => kafka.stop())
  const servers = { 'bootstrap.servers': kafka.bootstrapServers }
  const admin = new Admin(servers)
  await admin.createTopics([{ name: 'numbers', partitions: 6, replicationFactor: 3 }])
  const stop = new AbortController()
  const counted = new Map<number, number[]>()
  let owned = 0
  const member = async (): Promise<void> => {
    const consumer = new Consumer({
      ...servers,
      'group.id': 'counters',
      'auto.offset.reset': 'earliest',
      'enable.auto.commit': false,
    })
    consumer.subscribe(['numbers'], {
      onPartitionsAssigned: (partitions) => void (owned += partitions.length),
      onPartitionsRevoked: (partitions) => void (owned -= partitions.length),
      onPartitionsLost: (partitions) => assert.fail(`lost ${partitions.length} partitions`),
    })
    try {
      while (!stop.signal.aborted) {
        const records = await consumer.poll(200)
        for (const record of records) {
          const list = counted.get(record.partition) ?? []
          list.push(Number(record.valueText()))
          counted.set(record.partition, list)
        }
        if (!records.isEmpty) await consumer.commitSync()
      }
    } finally {
      await consumer.close()
    }
  }
  const members = Promise.all([member(), member(), member()])
  members.catch(() => {})
  t.after(() => stop.abort())
  await until(
    async () => owned === 6 && (await admin.describeGroups(['counters'])).values.get('counters')?.members.length === 3,
    {
      withinMs: 60_000,
      everyMs: 200,
      what: 'three members share six partitions',
    },
  )
  const producer = new Producer({ ...servers, acks: 'all' })
  let produced = 0
  const enough = new AbortController()
  const producing = (async () => {
    while (!enough.signal.aborted) {
      const from = produced
      await producer.sendBatch(
        Array.from({ length: 60 }, (_, index) => ({
          topic: 'numbers',
          partition: index % 6,
          value: String(from + index),
        })),
      )
      produced += 60
    }
  })()
  producing.catch(() => {})
  // The first node is the only controller, and stays.
  const coordinator = (await admin.describeGroups(['counters'])).values.get('counters')!.coordinator
  await kafka.nodes[1]!.kill()
  await kafka.nodes[1]!.start()
  await kafka.nodes[2]!.stop()
  await kafka.nodes[2]!.start()
  enough.abort()
  await producing
  const total = () => [...counted.values()].reduce((sum, list) => sum + list.length, 0)
  await until(() => total() >= produced, { withinMs: 60_000, what: `${produced} records are counted` })
  stop.abort()
  await members
  for (const [partition, list] of counted) {
    assertInOrder(list, (index) => index * 6 + partition, produced / 6, `partition ${partition}`)
  }
  assert.equal(total(), produced)
  const offsets = await admin.listGroupOffsets('counters')
  assert.equal(
    [...offsets].reduce((sum, [, { offset }]) => sum + offset, 0),
    produced,
    'committed',
  )
  t.diagnostic(`${produced} records; the coordinator was ${JSON.stringify(coordinator)}`)
  await producer.close()
  await admin.close()
})

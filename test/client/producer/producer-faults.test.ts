/** Faults of a broker that checks sequences for real: lost answers, errors, a kill in the middle. Whatever happens, once and in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Producer } from '../../../src/client/producer/index.ts'
import { seededRandom } from '../../../src/seams/random.ts'
import { delay, disconnect, error, startBroker } from '../../../src/testing/index.ts'
import { until } from '../../support/until.ts'
import { readAll } from './producer-conformance.ts'

const quick = {
  'retry.backoff.ms': 2,
  'retry.backoff.max.ms': 20,
  'reconnect.backoff.ms': 2,
  'reconnect.backoff.max.ms': 20,
}
const values = (count: number) => Array.from({ length: count }, (_, index) => String(index))

test('idempotence: errors, lost requests and lost answers at random: once and in order in every partition', async (t) => {
  for (const seed of [11, 12, 13, 14]) {
    const broker = await startBroker({ topics: { orders: 3 } })
    t.after(() => broker.stop())
    const random = seededRandom(seed)
    const faults = [
      error('NOT_LEADER_OR_FOLLOWER'),
      error('NOT_ENOUGH_REPLICAS'),
      error('REQUEST_TIMED_OUT'),
      disconnect({ when: 'before' }),
      disconnect({ when: 'after' }),
      delay(5),
    ]
    let count = 0
    broker.intercept('Produce', (request, context) => {
      count++
      if (random.next() > 0.3) return undefined
      return faults[Math.floor(random.next() * faults.length)]!(request, context)
    })
    const producer = new Producer({
      'bootstrap.servers': broker.bootstrapServers,
      'batch.size': 500,
      'linger.ms': 0,
      ...quick,
    })
    t.after(() => producer.close({ timeoutMs: 0 }))
    const records = values(3000).map((value, index) => ({ topic: 'orders', partition: index % 3, value }))
    for (let at = 0; at < records.length; at += 500) await producer.sendBatch(records.slice(at, at + 500))
    assert.ok(count > 50, 'there were many requests')
    const read = await readAll(t, broker, 'orders')
    for (const partition of [0, 1, 2]) {
      assert.deepEqual(
        read.filter((one) => one.partition === partition).map((one) => one.valueText()),
        records.filter((one) => one.partition === partition).map(({ value }) => value),
        `seed ${seed}, partition ${partition}`,
      )
    }
  }
})

test('idempotence: the broker is killed and restarted while records are sent: each acknowledged one is there once, in order', async (t) => {
  const broker = await startBroker({ topics: { orders: 1 } })
  t.after(() => broker.stop())
  const producer = new Producer({
    'bootstrap.servers': broker.bootstrapServers,
    'batch.size': 500,
    'linger.ms': 0,
    ...quick,
  })
  t.after(() => producer.close({ timeoutMs: 0 }))
  let acknowledged = 0
  const sending = (async () => {
    for (; acknowledged < 3000; acknowledged += 100) {
      const records = values(100).map((value) => ({ topic: 'orders', value: String(acknowledged + Number(value)) }))
      await producer.sendBatch(records)
    }
  })()
  sending.catch(() => {})
  for (let round = 0; round < 3; round++) {
    const enough = Math.min(3000, acknowledged + 300)
    await until(() => acknowledged >= enough, { everyMs: 1 })
    await broker.kill()
    await broker.restart()
  }
  await sending
  const read = await readAll(t, broker, 'orders')
  assert.deepEqual(
    read.map((one) => one.valueText()),
    values(3000),
  )
})

test('transactions: coordinator errors and lost answers: each transaction is committed or aborted as a whole', async (t) => {
  const broker = await startBroker({ topics: { orders: 2 } })
  t.after(() => broker.stop())
  const random = seededRandom(5)
  for (const api of ['AddPartitionsToTxn', 'EndTxn', 'Produce', 'InitProducerId']) {
    const faults = [
      error(api === 'Produce' ? 'NOT_LEADER_OR_FOLLOWER' : 'NOT_COORDINATOR'),
      disconnect({ when: 'after' }),
    ]
    if (api !== 'Produce') faults.push(error('CONCURRENT_TRANSACTIONS'), error('COORDINATOR_LOAD_IN_PROGRESS'))
    broker.intercept(api, (request, context) =>
      random.next() < 0.25 ? faults[Math.floor(random.next() * faults.length)]!(request, context) : undefined,
    )
  }
  const producer = new Producer({
    'bootstrap.servers': broker.bootstrapServers,
    'transactional.id': 'faulty',
    ...quick,
  })
  t.after(() => producer.close({ timeoutMs: 0 }))
  await producer.initTransactions()
  const expected: string[] = []
  for (let round = 0; round < 30; round++) {
    producer.beginTransaction()
    const records = values(6).map((value, index) => ({
      topic: 'orders',
      partition: index % 2,
      value: `${round}-${value}`,
    }))
    await producer.sendBatch(records)
    if (round % 3 === 0) await producer.abortTransaction()
    else {
      await producer.commitTransaction()
      expected.push(...records.filter(({ partition }) => partition === 0).map(({ value }) => value))
    }
  }
  const read = await readAll(t, broker, 'orders', 'read_committed')
  assert.deepEqual(
    read.filter(({ partition }) => partition === 0).map((one) => one.valueText()),
    expected,
  )
})

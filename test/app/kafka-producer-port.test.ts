/** An application's producers over the embedded broker: which refusals end it, and which pass by themselves. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { KafkaProducerPort } from '../../src/app/kafka-producer-port.ts'
import { TransactionsRefusedError } from '../../src/app/errors.ts'
import type { PropertyBag } from '../../src/client/config.ts'
import { TimeoutError } from '../../src/client/errors.ts'
import { Producer } from '../../src/client/producer/index.ts'
import { systemSeams } from '../../src/client/seams.ts'
import type { ErrorName } from '../../src/protocol/error-codes.ts'
import { disconnect, error, startBroker, type TestBroker, times, when } from '../../src/testing/index.ts'
import { runSluice } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

async function startedBroker(t: TestContext): Promise<TestBroker> {
  const broker = await startBroker({ topics: { orders: 1, receipts: 1 } })
  t.after(() => broker.stop())
  return broker
}

function portOf(t: TestContext, { bootstrapServers }: TestBroker, producer: PropertyBag = {}): KafkaProducerPort {
  const port = new KafkaProducerPort({
    consumer: { 'bootstrap.servers': bootstrapServers, 'retry.backoff.ms': 1, 'group.id': 'payers' },
    producer,
    transactionalIdPrefix: 'payers-consumer-thread-0',
    seams: systemSeams(),
  })
  t.after(() => port.close(0))
  return port
}

const group = { groupId: 'payers', memberId: '', generationId: -1 }
const output = [{ topic: 'receipts', value: 'paid' }]

for (const name of [
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TRANSACTION_TIMEOUT',
  'UNSUPPORTED_VERSION',
] as const satisfies ErrorName[]) {
  test(`transact: ${name} at its first beginning is for good, and says so`, async (t) => {
    const broker = await startedBroker(t)
    const port = portOf(t, broker)
    broker.intercept('InitProducerId', error(name))
    await assert.rejects(port.transact(output, [], group, undefined), (refusal: Error) => {
      assert.ok(refusal instanceof TransactionsRefusedError, String(refusal))
      assert.equal(refusal.retriable, false)
      assert.match(
        refusal.message,
        /^"exactly\.once" needs transactions, and the cluster refuses them: .*transactional ids that begin with "payers-consumer-thread-0-"/,
      )
      assert.match(refusal.message, new RegExp(name))
      return true
    })
  })
}

for (const [what, fault] of [
  ['NOT_COORDINATOR', error('NOT_COORDINATOR')],
  ['COORDINATOR_LOAD_IN_PROGRESS', error('COORDINATOR_LOAD_IN_PROGRESS')],
  ['CONCURRENT_TRANSACTIONS', error('CONCURRENT_TRANSACTIONS')],
  ['a lost answer', disconnect({ when: 'after' })],
] as const) {
  test(`transact: ${what} at its first beginning passes, and the transaction is made`, async (t) => {
    const broker = await startedBroker(t)
    const port = portOf(t, broker)
    const rule = broker.intercept('InitProducerId', times(3, fault))
    await port.transact(output, [], group, undefined)
    assert.equal(rule.seen, 4)
  })
}

test('transact: a coordinator that is not there for longer than max.block.ms is asked again with the next commit', async (t) => {
  const broker = await startedBroker(t)
  const port = portOf(t, broker, { 'max.block.ms': 300 })
  const rule = broker.intercept('InitProducerId', error('NOT_COORDINATOR'))
  await assert.rejects(port.transact(output, [], group, undefined), TimeoutError)
  rule.remove()
  // The broker may be slow, too: what is shown is that the first refusal was not the last word.
  await until(() => port.transact(output, [], group, undefined).then(() => true, passing), { withinMs: 60_000 })
})

function passing(failure: unknown): boolean {
  assert.ok(failure instanceof TimeoutError, String(failure))
  return false
}

test('run: an application with exactly.once that may have no transactions ends with the cause, exit code 1', async (t) => {
  const broker = await startedBroker(t)
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'pay.mjs'), 'export default () => {}')
  const conf = join(directory, 'consumer.conf')
  const properties = { 'bootstrap.servers': broker.bootstrapServers, topic: 'orders', 'group.id': 'payers' }
  await writeFile(conf, JSON.stringify({ ...properties, handler: './pay.mjs', 'exactly.once': true }))
  broker.intercept(
    'InitProducerId',
    when(({ transactionalId }) => transactionalId !== null, error('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')),
  )
  const producer = new Producer({ 'bootstrap.servers': broker.bootstrapServers })
  await producer.send({ topic: 'orders', value: '1' })
  await producer.close()
  const { code, stderr } = await runSluice(t, ['run', conf])
  assert.equal(code, 1, stderr)
  assert.match(
    stderr,
    /payers consumer-thread-0: "exactly\.once" needs transactions, and the cluster refuses them: .*TRANSACTIONAL_ID_AUTHORIZATION_FAILED/,
  )
})

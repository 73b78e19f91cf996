import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaTool, startKafka } from './kafka.ts'

test('startKafka: one node answers its own tools', async (t) => {
  const kafka = await startKafka()
  t.after(() => kafka.stop())
  const created = await kafkaTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--create',
    '--topic',
    'clicks',
    '--partitions',
    '3',
  ])
  assert.equal(created.code, 0, created.stderr)
  const listed = await kafkaTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--list',
  ])
  assert.match(listed.stdout, /^clicks$/m)
})

test('startKafka: three nodes survive the loss of one', async (t) => {
  const kafka = await startKafka({ nodes: 3 })
  t.after(() => kafka.stop())
  const topic = ['--topic', 'replicated', '--partitions', '3', '--replication-factor', '3']
  const created = await kafkaTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--create',
    ...topic,
  ])
  assert.equal(created.code, 0, created.stderr)
  await kafka.nodes[2]!.kill()
  const listed = await kafkaTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--list',
  ])
  assert.match(listed.stdout, /^replicated$/m)
})

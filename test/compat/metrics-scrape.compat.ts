/** `/metrics` of a running process before promtool and a real Prometheus, over Apache Kafka. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownMetrics } from '../../src/app/own-metrics.ts'
import { Admin } from '../../src/client/admin/admin.ts'
import { Producer } from '../../src/client/producer/producer.ts'
import { root, SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { startKafka } from './kafka.ts'
import { checkRules, ensurePrometheus, promtool, startPrometheus } from './prometheus.ts'

const RECORDS = 20_000

await test('metrics: promtool and Prometheus take them, and Prometheus sees every record', async (t) => {
  ensurePrometheus()
  const kafka = await startKafka()
  t.after(() => kafka.stop())
  const servers = kafka.bootstrapServers
  const admin = new Admin({ 'bootstrap.servers': servers })
  t.after(() => admin.close())
  await admin.createTopics([{ name: 'clicks', partitions: 4 }])
  const directory = await temporaryDirectory(t)
  const conf = join(directory, 'consumer.conf')
  const sink = { type: 'file', directory: join(directory, 'out'), format: 'log', 'rotate.ms': 200 }
  const application = { topic: 'clicks', 'consumer.no': 2, 'bootstrap.servers': servers, sink }
  await writeFile(
    conf,
    JSON.stringify([
      { ...application, 'group.id': 'readers', 'auto.commit.interval.ms': 500 },
      { ...application, 'group.id': 'a "quoted" group\\with', sink: { type: 'stdout' }, threads: false },
    ]),
  )
  const run = new SluiceProcess(t, ['run', conf, '--http', '127.0.0.1:0'])
  const [, target] = await run.says(/http:\/\/(127\.0\.0\.1:\d+) answers/, 'stderr')
  const prometheus = await startPrometheus(t, target!)
  const producer = new Producer({ 'bootstrap.servers': servers })
  t.after(() => producer.close())
  await producer.sendBatch(
    Array.from({ length: RECORDS }, (_, id) => ({ topic: 'clicks', partition: id % 4, value: String(id) })),
  )
  const sum = async (expression: string) => (await prometheus.query(`sum(${expression})`))[0]?.value
  const sees = (expression: string, value: number) =>
    until(async () => (await sum(expression)) === value, {
      everyMs: 250,
      withinMs: 90_000,
      what: `${expression} = ${value}`,
    })
  await sees('sluice_records_done_total{group="readers"}', RECORDS)
  await sees('sluice_records_done_total{group=~"a .quoted. group.*"}', RECORDS)
  await sees('sluice_partition_lag', 0)
  await sees('kafka_consumer_consumer_fetch_manager_metrics_records_consumed_total{group="readers",topic=""}', RECORDS)
  await sees('kafka_consumer_consumer_coordinator_metrics_assigned_partitions{group="readers"}', 4)
  await sees('up', 1)

  const text = await (await fetch(`http://${target}/metrics`)).text()
  for (const { name } of ownMetrics) assert.match(text, new RegExp(`^${name}\\{`, 'm'), name)
  const { isSound, findings } = promtool(text)
  assert.ok(isSound, findings.join('\n'))
  t.diagnostic(findings.join('\n'))
  assert.deepEqual(
    findings.filter((line) => !line.startsWith('kafka_consumer_')),
    [],
    'what Sluice itself names is as Prometheus wants it',
  )
  run.kill('SIGTERM')
  assert.equal((await run.ended).code, 0)
  await until(async () => (await sum('up')) === 0, { everyMs: 250, what: 'a target that is down' })
})

await test('metrics: the alerts of docs/operations.md are sound', async (t) => {
  ensurePrometheus()
  const text = readFileSync(join(root, 'docs', 'operations.md'), 'utf8')
  const rules = [...text.matchAll(/```yaml\n(groups:[\s\S]*?)```/g)].map(([, block]) => block!)
  assert.equal(rules.length, 1)
  const file = join(await temporaryDirectory(t), 'rules.yml')
  await writeFile(file, rules[0]!)
  const { isSound, said } = checkRules(file)
  assert.ok(isSound, said)
  assert.match(said, /5 rules found/)
})

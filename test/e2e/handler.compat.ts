/** Handlers over Apache Kafka: killed, stopped beyond their session and restarted; what is committed is read by kcat, which is none of ours. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { kafkaTool, runProgram, startKafka } from '../compat/kafka.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { handlerScenario, type HandlerScenario } from './handler-scenario.ts'
import { runSluice, SluiceProcess } from './sluice-process.ts'

async function kafka(t: TestContext): Promise<string> {
  const cluster = await startKafka({ properties: { 'group.min.session.timeout.ms': 1000 } })
  t.after(() => cluster.stop())
  return cluster.bootstrapServers
}

function readByKcat(bootstrapServers: string): HandlerScenario['readCommitted'] {
  return async (topic) => {
    const args = [
      '-C',
      '-b',
      bootstrapServers,
      '-t',
      topic,
      '-o',
      'beginning',
      '-e',
      '-q',
      '-X',
      'isolation.level=read_committed',
    ]
    const { code, stdout, stderr } = await runProgram('kcat', args)
    assert.equal(code, 0, stderr)
    return stdout.trimEnd().split('\n')
  }
}

await test('Apache Kafka: handlers are killed twenty times and stopped beyond their session, each output is there once', async (t) => {
  const bootstrapServers = await kafka(t)
  const { records } = await handlerScenario(t, {
    bootstrapServers,
    by: 'SIGKILL',
    restarts: 20,
    stops: 3,
    seed: 11,
    isExactlyOnce: true,
    sessionTimeoutMs: 2000,
    threads: false,
    readCommitted: readByKcat(bootstrapServers),
  })
  t.diagnostic(`${records} records, 20 kills`)
})

await test('Apache Kafka: handlers are restarted one at a time by SIGTERM, each record is handled once', async (t) => {
  const bootstrapServers = await kafka(t)
  const { records } = await handlerScenario(t, {
    bootstrapServers,
    by: 'SIGTERM',
    restarts: 8,
    stops: 0,
    seed: 12,
    isExactlyOnce: false,
    sessionTimeoutMs: 6000,
    threads: true,
    readCommitted: readByKcat(bootstrapServers),
  })
  t.diagnostic(`${records} records, 8 restarts`)
})

await test('Apache Kafka: a dead letter, as Kafka’s console consumer shows it', async (t) => {
  const bootstrapServers = await kafka(t)
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'charge.ts'), "export default () => { throw new TypeError('no such card') }")
  const conf = join(directory, 'consumer.conf')
  const settings = {
    topic: 'orders',
    'group.id': 'g',
    handler: './charge.ts',
    'handler.retries': 1,
    'handler.retry.backoff.ms': 1,
  }
  await writeFile(
    conf,
    JSON.stringify({ ...settings, 'on.failure': 'dead-letter', 'bootstrap.servers': bootstrapServers }),
  )
  const servers = ['--bootstrap-server', bootstrapServers]
  await runSluice(t, ['topics', 'create', 'orders', '--partitions', '4', ...servers])
  await runSluice(t, ['produce', 'orders', '--key-separator', ':', ...servers], { input: 'alice:100\n' })
  const running = new SluiceProcess(t, ['run', conf])
  await running.says(/written to orders-dlt/, 'stderr')
  running.kill('SIGTERM')
  assert.equal((await running.ended).code, 0)
  const { stdout } = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...servers,
    '--topic',
    'orders-dlt',
    '--from-beginning',
    '--max-messages',
    '1',
    '--timeout-ms',
    '30000',
    ...['key', 'headers'].flatMap((name) => ['--formatter-property', `print.${name}=true`]),
  ])
  assert.match(stdout, /sluice-original-topic:orders,sluice-original-partition:\d,sluice-original-offset:0,/)
  assert.match(
    stdout,
    /sluice-error-class:TypeError,sluice-error-message:no such card,.*sluice-attempts:2\talice\t100/s,
  )
  const described = await runSluice(t, ['topics', 'describe', 'orders-dlt', ...servers])
  assert.match(described.stdout, /4/, 'as many partitions as the topic itself')
})

/** Short runs of handler-scenario.ts with the embedded broker; handler.compat.ts has the long ones, over Apache Kafka. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Consumer } from '../../src/client/consumer/consumer.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { handlerScenario } from './handler-scenario.ts'
import { runSluice, SluiceProcess, spawnBroker } from './sluice-process.ts'

async function broker(t: TestContext): Promise<string> {
  const properties = { 'group.min.session.timeout.ms': 500, 'group.initial.rebalance.delay.ms': 100 }
  return (await spawnBroker(t, await temporaryDirectory(t), { properties })).bootstrapServers
}

/** To the end that readers of committed records have: nothing is open any more when the processes have ended. */
function readCommitted(bootstrapServers: string): (topic: string) => Promise<readonly string[]> {
  return async (topic) => {
    const partition = { topic, partition: 0 }
    const consumer = new Consumer({ 'bootstrap.servers': bootstrapServers, 'isolation.level': 'read_committed' })
    consumer.assign([partition])
    consumer.seekToBeginning()
    const end = (await consumer.endOffsets([partition])).get(partition)!
    const values: string[] = []
    await until(
      async () => {
        for (const record of await consumer.poll(200)) values.push(record.valueText()!)
        return (await consumer.position(partition)) >= end
      },
      { withinMs: 60_000, what: 'the end of the topic' },
    )
    await consumer.close()
    return values
  }
}

await test('handlers: killed at random, each record is handled, and with exactly.once each output is there once', async (t) => {
  const bootstrapServers = await broker(t)
  const { records } = await handlerScenario(t, {
    bootstrapServers,
    by: 'SIGKILL',
    restarts: 3,
    stops: 1,
    seed: 5,
    isExactlyOnce: true,
    sessionTimeoutMs: 1500,
    threads: true,
    readCommitted: readCommitted(bootstrapServers),
  })
  t.diagnostic(`${records} records`)
})

await test('handlers: restarted one at a time under load by SIGTERM, each record is handled exactly once', async (t) => {
  const bootstrapServers = await broker(t)
  const { records } = await handlerScenario(t, {
    bootstrapServers,
    by: 'SIGTERM',
    restarts: 3,
    stops: 0,
    seed: 6,
    isExactlyOnce: false,
    sessionTimeoutMs: 6000,
    threads: false,
    readCommitted: readCommitted(bootstrapServers),
  })
  t.diagnostic(`${records} records`)
})

await test('handlers: one that never ends holds up a stop no longer than shutdown.timeout.ms, and its record is not committed', async (t) => {
  const bootstrapServers = await broker(t)
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'stuck.ts'), 'export default () => new Promise(() => {})')
  const conf = join(directory, 'consumer.conf')
  const settings = { topic: 'orders', 'group.id': 'stuck', handler: './stuck.ts', 'shutdown.timeout.ms': 2000 }
  await writeFile(conf, JSON.stringify({ ...settings, 'bootstrap.servers': bootstrapServers }))
  await runSluice(t, ['topics', 'create', 'orders', '--bootstrap-server', bootstrapServers])
  await runSluice(t, ['produce', 'orders', '--bootstrap-server', bootstrapServers], { input: 'a\nb\n' })
  const running = new SluiceProcess(t, ['run', conf], { cwd: directory })
  await running.says(/ owns orders/, 'stderr')
  running.kill('SIGTERM')
  const { code, stdout, stderr } = await running.ended
  assert.deepEqual([code, stdout], [0, 'Bye\n'], stderr)
  const described = await runSluice(t, ['groups', 'describe', 'stuck', '--bootstrap-server', bootstrapServers])
  assert.doesNotMatch(described.stdout, /orders +0 +[1-9]/)
})

await test('handlers: a module that cannot be used is said with its place, before anything is joined', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'both.ts'), 'export function handle() {}\nexport function handleBatch() {}')
  await writeFile(join(directory, 'none.ts'), 'export const charge = () => {}')
  await writeFile(join(directory, 'broken.ts'), 'export default function (')
  await writeFile(join(directory, 'many.ts'), 'export default function (a, b, c) {}')
  await writeFile(join(directory, 'number.ts'), 'export default 5')
  await writeFile(join(directory, 'import.ts'), "import 'nowhere-to-be-found'\nexport default () => {}")
  const names = ['both', 'none', 'broken', 'many', 'number', 'import', 'missing']
  const conf = join(directory, 'consumer.conf')
  const entries = names.map((name) => ({ topic: 'a', 'group.id': name, handler: `./${name}.ts` }))
  await writeFile(conf, JSON.stringify(entries))
  for (const args of [
    ['run', conf, '--check'],
    ['run', conf],
  ]) {
    const { code, stderr } = await runSluice(t, args)
    assert.equal(code, 2, stderr)
    for (const [index, message] of [
      /exports handle and handleBatch: one of them is enough/,
      /exports charge, and no handler: export a function as default/,
      /cannot be loaded: /,
      /default takes 3 parameters, and is called with two/,
      /exports default, which is number and no function/,
      /cannot be loaded: .*nowhere-to-be-found/,
      /there is no file .*missing\.ts/,
    ].entries()) {
      const line = stderr.split('\n').find((one) => one.includes(`[${index}].handler: `))
      assert.match(line ?? stderr, message)
    }
  }
})

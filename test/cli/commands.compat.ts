/** The commands against Apache Kafka, and beside Kafka's own tools: what one writes the other reads, and both say the same. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { kafkaTool, startKafka } from '../compat/kafka.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const GROUPS = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
const TOPICS = 'org.apache.kafka.tools.TopicCommand'

await test('commands: over Apache Kafka, beside its own tools', async (t) => {
  const kafka = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': 0 } })
  t.after(() => kafka.stop())
  const servers = ['--bootstrap-server', kafka.bootstrapServers]
  const sluice = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await runSluice(t, [...args, ...servers], { input })
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return stdout
  }

  await t.test('topics: Kafka’s tool sees what was created, altered and deleted', async () => {
    await sluice([
      'topics',
      'create',
      'clicks',
      'gone',
      '--partitions',
      '2',
      '--replication-factor',
      '1',
      '--config',
      'retention.ms=86400000',
    ])
    await sluice(['topics', 'alter', 'clicks', '--partitions', '3', '--config', 'segment.bytes=1048576'])
    await sluice(['topics', 'delete', 'gone'])
    const { stdout } = await kafkaTool(TOPICS, [...servers, '--describe', '--topic', 'clicks'])
    assert.match(stdout, /PartitionCount: 3.*retention\.ms=86400000/)
    assert.match(stdout, /segment\.bytes=1048576/)
    assert.equal(await sluice(['topics', 'list', '--exclude-internal']), 'clicks\n')
    const refused = await runSluice(t, ['topics', 'alter', 'clicks', '--partitions', '1', ...servers])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /currently has 3 partition/)
  })

  await t.test('produce, consume and groups: offsets and lag as Kafka’s tool says them', async () => {
    await sluice(['produce', 'clicks', '--partition', '1', '--compression-codec', 'zstd'], 'a\nb\nc\nd\n')
    assert.equal(
      await sluice(['consume', 'clicks', '--group', 'readers', '--from-beginning', '--max-messages', '3']),
      'a\nb\nc\n',
    )
    const [row] = (
      JSON.parse(await sluice(['groups', 'describe', 'readers', '--json'])) as Record<string, unknown>[]
    ).filter(({ partition }) => partition === 1)
    const own = [row!['currentOffset'], row!['logEndOffset'], row!['lag']]
    assert.deepEqual(own, [3, 4, 1])
    const { stdout } = await kafkaTool(GROUPS, [...servers, '--describe', '--group', 'readers'])
    assert.match(stdout, /readers\s+clicks\s+1\s+(?:-\s+)?3\s+4\s+1\s/)
  })

  await t.test('groups reset-offsets: the same target gives the same offsets as Kafka’s tool', async () => {
    const targets = [
      ['--to-earliest'],
      ['--to-latest'],
      ['--shift-by', '-2'],
      ['--to-offset', '99'],
      ['--to-datetime', '2001-01-01T00:00:00.000'],
      ['--by-duration', 'PT0S'],
    ]
    for (const target of targets) {
      const args = ['--group', 'readers', '--topic', 'clicks:1', ...target]
      const { stdout } = await kafkaTool(GROUPS, [...servers, '--reset-offsets', ...args, '--dry-run'])
      const theirs = /readers\s+clicks\s+1\s+(\d+)/.exec(stdout)?.[1]
      const [ours] = JSON.parse(await sluice(['groups', 'reset-offsets', ...args, '--json'])) as { newOffset: number }[]
      assert.equal(String(ours!.newOffset), theirs, `${target.join(' ')}: ${stdout}`)
    }
    await sluice([
      'groups',
      'reset-offsets',
      '--group',
      'readers',
      '--topic',
      'clicks:1',
      '--to-offset',
      '2',
      '--execute',
    ])
    const { stdout } = await kafkaTool(GROUPS, [...servers, '--describe', '--group', 'readers', '--offsets'])
    assert.match(stdout, /readers\s+clicks\s+1\s+(?:-\s+)?2\s+4\s+2\s/)
  })

  await t.test('run: a group that is at work cannot be reset, and is listed with its members', async () => {
    const conf = join(await temporaryDirectory(t), 'consumer.conf')
    await writeFile(
      conf,
      JSON.stringify({
        topic: 'clicks',
        'group.id': 'many',
        'consumer.no': 3,
        'bootstrap.servers': kafka.bootstrapServers,
      }),
    )
    const running = new SluiceProcess(t, ['run', conf])
    await running.says(/^consumer-thread-\d >> d$/m)
    const refused = await runSluice(t, [
      'groups',
      'reset-offsets',
      '--group',
      'many',
      '--topic',
      'clicks',
      '--to-earliest',
      ...servers,
    ])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /the group "many" is \w+: its members would overwrite/)
    const members = JSON.parse(await sluice(['groups', 'describe', 'many', '--members', '--json'])) as {
      clientId: string
    }[]
    assert.deepEqual(
      members.map(({ clientId }) => clientId).sort(),
      [0, 1, 2].map((n) => `many-consumer-thread-${n}`),
    )
    running.kill('SIGTERM')
    const { code, stdout } = await running.ended
    assert.equal(code, 0)
    assert.match(stdout, /\nBye\n$/)
    assert.match(await sluice(['groups', 'describe', 'many', '--state']), /many .*Empty +0\n$/)
    assert.equal(await sluice(['groups', 'delete', 'many']), 'deleted many\n')
    const missing = await runSluice(t, ['groups', 'describe', 'many', ...servers])
    assert.deepEqual([missing.code, missing.stderr], [1, 'sluice: there is no group "many"\n'])
  })
})

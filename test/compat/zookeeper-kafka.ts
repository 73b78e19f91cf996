/** Apache Kafka of the years before KRaft: one broker and the ZooKeeper that it needs, both in a temporary folder on free loopback ports. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, javaServer, kafkaClassPath } from './kafka.ts'

export interface OldKafka {
  readonly bootstrapServers: string
  readonly zookeeper: string
  stop(): Promise<void>
}

export async function startZookeeperKafka(version: string, properties: Record<string, number> = {}): Promise<OldKafka> {
  const classPath = await kafkaClassPath(version)
  const directory = await mkdtemp(join(tmpdir(), 'sluice-kafka-'))
  const [zookeeperPort, port] = [await freePort(), await freePort()]
  const folders = { zookeeper: join(directory, 'zookeeper'), kafka: join(directory, 'kafka') }
  const configs = { zookeeper: join(folders.zookeeper, 'zoo.cfg'), kafka: join(folders.kafka, 'server.properties') }
  for (const folder of Object.values(folders)) await mkdir(folder)
  const zoo = {
    dataDir: join(folders.zookeeper, 'data'),
    clientPort: zookeeperPort,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': false,
  }
  await writeFile(configs.zookeeper, lines(zoo))
  const broker = {
    'broker.id': 1,
    'zookeeper.connect': `127.0.0.1:${zookeeperPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': join(folders.kafka, 'log'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // As in kafka.ts: records of long ago stay.
    'log.retention.ms': -1,
    ...properties,
  }
  await writeFile(configs.kafka, lines(broker))
  const zookeeper = javaServer({
    name: 'ZooKeeper',
    classPath,
    mainClass: 'org.apache.zookeeper.server.ZooKeeperServerMain',
    config: configs.zookeeper,
    port: zookeeperPort,
  })
  const kafka = javaServer({
    name: `Apache Kafka ${version}`,
    classPath,
    mainClass: 'kafka.Kafka',
    config: configs.kafka,
    port,
  })
  const stop = async () => {
    await kafka.stop()
    await zookeeper.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await zookeeper.start()
    await kafka.start()
  } catch (error) {
    await stop()
    throw error
  }
  return { bootstrapServers: `127.0.0.1:${port}`, zookeeper: `127.0.0.1:${zookeeperPort}`, stop }
}

function lines(settings: Record<string, unknown>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${String(value)}\n`)
    .join('')
}

/** The monitor over a real broker, for tests: one that samples when it is told to, and clients to move things with. */
import { type TestContext } from 'node:test'
import { Admin } from '../../src/client/admin/index.ts'
import { Consumer } from '../../src/client/consumer/index.ts'
import { Producer } from '../../src/client/producer/index.ts'
import { clusterDefaults, type ClusterConf } from '../../src/lag/cluster-conf.ts'
import type { ClusterMonitor } from '../../src/lag/cluster-monitor.ts'
import { openCluster } from '../../src/lag/open-cluster.ts'
import { type Teardown, teardownOf } from '../support/teardown.ts'

export interface Bench {
  readonly stop: Teardown
  readonly admin: Admin
  readonly producer: Producer
  consumer(groupId: string, more?: Record<string, string | number | boolean>): Consumer
  /** Does not sample by itself. */
  monitor(over?: Partial<ClusterConf>): ClusterMonitor
  produce(topic: string, partition: number, count: number): Promise<void>
}

export function benchOf(t: TestContext, bootstrapServers: string): Bench {
  const stop = teardownOf(t)
  const properties = { 'bootstrap.servers': bootstrapServers }
  const admin = new Admin({ ...properties, 'default.api.timeout.ms': 20_000 })
  stop(() => admin.close())
  const producer = new Producer({ ...properties, 'linger.ms': 0 })
  stop(() => producer.close())
  return {
    stop,
    admin,
    producer,
    consumer(groupId, more = {}) {
      const consumer = new Consumer({
        ...properties,
        'group.id': groupId,
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': false,
        'session.timeout.ms': 10_000,
        ...more,
      })
      stop(() => consumer.close(0))
      return consumer
    },
    monitor(over = {}) {
      const conf: ClusterConf = { name: 'local', properties, ...clusterDefaults, sampleIntervalMs: 1000, ...over }
      const monitor = openCluster(conf)
      stop(() => monitor.stop())
      return monitor
    },
    async produce(topic, partition, count) {
      await Promise.all(
        Array.from({ length: count }, (_, index) =>
          producer.send({ topic, partition, value: Buffer.from(`v${index}`) }),
        ),
      )
    },
  }
}

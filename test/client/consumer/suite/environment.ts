/**
 * What the consumer's suites run on. Each suite is a function of an environment, so that the same cases run over the embedded broker
 * (test/client/consumer/) and over Apache Kafka (test/compat/). A case makes its own topics and groups and never looks at others'.
 */
import { test, type TestContext } from 'node:test'
import { Cluster } from '../../../../src/client/cluster.ts'
import { parseAdminConfig, type PropertyBag } from '../../../../src/client/config.ts'
import { Consumer, type ConsumerRecords } from '../../../../src/client/consumer/index.ts'
import { Producer } from '../../../../src/client/producer/index.ts'
import { withRetries } from '../../../../src/client/retry.ts'
import { type ClientSeams, systemSeams } from '../../../../src/client/seams.ts'
import { createPartitions, createTopics, deleteRecords, deleteTopics } from '../../../../src/protocol/messages/index.ts'
import { codeOf, type ErrorName, KafkaError } from '../../../../src/protocol/error-codes.ts'
import { type ConsumerRecord } from '../../../../src/protocol/records/consumer-record.ts'
import { type TopicPartition } from '../../../../src/protocol/records/topic-partition.ts'
import { until } from '../../../support/until.ts'

export interface Environment {
  /** Where the brokers are, once they run. */
  readonly bootstrapServers: () => string
  /** Before 3.2 (KIP-814) a static leader that comes back is not told that it leads. Default: it is. */
  readonly tellsReturningLeaders?: boolean
  /** Nodes are killed while the cases run: an asynchronous commit may then fail, as nobody tries it again. Default: none is. */
  readonly areNodesKilled?: boolean
}

/** `test` with a fixture of its own for each case. */
export function casesOf(environment: Environment): (name: string, body: (f: Fixture) => Promise<void>) => void {
  return (name, body) => {
    void test(name, (t) => body(new Fixture(t, environment)))
  }
}

let names = 0
const run = Math.random().toString(36).slice(2, 8)

/** A name that nobody else uses. */
export function uniqueName(kind: string): string {
  return `${kind}-${run}-${++names}`
}

export class Fixture {
  readonly #t: TestContext
  readonly bootstrapServers: string
  #cluster: Cluster | undefined

  constructor(t: TestContext, environment: Environment) {
    this.#t = t
    this.bootstrapServers = environment.bootstrapServers()
  }

  async #admin(): Promise<Cluster> {
    if (!this.#cluster) {
      // Short, to be asked again: a node that starts takes connections, and answers later or never.
      const properties = { 'bootstrap.servers': this.bootstrapServers, 'request.timeout.ms': 15_000 }
      const cluster = new Cluster(parseAdminConfig(properties), systemSeams())
      this.#cluster = cluster
      this.#t.after(() => cluster.close())
      await cluster.connect()
    }
    return this.#cluster
  }

  async topic(partitions = 1, config: Record<string, string> = {}, name = uniqueName('topic')): Promise<string> {
    const cluster = await this.#admin()
    const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }))
    await doneOnce(cluster, 'TOPIC_ALREADY_EXISTS', `creating ${name}`, async () => {
      // As many replicas as the broker makes by default: one, or three in a cluster whose nodes are restarted.
      const wanted = { name, numPartitions: partitions, replicationFactor: -1, assignments: [], configs }
      const request = { topics: [wanted], timeoutMs: 30_000 }
      const { topics } = await cluster.send(createTopics, cluster.metadata.controllerId, request)
      return topics[0]!.errorCode
    })
    await until(
      async () => {
        await retried(cluster, [name], () => cluster.refreshMetadata({ topics: [name] }))
        const found = cluster.metadata.topics.get(name)
        return found?.partitions.length === partitions && found.partitions.every(({ leader }) => leader >= 0)
      },
      { what: `${name} has leaders` },
    )
    return name
  }

  async growTopic(name: string, count: number): Promise<void> {
    const cluster = await this.#admin()
    await doneOnce(cluster, 'INVALID_PARTITIONS', `growing ${name}`, async () => {
      const { results } = await cluster.send(createPartitions, cluster.metadata.controllerId, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: 30_000,
        validateOnly: false,
      })
      return results[0]!.errorCode
    })
  }

  async dropTopic(name: string): Promise<void> {
    const cluster = await this.#admin()
    await doneOnce(cluster, 'UNKNOWN_TOPIC_OR_PARTITION', `deleting ${name}`, async () => {
      const request = { topicNames: [name], timeoutMs: 30_000 }
      const { responses } = await cluster.send(deleteTopics, cluster.metadata.controllerId, request, { maxVersion: 5 })
      return responses[0]!.errorCode
    })
    // Kafka with ZooKeeper answers before the name is free again.
    const wanted = { name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
    await until(
      async () => {
        const request = { topics: [wanted], timeoutMs: 30_000, validateOnly: true }
        const { topics } = await retried(cluster, [], () =>
          cluster.send(createTopics, cluster.metadata.controllerId, request),
        )
        return topics[0]!.errorCode === 0
      },
      { what: `the name ${name} is free` },
    )
  }

  async deleteRecordsBefore(topic: string, partition: number, offset: number): Promise<void> {
    const cluster = await this.#admin()
    await retried(cluster, [topic], async () => {
      const leader = cluster.leader({ topic, partition })
      if (!leader) throw new KafkaError(codeOf('LEADER_NOT_AVAILABLE'), `deleting records of ${topic}`)
      const { topics } = await cluster.send(deleteRecords, leader.nodeId, {
        topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }],
        // It waits for every replica, also for one whose node is just being killed.
        timeoutMs: 5_000,
      })
      throwCode(topics[0]!.partitions[0]!.errorCode, `deleting records of ${topic}`)
    })
  }

  producer(properties: PropertyBag = {}): Producer {
    const producer = new Producer({ 'bootstrap.servers': this.bootstrapServers, 'linger.ms': 0, ...properties })
    this.#t.after(() => producer.close())
    return producer
  }

  /** Sends `value 0`, `value 1` … with the timestamps 0, 1 … from `first` on. */
  async produce(
    topic: string,
    count: number,
    options: { partition?: number; first?: number; size?: number } = {},
  ): Promise<void> {
    const { partition = 0, first = 0, size } = options
    const producer = this.producer({ 'max.request.size': 20_000_000, 'batch.size': 16_384 })
    const sent: Promise<unknown>[] = []
    for (let index = first; index < first + count; index++) {
      const value = size === undefined ? `value ${index}` : Buffer.alloc(size, 'x')
      sent.push(producer.send({ topic, partition, key: `key ${index}`, value, timestamp: index }))
    }
    await Promise.all(sent)
    await producer.close()
  }

  /** With a group of its own, reading from the beginning, unless the properties say otherwise. */
  consumer(properties: PropertyBag = {}, seams: Partial<ClientSeams> = {}): Consumer {
    const consumer = new Consumer(
      {
        'bootstrap.servers': this.bootstrapServers,
        'group.id': uniqueName('group'),
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': false,
        ...properties,
      },
      seams,
    )
    this.#t.after(() => consumer.close({ timeoutMs: 5000 }))
    return consumer
  }
}

/** @param isDone what is answered where a request whose answer was lost has done it already */
async function doneOnce(
  cluster: Cluster,
  isDone: ErrorName,
  doing: string,
  send: () => Promise<number>,
): Promise<void> {
  let isAgain = false
  await retried(cluster, [], async () => {
    const before = isAgain
    isAgain = true
    const errorCode = await send()
    if (!before || errorCode !== codeOf(isDone)) throwCode(errorCode, doing)
  })
}

/**
 * Once more when the node has just gone: suites also run while nodes are restarted. One that starts takes connections before it answers,
 * on a busy machine for half a minute.
 */
function retried<T>(cluster: Cluster, topics: readonly string[], send: () => Promise<T>): Promise<T> {
  const refresh = () => cluster.refreshMetadata({ topics }).catch(() => {})
  const limits = { doing: 'A request of the test itself', timeoutMs: 120_000, onRetry: refresh }
  return withRetries(cluster.seams, cluster.config, limits, send)
}

function throwCode(code: number, doing: string): void {
  if (code !== 0) throw new KafkaError(code, doing)
}

/** Polls until `count` records have come; fails when they do not come in time. */
export async function consume(consumer: Consumer, count: number, withinMs = 30_000): Promise<ConsumerRecord[]> {
  const found: ConsumerRecord[] = []
  await pollUntil(
    consumer,
    (records) => {
      found.push(...records)
      return found.length >= count
    },
    withinMs,
  )
  return found
}

/** Polls until the condition holds. */
export async function pollUntil(
  consumer: Consumer,
  condition: (records: ConsumerRecords) => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  await until(async () => condition(await consumer.poll(100)), { withinMs, everyMs: 0, what: condition.toString() })
}

/** Polls until the consumer is assigned exactly this many partitions. Records that come meanwhile are not looked at. */
export function awaitAssignment(consumer: Consumer, count: number): Promise<void> {
  return pollUntil(consumer, () => consumer.assignment().length === count)
}

export const at = (topic: string, partition = 0): TopicPartition => ({ topic, partition })
export const named = (partitions: readonly TopicPartition[]): string[] =>
  partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()

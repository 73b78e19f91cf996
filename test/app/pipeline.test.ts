/** Single promises of the pipeline, each by itself; that they hold together in any order is pipeline-simulation.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GuaranteeError, OffsetOutsideLogError } from '../../src/app/errors.ts'
import { recordDecoder } from '../../src/app/decode.ts'
import type { CommitChannel, PartitionOffset } from '../../src/app/consumer-port.ts'
import type { RecordHandler } from '../../src/app/handler.ts'
import { HandlerTarget } from '../../src/app/handler-target.ts'
import { Pipeline, type PipelineOptions } from '../../src/app/pipeline.ts'
import { sinkTarget } from '../../src/app/target.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { SinkRefusedError, SinkUnavailableError, type Sink, type SinkBatch } from '../../src/sinks/sink.ts'
import { FailingProducer } from './failing-producer.ts'
import { SimulatedCluster, SimulatedPort, type SimulatedLog } from './simulation/cluster.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

/** A sink that notes what it is asked, and does what a test says otherwise. */
class NotedSink implements Sink {
  readonly calls: string[] = []
  written = 0
  guarantee: 'transactional' | 'at-least-once' = 'transactional'
  positions = new Map<number, number>()
  beforeFlush: () => Promise<void> = async () => {}
  beforeWrite: (batch: SinkBatch) => Promise<void> = async () => {}
  beforeAssigned: () => Promise<void> = async () => {}

  async open() {
    return { guarantee: this.guarantee }
  }

  async assigned(partitions: Parameters<Sink['assigned']>[0]) {
    this.calls.push(`assigned ${partitions.map(({ topicPartition }) => topicPartition.partition).join()}`)
    await this.beforeAssigned()
    return partitions.map(({ topicPartition }) => ({
      topicPartition,
      next: this.positions.get(topicPartition.partition),
    }))
  }

  async write(batch: SinkBatch) {
    await this.beforeWrite(batch)
    this.written += batch.records.length
    return { flushDue: false }
  }

  async flush(topicPartition: { partition: number }, next: number) {
    await this.beforeFlush()
    this.calls.push(`flush ${topicPartition.partition} ${next}`)
    this.positions.set(topicPartition.partition, next)
    return { durable: next }
  }

  async revoked(partitions: Parameters<Sink['revoked']>[0], why: 'revoked' | 'lost') {
    this.calls.push(`${why} ${partitions.map(({ partition }) => partition).join()}`)
    return partitions.map((topicPartition) => ({ topicPartition, durable: undefined }))
  }

  async close() {
    this.calls.push('close')
  }
}

const log = (count: number): SimulatedLog => ({
  offsets: Array.from({ length: count }, (_, index) => index),
  end: count,
})

function pipelineOf(sink: NotedSink, logs: SimulatedLog[], overrides: Partial<PipelineOptions> = {}) {
  const clock = new VirtualClock()
  const random = seededRandom(1)
  const cluster = new SimulatedCluster(clock, random, logs)
  const port = new SimulatedPort(cluster, { isDead: false })
  const pipeline = new Pipeline({
    port,
    target: sinkTarget(sink),
    targetName: 'noted',
    application: 'app',
    consumer: 'consumer-thread-0',
    consumerCount: 1,
    clusterId: 'cluster',
    decoder: recordDecoder({ value: 'string' }),
    commit: 'auto',
    guarantee: undefined,
    flush: {},
    bufferBytes: 1 << 20,
    shutdownTimeoutMs: 10_000,
    maxPollIntervalMs: 60_000,
    autoCommitIntervalMs: 100,
    clock: clock.of({ isDead: false }),
    random,
    disk: systemDisk,
    logger: silentLogger,
    ...overrides,
  })
  let outcome: Error | 'stopped' | undefined
  const ended = pipeline.run().then(
    () => void (outcome = 'stopped'),
    (error: Error) => void (outcome = error),
  )
  const over = async () => {
    await clock.run(() => outcome !== undefined, 3_600_000)
    await ended
    return outcome!
  }
  return { clock, cluster, port, pipeline, over }
}

await test('pipeline: a slow store holds back fetching, while polling goes on', async () => {
  const sink = new NotedSink()
  const { clock, pipeline, over } = pipelineOf(sink, [log(500), log(500)], { bufferBytes: 2000 })
  sink.beforeWrite = () => clock.sleep(3000)
  let most = 0
  await clock.run(() => {
    most = Math.max(most, pipeline.counts.polled - sink.written)
    return sink.written > 300
  }, 3_600_000)
  // 2000 bytes are two dozen of these records; a poll more of each partition may come on top.
  assert.ok(most > 5 && most < 50, `${most} records were held at most`)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
})

await test('pipeline: what handlers sent bounds what is fetched, and is committed before the interval is over when it fills the room', async () => {
  const sent: number[] = []
  const handle: RecordHandler = async ({ offset }, { producer }) => {
    await producer.send({ topic: 'out', value: 'x'.repeat(1000) })
    sent.push(offset)
  }
  const target = new HandlerTarget({
    handler: { kind: 'record', handle },
    order: 'unordered',
    concurrency: 10,
    batchRecords: undefined,
    retry: { retries: 0, backoffMs: 1, backoffMaxMs: 1 },
    application: 'app',
    producer: new FailingProducer(),
    isExactlyOnce: true,
  })
  let committed = 0
  const commit = async (offsets: readonly PartitionOffset[]) => {
    for (const { topicPartition, offset } of offsets) {
      committed += target.outputsUpTo(topicPartition, offset).length
      target.forgetOutputs(topicPartition, offset)
    }
  }
  const commits: CommitChannel = {
    commitSync: commit,
    commitAsync: (offsets, done) => {
      void (async () => {
        await commit(offsets)
        done(undefined)
      })()
    },
  }
  const options = { target, commits, bufferBytes: 20_000, autoCommitIntervalMs: 300_000 }
  const { clock, pipeline, over } = pipelineOf(new NotedSink(), [log(500)], options)
  let most = 0
  await clock.run(() => {
    most = Math.max(most, sent.length - committed)
    return committed >= 450
  }, 60_000)
  assert.ok(most > 10 && most < 60, `${most} outputs of 1000 bytes were held at most`)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
  assert.equal(committed, sent.length)
})

await test('pipeline: a store that is down at the assignment is asked again, with the partition paused', async () => {
  const sink = new NotedSink()
  let failures = 3
  sink.beforeAssigned = async () => {
    if (failures-- > 0) throw new SinkUnavailableError('the database is locked')
  }
  const { clock, pipeline, over } = pipelineOf(sink, [log(20)])
  await clock.run(() => sink.positions.get(0) === 20, 60_000)
  assert.equal(sink.calls.filter((call) => call === 'assigned 0').length, 4)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
})

await test('pipeline: reads from where the store stands, not from Kafka’s commit', async () => {
  const sink = new NotedSink()
  sink.positions.set(0, 15)
  const { clock, cluster, pipeline, over } = pipelineOf(sink, [log(20)])
  cluster.commits.set(0, 7)
  await clock.run(() => cluster.commits.get(0) === 20, 60_000)
  assert.equal(sink.written, 5)
  pipeline.stop()
  await over()
})

await test('pipeline: a store outside of the log ends it, with nothing written', async () => {
  const sink = new NotedSink()
  sink.positions.set(0, 21)
  const { over } = pipelineOf(sink, [log(20)])
  const error = await over()
  assert.ok(error instanceof OffsetOutsideLogError)
  assert.match(error.message, /flights-0 goes on at offset 21, and the log holds 0 to 20: the log is not the one/)
  assert.deepEqual(sink.calls, ['assigned 0', 'close'])
})

await test('pipeline: revoked flushes and commits before the rejoin', async () => {
  const sink = new NotedSink()
  const { clock, cluster, pipeline, over } = pipelineOf(sink, [log(30)], {
    flush: { intervalMs: 600_000 },
    autoCommitIntervalMs: 600_000,
  })
  await clock.run(() => sink.written === 30, 60_000)
  assert.equal(sink.positions.get(0), undefined, 'nothing was flushed by itself')
  const generation = cluster.generation
  let committedIn = -1
  cluster.onCommit = () => (committedIn = cluster.generation)
  cluster.join({ isDead: false }).joined = generation + 1
  await clock.run(() => sink.calls.includes('revoked 0'), 60_000)
  await clock.run(() => cluster.commits.get(0) === 30, 60_000)
  assert.deepEqual(sink.calls.slice(0, 3), ['assigned 0', 'flush 0 30', 'revoked 0'])
  assert.equal(committedIn, generation + 1)
  pipeline.stop()
  await over()
})

await test('pipeline: lost writes nothing and commits nothing', async () => {
  const sink = new NotedSink()
  const { clock, cluster, port, pipeline, over } = pipelineOf(sink, [log(30)], {
    flush: { intervalMs: 600_000 },
    autoCommitIntervalMs: 600_000,
  })
  await clock.run(() => sink.written === 30, 60_000)
  cluster.expel(port.member)
  await clock.run(() => sink.calls.includes('lost 0'), 60_000)
  assert.deepEqual(sink.calls.slice(0, 2), ['assigned 0', 'lost 0'])
  assert.equal(cluster.commits.size, 0)
  // It comes back as a new member and begins where the store stands: at the beginning.
  await clock.run(() => sink.written === 60, 60_000)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
  assert.equal(cluster.commits.get(0), 30)
})

await test('pipeline: what was read is written, flushed and committed at a stop', async () => {
  const sink = new NotedSink()
  const { clock, cluster, pipeline, over } = pipelineOf(sink, [log(40)])
  sink.beforeWrite = () => clock.sleep(50)
  await clock.run(() => pipeline.counts.polled >= 20, 60_000)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
  assert.equal(sink.written, pipeline.counts.polled)
  assert.equal(cluster.commits.get(0), sink.positions.get(0))
})

await test('pipeline: a store that stays down does not hold up a stop for longer than its time', async () => {
  const sink = new NotedSink()
  sink.beforeFlush = () => Promise.reject(new SinkUnavailableError('the disk is full'))
  const { clock, cluster, pipeline, over } = pipelineOf(sink, [log(10)], { shutdownTimeoutMs: 5000 })
  await clock.run(() => sink.written > 0, 60_000)
  const stoppedAt = clock.now
  pipeline.stop()
  assert.equal(await over(), 'stopped')
  assert.ok(clock.now - stoppedAt <= 6000, `took ${clock.now - stoppedAt} ms`)
  assert.equal(cluster.commits.size, 0)
})

await test('pipeline: a store that promises less than is demanded is refused before the group is joined', async () => {
  const sink = new NotedSink()
  sink.guarantee = 'at-least-once'
  const { cluster, over } = pipelineOf(sink, [log(10)], { guarantee: 'transactional' })
  const error = await over()
  assert.ok(error instanceof GuaranteeError)
  assert.equal(
    error.message,
    'the noted sink promises "at-least-once" here, and the application demands "transactional": lower "guarantee" in the conf, or use a store that can',
  )
  assert.equal(cluster.generation, 0)
})

await test('pipeline: a failure of one partition leaves the others stored and committed', async () => {
  const sink = new NotedSink()
  sink.beforeWrite = async ({ topicPartition }) => {
    if (topicPartition.partition === 1) throw new SinkRefusedError('the folder is not ours')
  }
  const { cluster, over } = pipelineOf(sink, [log(10), log(10)])
  const error = await over()
  assert.ok(error instanceof SinkRefusedError)
  assert.equal(cluster.commits.get(0), sink.positions.get(0))
  assert.ok((cluster.commits.get(0) ?? 0) > 0)
  assert.equal(cluster.commits.get(1), undefined)
})

await test('pipeline: commit "record" commits each record before the next is written', async () => {
  const sink = new NotedSink()
  sink.guarantee = 'at-least-once'
  const { clock, cluster, pipeline, over } = pipelineOf(sink, [log(12)], { commit: 'record' })
  sink.beforeWrite = async ({ records, first }) => {
    assert.equal(records.length, 1)
    assert.equal(cluster.commits.get(0) ?? 0, first)
  }
  await clock.run(() => cluster.commits.get(0) === 12, 60_000)
  pipeline.stop()
  assert.equal(await over(), 'stopped')
})

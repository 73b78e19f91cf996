/** A suite that nothing fails shows nothing: each of these sinks breaks one rule, and the suite must see it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TopicPartition, topicPartitionKey } from '../../src/protocol/records/topic-partition.ts'
import type { Disk } from '../../src/seams/disk.ts'
import { SinkFencedError, type Sink, type SinkBatch, type SinkContext } from '../../src/sinks/sink.ts'
import { ForgetfulDisk } from '../../src/testing/forgetful-disk.ts'
import { sinkConformanceCases, type SinkStore } from '../../src/testing/sink-conformance.ts'
import { fileSinkIn, offsetsInCsv } from './file-store.ts'

type Fault =
  | 'none'
  | 'rows before the fence'
  | 'last offset plus one'
  | 'no fence'
  | 'lost is flushed'
  | 'topic by name'

/** A transactional store in memory, right unless told otherwise. */
class MemorySink implements Sink {
  readonly #rows: Map<string, number[]>
  readonly #offsets: Map<string, number>
  readonly #fault: Fault
  readonly #taken = new Map<string, { from: number | undefined; position: number; offsets: number[] }>()
  #context!: SinkContext

  constructor(rows: Map<string, number[]>, offsets: Map<string, number>, fault: Fault) {
    this.#rows = rows
    this.#offsets = offsets
    this.#fault = fault
  }

  #key(topicPartition: TopicPartition): string {
    const id = this.#fault === 'topic by name' ? '' : this.#context.topicId(topicPartition.topic)
    return `${topicPartitionKey(topicPartition)}/${id}`
  }

  async open(context: SinkContext) {
    this.#context = context
    return { guarantee: 'transactional' as const }
  }

  async assigned(partitions: readonly { topicPartition: TopicPartition }[]) {
    return partitions.map(({ topicPartition }) => {
      const next = this.#offsets.get(this.#key(topicPartition))
      this.#taken.set(topicPartitionKey(topicPartition), { from: next, position: next ?? 0, offsets: [] })
      return { topicPartition, next }
    })
  }

  async write({ topicPartition, next, records }: SinkBatch) {
    const taken = this.#taken.get(topicPartitionKey(topicPartition))!
    taken.position = next
    for (const { offset } of records) taken.offsets.push(offset)
    return { flushDue: false }
  }

  async flush(topicPartition: TopicPartition, next: number) {
    const taken = this.#taken.get(topicPartitionKey(topicPartition))!
    const key = this.#key(topicPartition)
    const store = () =>
      this.#rows.set(topicPartitionKey(topicPartition), [
        ...(this.#rows.get(topicPartitionKey(topicPartition)) ?? []),
        ...taken.offsets,
      ])
    if (this.#fault === 'rows before the fence') store()
    if (this.#fault !== 'no fence' && this.#offsets.get(key) !== taken.from)
      throw new SinkFencedError(topicPartition, 'another owner')
    if (this.#fault !== 'rows before the fence') store()
    const durable = this.#fault === 'last offset plus one' ? (taken.offsets.at(-1) ?? next - 1) + 1 : next
    this.#offsets.set(key, durable)
    taken.from = durable
    taken.offsets = []
    return { durable }
  }

  async revoked(topicPartitions: readonly TopicPartition[], why: 'revoked' | 'lost') {
    const positions = []
    for (const topicPartition of topicPartitions) {
      const taken = this.#taken.get(topicPartitionKey(topicPartition))!
      if (why === 'revoked' || this.#fault === 'lost is flushed')
        await this.flush(topicPartition, taken.position).catch(() => {})
      positions.push({ topicPartition, durable: this.#offsets.get(this.#key(topicPartition)) })
    }
    return positions
  }

  async close() {}
}

async function memoryStore(fault: Fault): Promise<SinkStore> {
  const [rows, offsets] = [new Map<string, number[]>(), new Map<string, number>()]
  return {
    create: () => new MemorySink(rows, offsets, fault),
    readBack: async (topicPartition) => rows.get(topicPartitionKey(topicPartition)) ?? [],
  }
}

async function failing(makeStore: () => Promise<SinkStore>): Promise<string[]> {
  const failed: string[] = []
  for (const each of sinkConformanceCases({ name: 'canary', guarantee: 'transactional', rounds: 20, makeStore })) {
    const teardowns: (() => unknown)[] = []
    const t = { after: (teardown: () => unknown) => void teardowns.push(teardown) }
    await each.run(t as never).catch(() => failed.push(each.name))
    for (const teardown of teardowns.toReversed()) await teardown()
  }
  return failed
}

test('the suite passes a sink that is right', async () => {
  assert.deepEqual(await failing(() => memoryStore('none')), [])
})

const expected: readonly (readonly [Fault, string])[] = [
  ['rows before the fence', 'an owner stalls at any step while another one finishes'],
  ['no fence', 'three owners at once, in any order of steps'],
  ['lost is flushed', 'lost stores nothing'],
  ['topic by name', 'a topic that was created again is not taken for the old one'],
  ['last offset plus one', 'revoked stores what was taken'],
]
for (const [fault, caseName] of expected) {
  test(`the suite sees a sink with this fault: ${fault}`, async () => {
    const failed = await failing(() => memoryStore(fault))
    assert.ok(failed.includes(caseName), `it failed only ${JSON.stringify(failed)}`)
  })
}

/** A disk of the file sink's that leaves one promise out. */
function withoutPromise(disk: ForgetfulDisk, broken: Partial<Disk>): Disk {
  return new Proxy<Disk>(disk, {
    get: (target, name) =>
      Reflect.get(broken, name) ?? (Reflect.get(target, name) as (...all: unknown[]) => unknown).bind(target),
  })
}

const brokenDisks: Readonly<Record<string, (disk: ForgetfulDisk) => Partial<Disk>>> = {
  'folders are never synced': () => ({ syncDirectory: async () => {} }),
  'files are never synced': (disk) => ({
    open: async (path, mode) => ({ ...(await disk.open(path, mode)), sync: async () => {} }),
  }),
  'a taken name is replaced': (disk) => ({
    link: async (from, to) => {
      await disk.stat(from)
      await disk.remove(to)
      await disk.link(from, to)
    },
  }),
}
for (const [fault, breaking] of Object.entries(brokenDisks)) {
  test(`the suite sees a disk on which ${fault}`, async () => {
    const failed = await failing(async () => {
      const disk = new ForgetfulDisk()
      return {
        disk: withoutPromise(disk, breaking(disk)),
        create: () => fileSinkIn('/data', { columns: ['id'] }),
        readBack: (topicPartition) => offsetsInCsv('/data', topicPartition, disk),
        powerLoss: (random) => disk.powerLoss(random),
      }
    })
    assert.ok(
      failed.includes('owners die again and again, in recovery too'),
      `it failed only ${JSON.stringify(failed)}`,
    )
  })
}

/**
 * Many processes with handlers, one group, fake time and seeded faults: crashes, lost sessions with the old owner still at work, attempts that fail, records
 * that always fail, commits and transactions that fail before, after, or without a word. Whatever happens, every record is done or passed
 * by its policy, no commit passes one that is not, a strand runs one at a time, and with `exactly.once` each output counts once. A failing seed is
 * printed; run it alone with SEED=n.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommitStrategy } from '../../src/app/conf.ts'
import type { PartitionOffset } from '../../src/app/consumer-port.ts'
import { recordDecoder } from '../../src/app/decode.ts'
import { TransactionBrokenError } from '../../src/app/errors.ts'
import { FailurePolicy, type OnFailure } from '../../src/app/failure-policy.ts'
import { FatalError, type HandlerContext, type HandlerRecord } from '../../src/app/handler.ts'
import { type Order, orders } from '../../src/app/handler-lane.ts'
import { HandlerTarget } from '../../src/app/handler-target.ts'
import { Pipeline } from '../../src/app/pipeline.ts'
import type { ProducerPort } from '../../src/app/producer-port.ts'
import { TransactionalCommits } from '../../src/app/transactional-commits.ts'
import type { GroupMetadata } from '../../src/client/producer/transaction-offsets.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'
import { SluiceError } from '../../src/error.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom, type Random } from '../../src/seams/random.ts'
import { logWithGaps, SimulatedCluster, SimulatedPort } from './simulation/cluster.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

interface Scenario {
  readonly seed: number
  readonly kind: 'record' | 'batch'
  readonly order: Order
  readonly concurrency: number
  readonly onFailure: OnFailure
  readonly isExactlyOnce: boolean
  readonly commit: CommitStrategy
  readonly slowestMs: number
  readonly failing: number
  readonly failingTransactions: number
  readonly partitions: number
  readonly records: number
  readonly processes: number
  readonly crashes: number
  readonly lostSessions: number
  readonly bufferBytes: number
  /** For the scenario that must fail. */
  readonly isLying?: boolean
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.next() * values.length)]!
}

function scenarioOf(seed: number): Scenario {
  const random = seededRandom(seed)
  return {
    seed,
    kind: pick(random, ['record', 'record', 'batch']),
    order: pick(random, orders),
    concurrency: pick(random, [1, 3, 100]),
    onFailure: pick(random, ['skip', 'dead-letter']),
    isExactlyOnce: random.next() < 0.5,
    commit: pick(random, ['auto', 'auto', 'sync', 'async', 'record']),
    slowestMs: pick(random, [1, 30, 400]),
    failing: pick(random, [0, 0.05, 0.3]),
    failingTransactions: pick(random, [0, 0.1, 0.3]),
    partitions: 1 + Math.floor(random.next() * 5),
    records: 20 + Math.floor(random.next() * 60),
    processes: 1 + Math.floor(random.next() * 3),
    crashes: Math.floor(random.next() * 6),
    lostSessions: Math.floor(random.next() * 5),
    bufferBytes: pick(random, [1024, 4096, 1 << 20]),
  }
}

type SimulatedGroup = GroupMetadata & { readonly member: SimulatedPort['member'] }

function memberOf({ port: { member } }: Process): SimulatedGroup {
  return { groupId: 'simulation', member, generationId: member?.joined }
}

/** Records that no attempt helps. */
const isPoison = (offset: number) => offset % 11 === 5

interface Process {
  isDead: boolean
  port: SimulatedPort
  pipeline: Pipeline
  ended: Promise<void>
}

class Simulation {
  readonly clock = new VirtualClock()
  readonly random: Random
  readonly cluster: SimulatedCluster
  readonly processes: Process[] = []
  readonly failures: Error[] = []
  /** `partition-offset` of what is handled, or passed by its policy, by anybody. */
  readonly done = new Set<string>()
  readonly skipped = new Set<string>()
  /** What readers of committed records see. */
  readonly outputs: string[] = []
  broken = 0
  readonly #scenario: Scenario

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.random = seededRandom(scenario.seed + 1)
    const logs = Array.from({ length: scenario.partitions }, () => logWithGaps(this.random, scenario.records))
    this.cluster = new SimulatedCluster(this.clock, this.random, logs)
    this.cluster.onCommit = (partition, offset) => {
      const missing = logs[partition]!.offsets.find((one) => one < offset && !this.done.has(`${partition}-${one}`))
      if (missing !== undefined)
        this.failures.push(new Error(`partition ${partition}: ${offset} was committed, ${missing} is not done`))
    }
  }

  start(): void {
    const scenario = this.#scenario
    const process = { isDead: false } as Process
    const clock = this.clock.of(process)
    const { random } = this
    const consumer = `consumer-thread-${this.processes.length}`
    process.port = new SimulatedPort(this.cluster, process, { maxPollRecords: 8, failCommits: 0.05 })
    const producer = this.#producer(process)
    const target = new HandlerTarget({
      handler: { kind: scenario.kind, handle: this.#handler(process) as never },
      order: scenario.order,
      concurrency: scenario.concurrency,
      batchRecords: 5,
      retry: { retries: 2, backoffMs: 50, backoffMaxMs: 400 },
      application: 'simulation',
      producer,
      isExactlyOnce: scenario.isExactlyOnce,
    })
    process.pipeline = new Pipeline({
      port: process.port,
      target,
      targetName: 'handler',
      ...(scenario.isExactlyOnce
        ? { commits: new TransactionalCommits(producer, target, () => memberOf(process), clock) }
        : {}),
      failures: new FailurePolicy({
        onFailure: scenario.onFailure,
        application: 'simulation',
        consumer,
        producer,
        clock,
        random,
        logger: { ...silentLogger, error: (fields, message) => this.#passed(fields, message) },
      }),
      application: 'simulation',
      consumer,
      consumerCount: 1,
      clusterId: 'cluster',
      decoder: recordDecoder({ value: 'json' }),
      commit: scenario.commit,
      guarantee: undefined,
      flush: {},
      bufferBytes: scenario.bufferBytes,
      shutdownTimeoutMs: 60_000,
      maxPollIntervalMs: 5000,
      autoCommitIntervalMs: 100,
      clock,
      random,
      disk: systemDisk,
      logger: silentLogger,
    })
    process.ended = process.pipeline.run().catch((error: Error) => {
      // As the supervisor does with what a restart can cure.
      if (!(error instanceof TransactionBrokenError)) {
        this.failures.push(error)
        return
      }
      this.broken++
      process.isDead = true
      this.cluster.expel(process.port.member)
      this.start()
    })
    this.processes.push(process)
  }

  /** A record that was skipped, or written to the dead-letter topic, is said so in the log, and only then passed. */
  #passed(fields: object, message: string): void {
    if (!/skipped|written to/.test(message)) return
    const { partition, offset } = fields as { partition: number; offset: number }
    this.done.add(`${partition}-${offset}`)
    if (message.includes('skipped')) this.skipped.add(`${partition}-${offset}`)
  }

  #handler(process: Process) {
    const active = new Map<string, AbortSignal>()
    return async (given: HandlerRecord | readonly HandlerRecord[], context: HandlerContext) => {
      const records = Array.isArray(given) ? (given as readonly HandlerRecord[]) : [given as HandlerRecord]
      const strand = this.#strandOf(records[0]!)
      const before = strand === undefined ? undefined : active.get(strand)
      if (before && !before.aborted) this.failures.push(new Error(`two at once in ${strand}`))
      if (strand !== undefined) active.set(strand, context.signal)
      try {
        await this.clock.of(process).sleep(this.random.next() * this.#scenario.slowestMs)
        if (this.random.next() < this.#scenario.failing) throw new Error('for now')
        for (const { partition, offset } of records) {
          if (isPoison(offset)) throw new FatalError('for ever')
          await context.producer.send({ topic: 'out', value: `${partition}-${offset}` })
        }
        for (const { partition, offset } of records) this.done.add(`${partition}-${offset}`)
      } finally {
        if (strand !== undefined && active.get(strand) === context.signal) active.delete(strand)
      }
    }
  }

  #strandOf({ partition, key }: HandlerRecord): string | undefined {
    const { order, kind } = this.#scenario
    if (kind === 'batch') return `${partition}`
    if (order === 'unordered') return undefined
    return order === 'key' ? `${partition} ${key}` : `${partition}`
  }

  #producer(process: Process): ProducerPort {
    const { failingTransactions, isLying = false } = this.#scenario
    const latency = () => this.clock.of(process).sleep(this.random.next() * 20)
    const texts = (records: readonly ProducerRecord[]) => records.map(textOf)
    return {
      send: async (record) => {
        await latency()
        if (this.random.next() < failingTransactions / 2) throw new SluiceError('X', 'no leader', { retriable: true })
        this.outputs.push(...texts([record]))
      },
      ensureTopic: latency,
      transact: async (
        records: readonly ProducerRecord[],
        offsets: readonly PartitionOffset[],
        group: GroupMetadata,
      ) => {
        await latency()
        if (this.random.next() < failingTransactions) throw new SluiceError('X', 'aborted', { retriable: true })
        const isKept = this.random.next() >= failingTransactions / 4
        if (isKept) {
          const { member, generationId } = group as SimulatedGroup
          if (member?.joined !== generationId) throw new SluiceError('X', 'a generation that is over')
          this.cluster.commit(member, offsets)
          this.outputs.push(...texts(records))
        }
        await latency()
        if (!isKept || this.random.next() < (isLying ? 0.5 : failingTransactions / 4)) {
          // A port that takes an unknown end for a failed one would send everything again.
          if (isLying) throw new SluiceError('X', 'aborted', { retriable: true })
          throw new TransactionBrokenError('committing', new Error('no answer'))
        }
      },
      close: async () => {},
    }
  }

  get alive(): Process[] {
    return this.processes.filter(({ isDead }) => !isDead)
  }

  crash(): void {
    const process = this.alive.length > 0 ? pick(this.random, this.alive) : undefined
    if (!process) return
    process.isDead = true
    this.cluster.expel(process.port.member)
    this.clock.at(this.random.next() * 500, () => this.start())
  }

  loseSession(): void {
    if (this.alive.length > 0) this.cluster.expel(pick(this.random, this.alive).port.member)
  }

  /** Every record is done, and the group has committed all of it. */
  get isOver(): boolean {
    return this.cluster.logs.every(({ offsets }, partition) => {
      const last = offsets.at(-1)
      return (
        offsets.every((offset) => this.done.has(`${partition}-${offset}`)) &&
        (last === undefined || (this.cluster.commits.get(partition) ?? 0) > last)
      )
    })
  }

  async run(): Promise<void> {
    const { processes, crashes, lostSessions } = this.#scenario
    for (let index = 0; index < processes; index++) this.start()
    for (let index = 0; index < crashes; index++) this.clock.at(this.random.next() * 4000, () => this.crash())
    for (let index = 0; index < lostSessions; index++)
      this.clock.at(this.random.next() * 4000, () => this.loseSession())
    const calm = this.clock.now + 5000
    await this.clock.run(() => this.failures.length > 0 || (this.isOver && this.clock.now > calm), 3_600_000)
    let open = this.alive.length
    for (const { pipeline, ended } of this.alive) {
      pipeline.stop()
      void ended.then(() => open--)
    }
    if (this.failures.length === 0) await this.clock.run(() => open === 0 || this.failures.length > 0, 120_000)
  }

  check(): void {
    if (this.failures.length > 0) throw this.failures[0]
    const counts = new Map<string, number>()
    for (const one of this.outputs) counts.set(one, (counts.get(one) ?? 0) + 1)
    for (const [partition, { offsets }] of this.cluster.logs.entries()) {
      for (const offset of offsets) {
        const at = `${partition}-${offset}`
        const [outputs, letters] = [counts.get(`output ${at}`) ?? 0, counts.get(`letter ${at}`) ?? 0]
        const found = outputs + letters
        if (isPoison(offset)) assert.equal(outputs, 0)
        if (found === 0) assert.ok(this.skipped.has(at), `${at} is lost`)
        if (this.#scenario.isExactlyOnce) assert.ok(found <= 1, `${at} counts ${found} times`)
      }
    }
  }
}

/** Which record it is about. */
function textOf({ topic, value, headers }: ProducerRecord): string {
  if (topic === 'out') return `output ${String(value)}`
  const header = (name: string) => String(headers!.find(({ key }) => key === `sluice-original-${name}`)!.value)
  return `letter ${header('partition')}-${header('offset')}`
}

async function simulate(scenario: Scenario): Promise<Simulation> {
  const simulation = new Simulation(scenario)
  await simulation.run()
  simulation.check()
  return simulation
}

const seeds = process.env['SEED']
  ? [Number(process.env['SEED'])]
  : Array.from({ length: Number(process.env['SEEDS'] ?? 200) }, (_, index) => index + 1)

test('handlers: nothing lost, no commit past a gap, a strand one at a time, outputs exactly once where that is promised', async () => {
  let broken = 0
  for (const seed of seeds) {
    const scenario = scenarioOf(seed)
    try {
      broken += (await simulate(scenario)).broken
    } catch (error) {
      throw new Error(`SEED=${seed} ${JSON.stringify(scenario)}: ${(error as Error).message}`, { cause: error })
    }
  }
  if (seeds.length > 1) assert.ok(broken > 20, `transactions of unknown outcome are met (${broken} times)`)
})

test('handlers: the simulation sees a producer that repeats a transaction whose end it does not know', async () => {
  const lying: Scenario = {
    ...scenarioOf(1),
    isExactlyOnce: true,
    isLying: true,
    failingTransactions: 0.1,
    partitions: 3,
    records: 80,
    crashes: 0,
    lostSessions: 0,
  }
  await assert.rejects(simulate(lying), /counts \d times/)
})

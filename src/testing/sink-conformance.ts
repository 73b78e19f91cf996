/**
 * What every sink must do, whatever its store: the contract of src/sinks/sink.ts as cases that run.
 *
 *     import { sinkConformance } from 'sluice/testing'
 *     sinkConformance({ name: 'my store', makeStore: async (t) => ({ create: () => new MySink(…), readBack: async (partition) => […offsets] }) })
 *
 * registers them with node:test. Each case makes a store of its own, lets owners read the same log into it, kills,
 * pauses and interleaves them at every step (a call of the contract, an operation of the context's disk), and reads back what is there.
 * Expected: every offset once, in order. For `at-least-once` and `best-effort`: every offset, after a death perhaps again.
 *
 * What it cannot do is pull the plug of a real machine; `ForgetfulDisk` stands in for a sink that writes through the
 * context's disk, and `child` adds processes that really die of SIGKILL.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { type Disk, systemDisk } from '../seams/disk.ts'
import { type Random, seededRandom } from '../seams/random.ts'
import {
  type Guarantee,
  guarantees,
  type Sink,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from '../sinks/sink.ts'
import {
  CHILD_RECORDS,
  makeLog,
  type OwnerOptions,
  type PartitionLog,
  type SinkOwner,
  SinkWorld,
} from './sink-owner.ts'

/** What a case needs of node:test's context. */
export type Teardown = Pick<TestContext, 'after'>

/** One store, empty at first, that several sinks share as several processes would. */
export interface SinkStore {
  /** A new sink over this store. Its context's `valueType` is `json`; values are `{"id": offset, "partition": number, "text": string | null}`. */
  create(): Sink
  /** The offsets of a partition as a reader finds them (in `id`, say), in the store's order. */
  readBack(topicPartition: TopicPartition): Promise<readonly number[]>
  /** What sinks get as their context's disk. Default: the system's. */
  readonly disk?: Disk
  /** The power fails: what the disk was not asked to sync may be gone. Called between the death of an owner and the next. */
  powerLoss?(random?: Random): void
  /** Makes the store unavailable (locked, full, unreachable) until `restore`. */
  takeDown?(): Promise<{ restore(): Promise<void> }>
  /** For real processes: a module whose export `makeSink(argument: string): Sink` opens this same store. */
  readonly child?: { readonly module: URL; readonly argument: string }
}

export interface SinkConformanceOptions {
  readonly name: string
  readonly makeStore: (t: Teardown) => Promise<SinkStore>
  /** What the definition promises. Default: what `open` answers. */
  readonly guarantee?: Guarantee
  /** A value (JSON text) that this store refuses. Without it the poison case is left out. */
  readonly poison?: string
  /** Interleavings and deaths drawn at random. Default 60. */
  readonly rounds?: number
  /** Names of cases that do not apply, and why. They are shown as skipped. */
  readonly skip?: Readonly<Record<string, string>>
}

export interface ConformanceCase {
  readonly name: string
  run(t: Teardown): Promise<void>
}

/** Registers every case with node:test. */
export function sinkConformance(options: SinkConformanceOptions): void {
  for (const each of sinkConformanceCases(options)) {
    const skip = options.skip?.[each.name]
    test(`${options.name}: ${each.name}`, skip === undefined ? {} : { skip }, (t) => each.run(t))
  }
}

const partitionZero: TopicPartition = { topic: 'conformance', partition: 0 }
const partitionOne: TopicPartition = { topic: 'conformance', partition: 1 }
/** Small, as a case runs it once for every step. */
const shortLog = [makeLog(partitionZero, 9)]
const logs = [makeLog(partitionZero, 60), makeLog(partitionOne, 41)]

/** The cases alone, for another test runner, or for a test that a broken sink fails them. */
export function sinkConformanceCases(options: SinkConformanceOptions): readonly ConformanceCase[] {
  const suite = new Suite(options)
  return [
    { name: 'stores each record once, in order, over gaps and empty ranges', run: (t) => suite.storesOnce(t) },
    { name: 'goes on where it stood after a restart', run: (t) => suite.restarts(t) },
    { name: 'promises no more than its definition', run: (t) => suite.guarantee(t) },
    { name: 'an owner dies at any step, and the next one finishes', run: (t) => suite.deathAtEveryStep(t) },
    { name: 'owners die again and again, in recovery too', run: (t) => suite.repeatedDeaths(t) },
    { name: 'an owner stalls at any step while another one finishes', run: (t) => suite.stallAtEveryStep(t) },
    { name: 'three owners at once, in any order of steps', run: (t) => suite.interleaved(t) },
    { name: 'the disk is full at any step, and is not lost on it', run: (t) => suite.diskFullAtEveryStep(t) },
    { name: 'the disk stays full until the owner gives up', run: (t) => suite.diskStaysFull(t) },
    { name: 'revoked stores what was taken', run: (t) => suite.revoked(t) },
    { name: 'lost stores nothing', run: (t) => suite.lost(t) },
    { name: 'a flush that is aborted at any step can be repeated', run: (t) => suite.aborted(t) },
    { name: 'a topic that was created again is not taken for the old one', run: (t) => suite.recreatedTopic(t) },
    ...(options.poison === undefined
      ? []
      : [
          {
            name: 'a poison record is named, and the others are stored without it',
            run: (t: Teardown) => suite.poison(t),
          },
        ]),
    { name: 'the store is down, and comes back', run: (t) => suite.storeDown(t) },
    { name: 'processes are killed at random', run: (t) => suite.killedProcesses(t) },
  ]
}

class Suite {
  readonly #options: SinkConformanceOptions

  constructor(options: SinkConformanceOptions) {
    this.#options = options
  }

  async #world(t: Teardown, partitionLogs: readonly PartitionLog[]): Promise<{ world: SinkWorld; store: SinkStore }> {
    const store = await this.#options.makeStore(t)
    const world = new SinkWorld(() => store.create(), partitionLogs, store.disk ?? systemDisk)
    t.after(() => world.release())
    return { world, store }
  }

  async #expectStored(
    store: SinkStore,
    partitionLogs: readonly PartitionLog[],
    missing: readonly number[] = [],
  ): Promise<void> {
    for (const { topicPartition, records } of partitionLogs) {
      const expected = records.map(({ offset }) => offset).filter((offset) => !missing.includes(offset))
      const stored = await store.readBack(topicPartition)
      if (this.#repeats)
        assert.deepEqual(
          [...new Set(stored)].sort((a, b) => a - b),
          expected,
          'every record is stored',
        )
      else assert.deepEqual(stored, expected, 'every record is stored once, in order')
    }
  }

  get #repeats(): boolean {
    return this.#options.guarantee === 'at-least-once' || this.#options.guarantee === 'best-effort'
  }

  async storesOnce(t: Teardown): Promise<void> {
    for (const [batchRecords, flushRecords] of [
      [1, 1],
      [7, 20],
      [1000, 1000],
    ] as const) {
      const { world, store } = await this.#world(t, logs)
      await world.owner({ batchRecords, flushRecords }).run()
      await this.#expectStored(store, logs)
      for (const { topicPartition, end } of logs) assert.equal(world.durable.get(topicPartition), end, 'all is durable')
      assert.deepEqual(await store.readBack({ topic: 'conformance', partition: 2 }), [], 'nothing stands elsewhere')
    }
  }

  async restarts(t: Teardown): Promise<void> {
    const { world, store } = await this.#world(t, logs)
    await world.owner().run()
    await world.owner({ batchRecords: 4 }).run()
    await this.#expectStored(store, logs)
    const longer = logs.map((log) => {
      const later = makeLog(log.topicPartition, 30, { from: log.end })
      return { ...later, records: [...log.records, ...later.records] }
    })
    const later = new SinkWorld(() => store.create(), longer, store.disk ?? systemDisk)
    t.after(() => later.release())
    for (const [topicPartition, offset] of world.committed) later.committed.set(topicPartition, offset)
    await later.owner().run()
    await this.#expectStored(store, longer)
  }

  async guarantee(t: Teardown): Promise<void> {
    const { world } = await this.#world(t, logs)
    const owner = world.owner()
    const { guarantee } = await owner.sink.open(owner.context)
    assert.ok(guarantees.includes(guarantee))
    const promised = this.#options.guarantee
    if (promised)
      assert.ok(guarantees.indexOf(guarantee) >= guarantees.indexOf(promised), `${guarantee} is more than ${promised}`)
  }

  /** Runs `visit` with 1, 2, 3 … until an owner that acts at that step never gets there. */
  async #everyStep(visit: (step: number) => Promise<{ reached: boolean }>): Promise<void> {
    let step = 1
    while ((await visit(step)).reached) step += 1
  }

  async deathAtEveryStep(t: Teardown): Promise<void> {
    let steps = 0
    await this.#everyStep(async (step) => {
      const { world, store } = await this.#world(t, shortLog)
      const death = deathAt(step)
      await dies(world.owner({ at: death.at }), death)
      store.powerLoss?.(step % 2 === 0 ? seededRandom(step) : undefined)
      await located(death.name, async () => {
        await world.owner({ batchRecords: 2, flushRecords: 4, seed: step }).run()
        await this.#expectStored(store, shortLog)
      })
      await world.release()
      steps = step
      return { reached: death.name() !== undefined }
    })
    assert.ok(steps > 10, `an owner has only ${steps} steps`)
  }

  async repeatedDeaths(t: Teardown): Promise<void> {
    for (let seed = 1; seed <= this.#rounds; seed++) {
      const random = seededRandom(seed)
      const { world, store } = await this.#world(t, logs)
      await located(
        () => `seed ${seed}`,
        async () => {
          for (let death = 0; death < 6; death++) {
            const death = deathAt(1 + Math.floor(random.next() * 150))
            await dies(world.owner({ ...cuts(random), at: death.at }), death)
            // Sometimes the process alone dies, and the power fails under a later owner.
            if (random.next() < 0.5) store.powerLoss?.(random)
          }
          await world.owner(cuts(random)).run()
          await this.#expectStored(store, logs)
        },
      )
      await world.release()
    }
  }

  async stallAtEveryStep(t: Teardown): Promise<void> {
    await this.#everyStep(async (step) => {
      const { world, store } = await this.#world(t, shortLog)
      const gate = Promise.withResolvers<void>()
      const stalled = Promise.withResolvers<boolean>()
      let count = 0
      let name: string | undefined
      const stalling = world.owner({
        at: async (at) => {
          if (++count !== step) return
          name = at
          stalled.resolve(true)
          await gate.promise
        },
      })
      const late = stalling.run().finally(() => stalled.resolve(false))
      late.catch(() => {})
      const reached = await stalled.promise
      await located(
        () => name,
        async () => {
          await world.owner({ batchRecords: 2, flushRecords: 4, seed: step }).run()
          gate.resolve()
          await late
          await this.#expectStored(store, shortLog)
        },
      )
      await world.release()
      return { reached }
    })
  }

  async interleaved(t: Teardown): Promise<void> {
    for (let seed = 1; seed <= this.#rounds; seed++) {
      const random = seededRandom(seed)
      const { world, store } = await this.#world(t, shortLog)
      const turns = new Turns(random)
      const mayReadAgain = this.#repeats
      const running = [0, 1, 2].map(() => turns.run((at) => world.owner({ ...cuts(random), at, mayReadAgain }).run()))
      await located(
        () => `seed ${seed}`,
        async () => {
          await Promise.all(running)
          await this.#expectStored(store, shortLog)
        },
      )
      await world.release()
    }
  }

  /** Full for two tries in a row: the second may not take half of the first for its own. */
  async diskFullAtEveryStep(t: Teardown): Promise<void> {
    await this.#diskFailsAtEveryStep(t, 2, async (owner) => {
      const failure = await owner.run().then(
        () => undefined,
        (error: unknown) => error,
      )
      // To stop is right too where trying again would be wrong (a failed sync): then the next owner finishes.
      if (failure !== undefined && !(failure instanceof SinkRefusedError)) throw failure
    })
  }

  /** Full until the owner has given up; it loses its partition, and may not take away what another one can still publish. */
  async diskStaysFull(t: Teardown): Promise<void> {
    await this.#diskFailsAtEveryStep(t, Infinity, async (owner, heal) => {
      await owner.run().catch((error: unknown) => {
        if (!(error instanceof SinkUnavailableError || error instanceof SinkRefusedError)) throw error
      })
      heal()
      await owner.sink.revoked([partitionZero], 'lost')
      await owner.sink.close()
    })
  }

  async #diskFailsAtEveryStep(
    t: Teardown,
    times: number,
    use: (owner: SinkOwner, heal: () => void) => Promise<void>,
  ): Promise<void> {
    await this.#everyStep(async (step) => {
      const { world, store } = await this.#world(t, shortLog)
      let count = 0
      let name: string | undefined
      let healed = false
      const at = async (operation: string) => {
        if (healed || !/^(?:before|during) (?:open|write|link|make|sync) /.test(operation)) return
        count += 1
        if (count < step || count >= step + times) return
        name ??= operation
        throw Object.assign(new Error(`ENOSPC: ${operation}`), { code: 'ENOSPC' })
      }
      await located(
        () => name,
        async () => {
          await use(world.owner({ at, attempts: 3 }), () => (healed = true))
          store.powerLoss?.()
          await world.owner().run()
          await this.#expectStored(store, shortLog)
        },
      )
      await world.release()
      // A sink that never uses the context's disk has no such step.
      return { reached: name !== undefined }
    })
  }

  async revoked(t: Teardown): Promise<void> {
    const { world, store } = await this.#world(t, shortLog)
    const [log] = shortLog
    // Behind a gap: the position is not the last offset plus one.
    const taken = { ...log!, end: log!.records[3]!.offset }
    const owner = world.owner({ flushRecords: 1000 })
    await owner.open()
    await this.#writeUnflushed(owner, taken)
    const [position] = await owner.sink.revoked([partitionZero], 'revoked')
    assert.equal(position?.durable, taken.end, 'revoked flushes what was taken')
    world.committed.set(partitionZero, position.durable)
    await world.owner().run()
    await this.#expectStored(store, shortLog)
  }

  async lost(t: Teardown): Promise<void> {
    const { world, store } = await this.#world(t, shortLog)
    const [log] = shortLog
    const owner = world.owner()
    await owner.open()
    await this.#writeUnflushed(owner, { ...log!, end: log!.records[5]!.offset })
    if (!this.#repeats) {
      await owner.sink.revoked([partitionZero], 'lost')
      await owner.sink.close()
      assert.deepEqual(await store.readBack(partitionZero), [], 'what was lost was not stored')
    }
    await world.owner().run()
    await this.#expectStored(store, shortLog)
  }

  async #writeUnflushed(owner: SinkOwner, log: PartitionLog): Promise<void> {
    const first = await owner.assign(log.topicPartition)
    const records = log.records.filter(({ offset }) => offset >= first && offset < log.end)
    const values = records.map((record) => JSON.parse(record.valueText()!) as unknown)
    await owner.sink.write({ topicPartition: log.topicPartition, first, next: log.end, records, values })
  }

  async aborted(t: Teardown): Promise<void> {
    await this.#everyStep(async (step) => {
      const { world, store } = await this.#world(t, shortLog)
      const [log] = shortLog
      const controller = new AbortController()
      let [count, name] = [-Infinity, 'before the flush']
      const owner = world.owner({
        at: async (at) => {
          if (++count !== step) return
          name = at
          controller.abort()
        },
      })
      await owner.open()
      await this.#writeUnflushed(owner, log!)
      count = 1
      if (step === 1) controller.abort()
      await located(
        () => name,
        async () => {
          const failure = await owner.sink.flush(partitionZero, log!.end, controller.signal).then(
            () => undefined,
            (error: unknown) => error,
          )
          if (failure !== undefined && !(failure instanceof SinkUnavailableError)) throw failure
          assert.equal(await owner.flush(partitionZero, log!.end), log!.end)
          await this.#expectStored(store, shortLog)
        },
      )
      await world.release()
      return { reached: controller.signal.aborted }
    })
  }

  async recreatedTopic(t: Teardown): Promise<void> {
    if (this.#repeats) return
    const { world } = await this.#world(t, shortLog)
    await world.owner().run()
    const owner = world.owner({ context: { topicId: () => 'another-id' } })
    await owner.open()
    const answer = await owner.sink
      .assigned([{ topicPartition: partitionZero, committed: undefined, generation: 1 }])
      .catch((error: unknown) => error)
    if (answer instanceof Error) assert.ok(answer instanceof SinkRefusedError, `it was refused with ${answer.message}`)
    else assert.deepEqual(answer, [{ topicPartition: partitionZero, next: undefined }], 'the new topic begins anew')
  }

  async poison(t: Teardown): Promise<void> {
    const offset = shortLog[0]!.records[4]!.offset
    const poisoned = [makeLog(partitionZero, 9, { values: new Map([[offset, this.#options.poison!]]) })]
    const { world, store } = await this.#world(t, poisoned)
    const failure = await world
      .owner({ batchRecords: 3 })
      .run()
      .catch((error: unknown) => error)
    assert.ok(failure instanceof SinkRecordError, `a poison record threw ${String(failure)}`)
    assert.deepEqual([failure.topic, failure.partition, failure.offset], ['conformance', 0, offset])
    assert.match(failure.message, new RegExp(`conformance.*partition 0.*offset ${offset}`))
    const skipping = world.owner({ batchRecords: 3, onPoison: 'skip' })
    await skipping.run()
    assert.deepEqual(skipping.skipped, [offset])
    await this.#expectStored(store, poisoned, [offset])
  }

  async storeDown(t: Teardown): Promise<void> {
    const { world, store } = await this.#world(t, shortLog)
    if (!store.takeDown) return
    const [log] = shortLog
    const owner = world.owner()
    await owner.open()
    await this.#writeUnflushed(owner, log!)
    const down = await store.takeDown()
    try {
      await assert.rejects(
        owner.sink.flush(partitionZero, log!.end, owner.context.signal),
        (error) => error instanceof SinkUnavailableError && error.retriable,
      )
    } finally {
      await down.restore()
    }
    assert.equal(await owner.flush(partitionZero, log!.end), log!.end)
    await this.#expectStored(store, shortLog)
  }

  /** Two processes at a time read the same log without end; one of them is killed, and another takes its place. */
  async killedProcesses(t: Teardown): Promise<void> {
    const store = await this.#options.makeStore(t)
    const { child } = store
    if (!child) return
    const log = makeLog(partitionZero, CHILD_RECORDS)
    const random = seededRandom(1)
    let finished = false
    for (let kills = 0; kills < 12 && !finished; kills++) {
      const [first, second] = [startChild(child, kills), startChild(child, kills + 1000)]
      t.after(() => first.kill())
      t.after(() => second.kill())
      await Promise.race([first.flushed(1 + Math.floor(random.next() * 12)), first.ended])
      first.kill()
      await Promise.race([second.flushed(2), second.ended])
      second.kill()
      finished = (await Promise.all([first.ended, second.ended])).includes(0)
    }
    const last = startChild(child, 77)
    t.after(() => last.kill())
    assert.equal(await last.ended, 0, 'the last process reads to the end')
    await this.#expectStored(store, [log])
  }

  get #rounds(): number {
    return this.#options.rounds ?? 60
  }
}

function cuts(random: Random): OwnerOptions {
  const [batchRecords, flushRecords] = [1 + Math.floor(random.next() * 6), 1 + Math.floor(random.next() * 12)]
  return { batchRecords, flushRecords, seed: 1 + Math.floor(random.next() * 1e6) }
}

/** Dead from the n-th step on: nothing that is asked later goes through either. */
function deathAt(step: number): { at: (name: string) => Promise<void>; name: () => string | undefined } {
  let count = 0
  let died: string | undefined
  return {
    name: () => died,
    at: async (name) => {
      count += 1
      if (count < step) return
      died ??= name
      throw new Error(`died ${name}`)
    },
  }
}

/** What a sink makes of the disk's last words is its own business; before them it must not fail. */
async function dies(owner: SinkOwner, death: { name: () => string | undefined }): Promise<void> {
  await owner.run().catch((error: unknown) => {
    if (death.name() === undefined) throw error
  })
}

/** Says where a case was when it failed. */
async function located(where: () => string | undefined, check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (error) {
    throw new Error(`${where() ?? 'no step'}: ${error instanceof Error ? error.message : 'failed'}`, { cause: error })
  }
}

/** Lets one of several owners take one step at a time, drawn at random. */
class Turns {
  readonly #random: Random
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(random: Random) {
    this.#random = random
  }

  async run(owner: (at: () => Promise<void>) => Promise<void>): Promise<void> {
    this.#running += 1
    try {
      await owner(() => this.#turn())
    } finally {
      this.#running -= 1
      this.#next()
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#next()
    })
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#waiting.length < this.#running) return
    const [chosen] = this.#waiting.splice(Math.floor(this.#random.next() * this.#waiting.length), 1)
    chosen!()
  }
}

interface Child {
  readonly ended: Promise<number | null>
  /** Resolves when it has said so many times that something is durable. */
  flushed(count: number): Promise<void>
  kill(): void
}

function startChild({ module, argument }: NonNullable<SinkStore['child']>, seed: number): Child {
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const script = fileURLToPath(new URL(`./sink-child.${suffix}`, import.meta.url))
  const child = spawn(process.execPath, [script, module.href, argument, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let lines = 0
  const waiting: { count: number; resolve: () => void }[] = []
  createInterface({ input: child.stdout }).on('line', () => {
    lines += 1
    for (const { count, resolve } of waiting) if (lines >= count) resolve()
  })
  return {
    ended: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
    flushed: (count) => new Promise((resolve) => (lines >= count ? resolve() : waiting.push({ count, resolve }))),
    kill: () => void child.kill('SIGKILL'),
  }
}

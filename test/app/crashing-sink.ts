/** A store for threads to crash in: it appends values to a file, and at the first record, once or each time, does what its options say. */
import { appendFileSync, openSync } from 'node:fs'
import { setImmediate } from 'node:timers'
import { z } from 'zod'
import { createSinkRegistry, defineSink } from '../../src/sinks/registry.ts'
import { type Sink, type SinkBatch, SinkRefusedError } from '../../src/sinks/sink.ts'

const ways = ['throw', 'exit', 'memory', 'reject', 'refuse'] as const

const options = z.strictObject({
  file: z.string().describe('Where values go.'),
  way: z.enum(ways).describe('How it ends.'),
  always: z.boolean().default(false).describe('Each time, not only the first.'),
})

type Options = z.infer<typeof options>

class CrashingSink implements Sink {
  readonly #options: Options

  constructor(given: Options) {
    this.#options = given
  }

  async open() {
    return { guarantee: 'at-least-once' as const }
  }

  async assigned(partitions: Parameters<Sink['assigned']>[0]) {
    return partitions.map(({ topicPartition }) => ({ topicPartition, next: undefined }))
  }

  async write({ values }: SinkBatch) {
    if (this.#options.always || this.#isFirst()) await this.#crash()
    appendFileSync(this.#options.file, values.map((value) => `${String(value)}\n`).join(''))
    return { flushDue: false }
  }

  #isFirst(): boolean {
    try {
      openSync(`${this.#options.file}.crashed`, 'wx')
      return true
    } catch {
      return false
    }
  }

  async #crash(): Promise<void> {
    const crashes: Record<Options['way'], () => Promise<void>> = {
      throw: () => {
        setImmediate(() => {
          throw new Error('a bug in a timer')
        })
        return new Promise(() => {})
      },
      exit: () => process.exit(3),
      memory: () => {
        const held: number[][] = []
        for (;;) held.push(Array.from({ length: 100 }, (_, index) => index / 3))
      },
      reject: () => Promise.reject(new TypeError('a bug in the store')),
      refuse: () => Promise.reject(new SinkRefusedError('the table is another one')),
    }
    await crashes[this.#options.way]()
  }

  async flush(_: unknown, next: number) {
    return { durable: next }
  }

  async revoked(partitions: Parameters<Sink['revoked']>[0]) {
    return partitions.map((topicPartition) => ({ topicPartition, durable: undefined }))
  }

  async close() {}
}

export const sinks = createSinkRegistry([
  defineSink({
    name: 'crashing',
    guarantee: 'at-least-once',
    summary: 'Crashes.',
    options,
    example: { type: 'crashing', file: 'out', way: 'throw' },
    create: (given) => new CrashingSink(given),
  }),
])

/**
 * The `stdout` sink: values, one a line, for whoever reads the terminal or the pipe. What an application without a sink gets.
 *
 * One consumer prints plain values; with several, each line says whose it is: `consumer-thread-1 >> value`. A value is
 * printed as it came: text with line breaks takes several lines, bytes are read as UTF-8, and no value is `null`.
 *
 * A flush resolves when the stream has taken everything, so nothing is committed before it was handed to the system; after a crash in
 * between, records are printed again. A reader that goes away (`| head`) ends the application without an error.
 */
import type { Writable } from 'node:stream'
import { z } from 'zod'
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import { defineSink } from './registry.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  type SinkDefinition,
  SinkEndedError,
  type SinkPosition,
  SinkUnavailableError,
  type ValueType,
} from './sink.ts'

const options = z.strictObject({
  prefix: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe('Begins each line with the consumer’s name: auto does when the application has more than one consumer.'),
})

class StdoutSink implements Sink {
  readonly #stream: Writable
  readonly #prefixMode: z.infer<typeof options>['prefix']
  readonly #written = new TopicPartitionMap<number>()
  #prefix = ''
  #valueType: ValueType = 'string'
  #failure: NodeJS.ErrnoException | undefined
  readonly #onError = (error: Error) => {
    this.#failure ??= error
  }

  constructor(stream: Writable, prefixMode: z.infer<typeof options>['prefix']) {
    this.#stream = stream
    this.#prefixMode = prefixMode
  }

  async open({ consumer, consumerCount, valueType }: SinkContext): Promise<Opened> {
    const named = this.#prefixMode === 'always' || (this.#prefixMode === 'auto' && consumerCount > 1)
    this.#valueType = valueType
    this.#prefix = named ? `${consumer} >> ` : ''
    // Several sinks share the stream, each with a listener of its own.
    this.#stream.setMaxListeners(Math.max(this.#stream.getMaxListeners(), consumerCount + 10))
    this.#stream.on('error', this.#onError)
    return { guarantee: 'at-least-once' }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return partitions.map(({ topicPartition }) => ({ topicPartition, next: undefined }))
  }

  async write({ topicPartition, next, records, values }: SinkBatch): Promise<{ flushDue: boolean }> {
    let lines = ''
    for (let index = 0; index < records.length; index++) {
      const value = this.#valueType === 'string' ? (values[index] as string | null) : records[index]!.valueText()
      lines += `${this.#prefix}${value ?? 'null'}\n`
    }
    await this.#print(lines)
    this.#written.set(topicPartition, next)
    return { flushDue: false }
  }

  /** Resolves when the stream has taken everything up to here: it keeps the order, so waiting for the last is enough. */
  #print(lines: string): Promise<void> {
    if (this.#failure) throw this.#failed(this.#failure)
    return new Promise((resolve, reject) => {
      this.#stream.write(lines, (error) => (error ? reject(this.#failed(error)) : resolve()))
    })
  }

  #failed(error: NodeJS.ErrnoException): Error {
    if (
      error.code === 'EPIPE' ||
      error.code === 'ERR_STREAM_DESTROYED' ||
      error.code === 'ERR_STREAM_WRITE_AFTER_END'
    ) {
      return new SinkEndedError('nobody reads standard output any more', error)
    }
    return new SinkUnavailableError(`cannot write to standard output: ${error.message}`, error)
  }

  async flush(_topicPartition: TopicPartition, next: number): Promise<{ durable: number }> {
    if (this.#failure) throw this.#failed(this.#failure)
    return { durable: next }
  }

  async revoked(topicPartitions: readonly TopicPartition[]): Promise<readonly DurablePosition[]> {
    // Each write was over when it resolved: there is nothing to flush.
    return topicPartitions.map((topicPartition) => {
      const durable = this.#written.get(topicPartition)
      this.#written.delete(topicPartition)
      return { topicPartition, durable }
    })
  }

  /** The listener stays: an error that comes late must not end the process. */
  async close(): Promise<void> {}
}

/** For tests and for programs that print elsewhere. */
export function stdoutSinkTo(stream: () => Writable): SinkDefinition {
  return defineSink({
    name: 'stdout',
    guarantee: 'at-least-once',
    summary: 'Values on standard output, one a line; what an application without a sink gets.',
    options,
    example: { type: 'stdout', prefix: 'always' },
    create: ({ prefix }) => new StdoutSink(stream(), prefix),
  })
}

export const stdoutSink = stdoutSinkTo(() => process.stdout)

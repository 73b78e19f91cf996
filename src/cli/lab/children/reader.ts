/**
 * The consumer of the tutorials: poll, handle, commit, until the end of the topic. `haltAt` makes it stand still in the midst
 * of its work, which is where the lab kills it.
 */
import { WakeupError } from '../../../client/consumer/consumer-errors.ts'
import type { Consumer } from '../../../client/consumer/consumer.ts'
import type { ConsumerRecords } from '../../../client/consumer/consumer-records.ts'
import type { ConsumerRecord } from '../../../protocol/records/consumer-record.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions, isAtEnd } from './group-consumer.ts'

export interface ReaderOptions extends GroupOptions {
  /** auto: the consumer's own; before, after: commitSync around a poll's records; record: after each. */
  readonly commit: 'auto' | 'before' | 'after' | 'record'
  /** Stands still when it has handled so many records. */
  readonly haltAt?: number
  /** Says each record. */
  readonly verbose?: boolean
}

export async function reader(link: ChildLink, options: ReaderOptions): Promise<void> {
  const consumer = groupConsumer(options)
  link.onTermination((signal) => {
    link.say(`${signal}: wakeup()`)
    consumer.wakeup()
  })
  consumer.subscribe([options.topic])
  try {
    const work = new Work(link, consumer, options)
    do await work.take(await consumer.poll(200))
    while (!(await isAtEnd(consumer)))
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
    link.say('WakeupError: the loop ends')
  }
  // Everything that poll returned is handled here, as a wakeup interrupts calls of the consumer and never the handler.
  if (options.commit === 'after') await consumer.commitSync()
  await consumer.close()
  link.say('committed and closed')
}

class Work {
  readonly #link: ChildLink
  readonly #consumer: Consumer
  readonly #options: ReaderOptions
  #handled = 0

  constructor(link: ChildLink, consumer: Consumer, options: ReaderOptions) {
    this.#link = link
    this.#consumer = consumer
    this.#options = options
  }

  async take(records: ConsumerRecords): Promise<void> {
    if (records.isEmpty) return
    const { commit } = this.#options
    for (const { topicPartition, records: own } of records.groups()) {
      if (own.length === 0) continue
      const range = `${own[0]!.offset} to ${own.at(-1)!.offset}`
      this.#link.say(`poll returns ${own.length} records of partition ${topicPartition.partition}, offsets ${range}`)
    }
    if (commit === 'before') await this.#commit()
    for (const record of records) await this.#handle(record)
    if (commit === 'after') await this.#commit()
  }

  async #commit(): Promise<void> {
    await this.#consumer.commitSync()
    this.#link.say('commitSync() is acknowledged')
  }

  async #handle(record: ConsumerRecord): Promise<void> {
    const { topic, partition, offset } = record
    if (this.#options.verbose) {
      this.#link.say(
        `Topic: ${topic}, Partition: ${partition}, Offset: ${offset}, Key: ${record.keyText()}, Value: ${record.valueText()}`,
      )
    }
    this.#link.handled(record)
    // Between the record's work and its commit, where a death hurts most.
    if (++this.#handled === this.#options.haltAt) await this.#link.halt('halt')
    if (this.#options.commit === 'record')
      await this.#consumer.commitSync([[{ topic, partition }, { offset: offset + 1 }]])
  }
}

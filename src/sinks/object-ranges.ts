/** The outputs of a create-once sink in an object store: a chain (object-chain.ts) a partition, and what the store is found to honour. */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { type RangeChain, type RangeStore } from './create-once-sink.ts'
import { ObjectChain } from './object-chain.ts'
import { type ObjectStore, type PutCondition } from './object-store.ts'
import { type Guarantee, type SinkContext, SinkRefusedError } from './sink.ts'

export interface ObjectRangesOptions {
  /** Begins every key: empty, or ending with a slash. */
  readonly prefix: string
  readonly extension: string
  readonly partBytes: number
  readonly connect: (context: SinkContext) => Promise<ObjectStore>
}

export class ObjectRanges implements RangeStore {
  readonly #options: ObjectRangesOptions
  #context!: SinkContext
  #store: ObjectStore | undefined
  #guarantee: Guarantee = 'create-once'

  constructor(options: ObjectRangesOptions) {
    this.#options = options
  }

  async open(context: SinkContext): Promise<Guarantee> {
    this.#context = context
    this.#store = await this.#options.connect(context)
    this.#guarantee = await this.#probe(this.#store)
    return this.#guarantee
  }

  /** Some stores take `If-None-Match` and `If-Match`, and write all the same. */
  async #probe(store: ObjectStore): Promise<Guarantee> {
    const { random, signal, logger } = this.#context
    const key = `${this.#options.prefix}.sluice/probe-${random.uuid()}`
    // A request whose answer was lost is sent again by the driver, and its own first one is then in the way: nobody else writes this key.
    const write = async (text: string, condition: PutCondition) => {
      const etag = await store.put(key, text, condition, signal)
      if (etag !== undefined) return etag
      const found = await store.read(key, signal)
      return found?.text === text ? found.etag : undefined
    }
    try {
      const first = await write('first', { kind: 'absent' })
      if (first === undefined) throw new SinkRefusedError(`${store.place} says of a new key (${key}) that it is taken`)
      const again = await write('again', { kind: 'absent' })
      const changed = await write('changed', { kind: 'unchanged', etag: again ?? first })
      const stale = await write('stale', { kind: 'unchanged', etag: first })
      if (again === undefined && changed !== undefined && stale === undefined) return 'create-once'
      logger.warn(
        { place: store.place },
        'the store does not honour conditional writes (If-None-Match, If-Match): should two consumers ever hold one partition, records may repeat',
      )
      return 'at-least-once'
    } finally {
      await store.remove(key, signal)
    }
  }

  chain({ topic, partition }: TopicPartition): RangeChain {
    const { application, clusterId, random, signal, logger } = this.#context
    const { prefix, extension, partBytes } = this.#options
    return new ObjectChain({
      store: this.#store!,
      prefix: `${prefix}${topic}/${partition}/`,
      extension,
      identity: { application, clusterId, topicId: this.#context.topicId(topic), topic, partition },
      newToken: () => random.uuid(),
      guarantee: this.#guarantee,
      partBytes,
      logger,
      signal,
    })
  }

  async close(): Promise<void> {
    this.#store?.close()
  }
}

/** The conformance suite over the elasticsearch sink, with a cluster in memory: owners die, stall and lose answers at every request. */
import type { Disk } from '../../src/seams/disk.ts'
import { ElasticsearchSink } from '../../src/sinks/elasticsearch.ts'
import { options } from '../../src/sinks/elasticsearch-options.ts'
import type { Sink, SinkContext } from '../../src/sinks/sink.ts'
import { ForgetfulDisk } from '../../src/testing/forgetful-disk.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { Index, SearchSender } from './search-cluster.ts'

/** Each owner's requests are steps of the disk in its own context. */
class SteppedSink extends ElasticsearchSink {
  constructor(index: Index, given: object) {
    let disk: Disk | undefined
    super(options.parse(given), { send: (message) => new SearchSender(index, disk).send(message) })
    this.#setDisk = (one) => (disk = one)
  }

  readonly #setDisk: (disk: Disk) => void

  override open(context: SinkContext) {
    this.#setDisk(context.disk)
    return super.open(context)
  }
}

for (const [name, given] of [
  ['append', { 'request.bytes': 200 }],
  ['upsert', { mode: 'upsert', 'flush.records': 3 }],
] as const) {
  sinkConformance({
    name: `elasticsearch, ${name}`,
    guarantee: 'idempotent',
    poison: '[1]',
    rounds: 20,
    skip: {
      'processes are killed at random': 'needs a cluster that processes share: test/compat/elasticsearch.compat.ts',
      ...(name === 'append' && { 'a topic that was created again is not taken for the old one': 'its ids are others' }),
    },
    async makeStore() {
      const index = new Index()
      return {
        disk: new ForgetfulDisk(),
        create: (): Sink => new SteppedSink(index, given),
        readBack: async ({ partition }) =>
          [...index.documents.values()]
            .map(({ source }) => source as { id: number; partition: number })
            .filter((one) => one.partition === partition)
            .map(({ id }) => id)
            .sort((left, right) => left - right),
        async takeDown() {
          index.isDown = true
          return { restore: async () => void (index.isDown = false) }
        },
      }
    },
  })
}

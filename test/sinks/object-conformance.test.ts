/** The conformance suite over the `s3` sink: with a store in memory, where owners die, stall and lose answers at every request, and over HTTP. */
import type { TestContext } from 'node:test'
import { z } from 'zod'
import { CreateOnceSink } from '../../src/sinks/create-once-sink.ts'
import { extensionOf, lineOptions } from '../../src/sinks/line-options.ts'
import { ObjectRanges } from '../../src/sinks/object-ranges.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { ForgetfulDisk } from '../../src/testing/forgetful-disk.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { Bucket, MemoryObjectStore } from './memory-object-store.ts'
import { startS3Server } from './s3-server.ts'
import { offsetsIn, s3SinkAt } from './s3-store.ts'

function sinkOver(bucket: Bucket, given: object = {}, partBytes = 64): Sink {
  const options = z.object(lineOptions).parse({ columns: ['id', 'text'], ...given })
  const connect = async ({ disk }: { disk: ForgetfulDisk }) => new MemoryObjectStore(bucket, disk)
  const ranges = new ObjectRanges({
    prefix: 'out/',
    extension: extensionOf(options),
    partBytes,
    connect: connect as never,
  })
  return new CreateOnceSink('s3', options, ranges)
}

for (const options of [{}, { gzip: true }, { 'rotate.bytes': 100 }, { 'rotate.records': 2 }]) {
  sinkConformance({
    name: `objects ${JSON.stringify(options)}`,
    guarantee: 'create-once',
    poison: '[1]',
    rounds: 20,
    skip: {
      'processes are killed at random': 'below, over HTTP',
    },
    async makeStore() {
      const bucket = new Bucket()
      return {
        disk: new ForgetfulDisk(),
        create: () => sinkOver(bucket, options),
        readBack: async (topicPartition) => offsetsIn(bucket, topicPartition),
        async takeDown() {
          bucket.isDown = true
          return { restore: async () => void (bucket.isDown = false) }
        },
      }
    },
  })
}

sinkConformance({
  name: 'objects, and conditions are not honoured',
  guarantee: 'at-least-once',
  rounds: 20,
  skip: {
    'processes are killed at random': 'below, over HTTP',
    'the store is down, and comes back': 'above',
  },
  async makeStore() {
    const bucket = new Bucket({ honoursConditions: false })
    return {
      disk: new ForgetfulDisk(),
      create: () => sinkOver(bucket),
      readBack: async (topicPartition) => offsetsIn(bucket, topicPartition),
    }
  },
})

sinkConformance({
  name: 's3 over HTTP',
  guarantee: 'create-once',
  poison: '"text"',
  rounds: 5,
  skip: {
    'the disk is full at any step, and is not lost on it': 'above, in memory',
    'the disk stays full until the owner gives up': 'above, in memory',
    'a flush that is aborted at any step can be repeated': 'above, in memory',
  },
  async makeStore(t) {
    const server = await startS3Server()
    ;(t as TestContext).after(() => server.stop())
    return {
      create: () => s3SinkAt(server.endpoint, { columns: ['id', 'text'] }),
      readBack: async (topicPartition) => offsetsIn(server.bucket, topicPartition),
      async takeDown() {
        server.fault = () => ({ status: 503, code: 'ServiceUnavailable' })
        return { restore: async () => void (server.fault = () => undefined) }
      },
      child: { module: new URL('./s3-sink-child.ts', import.meta.url), argument: server.endpoint },
    }
  },
})

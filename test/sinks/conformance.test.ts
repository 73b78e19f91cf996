/** The conformance suite over every sink that Sluice brings. */
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PassThrough } from 'node:stream'
import type { TestContext } from 'node:test'
import { ForgetfulDisk } from '../../src/testing/forgetful-disk.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { sinks } from '../../src/sinks/index.ts'
import { stdoutSinkTo } from '../../src/sinks/stdout.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { fileSinkIn, offsetsInCsv } from './file-store.ts'

const onlyRealDisk = { 'processes are killed at random': 'needs a disk that processes share' }
const noOutage = { 'the store is down, and comes back': 'the disk is what fails, at every step' }

for (const options of [{}, { gzip: true }, { 'rotate.bytes': 100 }, { 'rotate.records': 2 }]) {
  sinkConformance({
    name: `file ${JSON.stringify(options)}`,
    guarantee: 'create-once',
    poison: '[1]',
    rounds: 20,
    skip: { ...onlyRealDisk, ...noOutage },
    async makeStore() {
      const disk = new ForgetfulDisk()
      return {
        disk,
        create: () => fileSinkIn('/data/out', { columns: ['id', 'text'], ...options }),
        readBack: (topicPartition) => offsetsInCsv('/data/out', topicPartition, disk),
        powerLoss: (random) => disk.powerLoss(random),
      }
    },
  })
}

sinkConformance({
  name: 'file, and the power stays on',
  guarantee: 'create-once',
  skip: { ...onlyRealDisk, ...noOutage },
  async makeStore() {
    const disk = new ForgetfulDisk()
    return {
      disk,
      create: () => fileSinkIn('/data/out', { columns: ['id', 'text'] }),
      readBack: (topicPartition) => offsetsInCsv('/data/out', topicPartition, disk),
    }
  },
})

sinkConformance({
  name: 'file on a real disk',
  guarantee: 'create-once',
  poison: '"text"',
  rounds: 5,
  skip: {
    ...noOutage,
    'the disk is full at any step, and is not lost on it': 'above, in memory',
    'the disk stays full until the owner gives up': 'above, in memory',
    'a flush that is aborted at any step can be repeated': 'above, in memory',
  },
  async makeStore(t) {
    const directory = await temporaryDirectory(t as TestContext)
    return {
      create: () => fileSinkIn(directory, { columns: ['id', 'text'] }),
      readBack: (topicPartition) => offsetsInCsv(directory, topicPartition),
      child: { module: new URL('./file-sink-child.ts', import.meta.url), argument: directory },
    }
  },
})

sinkConformance({
  name: 'sqlite',
  guarantee: 'transactional',
  poison: '{"text":"no id"}',
  rounds: 20,
  async makeStore(t) {
    const database = join(await temporaryDirectory(t as TestContext), 'records.db')
    return {
      create: () =>
        sinks
          .configure({
            type: 'sqlite',
            database,
            table: 'records',
            columns: ['id', 'text', '$partition'],
            'busy.timeout.ms': 50,
          })
          .create(),
      async readBack({ partition }) {
        const reader = new DatabaseSync(database, { readOnly: true })
        try {
          const rows = reader.prepare('SELECT id FROM records WHERE partition = ? ORDER BY rowid').all(partition)
          return rows.map(({ id }) => Number(id))
        } finally {
          reader.close()
        }
      },
      async takeDown() {
        const other = new DatabaseSync(database)
        other.exec('BEGIN IMMEDIATE')
        return { restore: async () => other.close() }
      },
      child: { module: new URL('./sqlite-sink-child.ts', import.meta.url), argument: database },
    }
  },
})

sinkConformance({
  name: 'stdout',
  guarantee: 'at-least-once',
  rounds: 20,
  skip: { ...onlyRealDisk, ...noOutage },
  async makeStore() {
    const stream = new PassThrough()
    let text = ''
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    return {
      create: () => stdoutSinkTo(() => stream).create({ prefix: 'never' }),
      async readBack({ topic, partition }) {
        if (stream.readableLength > 0) await once(stream, 'data')
        if (topic !== 'conformance') return []
        const records = text
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as { id: number; partition: number })
        return records.filter((record) => record.partition === partition).map(({ id }) => id)
      },
    }
  },
})

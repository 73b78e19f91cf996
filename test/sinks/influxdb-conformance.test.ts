/** The conformance suite over the influxdb sink, with a server in memory: owners die, stall and lose answers at every request. */
import type { Disk } from '../../src/seams/disk.ts'
import { options } from '../../src/sinks/influxdb-options.ts'
import { InfluxdbSink } from '../../src/sinks/influxdb.ts'
import type { Sink, SinkContext } from '../../src/sinks/sink.ts'
import { ForgetfulDisk } from '../../src/testing/forgetful-disk.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { InfluxSender, Measurements } from './influx-server.ts'

/** Each owner's requests are steps of the disk in its own context. */
class SteppedSink extends InfluxdbSink {
  constructor(measurements: Measurements, given: object) {
    let disk: Disk | undefined
    super(options.parse(given), { send: (message) => new InfluxSender(measurements, disk).send(message) })
    this.#setDisk = (one) => (disk = one)
  }

  readonly #setDisk: (disk: Disk) => void

  override open(context: SinkContext) {
    this.#setDisk(context.disk)
    return super.open(context)
  }
}

const base = { database: 'air', 'open.timeout.ms': 0 }

for (const [name, given] of [
  ['append', { ...base, 'request.bytes': 100, fields: [{ name: 'id', type: 'integer' }] }],
  ['upsert', { ...base, mode: 'upsert', tags: ['id', '$partition'], fields: ['$offset', 'text'], 'flush.records': 3 }],
] as const) {
  sinkConformance({
    name: `influxdb, ${name}`,
    guarantee: 'idempotent',
    poison: '[1]',
    rounds: 20,
    skip: {
      'processes are killed at random': 'needs a server that processes share: test/compat/influxdb.compat.ts',
      'a topic that was created again is not taken for the old one':
        'only times tell such points apart: docs/decisions/0018-points-of-influxdb.md',
    },
    async makeStore() {
      const measurements = new Measurements()
      return {
        disk: new ForgetfulDisk(),
        create: (): Sink => new SteppedSink(measurements, given),
        readBack: async ({ partition }) =>
          [...measurements.points]
            .filter(([key]) => key.includes(`,partition=${partition} `))
            .map(([key, fields]) => Number.parseInt(/,id=(\d+)/.exec(key)?.[1] ?? fields.get('id')!, 10))
            .sort((left, right) => left - right),
        async takeDown() {
          measurements.isDown = true
          return { restore: async () => void (measurements.isDown = false) }
        },
      }
    },
  })
}

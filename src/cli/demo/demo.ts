/** The course of the demo: broker, records, groups, count. What it compares is verify.ts; the options are commands/demo.ts. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseConf, type ApplicationConf } from '../../app/conf.ts'
import { Supervisor, type ConsumerStatus } from '../../app/supervisor.ts'
import { InProcessHost } from '../../app/worker-host.ts'
import { Broker } from '../../broker/broker.ts'
import { Admin } from '../../client/admin/admin.ts'
import { Producer } from '../../client/producer/producer.ts'
import { systemSeams, type ClientSeams } from '../../client/seams.ts'
import { systemDisk } from '../../seams/disk.ts'
import type { Logger } from '../../seams/logger.ts'
import { fileSink } from '../../sinks/file.ts'
import { createSinkRegistry } from '../../sinks/registry.ts'
import { sqliteSink } from '../../sinks/sqlite.ts'
import { stdoutSinkTo } from '../../sinks/stdout.ts'
import type { SinkRegistry } from '../../sinks/sink.ts'
import { CommandError } from '../exit.ts'
import type { HttpAddress } from '../http-address.ts'
import { formatTable, grouped, print, Progress } from '../output.ts'
import { onTermination } from '../signals.ts'
import { ConsoleSample } from './console-sample.ts'
import { DemoMonitor, shownJudgement } from './demo-monitor.ts'
import { demoRecords, type DemoRecords } from './records.ts'
import { compare, compareFiles, compareTable, isRight, partitionOf, type Comparison } from './verify.ts'

export interface DemoSettings {
  readonly records?: number
  readonly directory?: string
  readonly partitions: number
  readonly seed?: number
  /** Where the lag monitor answers. */
  readonly monitor: HttpAddress
  /** Broker and monitor stay after the count, until SIGINT or SIGTERM. */
  readonly keepRunning?: boolean
  /** Sluice's own. */
  readonly version: string
}

const groupIds = ['file-consumers', 'sqlite-consumers', 'console-consumers'] as const
const SHOWN_LINES = 5
const SEND_AT_ONCE = 5000
/** Without any progress for this long, something is wrong. */
const STALLED_MS = 120_000

export class Demo {
  readonly #settings: DemoSettings
  readonly #seams: ClientSeams
  readonly #progress = new Progress()
  readonly #stop = new AbortController()
  #directory = ''

  constructor(settings: DemoSettings, logger: Logger) {
    this.#settings = settings
    this.#seams = systemSeams({ logger })
  }

  /** Rejects with `CommandError` when a count is not right. */
  async run(): Promise<void> {
    const { partitions } = this.#settings
    const isOver = onTermination(() => this.#stop.abort())
    this.#directory = await freeDirectory(this.#settings.directory)
    const records = await demoRecords(this.#settings.records, this.#settings.seed)
    const broker = await Broker.start({
      directory: join(this.#directory, 'broker'),
      // Kafka waits three seconds for more members before a new group begins; here all of them come at once.
      properties: { 'group.initial.rebalance.delay.ms': 300 },
      seams: { logger: this.#seams.logger },
    })
    const watching = this.#watch(broker.bootstrapServers)
    try {
      print(`embedded broker at ${broker.bootstrapServers}, everything goes to ${this.#directory}/`)
      const producedMs = await this.#produce(records, broker.bootstrapServers)
      const rate = grouped((records.values.length / producedMs) * 1000)
      print(
        `produced ${grouped(records.values.length)} ${records.source}: topic ${records.topic}, ${partitions} partitions, ${rate} records/s`,
      )
      const sample = new ConsoleSample(SHOWN_LINES, (line) => {
        this.#progress.clear()
        print(`  ${line}`)
      })
      const monitor = await watching
      const times = await this.#consume(records, broker.bootstrapServers, sample)
      if (monitor) {
        const judged = await monitor.judgement(groupIds.length, this.#stop.signal)
        print(`\nthe monitor's judgement: ${shownJudgement(judged)}`)
      }
      await this.#conclude(records, sample, times)
      if (this.#settings.keepRunning) await this.#stay(broker.bootstrapServers, monitor)
    } finally {
      this.#progress.clear()
      await (await watching)?.stop()
      await broker.stop()
      isOver()
    }
  }

  /** Begins while records are produced. Says its address as soon as it answers. */
  async #watch(bootstrapServers: string): Promise<DemoMonitor | undefined> {
    const { monitor: address, version } = this.#settings
    const properties = { 'bootstrap.servers': bootstrapServers }
    const watched = groupIds.map((groupId) => ({ groupId, properties }))
    const monitor = await DemoMonitor.start(watched, { address, version }, this.#seams)
    this.#progress.clear()
    if (monitor) print(`the lag monitor judges the groups at ${monitor.url}`)
    return monitor
  }

  async #stay(bootstrapServers: string, monitor: DemoMonitor | undefined): Promise<void> {
    const { signal } = this.#stop
    if (signal.aborted) return
    print(`
Until Ctrl-C the broker stays at ${bootstrapServers}${monitor ? `, the monitor at ${monitor.url}` : ''}. In another terminal:
  npx sluice lag --bootstrap-server ${bootstrapServers}
  npx sluice produce flights --bootstrap-server ${bootstrapServers}`)
    const over = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => over.resolve(), { once: true })
    await over.promise
  }

  async #produce({ topic, values }: DemoRecords, bootstrapServers: string): Promise<number> {
    const { partitions } = this.#settings
    const { clock } = this.#seams
    const admin = new Admin({ 'bootstrap.servers': bootstrapServers }, this.#seams)
    await admin.createTopics([{ name: topic, partitions }])
    await admin.close()
    const producer = new Producer({ 'bootstrap.servers': bootstrapServers, 'batch.size': 131_072 }, this.#seams)
    const start = clock.monotonic()
    try {
      for (let at = 0; at < values.length; at += SEND_AT_ONCE) {
        if (this.#stop.signal.aborted) throw new CommandError('stopped before everything was produced')
        const part = values.slice(at, at + SEND_AT_ONCE)
        await producer.sendBatch(
          part.map((value, index) => ({ topic, partition: partitionOf(at + index, partitions), value })),
        )
        this.#progress.update(() => `producing ${grouped(at + part.length)} of ${grouped(values.length)}`)
      }
    } finally {
      await producer.close()
      this.#progress.clear()
    }
    return Math.max(1, clock.monotonic() - start)
  }

  /** Runs the three groups until each has read everything; answers how long each took. */
  async #consume(records: DemoRecords, bootstrapServers: string, sample: ConsoleSample): Promise<Map<string, number>> {
    const registry = createSinkRegistry([fileSink, sqliteSink, stdoutSinkTo(() => sample)])
    const applications = await this.#writeConf(records, registry, bootstrapServers)
    const { clock, transport, logger } = this.#seams
    const start = clock.monotonic()
    const times = new Map<string, number>()
    const finished = new AbortController()
    let last = { total: 0, at: start }
    const onStatus = (consumers: readonly ConsumerStatus[]) => {
      const counts = new Map(applications.map(({ groupId }) => [groupId, 0]))
      for (const { application, counts: own } of consumers)
        counts.set(application, counts.get(application)! + own.polled)
      const now = clock.monotonic()
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
      if (total > last.total) last = { total, at: now }
      for (const [group, count] of counts) {
        if (count >= records.values.length && !times.has(group)) times.set(group, now - start)
      }
      this.#progress.update(() => [...counts].map(([group, count]) => `${group} ${grouped(count)}`).join('   '))
      if (times.size === applications.length || now - last.at > STALLED_MS || this.#stop.signal.aborted)
        finished.abort()
    }
    const supervisor = new Supervisor({
      applications,
      host: new InProcessHost({ seams: this.#seams, disk: systemDisk, sinks: registry }),
      transport,
      clock,
      logger,
      failFast: true,
      reportEveryMs: 50,
      onStatus,
    })
    finished.signal.addEventListener('abort', () => supervisor.stop(), { once: true })
    print(
      `three groups read it, as ${join(this.#directory, 'consumer.conf')} says; the first lines of console-consumers:`,
    )
    await supervisor.run()
    this.#progress.clear()
    if (this.#stop.signal.aborted) throw new CommandError('stopped before everything was consumed')
    return times
  }

  async #writeConf(
    { topic, columns }: DemoRecords,
    sinks: SinkRegistry,
    bootstrapServers: string,
  ): Promise<readonly ApplicationConf[]> {
    const file = join(this.#directory, 'consumer.conf')
    const out = join(this.#directory, 'out')
    const applications = [
      {
        topic,
        'group.id': 'file-consumers',
        'consumer.no': 3,
        value: 'json',
        sink: { type: 'file', directory: out, format: 'csv', columns },
      },
      {
        topic,
        'group.id': 'sqlite-consumers',
        'consumer.no': 1,
        value: 'json',
        sink: { type: 'sqlite', database: join(this.#directory, `${topic}.db`), table: topic, columns },
      },
      { topic, 'group.id': 'console-consumers' },
    ]
    const text = `[ ${applications.map((one) => JSON.stringify(one)).join(',\n  ')} ]\n`
    await writeFile(file, text)
    return parseConf(text, file, { sinks, defaults: { 'bootstrap.servers': bootstrapServers } })
  }

  async #conclude(records: DemoRecords, sample: ConsoleSample, times: ReadonlyMap<string, number>): Promise<void> {
    const { topic, values } = records
    const out = join(this.#directory, 'out')
    const database = join(this.#directory, `${topic}.db`)
    const results: [group: string, comparison: Comparison, where: string][] = [
      ['file-consumers', await compareFiles(out, records, this.#settings.partitions), join(out, topic)],
      ['sqlite-consumers', compareTable(database, topic, records), database],
      ['console-consumers', compare(values, sample.lines), 'standard output'],
    ]
    const rows = results.map(([group, { stored, lost, repeated }, where]) => {
      const ms = times.get(group)
      return [group, grouped(stored), grouped(lost), grouped(repeated), ms ? grouped((stored / ms) * 1000) : '-', where]
    })
    print(`\n${formatTable(['GROUP', 'STORED', 'LOST', 'REPEATED', 'RECORDS/S', 'WHERE'], rows)}\n`)
    const wrong = results.filter(([, comparison]) => !isRight(comparison))
    if (wrong.length > 0) {
      const each = wrong.map(([group, comparison]) => `${group} ${JSON.stringify(comparison)}`).join('; ')
      throw new CommandError(`${grouped(values.length)} were produced, and the counts are not right: ${each}`)
    }
    print(`produced ${grouped(values.length)}, stored by each group ${grouped(values.length)}, lost 0, repeated 0`)
    if (process.stdout.isTTY && !this.#settings.keepRunning) this.#explain(topic, database, out)
  }

  #explain(topic: string, database: string, out: string): void {
    const broker = join(this.#directory, 'broker')
    print(`
Look at it:
  head ${join(out, topic, '0')}/*.csv
  sqlite3 ${database} "SELECT * FROM ${topic} LIMIT 5"
  cat ${join(this.#directory, 'consumer.conf')}
Go on with it, in three terminals:
  npx sluice broker --data ${broker}
  npx sluice run ${join(this.#directory, 'consumer.conf')} --monitor
  npx sluice groups describe --all-groups`)
  }
}

/** An empty folder: the one that was asked for, or `sluice-demo`, `sluice-demo-2` …, so that no earlier result is written over. */
async function freeDirectory(wanted: string | undefined): Promise<string> {
  for (let number = 1; ; number++) {
    const directory = wanted ?? (number === 1 ? 'sluice-demo' : `sluice-demo-${number}`)
    await mkdir(directory, { recursive: true })
    if ((await readdir(directory)).length === 0) return directory
    if (wanted !== undefined) {
      throw new CommandError(
        `${directory} is not empty: name another --directory, or remove what an earlier demo left there`,
      )
    }
  }
}

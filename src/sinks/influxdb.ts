/**
 * The `influxdb` sink: records as points of a measurement. Kafka owns the offsets; a record that comes again writes the same point again, which changes nothing
 * (influxdb-lines.ts).
 *
 * What that cannot do: in upsert mode the last writer of a point wins. An owner that has lost its partition, and writes an older record of the same tags and time after
 * the next owner has written a newer one, brings the older fields back. In append mode there is nothing to bring back.
 *
 * A request that is refused in part is sent again in halves, down to the record that spoils it: what was stored of it is only stored once more.
 */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { type HttpSender, systemHttp } from '../seams/http.ts'
import { readAuthorities } from './authority-file.ts'
import { recordColumns } from './file-encoding.ts'
import { HeldPartitions } from './held-partitions.ts'
import { HttpNodes } from './http-nodes.ts'
import { reasonOf, writeOutcome } from './influxdb-answers.ts'
import { LineEncoder, type Point, pointColumn } from './influxdb-lines.ts'
import { checkOptions, type InfluxOptions, options } from './influxdb-options.ts'
import { whenAvailable } from './open-retry.ts'
import { defineSink } from './registry.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  type SinkPosition,
  SinkRecordError,
  SinkRefusedError,
  SinkUnavailableError,
} from './sink.ts'

interface Partition {
  readonly topicPartition: TopicPartition
  position: number | undefined
  durable: number | undefined
  /** What was taken and is not stored, in offset order. */
  held: Point[]
}

export class InfluxdbSink implements Sink {
  readonly #options: InfluxOptions
  readonly #http: HttpSender
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #server!: HttpNodes
  #encoder!: LineEncoder

  constructor(given: InfluxOptions, http: HttpSender = systemHttp) {
    checkOptions(given)
    this.#options = given
    this.#http = http
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    this.#encoder = encoderOf(this.#options, context)
    this.#server = new HttpNodes(this.#http, {
      nodes: [this.#options.url],
      authorization: authorizationOf(this.#options),
      tls: { ca: await readAuthorities(context.disk, this.#options['ssl.ca']) },
      timeoutMs: this.#options['request.timeout.ms'],
      gzip: this.#options.gzip,
    })
    await whenAvailable(context, this.#options['open.timeout.ms'], () => this.#prepare())
    return {
      guarantee: 'idempotent',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  /** A server that answers, and of version 1 the database. */
  async #prepare(): Promise<void> {
    const { signal } = this.#context
    const { database } = this.#options
    const ping = await this.#server.request({ method: 'GET', path: '/ping' }, signal)
    if (ping.status >= 500)
      throw new SinkUnavailableError(`${this.#server.place} answers ${ping.status}: ${reasonOf(ping)}`)
    if (database === undefined) return
    const statement = `CREATE DATABASE "${database.replaceAll(/["\\]/g, '\\$&')}"`
    const body = `q=${encodeURIComponent(statement)}`
    const contentType = 'application/x-www-form-urlencoded'
    const answer = await this.#server.request(
      { method: 'POST', path: '/query', body, contentType, gzip: false },
      signal,
    )
    if (answer.status === 401) writeOutcome(answer, this.#server.place)
    if (answer.status >= 500)
      throw new SinkUnavailableError(`${this.#server.place} answers ${answer.status}: ${reasonOf(answer)}`)
    // 403: this user may only write. 404: version 3 has no such statement, and makes the database with the first point.
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    return partitions.map(({ topicPartition }) => {
      this.#partitions.set(topicPartition, { topicPartition, position: undefined, durable: undefined, held: [] })
      return { topicPartition, next: undefined }
    })
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const points = this.#encoder.encode(batch)
    partition.position = batch.next
    for (const point of points) partition.held.push(point)
    return { flushDue: partition.held.length >= this.#options['flush.records'] }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    const end = partition.position ?? next
    while (partition.held.length > 0) {
      const count = this.#fitting(partition.held)
      await this.#store(partition, partition.held.slice(0, count), signal)
      partition.held.splice(0, count)
    }
    partition.durable = end
    return { durable: end }
  }

  /** How many points a request of `request.bytes` has; one at least. */
  #fitting(points: readonly Point[]): number {
    let bytes = 0
    let count = 0
    for (const { line } of points) {
      bytes += Buffer.byteLength(line)
      if (count > 0 && bytes > this.#options['request.bytes']) break
      count++
    }
    return count
  }

  /** Throws with nothing held when a record is refused for good. */
  async #store(partition: Partition, points: readonly Point[], signal: AbortSignal): Promise<void> {
    const request = {
      method: 'POST',
      path: writePath(this.#options),
      body: points.map(({ line }) => line).join(''),
      contentType: 'text/plain; charset=utf-8',
    } as const
    const outcome = writeOutcome(await this.#server.request(request, signal), this.#server.place)
    if (outcome.kind === 'stored') return
    if (points.length > 1) {
      const half = points.length >>> 1
      await this.#store(partition, points.slice(0, half), signal)
      await this.#store(partition, points.slice(half), signal)
      return
    }
    partition.held = []
    this.#partitions.delete(partition.topicPartition)
    throw new SinkRecordError(points[0]!.record, `${this.#server.place} refuses the point: ${outcome.why}`)
  }

  async revoked(
    topicPartitions: readonly TopicPartition[],
    why: 'revoked' | 'lost',
  ): Promise<readonly DurablePosition[]> {
    return this.#partitions.release(topicPartitions, why, {
      flush: (topicPartition, next) => this.flush(topicPartition, next, this.#context.signal),
      forget: (topicPartition) => void this.#partitions.delete(topicPartition),
      logger: this.#context.logger,
    })
  }

  async close(): Promise<void> {
    this.#partitions.clear()
  }
}

function encoderOf(given: InfluxOptions, { valueType }: SinkContext): LineEncoder {
  const { measurement, mode, 'time.field': timeField } = given
  const [tags, fields] = [given.tags.map(pointColumn), given.fields?.map(pointColumn)]
  const ofJson = [...tags, ...(fields ?? [])].find(({ record }) => record === undefined)?.name ?? timeField
  if (ofJson !== undefined && valueType !== 'json' && !recordColumns.some((own) => own === ofJson)) {
    throw new SinkRefusedError(
      `the influxdb sink takes "${ofJson}" out of the value, and values are read as ${valueType}: set "value": "json"`,
    )
  }
  return new LineEncoder({ measurement, mode, tags, fields, timeField, valueType })
}

/** In nanoseconds. */
function writePath({ database, 'retention.policy': policy, bucket, org }: InfluxOptions): string {
  const query =
    database === undefined
      ? { bucket: bucket!, ...(org !== undefined && { org }), precision: 'ns' }
      : { db: database, ...(policy !== undefined && { rp: policy }), precision: 'ns' }
  return `${database === undefined ? '/api/v2/write' : '/write'}?${new URLSearchParams(query).toString()}`
}

function authorizationOf({ user, password, token }: InfluxOptions): string | undefined {
  if (token !== undefined) return `Token ${token}`
  return user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

export const influxdbSink = defineSink({
  name: 'influxdb',
  guarantee: 'idempotent',
  summary: 'Points of an InfluxDB measurement: one of each record, or the last of the same tags and time.',
  options,
  example: {
    type: 'influxdb',
    url: 'http://localhost:8086',
    database: 'flights',
    tags: ['origin'],
    fields: [{ name: 'delay', type: 'integer' }, 'distance'],
    'time.field': 'time',
  },
  create: (given) => new InfluxdbSink(given),
})

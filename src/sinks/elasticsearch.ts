/**
 * The `elasticsearch` sink: records as documents of an index, by the bulk API, in Elasticsearch and OpenSearch. Kafka owns the offsets; a record that comes again
 * changes nothing, as its id and version say what it is (elasticsearch-documents.ts).
 *
 * What versions cannot do: a delete's version is forgotten by the index after `index.gc_deletes` (60 s). A record that is stored again later than that, as after a crash,
 * brings its document back until the delete itself comes again behind it.
 */
import type { TopicPartition } from '../protocol/records/topic-partition.ts'
import { type HttpSender, systemHttp } from '../seams/http.ts'
import { readAuthorities } from './authority-file.ts'
import { bulkOutcome, poisonError, requestError } from './elasticsearch-answers.ts'
import { HttpNodes } from './http-nodes.ts'
import { type Destination, DocumentEncoder, type Operation } from './elasticsearch-documents.ts'
import { claimVersions } from './elasticsearch-versions.ts'
import { checkOptions, type ElasticsearchOptions, indexProblem, options } from './elasticsearch-options.ts'
import { recordColumns } from './file-encoding.ts'
import { HeldPartitions } from './held-partitions.ts'
import { defineSink } from './registry.ts'
import {
  type AssignedPartition,
  type DurablePosition,
  type Opened,
  type Sink,
  type SinkBatch,
  type SinkContext,
  type SinkPosition,
  SinkRefusedError,
  SinkUnavailableError,
} from './sink.ts'

interface Partition {
  readonly topicPartition: TopicPartition
  readonly destination: Destination
  position: number | undefined
  durable: number | undefined
  /** What was taken and is not stored, in offset order. */
  held: Operation[]
}

export class ElasticsearchSink implements Sink {
  readonly #options: ElasticsearchOptions
  readonly #http: HttpSender
  readonly #partitions = new HeldPartitions<Partition>()
  #context!: SinkContext
  #cluster!: HttpNodes
  #encoder!: DocumentEncoder

  constructor(given: ElasticsearchOptions, http: HttpSender = systemHttp) {
    checkOptions(given)
    this.#options = given
    this.#http = http
  }

  async open(context: SinkContext): Promise<Opened> {
    this.#context = context
    const { columns, mode, 'timestamp.field': timestampField, index } = this.#options
    const { valueType } = context
    const field = columns?.find((column) => !recordColumns.some((own) => own === column))
    if (field !== undefined && valueType !== 'json') {
      throw new SinkRefusedError(
        `the elasticsearch sink has the column "${field}", and values are read as ${valueType}: set "value": "json"`,
      )
    }
    this.#encoder = new DocumentEncoder({ columns, mode, timestampField, valueType })
    this.#cluster = new HttpNodes(this.#http, {
      nodes: [this.#options.url].flat(),
      authorization: authorizationOf(this.#options),
      tls: { ca: await readAuthorities(context.disk, this.#options['ssl.ca']) },
      timeoutMs: this.#options['request.timeout.ms'],
      gzip: this.#options.gzip,
    })
    const request = { method: 'HEAD', path: `/${encodeURIComponent(index ?? 'sluice')}` } as const
    const answer = await this.#cluster.request(request, context.signal)
    // 404: the cluster makes it with the first document. Of another index than ours this user may know nothing.
    const isKnown = answer.status === 404 || (index === undefined && answer.status === 403)
    if (answer.status >= 400 && !isKnown) throw requestError(answer, this.#cluster.place)
    return {
      guarantee: 'idempotent',
      flushHint: { records: this.#options['flush.records'], intervalMs: this.#options['flush.ms'] },
    }
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<readonly SinkPosition[]> {
    const { clusterId, topicId, signal, logger } = this.#context
    for (const topic of new Set(partitions.map(({ topicPartition }) => topicPartition.topic))) {
      if (this.#options.mode !== 'upsert') continue
      const versions = { index: this.#indexOf(topic), topic: `${clusterId}/${topic}`, topicId: topicId(topic) }
      await claimVersions(this.#cluster, versions, signal, logger)
    }
    return partitions.map(({ topicPartition }) => {
      const { topic, partition } = topicPartition
      const index = this.#indexOf(topic)
      const destination = { index, idPrefix: `${clusterId}.${topicId(topic)}.${partition}.` }
      this.#partitions.set(topicPartition, {
        topicPartition,
        destination,
        position: undefined,
        durable: undefined,
        held: [],
      })
      return { topicPartition, next: undefined }
    })
  }

  #indexOf(topic: string): string {
    const index = this.#options.index ?? topic.toLowerCase()
    const problem = indexProblem(index)
    if (problem === undefined) return index
    throw new SinkRefusedError(`no index can have the name of the topic ${topic}: ${problem}. Set "index"`)
  }

  async write(batch: SinkBatch): Promise<{ flushDue: boolean }> {
    const partition = this.#partitions.toWrite(batch)
    const operations = this.#encoder.encode(batch, partition.destination)
    partition.position = batch.next
    for (const operation of operations) partition.held.push(operation)
    return { flushDue: partition.held.length >= this.#options['flush.records'] }
  }

  async flush(topicPartition: TopicPartition, next: number, signal: AbortSignal): Promise<{ durable: number }> {
    const partition = this.#partitions.toFlush(topicPartition, next)
    const end = partition.position ?? next
    while (partition.held.length > 0) {
      const count = this.#fitting(partition.held)
      const left = await this.#store(partition, partition.held.slice(0, count), signal)
      partition.held.splice(0, count, ...left.operations)
      if (left.operations.length > 0) {
        const operations = `${left.operations.length} of ${count} operations`
        throw new SinkUnavailableError(`${this.#cluster.place} did not take ${operations} now: ${left.why}`)
      }
    }
    partition.durable = end
    return { durable: end }
  }

  /** How many operations a request of `request.bytes` has; one at least. */
  #fitting(operations: readonly Operation[]): number {
    let bytes = 0
    let count = 0
    for (const { text } of operations) {
      bytes += Buffer.byteLength(text)
      if (count > 0 && bytes > this.#options['request.bytes']) break
      count++
    }
    return count
  }

  /** Answers what the cluster wants to be asked again. Throws with nothing held when a record is refused for good. */
  async #store(
    partition: Partition,
    operations: readonly Operation[],
    signal: AbortSignal,
  ): Promise<{ operations: Operation[]; why: string }> {
    const { pipeline } = this.#options
    const query = new URLSearchParams({
      filter_path: 'errors,items.*.status,items.*.error',
      ...(pipeline && { pipeline }),
    })
    const answer = await this.#cluster.request(
      {
        method: 'POST',
        path: `/_bulk?${query.toString()}`,
        body: operations.map(({ text }) => text).join(''),
        contentType: 'application/x-ndjson',
      },
      signal,
    )
    const outcome = bulkOutcome(answer, operations.length, this.#cluster.place)
    if (outcome.kind === 'split') {
      if (operations.length === 1) return this.#poison(partition, operations[0]!, outcome.why)
      const half = operations.length >>> 1
      const first = await this.#store(partition, operations.slice(0, half), signal)
      const second = await this.#store(partition, operations.slice(half), signal)
      return { operations: [...first.operations, ...second.operations], why: first.why || second.why }
    }
    const again: Operation[] = []
    let why = ''
    for (const [index, verdict] of outcome.verdicts.entries()) {
      const operation = operations[index]!
      if (verdict.kind === 'poison') this.#poison(partition, operation, verdict.why)
      if (verdict.kind === 'refused') throw new SinkRefusedError(`${partition.destination.index}: ${verdict.why}`)
      if (verdict.kind !== 'again') continue
      again.push(operation)
      why ||= verdict.why
    }
    return { operations: again, why }
  }

  #poison(partition: Partition, { record }: Operation, why: string): never {
    partition.held = []
    throw poisonError(record, why)
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
    for (const topicPartition of this.#partitions.keys()) this.#partitions.delete(topicPartition)
  }
}

function authorizationOf({ user, password, 'api.key': apiKey }: ElasticsearchOptions): string | undefined {
  if (apiKey !== undefined) return `ApiKey ${apiKey}`
  return user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

export const elasticsearchSink = defineSink({
  name: 'elasticsearch',
  guarantee: 'idempotent',
  summary: 'Documents of an Elasticsearch or OpenSearch index: each record once, or the last of each key.',
  options,
  example: {
    type: 'elasticsearch',
    url: 'http://localhost:9200',
    index: 'flights',
    mode: 'upsert',
    'flush.ms': 1000,
  },
  create: (given) => new ElasticsearchSink(given),
})

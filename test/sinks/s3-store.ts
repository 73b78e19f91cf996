/** Stores of the s3 sink for tests, and what a reader finds in them. */
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import type { TopicPartition } from '../../src/protocol/records/topic-partition.ts'
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import type { Bucket } from './memory-object-store.ts'

export const credentials = { 'access.key.id': 'sluice', 'secret.access.key': 'se:cr/et-7F' }

/** Over the server of s3-server.ts. */
export function s3SinkAt(endpoint: string, options: object = {}): Sink {
  return sinks.configure({ type: 's3', bucket: 'test', prefix: 'out', endpoint, ...credentials, ...options }).create()
}

/** A partition's objects, concatenated in the order of their keys. */
export function concatenatedIn(bucket: Bucket, { topic, partition }: TopicPartition): string {
  const keys = bucket.published.filter((key) => key.startsWith(`out/${topic}/${partition}/`))
  const texts = keys.map((key) => {
    const { bytes } = bucket.objects.get(key)!
    return (key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  })
  return texts.join('')
}

export function offsetsIn(bucket: Bucket, topicPartition: TopicPartition): number[] {
  const rows: string[][] = parse(concatenatedIn(bucket, topicPartition))
  return rows.map(([id]) => Number(id))
}

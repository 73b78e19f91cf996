/** Stores of the file sink for tests, and what a reader finds in them, by a CSV parser that is not Sluice's. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { type Disk, systemDisk } from '../../src/seams/disk.ts'
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import type { TopicPartition } from '../../src/protocol/records/topic-partition.ts'

export function fileSinkIn(directory: string, options: object = {}): Sink {
  return sinks.configure({ type: 'file', directory, ...options }).create()
}

/** The names under which a partition's files are published, in order. */
export async function publishedNames(
  directory: string,
  { topic, partition }: TopicPartition,
  disk: Disk = systemDisk,
): Promise<string[]> {
  return (await disk.list(join(directory, topic, String(partition)))).filter((name) => name !== '.sluice')
}

/** A partition's files, concatenated in the order of their names. */
export async function concatenated(
  directory: string,
  topicPartition: TopicPartition,
  disk: Disk = systemDisk,
): Promise<string> {
  const folder = join(directory, topicPartition.topic, String(topicPartition.partition))
  let text = ''
  for (const name of await publishedNames(directory, topicPartition, disk)) {
    const bytes = await disk.readFile(join(folder, name))
    text += (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  }
  return text
}

export async function offsetsInCsv(
  directory: string,
  topicPartition: TopicPartition,
  disk: Disk = systemDisk,
): Promise<number[]> {
  const rows: string[][] = parse(await concatenated(directory, topicPartition, disk))
  return rows.map(([id]) => Number(id))
}

/** Every file under a folder, hidden ones too. */
export async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

export const textOf = async (path: string): Promise<string> => (await readFile(path)).toString()

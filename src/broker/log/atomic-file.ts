/**
 * Files that are there as a whole or not at all, and what stands in the small ones.
 *
 * Written beside the name, synced, renamed over it, and the folder synced: after a crash at any moment the old content is there
 * or the new one. Checkpoints are in Kafka's format: `0`, the number of lines, then `topic partition offset` a line.
 */
import { dirname } from 'node:path'
import { type Disk } from '../../seams/disk.ts'

export const TEMPORARY_SUFFIX = '.tmp'

export async function writeAtomically(disk: Disk, path: string, content: string | Uint8Array): Promise<void> {
  await replaceFile(disk, path, content, true)
  await disk.syncDirectory(dirname(path))
}

/**
 * The same without waiting for the disk: the death of the process leaves the old content or the new one, that of the machine
 * perhaps neither. For what can be made anew.
 */
export function writeReplaceable(disk: Disk, path: string, content: string | Uint8Array): Promise<void> {
  return replaceFile(disk, path, content, false)
}

async function replaceFile(disk: Disk, path: string, content: string | Uint8Array, sync: boolean): Promise<void> {
  const temporary = path + TEMPORARY_SUFFIX
  const file = await disk.open(temporary, 'replace')
  try {
    await file.write([typeof content === 'string' ? Buffer.from(content) : content], 0)
    if (sync) await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
}

/** undefined if there is no such file. */
export async function readText(disk: Disk, path: string): Promise<string | undefined> {
  return (await disk.stat(path)) ? (await disk.readFile(path)).toString('utf8') : undefined
}

export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export function encodeCheckpoint(offsets: readonly PartitionOffset[]): string {
  const lines = offsets.map(({ topic, partition, offset }) => `${topic} ${partition} ${offset}`)
  return ['0', String(offsets.length), ...lines].join('\n') + '\n'
}

/** By `topic-partition`. A file that is not a whole checkpoint holds none: recovery then looks at everything. */
export function decodeCheckpoint(text: string | undefined): Map<string, number> {
  const [version, count, ...lines] = (text ?? '').trimEnd().split('\n')
  const offsets = new Map<string, number>()
  if (version !== '0' || Number(count) !== lines.length) return offsets
  for (const line of lines) {
    const [topic, partition, offset] = line.split(' ')
    if (offset !== undefined && Number.isSafeInteger(Number(offset)))
      offsets.set(`${topic}-${partition}`, Number(offset))
  }
  return offsets
}

/** Leader epochs: `0`, the number of lines, then `epoch start_offset` a line. */
export function encodeEpochs(starts: readonly { epoch: number; startOffset: number }[]): string {
  return (
    ['0', String(starts.length), ...starts.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`)].join('\n') + '\n'
  )
}

export function decodeEpochs(text: string | undefined): { epoch: number; startOffset: number }[] {
  const [version, count, ...lines] = (text ?? '').trimEnd().split('\n')
  if (version !== '0' || Number(count) !== lines.length) return []
  return lines.map((line) => {
    const [epoch, startOffset] = line.split(' ').map(Number) as [number, number]
    return { epoch, startOffset }
  })
}

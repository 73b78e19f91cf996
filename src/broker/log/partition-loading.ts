/**
 * Opens a partition's folder: finishes or forgets what a crash interrupted, and recovers the log.
 *
 * After a clean stop nothing is scanned: log end and producers are told by the stop's own files. Otherwise everything from the recovery
 * point on is read with CRC:
 * - A torn tail, which a crash in the middle of a write leaves, is cut off. It was never acknowledged.
 * - Damage in an earlier segment (a disk that lied, or a machine that lost power before a sync) cuts there and removes the later
 *   segments, as Kafka does, since offsets must not have holes in them that nobody knows of. It is logged as an error with what was lost.
 * Below the recovery point nothing is scanned: damage there is found by whoever reads it (CORRUPT_MESSAGE, or the client's own CRC check).
 */
import { join } from 'node:path'
import { type Disk } from '../../seams/disk.ts'
import { type Logger } from '../../seams/logger.ts'
import { decodeEpochs, encodeEpochs, readText, writeAtomically } from './atomic-file.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { ProducerStates } from './producer-state.ts'
import { decodeProducers } from './producer-snapshot.ts'
import { EPOCHS_FILE } from './partition-files.ts'
import { type LoadedLog } from './partition-log.ts'
import { LOG_SUFFIX, offsetName, Segment, SNAPSHOT_SUFFIX, TRANSACTION_INDEX_SUFFIX } from './segment.ts'
import { finishSwaps } from './segment-swap.ts'
import { decodeAborted, TransactionIndex } from './transaction-index.ts'

export interface PartitionFolder {
  readonly disk: Disk
  readonly logger: Logger
  readonly directory: string
  /** `topic-partition`. */
  readonly name: string
  readonly indexIntervalBytes: () => number
  /** Up to where everything is known to be on disk. */
  readonly recoveryPoint: number
  readonly logStartOffset: number
  /** What the last stop wrote down if it was clean: where the log ended, and how many bytes the last segment had. */
  readonly cleanEnd: { readonly offset: number; readonly sizeInBytes: number } | undefined
}

export async function loadPartition(folder: PartitionFolder): Promise<LoadedLog> {
  const { disk, directory, name } = folder
  const names = await finishSwaps(disk, directory, await disk.list(directory))
  const segments = await openSegments(folder, names)
  const logStartOffset = Math.max(folder.logStartOffset, segments[0]?.baseOffset ?? 0)
  const producers = new ProducerStates(name)
  const transactions = new TransactionIndex()
  const epochs = new LeaderEpochs(
    names.includes(EPOCHS_FILE) ? decodeEpochs(await readText(disk, join(directory, EPOCHS_FILE))) : [],
  )
  if (segments.length === 0) {
    return {
      segments,
      logStartOffset,
      nextOffset: logStartOffset,
      recoveryPoint: logStartOffset,
      producers,
      transactions,
      epochs,
    }
  }
  transactions.load(await readAborted(folder, names))
  const { cleanEnd } = folder
  const clean = cleanEnd !== undefined && segments.at(-1)!.sizeInBytes === cleanEnd.sizeInBytes
  const soundUpTo = clean ? cleanEnd.offset : Math.max(folder.recoveryPoint, segments[0]!.baseOffset)
  const snapshotOffset = await loadSnapshot(folder, names, soundUpTo, producers)
  if (clean && snapshotOffset === cleanEnd.offset) {
    await segments.at(-1)!.loadIndexes()
    return {
      segments,
      logStartOffset,
      nextOffset: cleanEnd.offset,
      recoveryPoint: cleanEnd.offset,
      producers,
      transactions,
      epochs,
    }
  }
  const from = Math.max(Math.min(snapshotOffset ?? 0, soundUpTo), segments[0]!.baseOffset)
  const recovered = await recover(folder, segments, from, snapshotOffset ?? 0, producers, transactions)
  if (recovered.cut) {
    epochs.raise(recovered.nextOffset)
    await writeAtomically(disk, join(directory, EPOCHS_FILE), encodeEpochs(epochs.starts))
  }
  const nextOffset = Math.max(recovered.nextOffset, logStartOffset)
  return {
    segments: recovered.segments,
    logStartOffset: Math.min(logStartOffset, nextOffset),
    nextOffset,
    recoveryPoint: Math.min(from, nextOffset),
    producers,
    transactions,
    epochs,
  }
}

/** Loads what is there, removes what lies below the log's start and what belongs to no segment. */
async function openSegments(folder: PartitionFolder, names: readonly string[]): Promise<Segment[]> {
  const { disk, directory, indexIntervalBytes } = folder
  const bases = names
    .filter((name) => name.endsWith(LOG_SUFFIX))
    .map((name) => Number(name.slice(0, -LOG_SUFFIX.length)))
  const kept = bases.filter((_, at) => (bases[at + 1] ?? Number.POSITIVE_INFINITY) > folder.logStartOffset)
  const keptNames = new Set(kept.map(offsetName))
  for (const name of names) {
    const match = /^(\d{20})\.(?:log|index|timeindex|txnindex)$/.exec(name)
    if (match && !keptNames.has(match[1]!)) await disk.remove(join(directory, name))
  }
  return Promise.all(
    kept.map(async (baseOffset) => {
      const { size } = (await disk.stat(join(directory, offsetName(baseOffset) + LOG_SUFFIX)))!
      return Segment.load({ disk, directory, baseOffset, indexIntervalBytes }, size)
    }),
  )
}

async function readAborted({ disk, directory }: PartitionFolder, names: readonly string[]) {
  const files = names.filter((name) => name.endsWith(TRANSACTION_INDEX_SUFFIX))
  const bytes = await Promise.all(
    files.map((name) => disk.readFile(join(directory, name)).catch(() => Buffer.alloc(0))),
  )
  return bytes.flatMap(decodeAborted)
}

/** Takes the newest sound snapshot that says nothing beyond `upTo`; removes those that do and those that are of no more use. */
async function loadSnapshot(
  { disk, directory, logger, name: partition }: PartitionFolder,
  names: readonly string[],
  upTo: number,
  producers: ProducerStates,
): Promise<number | undefined> {
  const snapshots = names
    .filter((name) => name.endsWith(SNAPSHOT_SUFFIX))
    .toSorted()
    .toReversed()
  let found: number | undefined
  for (const name of snapshots) {
    const offset = Number(name.slice(0, -SNAPSHOT_SUFFIX.length))
    if (offset <= upTo && found === undefined) {
      const entries = decodeProducers(await disk.readFile(join(directory, name)))
      if (entries) {
        producers.load(entries)
        found = offset
        continue
      }
      logger.warn(
        { partition, file: name },
        'a producer snapshot is damaged; an older one and the log itself take its place',
      )
    }
    const ofSegment = names.includes(name.slice(0, -SNAPSHOT_SUFFIX.length) + LOG_SUFFIX)
    if (offset > upTo || found === undefined || !ofSegment) await disk.remove(join(directory, name))
  }
  return found
}

async function recover(
  { logger, name, directory }: PartitionFolder,
  segments: readonly Segment[],
  from: number,
  replayFrom: number,
  producers: ProducerStates,
  transactions: TransactionIndex,
): Promise<{ segments: readonly Segment[]; nextOffset: number; cut: boolean }> {
  let nextOffset = segments[0]!.baseOffset
  transactions.removeFrom(replayFrom)
  for (const [at, segment] of segments.entries()) {
    nextOffset = Math.max(nextOffset, segment.baseOffset)
    const end = segments[at + 1]?.baseOffset
    if (end !== undefined && end <= from) continue
    const { problem, cutBytes } = await segment.recover(from, (batch) => {
      nextOffset = batch.nextOffset
      if (batch.baseOffset < replayFrom) return
      const completed = producers.replay(batch)
      if (!completed?.aborted) return
      producers.settle()
      const { producerId, firstOffset, lastOffset } = completed
      transactions.append({
        producerId,
        firstOffset,
        lastOffset,
        lastStableOffset: producers.firstOpenOffset() ?? nextOffset,
      })
    })
    producers.settle()
    segment.dirty = true
    if (cutBytes === 0) continue
    const lost = segments.slice(at + 1)
    const fields = { partition: name, directory, segment: segment.baseOffset, nextOffset, cutBytes, problem }
    if (lost.length === 0) {
      logger.warn(fields, 'cut the torn end of a log off')
    } else {
      logger.error(
        { ...fields, removedSegments: lost.map(({ baseOffset }) => baseOffset) },
        'a segment in the middle of a log is damaged: everything from there on is removed',
      )
      for (const gone of lost.toReversed()) await gone.remove()
    }
    return { segments: segments.slice(0, at + 1), nextOffset, cut: true }
  }
  return { segments, nextOffset, cut: false }
}

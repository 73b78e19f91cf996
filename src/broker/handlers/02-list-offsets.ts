/**
 * ListOffsets: the offset of a moment. Negative timestamps are questions of their own:
 *
 *     -1 latest    -2 earliest    -3 of the greatest timestamp (v7+)    -4 earliest on local disk (v8+)
 *     -5 latest in tiered storage (v9+)    -6 earliest that waits for tiered storage (v11+)
 *
 * There is no tiered storage here, so -4 is the earliest, and -5 and -6 find nothing, as in a Kafka without it.
 * A `read_committed` client sees the log only up to the last stable offset.
 */
import { type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, type ErrorName } from '../../protocol/error-codes.ts'
import { listOffsets } from '../../protocol/messages/02-list-offsets.ts'
import { defineHandler, type RequestContext } from '../handler.ts'
import { leaderEpochError } from '../leader-epoch.ts'
import { type PartitionLog, type TimestampAndOffset } from '../log/partition-log.ts'
import { LogRefusal } from '../log/refusal.ts'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

/** From which version on each may be asked. */
const askedSince = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

type PartitionResponse = ResponseInputOf<typeof listOffsets>['topics'][number]['partitions'][number]

export const listOffsetsHandler = defineHandler(listOffsets, [1, 11], async (request, context) => {
  const readCommitted = request.isolationLevel === 1
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        countByIndex(partitions).map(async ([asked, count]) =>
          // A partition that is named twice is refused, and once is said so.
          count > 1 ? failure(asked.partitionIndex, 'INVALID_REQUEST') : answer(name, asked, readCommitted, context),
        ),
      ),
    })),
  )
  return { throttleTimeMs: 0, topics }
})

interface Asked {
  readonly partitionIndex: number
  readonly currentLeaderEpoch: number
  readonly timestamp: number
}

function countByIndex(partitions: readonly Asked[]): [Asked, number][] {
  const counts = new Map<number, [Asked, number]>()
  for (const asked of partitions) {
    const known = counts.get(asked.partitionIndex)
    if (known) known[1]++
    else counts.set(asked.partitionIndex, [asked, 1])
  }
  return [...counts.values()]
}

async function answer(
  topic: string,
  asked: Asked,
  readCommitted: boolean,
  { broker, version }: RequestContext,
): Promise<PartitionResponse> {
  const { partitionIndex, timestamp } = asked
  if (timestamp < EARLIEST && version < (askedSince.get(timestamp) ?? Number.POSITIVE_INFINITY)) {
    return failure(partitionIndex, 'UNSUPPORTED_VERSION')
  }
  const log = broker.logs.partition(topic, partitionIndex)
  if (!log) return failure(partitionIndex, 'UNKNOWN_TOPIC_OR_PARTITION')
  const epochError = leaderEpochError(asked.currentLeaderEpoch, log)
  if (epochError) return failure(partitionIndex, epochError)
  try {
    const found = await find(log, timestamp, readCommitted)
    if (!found) return { partitionIndex, errorCode: 0 }
    return { partitionIndex, errorCode: 0, ...found, leaderEpoch: version >= 4 ? found.leaderEpoch : undefined }
  } catch (error) {
    if (!(error instanceof LogRefusal)) throw error
    return failure(partitionIndex, error.error.name)
  }
}

async function find(
  log: PartitionLog,
  timestamp: number,
  readCommitted: boolean,
): Promise<TimestampAndOffset | undefined> {
  const end = readCommitted ? log.lastStableOffset : log.highWatermark
  const at = (offset: number) => ({ timestamp: -1, offset, leaderEpoch: log.leaderEpoch })
  if (timestamp === LATEST) return at(end)
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) return at(log.logStartOffset)
  if (timestamp === LATEST_TIERED || timestamp === EARLIEST_PENDING_UPLOAD) return undefined
  const found = timestamp === MAX_TIMESTAMP ? await log.maxTimestamp() : await log.offsetForTimestamp(timestamp)
  return found && found.offset < end ? found : undefined
}

function failure(partitionIndex: number, name: ErrorName): PartitionResponse {
  return { partitionIndex, errorCode: codeOf(name) }
}

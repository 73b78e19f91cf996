/**
 * Produce: appends one record batch to each partition that the request names.
 *
 * Versions 0 to 2 are named in ApiVersions and not served, as in Kafka (KAFKA-18659): librdkafka turns compression off for a broker that
 * does not name them. Version 13 names topics by id.
 *
 * Partitions are independent: each has its own error. With acks=0 there is no answer, so an error closes the connection, which is
 * how Kafka makes such a producer ask for metadata anew.
 */
import { type RequestOf, type ResponseInputOf } from '../../protocol/api.ts'
import { codeOf, errorOf, type ErrorName } from '../../protocol/error-codes.ts'
import { produce } from '../../protocol/messages/00-produce.ts'
import { CloseConnectionError, defineHandler, type RequestContext } from '../handler.ts'
import { LogRefusal } from '../log/refusal.ts'
import { type Topic } from '../log/log-directory.ts'
import { type AppendResult } from '../log/partition-log.ts'

type Request = RequestOf<typeof produce>
type PartitionResponse = ResponseInputOf<typeof produce>['responses'][number]['partitionResponses'][number]

/** Where things stand in a record batch of version 2. */
const BATCH_LENGTH_AT = 8
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const HEADER_BYTES = 61
const ZSTD = 4
const TRANSACTIONAL = 0x10

const ADMIN_CLIENT_ID = '__admin_client'

export const produceHandler = defineHandler(
  produce,
  [3, 13],
  async (request, context) => {
    const responses = await Promise.all(
      request.topicData.map(async ({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: await Promise.all(
          partitionData.map(({ index, records }) => appendTo(request, { name, topicId }, index, records, context)),
        ),
      })),
    )
    if (request.acks !== 0) return { responses, throttleTimeMs: 0 }
    const failed = responses.flatMap((topic) => topic.partitionResponses).find(({ errorCode }) => errorCode !== 0)
    if (failed) throw new CloseConnectionError(`a produce with acks=0 failed with ${errorOf(failed.errorCode).name}`)
    return undefined
  },
  { advertisedOldest: 0 },
)

async function appendTo(
  request: Request,
  named: { name: string; topicId: string },
  index: number,
  records: Buffer | null,
  context: RequestContext,
): Promise<PartitionResponse> {
  const { logs } = context.broker
  const byId = context.version >= 13
  const topic = byId ? logs.topicById(named.topicId) : logs.topic(named.name)
  const refused = (name: ErrorName) => refusal(index, name)
  if (request.acks < -1 || request.acks > 1) return refused('INVALID_REQUIRED_ACKS')
  const partition = topic?.partitions[index]
  if (!topic || !partition) return refused(byId && !topic ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION')
  const invalid = invalidRecords(records, context.version)
  if (invalid) return refused(invalid)
  if (topic.internal && context.clientId !== ADMIN_CLIENT_ID) return refused('INVALID_TOPIC_EXCEPTION')
  if (request.acks === -1 && topic.config.minInsyncReplicas > 1) return refused('NOT_ENOUGH_REPLICAS')
  try {
    const appending = await appendVerified(request, topic, index, records!, context)
    if (typeof appending === 'string') return refused(appending)
    const appended = await appending.result
    return {
      index,
      errorCode: 0,
      baseOffset: appended.baseOffset,
      logAppendTimeMs: appended.logAppendTimeMs,
      logStartOffset: appended.logStartOffset,
      recordErrors: [],
    }
  } catch (error) {
    if (!(error instanceof LogRefusal)) throw error
    return refusedByLog(index, error, partition.closed ? -1 : partition.logStartOffset)
  }
}

function refusal(index: number, name: ErrorName): PartitionResponse {
  return { index, errorCode: codeOf(name), baseOffset: -1, recordErrors: [] }
}

/** Kafka gives words only where records of the batch were looked at one by one; elsewhere the code says it all. */
function refusedByLog(index: number, { error, reason, recordRefusals }: LogRefusal, logStartOffset: number) {
  const perRecord = recordRefusals.length > 0
  const plain = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'CORRUPT_MESSAGE', 'UNKNOWN_TOPIC_OR_PARTITION']
  return {
    index,
    errorCode: error.code,
    baseOffset: -1,
    logStartOffset: perRecord || plain.includes(error.name) ? -1 : logStartOffset,
    recordErrors: recordRefusals.map(({ batchIndex, message }) => ({ batchIndex, batchIndexErrorMessage: message })),
    errorMessage: perRecord ? reason : null,
  }
}

/** What Kafka asks of a Produce request's records before the log sees them: exactly one batch, of the current format. */
function invalidRecords(records: Buffer | null, version: number): ErrorName | undefined {
  if (!records || records.length < HEADER_BYTES) return records?.length ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD'
  if (records[MAGIC_AT] !== 2) return 'INVALID_RECORD'
  if (version < 7 && (records.readInt16BE(ATTRIBUTES_AT) & 7) === ZSTD) return 'UNSUPPORTED_COMPRESSION_TYPE'
  const end = BATCH_LENGTH_AT + 4 + records.readInt32BE(BATCH_LENGTH_AT)
  if (end > records.length) return 'CORRUPT_MESSAGE'
  return end < records.length ? 'INVALID_RECORD' : undefined
}

/**
 * A transactional batch is taken only for a partition that the coordinator has in the transaction: otherwise a late batch of a
 * transaction that has ended would hang in the log for ever (KIP-890, part 1). Looked at in the same turn as the append takes
 * its place in the log, so that no marker can come between. From version 12 on a batch adds its partition itself.
 */
async function appendVerified(
  { transactionalId }: Request,
  topic: Topic,
  index: number,
  records: Buffer,
  { broker: { transactions }, version }: RequestContext,
): Promise<ErrorName | { result: Promise<AppendResult> }> {
  const log = topic.partitions[index]!
  if ((records.readInt16BE(ATTRIBUTES_AT) & TRANSACTIONAL) === 0) return { result: log.append(records) }
  if (transactionalId === null) return 'INVALID_PRODUCER_ID_MAPPING'
  const partition = { topic: topic.name, partition: index }
  const producer = {
    transactionalId,
    producerId: Number(records.readBigInt64BE(PRODUCER_ID_AT)),
    producerEpoch: records.readInt16BE(PRODUCER_EPOCH_AT),
  }
  if (version >= 12 && transactions.verifyPartition({ ...producer, ...partition }) !== undefined) {
    const error = await transactions.addPartitions(producer, [partition])
    if (error !== 'NONE') return error
  }
  const error = transactions.verifyPartition({ ...producer, ...partition })
  if (error !== undefined) return error === 'TRANSACTION_ABORTABLE' && version < 11 ? 'INVALID_TXN_STATE' : error
  return { result: log.append(records) }
}

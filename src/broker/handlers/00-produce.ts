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
  try {
    const appending = await appendVerified(request, topic, index, records!, context)
    if (typeof appending === 'string') return refusedTransaction(index, appending)
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

/** What the client of a transaction is told: what may pass is an error that it tries again after. */
function refusedTransaction(index: number, error: ErrorName): PartitionResponse {
  const passes: readonly ErrorName[] = [
    'CONCURRENT_TRANSACTIONS',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR',
  ]
  if (passes.includes(error)) {
    const errorMessage = `Unable to verify the partition has been added to the transaction. Underlying error: ${error}`
    return { ...refusal(index, 'NOT_ENOUGH_REPLICAS'), errorMessage }
  }
  if (error === 'INVALID_TXN_STATE') {
    return { ...refusal(index, error), errorMessage: 'Partition was not added to the transaction' }
  }
  return refusal(index, error)
}

/** Kafka says where the log starts, but not with errors that it finds before it looks at the producer and the records. */
const withoutLogStart: readonly ErrorName[] = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'CORRUPT_MESSAGE',
  'KAFKA_STORAGE_ERROR',
  'UNKNOWN_TOPIC_OR_PARTITION',
]

/** Kafka gives words only where records of the batch were looked at one by one; elsewhere the code says it all. */
function refusedByLog(index: number, { error, reason, recordRefusals }: LogRefusal, logStartOffset: number) {
  return {
    index,
    errorCode: error.code,
    baseOffset: -1,
    logStartOffset: withoutLogStart.includes(error.name) ? -1 : logStartOffset,
    recordErrors: recordRefusals.map(({ batchIndex, message }) => ({ batchIndex, batchIndexErrorMessage: message })),
    errorMessage: recordRefusals.length > 0 ? reason : null,
  }
}

/** What Kafka asks of a Produce request's records before the log sees them: exactly one batch, of the current format. */
function invalidRecords(records: Buffer | null, version: number): ErrorName | undefined {
  if (!records || records.length < HEADER_BYTES) return 'INVALID_RECORD'
  const magic = records[MAGIC_AT]!
  if (magic !== 2) return magic > 2 ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD'
  if (version < 7 && (records.readInt16BE(ATTRIBUTES_AT) & 7) === ZSTD) return 'UNSUPPORTED_COMPRESSION_TYPE'
  return records.readInt32BE(BATCH_LENGTH_AT) === records.length - BATCH_LENGTH_AT - 4 ? undefined : 'INVALID_RECORD'
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
  if (transactionalId === null) return 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'
  const partition = { topic: topic.name, partition: index }
  const producer = {
    transactionalId,
    producerId: Number(records.readBigInt64BE(PRODUCER_ID_AT)),
    producerEpoch: records.readInt16BE(PRODUCER_EPOCH_AT),
  }
  if (version >= 12 && transactions.verifyPartition({ ...producer, ...partition }) !== undefined) {
    const error = await transactions.addByWriting(producer, partition)
    if (error !== 'NONE') return error
  }
  const error = transactions.verifyPartition({ ...producer, ...partition })
  if (error !== undefined) return error === 'TRANSACTION_ABORTABLE' && version < 11 ? 'INVALID_TXN_STATE' : error
  return { result: log.append(records) }
}

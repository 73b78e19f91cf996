/** Requests to the coordinators that the comparisons with Apache Kafka have in common. */
import {
  findCoordinator,
  initProducerId,
  joinGroup,
  offsetFetch,
  syncGroup,
} from '../../src/protocol/messages/index.ts'
import { consumerProtocolSubscription } from '../../src/protocol/stored/consumer-protocol.ts'
import { until } from '../support/until.ts'
import { WireClient } from '../support/wire-client.ts'
import { type Transcript } from './transcript.ts'

/** Kafka creates the coordinators' topics with the first lookup, and takes its time. */
export async function coordinatorsExist(bootstrapServers: string): Promise<void> {
  const client = await WireClient.connect(bootstrapServers)
  try {
    for (const keyType of [0, 1]) {
      await until(async () => (await client.request(findCoordinator, 2, { key: 'x', keyType })).errorCode === 0)
    }
    await until(async () => {
      const { errorCode } = await client.request(initProducerId, 1, {
        transactionalId: 'x',
        transactionTimeoutMs: 1000,
      })
      return errorCode === 0
    })
    await until(async () => {
      const body = { groupId: 'x', topics: null }
      return (await client.request(offsetFetch, 5, body)).errorCode === 0
    })
  } finally {
    client.close()
  }
}

const metadataOf = (...topics: string[]) => consumerProtocolSubscription.encode(1, { topics, ownedPartitions: [] })

export const join = (
  groupId: string,
  more: { memberId?: string; groupInstanceId?: string | null; protocolType?: string } = {},
) => ({
  groupId,
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 30_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [
    { name: 'range', metadata: metadataOf('diff-topic') },
    { name: 'roundrobin', metadata: metadataOf('diff-topic') },
  ],
  ...more,
})

export const commitOf = (partitionIndex: number, committedOffset: number, committedMetadata: string | null = 'm') => ({
  partitionIndex,
  committedOffset,
  committedMetadata,
})

/** Joins as the only member and syncs; resolves with the member id. */
export async function alone(
  on: Transcript,
  groupId: string,
  from = 'alone',
): Promise<{ memberId: string; generationId: number }> {
  const { memberId } = await on.ask(from, joinGroup, 5, join(groupId))
  const { generationId } = await on.ask(from, joinGroup, 5, join(groupId, { memberId }))
  const assignments = [{ memberId, assignment: Buffer.from('all') }]
  await on.ask(from, syncGroup, 3, { groupId, generationId, memberId, assignments })
  return { memberId, generationId }
}

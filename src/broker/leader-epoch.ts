/**
 * The leader epoch that a client believes in, against the partition's own: an older one is fenced (the client must refresh its
 * metadata), a newer one is unknown here. -1 means that the client does not say (KIP-320).
 */
import { type ErrorName } from '../protocol/error-codes.ts'
import { type PartitionLog } from './log/partition-log.ts'

export function leaderEpochError(claimed: number, log: PartitionLog): ErrorName | undefined {
  if (claimed < 0 || claimed === log.leaderEpoch) return undefined
  return claimed < log.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH'
}

/**
 * The words of a judgement: how a partition and a group stand, in Burrow's vocabulary, and how the worst of several is found.
 * Names and order as in Burrow's core/protocol/evaluator.go.
 */

/** WARN: falls behind. STOP: commits no more. STALL: is owned and does not move. REWIND: went back and has not recovered. */
export type PartitionStatus = 'OK' | 'WARN' | 'STOP' | 'STALL' | 'REWIND'

/** UNKNOWN: not judged yet, or nothing of it could be read. */
export type GroupStatus = 'OK' | 'WARNING' | 'ERROR' | 'UNKNOWN'

export const partitionStatuses: readonly PartitionStatus[] = ['OK', 'WARN', 'STOP', 'STALL', 'REWIND']
export const groupStatuses: readonly GroupStatus[] = ['OK', 'WARNING', 'ERROR', 'UNKNOWN']

/** Burrow's number of a partition's status. */
export const burrowNumbers: Readonly<Record<PartitionStatus, number>> = { OK: 1, WARN: 2, STOP: 4, STALL: 5, REWIND: 6 }

/** Burrow's word and number of a group's status; what was not judged is to Burrow a group that is not there. */
export const burrowGroups: Readonly<Record<GroupStatus, { word: string; number: number }>> = {
  UNKNOWN: { word: 'NOTFOUND', number: 0 },
  OK: { word: 'OK', number: 1 },
  WARNING: { word: 'WARN', number: 2 },
  ERROR: { word: 'ERR', number: 3 },
}

const ofGroup: Readonly<Record<PartitionStatus, GroupStatus>> = {
  OK: 'OK',
  WARN: 'WARNING',
  STOP: 'ERROR',
  STALL: 'ERROR',
  REWIND: 'ERROR',
}

/** What one partition makes of its group. */
export function groupStatusOf(status: PartitionStatus): GroupStatus {
  return ofGroup[status]
}

const groupRank: Readonly<Record<GroupStatus, number>> = { UNKNOWN: 0, OK: 1, WARNING: 2, ERROR: 3 }

/** Negative when `left` is worse, for lists that begin with the worst. */
export function worstFirst(left: GroupStatus, right: GroupStatus): number {
  return groupRank[right] - groupRank[left]
}

/** A group stands as its worst partition does; one without partitions is OK, as in Burrow. */
export function worstOf(statuses: Iterable<PartitionStatus>): GroupStatus {
  let worst: GroupStatus = 'OK'
  for (const status of statuses) {
    const one = groupStatusOf(status)
    if (groupRank[one] > groupRank[worst]) worst = one
  }
  return worst
}

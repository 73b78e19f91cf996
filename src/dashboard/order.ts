/** Which groups the overview lists, and in which order. */
import type { GroupSummary } from '../lag/api-types.ts'
import type { Address, SortKey, Status } from './address.ts'

const ranks: Readonly<Record<Status, number>> = { ERROR: 0, WARNING: 1, OK: 2, UNKNOWN: 3 }

type Order = (left: GroupSummary, right: GroupSummary) => number

function byName(left: GroupSummary, right: GroupSummary): number {
  if (left.group !== right.group) return left.group < right.group ? -1 : 1
  return left.cluster < right.cluster ? -1 : left.cluster > right.cluster ? 1 : 0
}

/** Most first; what is not known comes last. */
const most =
  (value: (group: GroupSummary) => number | null): Order =>
  (left, right) =>
    (value(right) ?? -1) - (value(left) ?? -1)

const orders: Readonly<Record<SortKey, Order>> = {
  worst: (left, right) => ranks[left.status] - ranks[right.status] || most((one) => one.totalLag)(left, right),
  group: byName,
  lag: most(({ totalLag }) => totalLag),
  time: most(({ lagSeconds }) => lagSeconds),
  members: most(({ members }) => members),
}

type Wanted = Pick<Address, 'search' | 'statuses' | 'cluster' | 'sort' | 'isReversed'>

/** Every word of the search is part of the group's or the cluster's name, in any case. */
export function listed(groups: Iterable<GroupSummary>, wanted: Wanted): GroupSummary[] {
  const words = wanted.search.toLowerCase().split(/\s+/).filter(Boolean)
  const found: GroupSummary[] = []
  for (const one of groups) {
    if (wanted.cluster !== undefined && one.cluster !== wanted.cluster) continue
    if (wanted.statuses.length > 0 && !wanted.statuses.includes(one.status)) continue
    if (words.length > 0) {
      const name = `${one.cluster} ${one.group}`.toLowerCase()
      if (!words.every((word) => name.includes(word))) continue
    }
    found.push(one)
  }
  const order = orders[wanted.sort]
  const sorted = found.sort((left, right) => order(left, right) || byName(left, right))
  return wanted.isReversed ? sorted.toReversed() : sorted
}

export function countsOf(groups: Iterable<GroupSummary>): Record<Status, number> {
  const counts = { ERROR: 0, WARNING: 0, OK: 0, UNKNOWN: 0 }
  for (const { status } of groups) counts[status]++
  return counts
}
